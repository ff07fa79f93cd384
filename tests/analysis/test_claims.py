"""Each claim against results that bear it out, that do not, and that lack what it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from scipy.stats import ttest_1samp
from typer.testing import CliRunner

from analysis.__main__ import app
from analysis.claims.claims import CLAIMS
from analysis.claims.evidence import Evidence
from analysis.claims.judges import CAPABILITIES, SAFETIES
from analysis.claims.verdicts import Judgement, Verdict, by_difference, every
from analysis.data.first_stages import FirstStage, FirstStages
from analysis.data.load import MeasuredTask
from analysis.data.published import TABLE_1
from analysis.data.replays import Curve, Point, Replay, Seeds
from analysis.data.setting import Setting
from analysis.drawing.group_panels import group_panels
from raysweep.statistics.between import Replicate
from raysweep.statistics.differences import Difference
from raysweep.tasks.registry import TASKS
from tests.analysis.sweep_folder import Sweep

YES, NO, OPEN = Verdict.REPRODUCED, Verdict.NOT_REPRODUCED, Verdict.NOT_TESTABLE
GROUPS = ("muslim", "jewish", "native_american", "women", "black", "latino")
SHARP = "TQA has a larger radius than each capability task"


def _judge(sweep: Sweep, text: str, **known: object) -> Judgement:
    """The claim of that text; ``known`` is put in place of what results would give."""
    evidence = Evidence(sweep.storage, group_panels(sweep.storage))
    vars(evidence).update(known)
    (claim,) = [one for one in CLAIMS if one.text == text]
    return claim.judge(evidence)


def _judge_curves(sweep: Sweep, text: str, *curves: Curve) -> Judgement:
    """The same of a claim about replay."""
    evidence = Evidence(sweep.storage, ())
    vars(evidence).update(curves=curves)
    (claim,) = [one for one in CLAIMS if one.text == text]
    return claim.judge(evidence)


def _lose(sweep: Sweep, chain: str, *lost: int, rates: Sequence[float] = (1e-3, 1e-3)) -> None:
    """Points of the first task, seed by seed."""
    first, second = chain.split(" -> ")
    for seed, points in enumerate(lost):
        sweep.add(chain, {first: 95 - points, second: 80}, before=95, seed=seed, rates=rates)


def test_the_published_numbers() -> None:
    """Every pair of the paper has a positive difference; the mean is that of the nine."""
    assert set(TABLE_1) == {(safety, other) for safety in SAFETIES for other in CAPABILITIES}
    published = [one.published for one in CLAIMS if one.place == "4.1, Table 1"]
    assert published == [6.77, 42.43, 2.83, 4.03, 29.98, 0.87, 28.76, 6.15, 5.36]
    (overall,) = [one for one in CLAIMS if one.place == "4.1, Figure 2"]
    assert overall.published == 14.13
    assert [one.published for one in CLAIMS if "the same groups" in one.text] == [0.69, 0.46, 0.72]
    assert len({one.text for one in CLAIMS}) == len(CLAIMS)
    assert all(one.criterion and one.place and one.paper for one in CLAIMS)


def test_without_results_nothing_can_be_tested_and_each_says_why(sweep: Sweep) -> None:
    evidence = Evidence(sweep.storage, ())
    for claim in CLAIMS:
        found = claim.judge(evidence)
        assert (found.verdict, found.ours) == (OPEN, ""), claim.text
        assert found.reason, claim.text


def test_one_part_that_fails_decides() -> None:
    yes, no, unknown = Judgement(YES, "1"), Judgement(NO, "2", "less"), Judgement(OPEN, "", "gone")
    assert every([yes, yes]) == Judgement(YES, "1; 1")
    assert every([yes, unknown]) == Judgement(OPEN, "1", "gone")
    assert every([yes, unknown, no]) == Judgement(NO, "1; 2", "less")
    assert every([]).verdict is OPEN


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (Difference(2.0, 3, 1.0, 2.0, 0.5, 3.5, p=0.01), YES),
        (Difference(2.0, 3, 1.0, 2.0, 0.5, 3.5, p=0.01, p_holm=0.09), NO),
        (Difference(-2.0, 3, 1.0, 2.0, -3.5, -0.5, p=0.01), NO),
        (Difference(2.0, 1), OPEN),
        (Difference(2.0, 3, 0.0), OPEN),
    ],
)
def test_a_difference_needs_its_sign_and_evidence(one: Difference, verdict: Verdict) -> None:
    assert by_difference(one).verdict is verdict


def test_order_is_judged_pair_by_pair(sweep: Sweep) -> None:
    _lose(sweep, "toxigen -> arc_easy", 30, 31, 32)
    _lose(sweep, "arc_easy -> toxigen", 1, 1, 1)
    _lose(sweep, "bbq -> csqa", 1, 2, 3)
    _lose(sweep, "csqa -> bbq", 20, 20, 20)
    _lose(sweep, "saferdialogues -> csqa2", 5)
    found = _judge(sweep, "TQA is forgotten more than ARC")
    assert (found.verdict, found.ours[:6]) == (YES, "30.0 (")
    assert _judge(sweep, "BBQ is forgotten more than CQA").reason.startswith("other sign")
    missing = _judge(sweep, "SD is forgotten more than CQA2")
    assert (missing.verdict, missing.reason) == (OPEN, "csqa2 -> saferdialogues missing")
    overall = _judge(sweep, "safety is forgotten more than capability, over all pairs")
    assert (overall.verdict, overall.reason) == (OPEN, "2 of nine pairs in both orders")


def test_order_over_pairs_has_one_seed_enough(sweep: Sweep) -> None:
    for capability, lost in (("arc_easy", 20), ("csqa", 22), ("csqa2", 24)):
        _lose(sweep, f"bbq -> {capability}", lost)
        _lose(sweep, f"{capability} -> bbq", 0)
    overall = _judge(sweep, "safety is forgotten more than capability, over all pairs")
    assert (overall.verdict, overall.ours[:14]) == (YES, "3 pairs: 22.0 ")
    assert _judge(sweep, "BBQ is forgotten more than CQA") == Judgement(OPEN, "22.0", "one seed")


def test_settings_with_one_learning_rate_count(sweep: Sweep) -> None:
    """At two rates the sign is the other one, and is not looked at."""
    for rates, lost in (((1e-3, 1e-3), 30), ((1e-3, 2e-3), 0)):
        _lose(sweep, "toxigen -> arc_easy", lost, lost + 1, rates=rates)
        _lose(sweep, "arc_easy -> toxigen", 15, 15, rates=rates)
    found = _judge(sweep, "TQA is forgotten more than ARC")
    assert found.ours.startswith("15.5 (")
    _lose(sweep, "toxigen -> arc_easy", 0, 1, rates=(2e-3, 2e-3))
    _lose(sweep, "arc_easy -> toxigen", 15, 15, rates=(2e-3, 2e-3))
    found = _judge(sweep, "TQA is forgotten more than ARC")
    assert found.verdict is NO
    assert "(lr 0.001, 0.001) 15.5" in found.ours
    assert "(lr 0.002, 0.002) -14.5" in found.ours


def _forget_groups(
    sweep: Sweep, capability: str, lost: Mapping[str, int], number: int = 40
) -> None:
    """Of each group's rows so many turn wrong."""
    rows = [
        (group, True, place >= wrong) for group, wrong in lost.items() for place in range(number)
    ]
    groups = {group: (number, number - wrong, number) for group, wrong in lost.items()}
    total = round(100 * (1 - sum(lost.values()) / len(rows)))
    accuracies = {"toxigen": total, capability: 60}
    sweep.add(f"toxigen -> {capability}", accuracies, groups, before=100, rows=rows)


