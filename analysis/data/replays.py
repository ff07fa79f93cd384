"""Replay: chains that train their first task again, as a third stage or mixed into the second one.

A curve is a pair of tasks at one setting: what is left of both after the last stage, by how much of
the first task comes back (the paper's sections 5 and 9.4). No replay, 0, is what the first two
stages leave, of whatever chain begins with them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Any

from raysweep.results.query import query
from raysweep.space.chains import Chain, Mixture
from raysweep.statistics.between import Replicate, independent
from raysweep.statistics.ratio import Ratio, paired_ratio
from raysweep.store.storage import Storage
from raysweep.tasks.task import Kind

from .load import MeasuredTask, task_position
from .mean import Mean, mean_of
from .setting import Setting

FORGOTTEN = 1.0  # points: less has nothing to be restored
NO_REPLAY = "no chain replays its first task, as stage1@5% or mixed into the second stage"


class Replay(StrEnum):
    """What is varied; the value is the axis's label."""

    SHARE = "replayed share of the first task's data (%)"
    STEPS = "replay steps on the first task's data"
    MIXED = "share of the first task's data mixed into the second stage (%)"


@dataclass(frozen=True)
class Seeds:
    """A quantity of a chain's trials, in percent or points."""

    values: Mapping[Replicate, float] = field(hash=False)

    @property
    def mean(self) -> Mean | None:
        """Over seeds; None where nothing was measured."""
        return mean_of(self.values.values()) if self.values else None


@dataclass(frozen=True)
class Point:
    """One amount of replay: both tasks after the last stage.

    Attributes:
        amount: percent or steps.
        accuracy, forgetting: of the first task, in percent and points.
        second_accuracy: of the second task.
        second_forgetting: what the second task lost by the third stage; 0 where there is none,
            empty where it was trained on a share only.
    """

    amount: float
    accuracy: Seeds
    forgetting: Seeds
    second_accuracy: Seeds
    second_forgetting: Seeds

    @property
    def learned(self) -> dict[Replicate, float]:
        """The first task's accuracy right after its own stage, by seed."""
        lost = self.forgetting.values
        return {seed: value + lost[seed] for seed, value in self.accuracy.values.items()}


@dataclass(frozen=True)
class Curve:
    """A pair of tasks at one setting.

    Attributes:
        points: by amount; the first may be no replay at all.
        chances: accuracy of random answers for the first and the second task, in percent; None for
            a generative task.
    """

    replay: Replay
    first: MeasuredTask
    second: MeasuredTask
    setting: Setting
    points: tuple[Point, ...]
    chances: tuple[float | None, float | None] = (None, None)

    @property
    def title(self) -> str:
        """Both tasks, as the paper writes a chain."""
        return f"{self.first.title} → {self.second.title}"

    def recovered(self, point: Point) -> Ratio | None:
        """The share of the forgetting without replay that a point is spared, 1 for all of it.

            1 - forgetting after replay / forgetting without

        of means over the seeds that have both. None without a point at 0, and where less than a
        point was forgotten: of nothing there is no share.
        """
        without = self.points[0]
        if without.amount or point is without:
            return None
        before, after = without.forgetting.values, point.forgetting.values
        both = before.keys() & after.keys()
        found = paired_ratio(
            *(independent({one: lost[one] for one in both}) for lost in (after, before))
        )
        if found is None or found.denominator < FORGOTTEN:
            return None
        return found.complement


@dataclass(frozen=True)
class _Run:
    """A trial after its last stage, or after its second, with its amount of replay.

    Attributes:
        common: what it shares with the trial that replays nothing: tasks and settings.
        settings: of these stages.
        share: of the first task's data, in percent.
    """

    seed: Replicate
    sweep: str
    common: tuple[str, ...]
    settings: list[dict[str, Any]]
    share: float
    first: Mapping[str, Any]
    second: Mapping[str, Any]

    @property
    def last(self) -> str:
        """The settings of a third stage, but for its share and steps; empty without one."""
        return "".join(_without(stage, "stage", "num_steps") for stage in self.settings[2:])

    @property
    def steps(self) -> int:
        """Of the third stage; 0 without one."""
        return int(self.settings[2]["num_steps"]) if self.settings[2:] else 0

    @property
    def is_mixed(self) -> bool:
        """Whether the first task's data are part of the second stage."""
        return not self.last and self.share > 0

    @property
    def second_forgetting(self) -> float | None:
        """Of the second task by the third stage, as a fraction."""
        if not self.settings[2:]:
            return 0.0
        lost: float | None = self.second["forgetting"]
        return lost


SQL = """
    WITH lost AS (
        SELECT trial, stage, task, any_value(forgetting) AS forgetting FROM forgetting
        WHERE "group" = 'overall' AND learned_at <= 2 GROUP BY trial, stage, task
    )
    SELECT trial, sweep, seed, data_seed, chain, settings, stage, task, title, kind, accuracy,
           chance, forgetting
    FROM evaluations LEFT JOIN lost USING (trial, stage, task)
    WHERE "group" = 'overall' AND subset = 'all' AND stage IN (2, len(learning_rates))
    ORDER BY trial, stage
"""


