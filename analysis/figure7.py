"""Figure 7: how much replay brings a forgotten first task back (the paper's section 5, 9.4).

    (a) forgetting of the first task after the last stage, by the share of its data that is replayed
    (b) the same by the number of replay steps on all of its data

and beside each the accuracy of the second task, which replay may cost (Figure 13). Points are means
over seeds with the sample standard deviation. No replay, 0, is the chain of the first two stages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.table import Table
from rich.text import Text

from raysweep.results.query import query
from raysweep.space.chains import Chain
from raysweep.statistics.between import Replicate
from raysweep.store.storage import Storage
from raysweep.tasks.task import Kind

from .literal import literal
from .mean import Mean, fixed, shown

COLOURS = ("#c8553d", "#1f4e8c", "#588157", "#8d6a9f", "#b08900", "#5e6472")
LINES = ("-", "--", ":")
DODGE = 0.03


class Replay(StrEnum):
    """What is varied; the value is the axis's label."""

    SHARE = "replayed share of the first task's data (%)"
    STEPS = "replay steps on the first task's data"
    MIXED = "share of the first task's data mixed into the second stage (%)"


@dataclass(frozen=True)
class Point:
    """One amount of replay.

    Attributes:
        amount: percent or steps.
        forgetting: of the first task after the last stage, in points.
        accuracy: of the second task after the last stage, in percent.
        forgetting_by_seed, accuracy_by_seed: what they are means of.
    """

    amount: float
    forgetting: Mean
    accuracy: Mean
    forgetting_by_seed: Mapping[Replicate, float] = field(hash=False)
    accuracy_by_seed: Mapping[Replicate, float] = field(hash=False)


@dataclass(frozen=True)
class Curve:
    """A pair of tasks at one setting of its first two stages.

    Attributes:
        kind: of the first task.
        points: by amount; the first may be no replay at all.
    """

    replay: Replay
    first: str
    second: str
    kind: Kind
    rates: tuple[float, ...]
    points: tuple[Point, ...]

    @property
    def title(self) -> str:
        """Both tasks, as the paper writes a chain."""
        return f"{self.first} → {self.second}"

    def recovered(self, point: Point) -> float | None:
        """The share of the forgetting without replay that a point is spared; None without one."""
        without = self.points[0]
        if without.amount or point is without or without.forgetting.value <= 0:
            return None
        return 1 - point.forgetting.value / without.forgetting.value


@dataclass(frozen=True)
class _Run:
    """A trial with its amount of replay.

    Attributes:
        seed: with the data seed.
        common: what it shares with the trial that replays nothing: tasks and settings.
        last: the settings of a third stage, but for its share and steps; empty without one.
        share: of the first task's data, in percent.
        steps: of the third stage; 0 without one.
    """

    seed: Replicate
    common: tuple[str, ...]
    rates: tuple[float, ...]
    last: str
    share: float
    steps: int
    forgetting: float
    accuracy: float

    @property
    def is_mixed(self) -> bool:
        """Whether the first task's data are part of the second stage."""
        return not self.last and self.share > 0


SQL = """
    WITH ends AS (
        SELECT trial, task, any_value(forgetting) AS forgetting FROM forgetting
        WHERE "group" = 'overall' AND stage = len(learning_rates) AND learned_at = 1
        GROUP BY trial, task
    )
    SELECT trial, seed, data_seed, chain, settings, ends.task AS first, ends.forgetting,
           evaluations.task, title, kind, accuracy
    FROM evaluations JOIN ends USING (trial)
    WHERE "group" = 'overall' AND subset = 'all' AND stage = len(learning_rates)
    ORDER BY trial
"""


def figure7(results: Storage) -> tuple[Curve, ...]:
    """The curves of a sweep with replay; none if it has no replay."""
    rows = query(results, SQL).to_pylist()
    titles = {row["task"]: row["title"] for row in rows}
    kinds = {row["task"]: Kind(row["kind"]) for row in rows}
    groups: dict[tuple[str, ...], list[_Run]] = {}
    for row in rows:
        run = _run(row)
        if run:
            groups.setdefault(run.common, []).append(run)
    return tuple(
        Curve(
            replay,
            titles[common[0]],
            titles[common[1]],
            kinds[common[0]],
            runs[0].rates,
            _points(amounts),
        )
        for common, runs in groups.items()
        for replay, amounts in _amounts(runs)
    )