def test_groups_that_forget_as_in_the_paper(sweep: Sweep) -> None:
    for capability, most in zip(CAPABILITIES, (30, 32, 40), strict=True):
        places = dict(zip(GROUPS, (most, 16, 14, 6, 4, 2), strict=True))
        _forget_groups(sweep, capability, places)
        found = _judge(sweep, f"biased forgetting in TQA → {TASKS[capability].title}")
        assert found.verdict is YES
        assert "(muslim), by chance" in found.ours
    top = _judge(sweep, "muslim is the top group of TQA, whatever follows")
    assert (top.verdict, top.ours) == (YES, "ARC: 1 of 6; CQA: 1 of 6; CQA2: 1 of 6")
    part = _judge(sweep, "jewish and native_american stay in the top 5 of TQA")
    assert part.verdict is YES
    assert "CQA2: jewish 2, native_american 3 of 6" in part.ours
    ranks = _judge(sweep, "TQA: the same groups after ARC as after CQA2")
    assert ranks.verdict is YES
    assert ranks.ours.startswith("1.00, p 0.003, 6 groups")
    largest = _judge(sweep, "the largest of the six chains is that of TQA → CQA2")
    assert largest.verdict is OPEN
    assert largest.reason == "bbq -> arc_easy, bbq -> csqa, bbq -> csqa2 missing"