def replays(results: Storage) -> tuple[Curve, ...]:
    """The curves of a sweep with replay; none if it has no replay."""
    groups: dict[tuple[str, ...], list[_Run]] = {}
    ends = query(results, SQL).to_pylist()
    for _, rows in groupby(ends, lambda row: (row["trial"], row["stage"])):
        if run := _run({row["task"]: row for row in rows}):
            groups.setdefault(run.common, []).append(run)
    curves = [
        _curve(replay, amounts) for runs in groups.values() for replay, amounts in _amounts(runs)
    ]
    return tuple(sorted(curves, key=_position))


def is_mixed_replay(chain: Chain) -> bool:
    """Whether a chain of two stages has a share of its first task in the second one."""
    return len(chain) == 2 and _form(chain) is not None and len(chain[1]) > 1


def _form(chain: Chain) -> Mixture | None:
    """What is replayed, perhaps nothing; None for chains that have not replay's form."""
    if len(chain) not in (2, 3) or chain[0].full_tasks != (str(chain[0]),):
        return None
    first, second = chain[0][0].task, chain[1]
    again = chain[2] if len(chain) == 3 else Mixture(second[1:])
    is_alone = len(chain) == 2 or len(second) == 1
    if not is_alone or second[0].task == first or len(again) > 1:
        return None
    return again if all(part.task == first for part in again) else None


def _run(rows: Mapping[str, dict[str, Any]]) -> _Run | None:
    """Of a trial's rows after a stage by task; None without replay's form or either task's row."""
    row = next(iter(rows.values()))
    chain = Chain(Chain.parse(row["chain"])[: row["stage"]])
    again = _form(chain)
    if again is None:
        return None
    first, second = rows.get(chain.first_task), rows.get(chain[1][0].task)
    if first is None or second is None or first["forgetting"] is None:
        return None
    settings = json.loads(row["settings"])[: row["stage"]]
    tasks = chain.first_task, str(chain[1][0])
    return _Run(
        seed=(row["seed"], row["data_seed"]),
        sweep=row["sweep"],
        common=(*tasks, *(_without(stage, "stage") for stage in settings[:2])),
        settings=settings,
        share=100 * again[0].fraction if again else 0.0,
        first=first,
        second=second,
    )


def _without(settings: dict[str, Any], *names: str) -> str:
    return json.dumps({k: v for k, v in settings.items() if k not in names}, sort_keys=True)


Amounts = dict[float, list[_Run]]


def _amounts(runs: list[_Run]) -> Iterator[tuple[Replay, Amounts]]:
    """The curves of runs with the same first two stages, each with its runs by amount."""
    none = [run for run in runs if not run.share]
    mixed = [run for run in runs if run.is_mixed]
    if mixed:
        yield Replay.MIXED, _by(lambda run: run.share, none + mixed)
    for last in dict.fromkeys(run.last for run in runs if run.last):
        third = [run for run in runs if run.last == last]
        for steps in dict.fromkeys(run.steps for run in third):
            equal = [run for run in third if run.steps == steps]
            if any(run.share < 100 for run in equal):
                yield Replay.SHARE, _by(lambda run: run.share, none + equal)
        whole = [run for run in third if run.share == 100]
        if whole and (len({run.steps for run in whole}) > 1 or len(whole) == len(third)):
            yield Replay.STEPS, _by(lambda run: run.steps, none + whole)


def _by(amount: Callable[[_Run], float], runs: list[_Run]) -> Amounts:
    found: Amounts = {}
    for run in sorted(runs, key=amount):
        found.setdefault(amount(run), []).append(run)
    return found


def _curve(replay: Replay, amounts: Amounts) -> Curve:
    run = next(reversed(amounts.values()))[0]  # with a third stage, where any has
    second = run.common[1]
    share = Chain.parse(second)[0][0].fraction
    label = "" if share == 1 else f" ({100 * share:g} %)"
    return Curve(
        replay,
        _task(run.common[0], run.first),
        _task(second, run.second, label),
        _setting(replay, run),
        tuple(_point(amount, runs) for amount, runs in amounts.items()),
        (_percent(run.first["chance"]), _percent(run.second["chance"])),
    )


def _position(curve: Curve) -> tuple[object, ...]:
    tasks = task_position(curve.first), task_position(curve.second)
    return list(Replay).index(curve.replay), *tasks, curve.setting.position


def _task(name: str, row: Mapping[str, Any], label: str = "") -> MeasuredTask:
    return MeasuredTask(name, row["title"] + label, Kind(row["kind"]))


def _setting(replay: Replay, run: _Run) -> Setting:
    """What is the same at each amount."""
    varied = ("num_steps",) if replay is Replay.STEPS else ()
    third = [{k: v for k, v in stage.items() if k not in varied} for stage in run.settings[2:]]
    stages = [*run.settings[:2], *third]
    rates = [stage["learning_rate"] for stage in stages]
    return Setting.from_row(run.sweep, json.dumps(stages), rates)


def _point(amount: float, runs: list[_Run]) -> Point:
    return Point(
        amount,
        _seeds(runs, lambda run: run.first["accuracy"]),
        _seeds(runs, lambda run: run.first["forgetting"]),
        _seeds(runs, lambda run: run.second["accuracy"]),
        _seeds(runs, lambda run: run.second_forgetting),
    )


def _seeds(runs: list[_Run], fraction: Callable[[_Run], float | None]) -> Seeds:
    found = {run.seed: _percent(fraction(run)) for run in runs}
    return Seeds({seed: value for seed, value in found.items() if value is not None})


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction
