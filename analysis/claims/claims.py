"""The paper's claims, with their published numbers, and whether a sweep's results bear them out.

    reproduced        the criterion beside the claim holds
    not reproduced    it does not; for want of evidence as well, so that few seeds reproduce little
    not testable      something is missing, which is said

A claim about several chains or settings holds if it holds in each. The paper's model is LLaMA-2 7B:
of another model the list says whether it behaves likewise, not whether the paper is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from raysweep.store.storage import Storage
from raysweep.tasks.registry import TASKS

from ..data.published import TABLE_1
from ..data.rate_curves import Rate
from ..drawing.group_panels import Panel
from .claim import Claim
from .evidence import Evidence
from .judges import (
    CAPABILITIES,
    SAFETIES,
    Part,
    flat,
    in_part,
    line_through_stages,
    most_uneven,
    order_of_pair,
    order_overall,
    same_groups,
    sharper,
    top_group,
    uneven,
)
from .rate_judges import order_at_each_rate, order_everywhere, rate
from .replay_claims import REPLAY
from .verdicts import Judgement


def _order() -> list[Claim]:
    pairs = [
        Claim(
            "4.1, Table 1",
            f"{TASKS[safety].title} is forgotten more than {TASKS[capability].title}",
            f"{lost - other:.2f} = {lost} - {other}".replace("- -", "+ "),
            round(lost - other, 2),
            "the order effect (safety - capability, each first) is above 0, p <= .05 after Holm's "
            "correction",
            partial(order_of_pair, safety=safety, capability=capability),
        )
        for (safety, capability), (lost, other) in TABLE_1.items()
    ]
    mean = round(sum(lost - other for lost, other in TABLE_1.values()) / len(TABLE_1), 2)
    overall = Claim(
        "4.1, Figure 2",
        "safety is forgotten more than capability, over all pairs",
        f"{mean} (mean of Table 1)",
        mean,
        "the mean order effect is above 0, p <= .05 with at least three pairs as units",
        order_overall,
    )
    return [*pairs, overall, *_order_at_rates()]


def _order_at_rates() -> list[Claim]:
    safety, capability = "toxigen", "arc_easy"
    names = f"{TASKS[safety].title} is forgotten more than {TASKS[capability].title}"
    each = [
        Claim(
            f"4.1, Figure 8{letter}",
            f"{names} at every {which.label}",
            "at each of five",
            None,
            f"the order effect is above 0 at each {which.label}, mean over the other one, p <= .05 "
            "after Holm's correction for all rates and pairs (paired by seed)",
            partial(order_at_each_rate, safety=safety, capability=capability, rate=which),
        )
        for letter, which in zip("ab", Rate, strict=True)
    ]
    consistent = Claim(
        "4.1, Figure 8",
        f"{names}: this is consistent across learning rates",
        "consistent",
        None,
        "the order effect, mean over seeds, is above 0 at every combination of both rates, and its "
        "mean over them has p <= .05 over seeds",
        partial(order_everywhere, safety=safety, capability=capability),
    )
    return [*each, consistent]


def _groups() -> list[Claim]:
    against_chance = (
        "the largest biased forgetting has p <= .05 against groups that make no difference, after "
        "Holm's correction for all chains (of the trained models' test rows: other trainings may "
        "differ)"
    )
    chains = [
        Claim(
            "4.2, Figure 3",
            f"biased forgetting in {TASKS[safety].title} → {TASKS[capability].title}",
            "10.09, the largest" if (safety, capability) == ("toxigen", "csqa2") else "present",
            10.09 if (safety, capability) == ("toxigen", "csqa2") else None,
            against_chance,
            partial(uneven, safety=safety, capability=capability),
        )
        for safety in ("toxigen", "bbq")
        for capability in CAPABILITIES
    ]
    largest = Claim(
        "4.2",
        "the largest of the six chains is that of TQA → CQA2",
        "10.09",
        10.09,
        "it is more than chance gives, as above, and the largest of the six",
        partial(most_uneven, safety="toxigen", capability="csqa2"),
    )
    top = Claim(
        "4.2, Figure 3a-c",
        "muslim is the top group of TQA, whatever follows",
        "1st of 13 in each",
        None,
        "it forgets most in all three chains, each time by more than chance gives (p <= .05)",
        partial(top_group, safety="toxigen", group="muslim"),
    )
    return [*chains, largest, top, *_parts(), *_rankings()]


def _parts() -> list[Claim]:
    return [
        Claim(
            place,
            f"{' and '.join(groups)} stay in the {end} {num} of {TASKS[safety].title}",
            f"{end} {num} of {of} in each",
            None,
            "they are there in all three chains; a tie counts against a place (no test: by chance "
            "two groups are there together in one chain of about eight, TQA, or six, BBQ)",
            partial(in_part, safety=safety, groups=groups, part=Part(num, end == "top")),
        )
        for place, safety, groups, end, num, of in (
            ("4.2, Figure 3a-c", "toxigen", ("jewish", "native_american"), "top", 5, 13),
            ("4.2, Figure 3d-f", "bbq", ("age", "disability_status"), "top", 4, 9),
            ("4.2, Figure 3d-f", "bbq", ("ses", "religion"), "bottom", 4, 9),
        )
    ]


def _rankings() -> list[Claim]:
    return [
        Claim(
            "4.2",
            f"{TASKS[safety].title}: the same groups after {TASKS[first].title} as after "
            f"{TASKS[second].title}",
            f"tau {tau}",
            tau,
            "Kendall's tau-b of the two rankings is above 0, p <= .05; its size is not judged",
            partial(same_groups, safety=safety, first=first, second=second),
        )
        for safety, first, second, tau in (
            ("toxigen", "arc_easy", "csqa", 0.69),
            ("toxigen", "arc_easy", "csqa2", 0.46),
            ("bbq", "arc_easy", "csqa2", 0.72),
        )
    ]


def _curvature() -> list[Claim]:
    sharp = [
        Claim(
            "4.3, Figure 4a",
            f"{TASKS[task].title} has a larger radius than each capability task",
            "larger",
            None,
            "the mean logarithm of its radius is above that of ARC, CQA and CQA2, p <= .05 each "
            "(Welch, seeds as units)",
            partial(sharper, task=task, others=CAPABILITIES),
        )
        for task in ("bbq", "toxigen")
    ]
    low = Claim(
        "4.3, Figure 4a",
        "SD has not: its curvature is lower",
        "lower",
        None,
        "the mean logarithm of its radius is below that of TQA and BBQ, p <= .05 each, and not "
        "above each capability task's by that test",
        partial(flat, task="saferdialogues"),
    )
    line = Claim(
        "4.3, Figure 4b",
        "curvature explains mean downstream forgetting",
        "R2 .85, p <= .01",
        0.85,
        "OLS on the radius over first stages of at least three tasks has a slope above 0, p <= .01 "
        "(errors by task where a task has several); R2 is not judged",
        line_through_stages,
    )
    return [*sharp, low, line]


def _rates() -> list[Claim]:
    criterion = (
        "forgetting at the largest {which} learning rate less that at the smallest, all else "
        "equal, has that sign, p <= .05 after Holm's correction (paired by seed)"
    )
    second = [
        Claim(
            "4.4, Figure 6",
            f"a larger second learning rate forgets more of {TASKS[task].title}",
            "more",
            None,
            criterion.format(which="second"),
            partial(_by_second_rate, task=task),
        )
        for task in SAFETIES
    ]
    first = [
        Claim(
            "4.4, Figure 5",
            f"a larger first learning rate forgets {more} of {TASKS[task].title}",
            more,
            None,
            criterion.format(which="first"),
            partial(_by_first_rate, task=task, sign=1 if more == "more" else -1),
        )
        for task, more in (("bbq", "less"), ("saferdialogues", "less"), ("toxigen", "more"))
    ]
    return [*second, *first]


def _by_first_rate(evidence: Evidence, task: str, sign: int) -> Judgement:
    return rate(evidence.first_rates, task, sign, "first")


def _by_second_rate(evidence: Evidence, task: str) -> Judgement:
    return rate(evidence.second_rates, task, 1, "second")


CLAIMS: tuple[Claim, ...] = (*_order(), *_groups(), *_curvature(), *_rates(), *REPLAY)
"""All of them, in the paper's order."""


def judge(results: Storage, panels: Sequence[Panel]) -> tuple[tuple[Claim, Judgement], ...]:
    """Each claim with what the results of a sweep, and Figure 3's panels, say of it."""
    evidence = Evidence(results, panels)
    return tuple((claim, claim.judge(evidence)) for claim in CLAIMS)