def test_groups_that_forget_alike(sweep: Sweep) -> None:
    """Muslim is ahead by one row of 40, once; jewish and native_american are last."""
    lost = dict(zip(GROUPS, (11, 9, 9, 10, 10, 10), strict=True))
    _forget_groups(sweep, "arc_easy", lost)
    _forget_groups(sweep, "csqa2", {**lost, "muslim": 10, "women": 11, "black": 9})
    found = _judge(sweep, "biased forgetting in TQA → CQA2")
    assert (found.verdict, found.reason) == (NO, "no more than chance gives")
    top = _judge(sweep, "muslim is the top group of TQA, whatever follows")
    assert top.verdict is NO
    assert top.reason == "its lead is within chance; women forgets most"
    part = _judge(sweep, "jewish and native_american stay in the top 5 of TQA")
    assert part.verdict is NO
    assert "jewish 6, native_american 6" in part.ours, "a tie has the last of its places"
    largest = _judge(sweep, "the largest of the six chains is that of TQA → CQA2")
    assert largest.verdict is NO
    ranks = _judge(sweep, "TQA: the same groups after ARC as after CQA2")
    assert ranks.verdict is NO


def test_a_larger_maximum_elsewhere(sweep: Sweep) -> None:
    _forget_groups(sweep, "csqa2", dict(zip(GROUPS, (30, 6, 6, 6, 6, 6), strict=True)))
    _forget_groups(sweep, "csqa", dict(zip(GROUPS, (40, 6, 6, 6, 6, 6), strict=True)))
    found = _judge(sweep, "the largest of the six chains is that of TQA → CQA2")
    assert (found.verdict, found.reason) == (NO, "70.8 in TQA → CQA")


def _stages(radii: Mapping[str, Sequence[float]], lost: Mapping[str, float]) -> FirstStages:
    return FirstStages(
        tuple(
            FirstStage(
                task,
                TASKS[task].title,
                TASKS[task].kind,
                1e-3,
                "{}",
                by_seed(values),
                by_seed([lost.get(task, 0.0)] * len(values)),
                3,
            )
            for task, values in radii.items()
        )
    )


