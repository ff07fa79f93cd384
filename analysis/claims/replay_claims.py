"""The paper's claims about replay (sections 5 and 9.4)."""

from __future__ import annotations

from functools import partial

from raysweep.tasks.registry import TASKS

from ..data.replays import Replay
from .claim import Claim
from .judges import SAFETIES
from .replay_judges import (
    better_than_first,
    gained,
    harmless,
    least_and_most,
    no_more_cost,
    no_more_gain,
    restored,
)

AMOUNT = 5  # percent or steps
KINDS = ((Replay.SHARE, "a", "5 % of the data"), (Replay.STEPS, "b", "5 steps"))


def _section_5() -> list[Claim]:
    claims = []
    for replay, letter, what in KINDS:
        place = f"5, Figure 7{letter}"
        claims += [
            Claim(
                place,
                f"{what} nearly restore {TASKS[task].title}",
                "nearly",
                None,
                "at most a tenth of the forgetting without replay is left, and the gain has "
                "p <= .05 (paired by seed), in each of its chains that was measured",
                partial(restored, task=task, replay=replay, amount=AMOUNT),
            )
            for task in SAFETIES
        ]
        claims += [
            Claim(
                place,
                f"{what} cost the capability task little",
                "minor",
                None,
                "it loses at most 2 points of accuracy on average over seeds (at least two) in "
                "each chain; the paper gives no number",
                partial(harmless, replay=replay, amount=AMOUNT),
            ),
            Claim(
                place,
                f"beyond {what} safety gains little",
                "minimal",
                None,
                "the largest amount leaves at most 2 points of forgetting less, on average over "
                "seeds (at least two) in each chain; the paper gives no number",
                partial(no_more_gain, replay=replay, amount=AMOUNT),
            ),
        ]
    better = Claim(
        "5, 9.4",
        "SD is better after the third stage than after the first",
        "improved",
        None,
        "its forgetting after a third stage, mean over chains and amounts, is below 0, p <= .05 "
        "over seeds",
        partial(better_than_first, task="saferdialogues"),
    )
    return [*claims, better]


def _section_9() -> list[Claim]:
    claims = []
    for replay, letter, what in KINDS:
        claims += [
            Claim(
                f"9.4, Figures 11{letter}, 12{letter}",
                f"{what} bring major gains in {TASKS[task].title}",
                "major",
                None,
                "at most half of the forgetting without replay is left, and the gain has p <= .05 "
                "after Holm's correction for all chains, in each of its chains; the paper does not "
                "say what is major",
                partial(gained, task=task, replay=replay, amount=AMOUNT),
            )
            for task in SAFETIES
        ]
    claims.append(
        Claim(
            "9.4, Figure 14",
            "the third stage costs ARC least and CQA2 most",
            "across most combinations",
            None,
            "of the three capability tasks ARC loses least accuracy by the third stage and CQA2 "
            "most, mean over amounts and seeds, for more than half of the safety tasks, shares and "
            "steps apart (at least two tasks; no test: by chance 1 in 6 each)",
            partial(least_and_most, least="arc_easy", most="csqa2"),
        )
    )
    claims += [
        Claim(
            f"9.4, Figure 14{letter}",
            f"beyond {what} the capability task loses little",
            "not much",
            None,
            "the largest amount costs it at most 2 points more, on average over seeds (at least "
            "two) in each chain; the paper gives no number",
            partial(no_more_cost, replay=replay, amount=AMOUNT),
        )
        for replay, letter, what in KINDS
    ]
    return claims


REPLAY: tuple[Claim, ...] = (*_section_5(), *_section_9())
"""In the paper's order."""