def listing(curves: tuple[Curve, ...]) -> Table:
    """The numbers, for a rich console."""
    table = Table(
        title="Figure 7: forgetting of the first task after replay (points)",
        box=box.SIMPLE,
        title_justify="left",
    )
    for column in ("chain", "replay", "forgetting", "recovered (%)", "second task (%)", "seeds"):
        table.add_column(column, justify="left" if column == "chain" else "right")
    for curve in curves:
        for point in curve.points:
            recovered = curve.recovered(point)
            table.add_row(
                Text(curve.title if point is curve.points[0] else ""),
                f"{point.amount:g}{' steps' if curve.replay is Replay.STEPS else ' %'}",
                shown(point.forgetting),
                "" if recovered is None else fixed(100 * recovered),
                shown(point.accuracy),
                str(point.forgetting.num_seeds),
            )
        table.add_section()
    return table


def picture(curves: tuple[Curve, ...]) -> Figure:
    """A row for each kind of replay: forgetting of the first task, accuracy of the second."""
    kinds = [kind for kind in Replay if any(curve.replay is kind for curve in curves)]
    figure = Figure(figsize=(11.5, 4.0 * len(kinds)), dpi=150, layout="constrained")
    panels = figure.subplots(len(kinds), 2, squeeze=False, sharey="col")
    for (left, right), kind in zip(panels, kinds, strict=True):
        of_kind = [curve for curve in curves if curve.replay is kind]
        several = len({curve.rates for curve in of_kind}) > 1
        amounts = sorted({point.amount for curve in of_kind for point in curve.points})
        for number, curve in enumerate(of_kind):
            rates = ", ".join(f"{rate:g}" for rate in curve.rates)
            style = {
                "label": literal(f"{curve.title} ({rates})" if several else curve.title),
                "color": COLOURS[number % len(COLOURS)],
                "linestyle": LINES[number // len(COLOURS) % len(LINES)],
            }
            # Amounts grow fast: they stand side by side, not to scale. So do the curves' bars.
            aside = DODGE * (number - (len(of_kind) - 1) / 2)
            places = [amounts.index(point.amount) + aside for point in curve.points]
            _draw_curve(left, places, [point.forgetting for point in curve.points], style)
            _draw_curve(right, places, [point.accuracy for point in curve.points], style)
        left.axhline(0, color="0.5", linewidth=0.8)
        left.set_ylabel("forgetting of the first task (points)")
        right.set_ylabel("accuracy of the second task (%)")
        for axes in (left, right):
            axes.set_xlabel(kind.value)
            axes.set_xticks(range(len(amounts)), [f"{amount:g}" for amount in amounts])
        right.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _draw_curve(axes: Axes, places: list[float], means: list[Mean], style: dict[str, str]) -> None:
    values = [mean.value for mean in means]
    deviations = [mean.deviation or 0.0 for mean in means]
    axes.errorbar(places, values, yerr=deviations, marker="o", capsize=3, **style)  # type: ignore[arg-type]


def _run(row: dict[str, Any]) -> _Run | None:
    """None for chains without replay's form, and for rows of other than the second task."""
    stages = Chain.parse(row["chain"])
    if len(stages) not in (2, 3) or stages[1][0].task != row["task"] or row["task"] == row["first"]:
        return None
    settings = json.loads(row["settings"])
    again = stages[2] if len(stages) == 3 else stages[1][1:]
    replays = len(again) <= 1 and all(part.task == row["first"] for part in again)
    has_form = str(stages[0]) == row["first"] and (len(stages) == 2 or len(stages[1]) == 1)
    if not (replays and has_form):
        return None
    return _Run(
        seed=(row["seed"], row["data_seed"]),
        common=(row["first"], row["task"], *(_without(stage, "stage") for stage in settings[:2])),
        rates=tuple(stage["learning_rate"] for stage in settings[:2]),
        last="".join(_without(stage, "stage", "num_steps") for stage in settings[2:]),
        share=100 * again[0].fraction if again else 0.0,
        steps=settings[2]["num_steps"] if len(stages) == 3 else 0,
        forgetting=100 * row["forgetting"],
        accuracy=100 * row["accuracy"],
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
    for run in runs:
        found.setdefault(amount(run), []).append(run)
    return found


def _points(amounts: Amounts) -> tuple[Point, ...]:
    return tuple(
        Point(
            amount,
            _mean([run.forgetting for run in runs]),
            _mean([run.accuracy for run in runs]),
            {run.seed: run.forgetting for run in runs},
            {run.seed: run.accuracy for run in runs},
        )
        for amount, runs in sorted(amounts.items())
    )


def _mean(values: list[float]) -> Mean:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Mean(float(np.mean(values)), deviation, len(values))