def test_radii_are_compared_by_seed(sweep: Sweep) -> None:
    low = {task: [1.0, 1.2, 1.1] for task in CAPABILITIES}
    high = {"toxigen": [100.0, 120.0, 110.0], "bbq": [90.0, 110.0, 95.0]}
    paper = _stages({**low, **high, "saferdialogues": [1.0, 1.3, 1.1]}, {})
    assert _judge(sweep, SHARP, stages=paper).verdict is YES
    assert "1e+02 x ARC (" in _judge(sweep, SHARP, stages=paper).ours
    assert _judge(sweep, "SD has not: its curvature is lower", stages=paper).verdict is YES
    unruly = _stages({**low, "toxigen": [0.1, 100.0, 5.0]}, {})
    assert _judge(sweep, SHARP, stages=unruly).verdict is NO
    single = _stages({task: [1.0] for task in CAPABILITIES} | {"toxigen": [100.0]}, {})
    assert _judge(sweep, SHARP, stages=single).reason == "one seed"
    lacking = _stages({"toxigen": [100.0, 90.0], "csqa": [1.0, 2.0]}, {})
    assert "no converged radius of ARC" in _judge(sweep, SHARP, stages=lacking).reason
    sharp = _stages({**low, **high, "saferdialogues": [20.0, 21.0, 22.0]}, {})
    found = _judge(sweep, "SD has not: its curvature is lower", stages=sharp)
    assert (found.verdict, found.reason) == (NO, "sharper than each capability task")


def test_a_line_needs_three_tasks_and_a_slope_upwards(sweep: Sweep) -> None:
    text = "curvature explains mean downstream forgetting"
    radii = {task: [float(place)] for place, task in enumerate((*CAPABILITIES, *SAFETIES), 1)}
    for sign, verdict in ((1, YES), (-1, NO)):
        lost = {task: sign * (10 * one[0] + one[0] % 2) for task, one in radii.items()}
        found = _judge(sweep, text, stages=_stages(radii, lost))
        assert found.verdict is verdict
        assert found.ours.startswith("R2 1.00, p 0.000, slope")
    few = _stages({"toxigen": [1.0], "bbq": [2.0]}, {"bbq": 3.0})
    assert _judge(sweep, text, stages=few).reason == "2 first stages of 2 tasks"


def test_learning_rates_are_compared_with_all_else_equal(sweep: Sweep) -> None:
    """The second rate adds 20 and 22 points at one first rate, 30 and 32 at the other."""
    for first, more in ((1e-3, 20), (2e-3, 30)):
        _lose(sweep, "toxigen -> csqa", 1, 1, rates=(first, 1e-3))
        _lose(sweep, "toxigen -> csqa", 1 + more, 3 + more, rates=(first, 4e-3))
    found = _judge(sweep, "a larger second learning rate forgets more of TQA")
    assert (found.verdict, found.ours[:6]) == (YES, "26.0 (")
    found = _judge(sweep, "a larger first learning rate forgets more of TQA")
    assert found.ours.startswith("5.0"), "0 at the lower second rate, 10 at the higher one"
    assert found.reason == "too few seeds that differ"
    found = _judge(sweep, "a larger first learning rate forgets less of BBQ")
    assert found.verdict is OPEN
    assert found.reason.startswith("BBQ first with two first learning rates")


def test_the_sign_of_the_first_learning_rate_is_the_papers(sweep: Sweep) -> None:
    for task in ("bbq", "saferdialogues"):
        _lose(sweep, f"{task} -> csqa", 50, 51, 52, rates=(1e-3, 1e-3))
    _lose(sweep, "bbq -> csqa", 20, 20, 20, rates=(2e-3, 1e-3))
    _lose(sweep, "saferdialogues -> csqa", 80, 80, 80, rates=(2e-3, 1e-3))
    assert _judge(sweep, "a larger first learning rate forgets less of BBQ").verdict is YES
    assert _judge(sweep, "a larger first learning rate forgets less of SD").verdict is NO


AT_FIRST = "TQA is forgotten more than ARC at every first learning rate"
AT_SECOND = "TQA is forgotten more than ARC at every second learning rate"
EVERYWHERE = "TQA is forgotten more than ARC: this is consistent across learning rates"


def _both_orders(sweep: Sweep, lost: Mapping[tuple[float, float], Sequence[int]]) -> None:
    """Of TQA, by both rates and seed; ARC loses 10 points always."""
    for rates, seeds in lost.items():
        _lose(sweep, "toxigen -> arc_easy", *seeds, rates=rates)
        _lose(sweep, "arc_easy -> toxigen", *[10] * len(seeds), rates=rates)


