"""How sure a model is of right answers, before and after later stages, and how well it knows.

The mean probability of the right answer among its candidates moves before accuracy does: an answer
that is barely right still counts as right. Beside it the expected calibration error, and what it
would be of a model with the same confidence that is right just as often (`raysweep.statistics.
reliability`). Of the same rows as `transitions`; generated responses have no candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from raysweep.statistics.grouped_losses import FEW_ROWS
from raysweep.statistics.reliability import calibration_error, if_calibrated
from raysweep.statistics.row_means import RowMean
from raysweep.tasks.task import OVERALL

from .booktabs import Booktabs, Column
from .case_panels import Case, Style, draw_cases, left_out
from .exhibit import Exhibit, Missing, Reading
from .mean import Mean, fixed, mean_of, shown
from .row_changes import (
    NOTHING,
    Answers,
    RowChanges,
    about_rows,
    interval_text,
    labels,
    lacking,
    reaches,
    row_changes,
)
from .trained_chain import is_wanted

BEFORE, AFTER = "#0072b2", "#d55e00"
TITLE = "Mean probability of the right answer, before and after later stages (%)"
FEW = "†"
NO_PROBABILITY = (
    f"{NOTHING}, and with the probability of its right answers (generated responses and results of "
    "early versions have none)"
)
NOTES = (
    "probability: of the right answer among the candidates, mean over rows; 95 %: t interval over "
    "test rows, of these models: other trainings may differ.",
    "error: expected calibration error, ten bins of confidence; in brackets what it would be if "
    "each answer were right with its confidence as the probability.",
)


@dataclass(frozen=True)
class Stage:
    """What one model makes of a group's rows.

    Attributes:
        accuracy, error, calibrated: over seeds, in percent; the calibration error, and that of a
            calibrated model.
        probability: of the right answer, a fraction, with an interval over test rows.
        by_seed: the probability of each seed.
    """

    accuracy: Mean
    probability: RowMean
    by_seed: tuple[float, ...]
    error: Mean
    calibrated: Mean


@dataclass(frozen=True)
class Calibration:
    """A group's rows before and after.

    Attributes:
        change: of the probability of the right answer, with an interval over test rows.
    """

    group: str
    num_rows: int
    before: Stage
    after: Stage
    change: RowMean


@dataclass(frozen=True)
class TaskCalibration:
    """A task in one chain; groups whose probability falls most first."""

    label: str
    num_seeds: int
    whole: Calibration
    groups: tuple[Calibration, ...]


def exhibit(reading: Reading) -> Exhibit | Missing:
    """Dots before and after by chain and group; printed are whole tasks, the files have all."""
    rows = [one for one in reading.of(row_changes) if one.has_probability]
    if not rows:
        return Missing(NO_PROBABILITY)
    found = dict(zip(rows, calibrations(rows), strict=True))
    wanted = [one for one in rows if is_wanted(one.chain, reading.rates)]
    if not wanted:
        return Missing("no chain begins with these learning rates")
    tasks = [found[one] for one in wanted]
    return Exhibit(
        display(list(found.values()), with_groups=False),
        lambda: picture(tasks, wanted),
        display(list(found.values()), with_groups=True).texts(),
        "; ".join([*left_out([_case(task) for task in tasks]), *lacking(reading)]),
    )


def calibrations(found: Sequence[RowChanges]) -> tuple[TaskCalibration, ...]:
    """Of rows that have probabilities."""
    made = []
    for one, label in zip(found, labels(found), strict=True):
        groups = [_calibration(one, group) for group in one.groups]
        groups.sort(key=lambda each: (each.change.value, each.group))
        whole = _calibration(one, OVERALL)
        made.append(TaskCalibration(label, one.num_seeds, whole, tuple(groups)))
    return tuple(made)


def display(found: Sequence[TaskCalibration], with_groups: bool) -> Booktabs:
    """A row for each task of each chain; and for its groups, in sections."""
    columns = [Column("task in chain"), *([Column("group")] if with_groups else [])]
    columns += [Column("rows", is_number=True), Column("seeds", is_number=True)]
    stages = ("before", "after")
    columns += [Column(stage, "accuracy (%)", "accuracy", is_number=True) for stage in stages]
    columns += [
        Column(stage, "probability (%)", "probability", is_number=True)
        for stage in (*stages, "change", "95 %")
    ]
    columns += [Column(stage, "calibration error (%)", "error", is_number=True) for stage in stages]
    sections = [
        tuple(
            _row(one, row, with_groups) for row in (one.whole, *(one.groups if with_groups else ()))
        )
        for one in found
    ]
    if not with_groups:
        sections = [tuple(row for section in sections for row in section)]
    notes = list(NOTES)
    if any(one.num_seeds > 1 for one in found):
        notes.append("Mean ± sample standard deviation over seeds.")
    return Booktabs(TITLE, tuple(columns), tuple(sections), tuple(notes))


def picture(found: Sequence[TaskCalibration], rows: Sequence[RowChanges]) -> Figure:
    """The figure of at least one task."""
    parts = [
        "before: right after the task's first full stage; after: after the chain's last stage",
        f"whiskers: 95 % t interval over {about_rows(rows)}",
    ]
    if any(one.num_seeds > 1 for one in found):
        parts.append("means over seeds; small dots: each seed")
    parts.append("ticks: accuracy")
    cells = [each for one in found for each in one.groups]
    if cells:
        parts.append("in brackets: test rows of the group")
    if any(each.num_rows < FEW_ROWS for each in cells):
        parts.append(f"{FEW} fewer than {FEW_ROWS} rows")
    across = "probability of the right answer (%)"
    return draw_cases([_case(one) for one in found], Style(TITLE, "; ".join(parts), across, _draw))


def _case(one: TaskCalibration) -> Case[Calibration]:
    groups = tuple((_name(each), each) for each in one.groups)
    return Case(one.label, (one.label, one.whole), groups)


def _name(one: Calibration) -> str:
    few = FEW if one.num_rows < FEW_ROWS else ""
    return f"{one.group.replace('_', ' ')} ({one.num_rows:,}{few})"


def _row(one: TaskCalibration, row: Calibration, with_groups: bool) -> tuple[str, ...]:
    is_whole = row is one.whole
    return (
        one.label,
        *([OVERALL if is_whole else row.group] if with_groups else []),
        f"{row.num_rows:,}{FEW if row.num_rows < FEW_ROWS else ''}",
        str(one.num_seeds),
        *(shown(stage.accuracy) for stage in (row.before, row.after)),
        *(shown(_percent(stage.by_seed)) for stage in (row.before, row.after)),
        fixed(100 * row.change.value),
        interval_text(row.change),
        *(f"{shown(s.error)} ({fixed(s.calibrated.value)})" for s in (row.before, row.after)),
    )


def _percent(values: Sequence[float]) -> Mean:
    return mean_of(100 * value for value in values)


def _calibration(one: RowChanges, group: str) -> Calibration:
    change = one.mean(one.after.probability - one.before.probability, group)
    before, after = (_stage(one, answers, group) for answers in (one.before, one.after))
    return Calibration(group, one.num_rows(group), before, after, change)


def _stage(one: RowChanges, answers: Answers, group: str) -> Stage:
    seeds = [(answers.confidence[own], answers.right[own]) for own in one.of_seeds(group)]
    return Stage(
        _percent(one.by_seed(answers.right, group)),
        one.mean(answers.probability, group),
        one.by_seed(answers.probability, group),
        _percent([calibration_error(confidence, right) for confidence, right in seeds]),
        _percent([if_calibrated(confidence) for confidence, _ in seeds]),
    )


def _draw(axes: Axes, rows: Sequence[Calibration]) -> None:
    for place, row in enumerate(rows):
        ends = [100 * row.before.probability.value, 100 * row.after.probability.value]
        axes.plot(ends, [place, place], color="0.7", linewidth=2, zorder=1)
    for name, colour, aside in (("before", BEFORE, -0.12), ("after", AFTER, 0.12)):
        stages: list[Stage] = [getattr(row, name) for row in rows]
        _draw_stage(axes, stages, name, colour, aside)


def _draw_stage(axes: Axes, stages: Sequence[Stage], name: str, colour: str, aside: float) -> None:
    places = np.arange(len(stages)) + aside
    means = [stage.probability for stage in stages]
    axes.errorbar(
        [100 * mean.value for mean in means],
        places,
        xerr=reaches(means),
        fmt="o",
        color=colour,
        markersize=5,
        elinewidth=0.9,
        capsize=2,
        label=f"{name}: probability",
    )
    accuracies = [stage.accuracy.value for stage in stages]
    axes.plot(
        accuracies, places, "|", color=colour, markersize=8, markeredgewidth=1.6,
        label=f"{name}: accuracy",
    )  # fmt: skip
    points = [
        (100 * value, place)
        for stage, place in zip(stages, places, strict=True)
        for value in (stage.by_seed if len(stage.by_seed) > 1 else ())
    ]
    if points:
        x, y = zip(*points, strict=True)
        axes.plot(x, y, "o", color="white", markeredgecolor=colour, markersize=3, linestyle="none")
