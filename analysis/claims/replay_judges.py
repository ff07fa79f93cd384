"""How the claims about replay are judged (sections 5 and 9.4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from raysweep.statistics.between import Replicate, independent
from raysweep.statistics.differences import Difference, corrected, over_units
from raysweep.tasks.registry import TASKS

from ..data.mean import fixed
from ..data.replays import FORGOTTEN, Curve, Point, Replay
from ..data.setting import Setting
from .evidence import Evidence, paired
from .judges import CAPABILITIES
from .verdicts import Judgement, Verdict, by_difference, every, judged, untestable, with_interval

NEARLY = 0.1  # of the forgetting may be left
HALF = 0.5
LITTLE = 2.0  # points
LEAST_TASKS = 2

Triple = tuple[Curve, Point, Point]


def restored(evidence: Evidence, task: str, replay: Replay, amount: float) -> Judgement:
    """Whether so much replay leaves at most a tenth of what was forgotten."""
    points = [one for one in evidence.replayed(replay, amount) if one[0].first.name == task]
    found = _left(points, _gains(points), NEARLY, "a tenth")
    return found or untestable(_no_replay(task, replay, amount))


def gained(evidence: Evidence, task: str, replay: Replay, amount: float) -> Judgement:
    """Whether so much replay brings at least half of what was forgotten back."""
    by_task: defaultdict[str, list[Triple]] = defaultdict(list)
    for one in evidence.replayed(replay, amount):
        by_task[one[0].first.name].append(one)
    gains: dict[Curve, Difference] = {}
    for points in by_task.values():  # what deviates between seeds differs by task: pooled within
        gains |= _gains(points)
    found = _left(by_task[task], corrected(gains), HALF, "half")
    return found or untestable(_no_replay(task, replay, amount))


def harmless(evidence: Evidence, replay: Replay, amount: float) -> Judgement:
    """Whether so much replay costs the capability task little."""
    points = evidence.replayed(replay, amount)
    losses = paired((c, n.second_accuracy.values, s.second_accuracy.values) for c, n, s in points)
    return _little(losses, "loses more") or untestable(_no_replay("safety", replay, amount))


def no_more_gain(evidence: Evidence, replay: Replay, amount: float) -> Judgement:
    """Whether the largest amount of replay brings little more back than this one."""
    gains = _gains(evidence.continued(replay, amount))
    return _little(gains, "gains more") or untestable(_no_more(replay, amount))


def no_more_cost(evidence: Evidence, replay: Replay, amount: float) -> Judgement:
    """Whether the largest amount makes the capability task lose little more than this one."""
    points = evidence.continued(replay, amount)
    costs = paired(
        (curve, most.second_forgetting.values, some.second_forgetting.values)
        for curve, some, most in points
    )
    return _little(costs, "loses more") or untestable(_no_more(replay, amount))


def better_than_first(evidence: Evidence, task: str) -> Judgement:
    """Whether a third stage leaves the task better than it was after the first."""
    seeds: dict[Replicate, list[float]] = {}
    for curve in evidence.replay_curves(Replay.SHARE, Replay.STEPS):
        for point in curve.points if curve.first.name == task else ():
            for seed, points in point.forgetting.values.items() if point.amount else ():
                seeds.setdefault(seed, []).append(points)
    found = over_units(independent({by: sum(v) / len(v) for by, v in seeds.items()}))
    if found is None:
        return untestable(f"{task} -> ... -> {task} missing")
    return by_difference(found, sign=-1)


def least_and_most(evidence: Evidence, least: str, most: str) -> Judgement:
    """Whether third stages cost these capability tasks least and most, after most safety tasks."""
    alike: defaultdict[tuple[Replay, str, Setting], list[Curve]] = defaultdict(list)
    for curve in evidence.replay_curves(Replay.SHARE, Replay.STEPS):
        alike[curve.replay, curve.first.title, curve.setting].append(curve)
    found = {key: lost for key, curves in alike.items() if (lost := _lost(curves))}
    if len({title for _, title, _ in found}) < LEAST_TASKS:
        return untestable("fewer than two safety tasks with a third stage after all three of them")
    holds = [
        lost[least] < min(lost[name] for name in CAPABILITIES if name != least)
        and lost[most] > max(lost[name] for name in CAPABILITIES if name != most)
        for lost in found.values()
    ]
    ours = [
        f"{title}, {replay.name.lower()}: "
        + ", ".join(f"{TASKS[name].title} {fixed(lost[name])}" for name in CAPABILITIES)
        for (replay, title, _), lost in found.items()
    ]
    reason = f"in {sum(holds)} of {len(holds)}"
    return judged(2 * sum(holds) > len(holds), "; ".join(ours), reason)


def _lost(curves: Sequence[Curve]) -> dict[str, float] | None:
    """Of each capability task, over seeds and the amounts that all have; None unless all do."""
    found = {
        curve.second.name: {
            point.amount: mean.value
            for point in curve.points
            if point.amount and (mean := point.second_forgetting.mean)
        }
        for curve in curves
    }
    amounts = set.intersection(*map(set, found.values()))
    if not amounts or not found.keys() >= set(CAPABILITIES):
        return None
    return {name: float(np.mean([lost[x] for x in amounts])) for name, lost in found.items()}


def _gains(points: Sequence[Triple]) -> dict[Curve, Difference]:
    """How much less is forgotten at the second point of each."""
    return paired(
        (curve, one.forgetting.values, two.forgetting.values) for curve, one, two in points
    )


def _left(
    points: Sequence[Triple], gains: Mapping[Curve, Difference], share: float, name: str
) -> Judgement | None:
    """Whether at most a share of the forgetting is left in each chain; None without any."""
    parts = []
    for curve, none, some in points:
        before, after = (float(np.mean(list(p.forgetting.values.values()))) for p in (none, some))
        label = f"{curve.second.title}: "
        ours = f"{label}{fixed(before)} to {fixed(after)}"
        gain = by_difference(gains[curve], label=label) if curve in gains else None
        if before < FORGOTTEN:
            parts.append(untestable(f"{label}nothing was forgotten", ours))
        elif gain is None or gain.verdict is Verdict.NOT_TESTABLE:
            parts.append(untestable("one seed" if gain is None else gain.reason, ours))
        elif gain.verdict is Verdict.NOT_REPRODUCED:
            parts.append(judged(False, ours, f"gain: {gain.reason}"))
        else:
            parts.append(judged(after <= share * before, ours, f"{label}more than {name} left"))
    return every(parts) if parts else None


def _little(found: Mapping[Curve, Difference], reason: str) -> Judgement | None:
    """Whether differences are at most a few points in each chain; None without any."""
    parts = []
    for curve, one in found.items():
        ours = f"{curve.title}: {with_interval(one)}"
        if one.num < 2:
            parts.append(untestable("one seed", ours))
        else:
            parts.append(judged(one.value <= LITTLE, ours, f"{curve.title} {reason}"))
    return every(parts) if parts else None


def _no_replay(task: str, replay: Replay, amount: float) -> str:
    what = f"{task}{_amount(replay, amount)}"
    return f"{task} -> ... -> {what}, with and without the last stage: missing"


def _no_more(replay: Replay, amount: float) -> str:
    return f"safety -> ... -> safety{_amount(replay, amount)}, and more than that: missing"


def _amount(replay: Replay, amount: float) -> str:
    return f"@{amount:g}%" if replay is Replay.SHARE else f" for {amount:g} steps"