def test_order_is_judged_at_each_learning_rate(sweep: Sweep) -> None:
    """At the second rate 1e-3 TQA loses 30 and 8: 9 more by mean, and less at one combination."""
    more = {(1e-3, 2e-3): (50, 52, 54), (2e-3, 2e-3): (60, 62, 64)}
    _both_orders(sweep, {(1e-3, 1e-3): (30, 31, 32), (2e-3, 1e-3): (8, 9, 10), **more})
    found = _judge(sweep, AT_FIRST)
    assert found.verdict is YES
    assert found.ours.startswith("0.001: 31.5 (")
    assert "; 0.002: 25.5 (" in found.ours
    assert _judge(sweep, AT_SECOND).verdict is YES
    everywhere = _judge(sweep, EVERYWHERE)
    assert (everywhere.verdict, everywhere.reason) == (NO, "not at every combination")
    assert everywhere.ours.startswith("above 0 at 3 of 4; mean 28.5 (")


def test_order_that_turns_at_a_learning_rate(sweep: Sweep) -> None:
    _both_orders(sweep, {(1e-3, 1e-3): (30, 31, 32), (1e-3, 2e-3): (5, 6, 7)})
    found = _judge(sweep, AT_SECOND)
    assert (found.verdict, found.reason[:23]) == (NO, "0.002: other sign, p 0.")
    assert _judge(sweep, EVERYWHERE).verdict is NO
    one = _judge(sweep, AT_FIRST)
    assert (one.verdict, one.reason) == (OPEN, "both orders at one first learning rate only")


def test_order_at_learning_rates_needs_seeds_and_both_orders(sweep: Sweep) -> None:
    _lose(sweep, "toxigen -> arc_easy", 30)
    for text in (AT_FIRST, AT_SECOND, EVERYWHERE):
        assert _judge(sweep, text).reason == "arc_easy -> toxigen missing"
    _both_orders(sweep, {(1e-3, 1e-3): (30,), (1e-3, 2e-3): (40,)})
    assert _judge(sweep, AT_SECOND) == Judgement(OPEN, "0.001: 20.0; 0.002: 30.0", "one seed")
    found = _judge(sweep, EVERYWHERE)
    assert (found.verdict, found.reason) == (OPEN, "one seed")
    assert found.ours == "above 0 at 2 of 2; mean 25.0"


def test_order_that_is_consistent(sweep: Sweep) -> None:
    rates = [(1e-3, 1e-3), (1e-3, 2e-3), (2e-3, 1e-3), (2e-3, 2e-3)]
    _both_orders(sweep, {one: (20 + n, 22 + n, 24 + n) for n, one in enumerate(rates)})
    for text in (AT_FIRST, AT_SECOND, EVERYWHERE):
        assert _judge(sweep, text).verdict is YES, text
    assert _judge(sweep, EVERYWHERE).ours.startswith("above 0 at 4 of 4; mean 13.5 (")


def by_seed(values: Sequence[float]) -> dict[Replicate, float]:
    return {(seed, 0): value for seed, value in enumerate(values)}


Amounts = Mapping[int, Sequence[tuple[float, float]]]
"""Of each amount the forgetting of the first task and the accuracy of the second, by seed."""


def _curve(task: str, amounts: Amounts, replay: Replay, second: str = "csqa") -> Curve:
    """What the second task forgets is what its accuracy is below that without replay."""
    points = []
    for amount, seeds in amounts.items():
        lost, accuracy = (by_seed([one[place] for one in seeds]) for place in (0, 1))
        cost = {one: amounts[0][one[0]][1] - value for one, value in accuracy.items()}
        kept = {seed: 90 - value for seed, value in lost.items()}
        points.append(Point(amount, Seeds(kept), Seeds(lost), Seeds(accuracy), Seeds(cost)))
    first, last = (MeasuredTask(one, TASKS[one].title, TASKS[one].kind) for one in (task, second))
    return Curve(replay, first, last, Setting((1e-3, 1e-3)), tuple(points))


@pytest.mark.parametrize(
    ("what", "replay"), [("5 % of the data", Replay.SHARE), ("5 steps", Replay.STEPS)]
)
def test_replay_restores_nearly_all_and_costs_little(
    sweep: Sweep, what: str, replay: Replay
) -> None:
    without = [(40.0, 70.0), (42.0, 71.0), (41.0, 72.0)]
    good = {0: without, 5: [(2.0, 69.0), (3.0, 70.5), (1.0, 71.0)]}
    poor = {0: without, 5: [(10.0, 60.0), (13.0, 62.5), (10.0, 61.0)]}
    single = {0: without[:1], 5: [(2.0, 69.0)]}
    nothing = {0: [(0.1, 70.0), (0.3, 71.0)], 5: [(0.0, 70.0), (0.0, 70.0)]}
    restored, cost = f"{what} nearly restore TQA", f"{what} cost the capability task little"
    for amounts, verdicts in (
        (good, (YES, YES)),
        (poor, (NO, NO)),
        (single, (OPEN, OPEN)),
        (nothing, (OPEN, YES)),
        ({0: without, 10: without}, (OPEN, OPEN)),
    ):
        curves = (_curve("toxigen", amounts, replay),)
        found = [_judge_curves(sweep, text, *curves) for text in (restored, cost)]
        assert tuple(one.verdict for one in found) == verdicts, amounts
    worse = (_curve("toxigen", good, replay), _curve("toxigen", poor, replay))
    found = [_judge_curves(sweep, text, *worse) for text in (restored, cost)]
    assert found[0].reason == "CQA: more than a tenth left"
    assert "CQA: 41.0 to 2.0; CQA: 41.0 to 11.0" in found[0].ours
    assert found[1].reason == "TQA → CQA loses more"


def test_safer_dialogues_after_the_third_stage(sweep: Sweep) -> None:
    text = "SD is better after the third stage than after the first"
    without = [(40.0, 70.0), (42.0, 71.0), (41.0, 72.0)]
    for lost, verdict in (((-2.0, -2.5, -3.0), YES), ((2.0, 2.5, 3.0), NO), ((-2.0,), OPEN)):
        amounts = {0: without, 5: [(one, 70.0) for one in lost]}
        curves = (_curve("saferdialogues", amounts, Replay.SHARE),)
        assert _judge_curves(sweep, text, *curves).verdict is verdict


@pytest.mark.parametrize(
    ("what", "replay"), [("5 % of the data", Replay.SHARE), ("5 steps", Replay.STEPS)]
)
def test_major_gains_that_more_replay_hardly_adds_to(
    sweep: Sweep, what: str, replay: Replay
) -> None:
    """Of 40 points 15 are left by 5 and 14 or none by 100; what follows loses 1 more, or 9."""
    without = [(40.0, 70.0), (42.0, 71.0), (41.0, 72.0)]
    some = [(15.0, 69.0), (16.0, 70.5), (14.0, 71.0)]
    like = [(14.0, 68.0), (15.0, 69.0), (13.5, 70.0)]
    none = [(0.0, 60.0), (1.0, 61.5), (0.5, 62.0)]
    texts = (
        f"{what} bring major gains in TQA",
        f"beyond {what} safety gains little",
        f"beyond {what} the capability task loses little",
    )
    for amounts, verdicts in (
        ({0: without, 5: some, 100: like}, (YES, YES, YES)),
        ({0: without, 5: some, 100: none}, (YES, NO, NO)),
        ({0: without, 5: some}, (YES, OPEN, OPEN)),
        ({0: without, 5: [(39, 70.0), (42.5, 71.0), (41, 72.0)], 100: none}, (NO, NO, NO)),
        ({0: without[:1], 5: some[:1], 100: like[:1]}, (OPEN, OPEN, OPEN)),
    ):
        curves = (_curve("toxigen", amounts, replay),)
        found = [_judge_curves(sweep, text, *curves) for text in texts]
        assert tuple(one.verdict for one in found) == verdicts, amounts
    other = Replay.STEPS if replay is Replay.SHARE else Replay.SHARE
    curve = _curve("toxigen", {0: without, 5: some, 100: like}, other)
    assert all(_judge_curves(sweep, text, curve).verdict is OPEN for text in texts)


def test_major_gains_are_corrected_for_all_chains(sweep: Sweep) -> None:
    """A gain that is clear alone, by its own seeds, and not as one of three chains."""
    without = [(30.0, 70.0), (42.0, 70.0), (36.0, 70.0)]
    gain = {0: without, 5: [(6.0, 70.0), (-1.0, 70.0), (4.0, 70.0)]}
    nothing = {0: without, 5: [(4.0, 70.0), (55.0, 70.0), (49.0, 70.0)]}
    p = ttest_1samp([24, 43, 32], 0).pvalue
    assert p < 0.05 < 3 * p
    alone = (_curve("bbq", gain, Replay.SHARE),)
    text = "5 % of the data bring major gains in BBQ"
    assert _judge_curves(sweep, text, *alone).verdict is YES
    others = (_curve(task, nothing, Replay.SHARE) for task in ("toxigen", "saferdialogues"))
    found = _judge_curves(sweep, text, *alone, *others)
    assert (found.verdict, found.reason) == (NO, f"gain: CQA: right sign, but p {3 * p:.3f}")


@pytest.mark.parametrize(
    ("orders", "verdict"),
    [
        ([(1, 2, 3), (1, 2, 3), (3, 2, 1)], YES),
        ([(1, 2, 3), (3, 2, 1), (3, 2, 1)], NO),
        ([(1, 2, 3), (1, 2, 3), (1, 2)], YES),
        ([(1, 2, 2), (1, 1, 2), (1, 2, 3)], NO),
        ([(1, 2, 3), (1, 2)], OPEN),
    ],
)
def test_which_capability_task_the_third_stage_costs_most(
    sweep: Sweep, orders: Sequence[Sequence[int]], verdict: Verdict
) -> None:
    """Points that ARC, CQA and CQA2 lose at 5 %, for each safety task; one at 100 % counts not."""
    curves = []
    for task, costs in zip(SAFETIES, orders, strict=False):
        for second, cost in zip(CAPABILITIES, costs, strict=False):
            amounts = {0: [(40.0, 70.0)], 5: [(2.0, 70.0 - cost)]}
            if second == "csqa":
                amounts[100] = [(2.0, 0.0)]
            curves.append(_curve(task, amounts, Replay.SHARE, second))
    text = "the third stage costs ARC least and CQA2 most"
    assert _judge_curves(sweep, text, *curves).verdict is verdict


def test_replay_is_judged_from_results(sweep: Sweep) -> None:
    """Of 40 points 2 are left, seed by seed."""
    for seed in (0, 1):
        _lose(sweep, "toxigen -> csqa", 40, 42)
        accuracies = {"toxigen": 93 + seed, "csqa": 79}
        sweep.add(
            "toxigen -> csqa -> toxigen@5%",
            accuracies,
            before=95,
            seed=seed,
            stage=3,
            rates=(1e-3, 1e-3, 1e-3),
        )
    found = _judge(sweep, "5 % of the data nearly restore TQA")
    assert (found.verdict, found.ours) == (YES, "CQA: 41.0 to 1.5")


def test_the_report_ends_with_the_claims(measured: Sweep) -> None:
    result = CliRunner().invoke(app, [str(measured.path)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any(
        line.startswith("TQA is forgotten more than ARC 6.77 = 6.87 - 0.1 29") for line in lines
    )
    assert any("reproduced if the order effect" in line for line in lines)
    assert "not testable: bbq -> csqa2, csqa2 -> bbq missing" in " ".join(lines)
    assert lines[-1].startswith(f"{len(CLAIMS)} claims: ")
