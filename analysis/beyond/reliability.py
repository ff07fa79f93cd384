"""Reliability diagrams: how often answers are right, by how sure the model is of them.

A panel per chain with a curve before and one after later stages; on the diagonal a model knows how
much it knows. Answers of all seeds are in ten equal bins of confidence, as in the expected
calibration error (`raysweep.statistics.reliability`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from raysweep.statistics.reliability import NUM_BINS, bins, calibration_error, if_calibrated
from raysweep.statistics.row_means import RowMean, by_unit, share
from raysweep.tasks.task import OVERALL

from ..data.mean import Mean, fixed, mean_of
from ..data.row_changes import (
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
from ..data.trained_chain import is_wanted
from ..drawing.booktabs import Booktabs, Column
from ..drawing.literal import literal
from ..exhibit import Exhibit, Missing, Reading
from .calibration import AFTER, BEFORE

MAX_PANELS = 16
NUM_COLUMNS = 4
PANEL_WIDTH, PANEL_HEIGHT = 2.9, 3.2  # inches
TITLE_CHARACTERS = 30
CHARACTERS_PER_INCH = 14.0
SMALL = 8.5  # points
LARGEST, SMALLEST = 130.0, 4.0  # areas of points in square points: all answers, and hardly any
TITLE = "Reliability: how often answers are right, by confidence, before and after later stages"
NO_CONFIDENCE = f"{NOTHING}, and whose answers are chosen among candidates"


@dataclass(frozen=True)
class Bin:
    """Answers of about the same confidence.

    Attributes:
        part: of all answers.
        confidence: mean, a fraction.
        accuracy: with a 95 % interval over test rows.
    """

    num_answers: int
    part: float
    confidence: float
    accuracy: RowMean


@dataclass(frozen=True)
class Reliability:
    """A task in one chain, before or after; errors over seeds, in percent."""

    bins: tuple[Bin, ...]
    error: Mean
    calibrated: Mean


@dataclass(frozen=True)
class Panel:
    """A task in one chain."""

    label: str
    before: Reliability
    after: Reliability


def exhibit(reading: Reading) -> Exhibit | Missing:
    """The diagrams that there is room for; the files have the bins of all."""
    rows = [one for one in reading.of(row_changes) if one.has_confidence]
    if not rows:
        return Missing(NO_CONFIDENCE)
    rows = [one for one in rows if is_wanted(one.chain, reading.rates)]
    if not rows:
        return Missing("no chain begins with these learning rates")
    panels = reliabilities(rows)
    left = len(panels) - MAX_PANELS
    remarks = (
        [f"left out {left} of {len(panels)} diagrams: the tables have all"] if left > 0 else []
    )
    remark = "; ".join([*remarks, *lacking(reading)])
    shown, of_shown = panels[:MAX_PANELS], rows[:MAX_PANELS]
    texts = display(panels).texts()
    return Exhibit(None, lambda: picture(shown, about_rows(of_shown)), texts, remark)


def reliabilities(found: Sequence[RowChanges]) -> tuple[Panel, ...]:
    """Of rows whose answers have a confidence."""
    return tuple(
        Panel(label, _reliability(one, one.before), _reliability(one, one.after))
        for one, label in zip(found, labels(found), strict=True)
    )


def display(panels: Sequence[Panel]) -> Booktabs:
    """The bins, a section per chain and stage."""
    names = ("answers", "confidence (%)", "right (%)", "95 %")
    columns = [Column("task in chain"), Column("stage")]
    columns += [Column(name, is_number=True) for name in names]
    sections = tuple(
        tuple(
            (panel.label, stage, *_cells(one))
            for stage, found in (("before", panel.before), ("after", panel.after))
            for one in found.bins
        )
        for panel in panels
    )
    note = "Answers of all seeds, in ten equal bins of confidence. 95 %: Wilson, over test rows."
    return Booktabs(TITLE, tuple(columns), sections, (note,))


def picture(panels: Sequence[Panel], rows: str) -> Figure:
    """The figure of at least one panel.

    Args:
        rows: what the intervals are over.
    """
    num_columns = min(NUM_COLUMNS, max(len(panels), 2))
    num_rows = -(-len(panels) // num_columns)
    named = [fill(panel.label, TITLE_CHARACTERS) for panel in panels]
    width = PANEL_WIDTH * num_columns
    caption = fill(_caption(panels, rows), int(width * CHARACTERS_PER_INCH))
    extra = 0.17 * max(name.count("\n") for name in named)
    height = (PANEL_HEIGHT + extra) * num_rows + 1 + 0.15 * caption.count("\n")
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure = Figure((width, height), dpi=150, layout=layout)
    placed = figure.subplots(num_rows, num_columns, squeeze=False, sharex=True, sharey=True)
    for number, axes in enumerate(placed.flat):
        if number < len(panels):
            _draw(axes, panels[number], named[number])
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("confidence (%)", fontsize=SMALL)
        else:
            axes.set_visible(False)
    for axes in placed[:, 0]:
        axes.set_ylabel("right (%)", fontsize=SMALL)
    figure.suptitle(fill(TITLE, int(width * 9)), fontsize=13, fontweight="bold")
    figure.supxlabel(literal(caption), fontsize=SMALL, color="0.3")
    return figure


def _caption(panels: Sequence[Panel], rows: str) -> str:
    seeds = " of all seeds" if any(p.after.error.num_seeds > 1 for p in panels) else ""
    return (
        "blue dots: right after the task's first full stage; orange squares: after the chain's "
        f"last stage; answers{seeds} in ten equal bins of confidence; a point's area is its share "
        f"of them; whiskers: 95 % Wilson interval over {rows}; ECE: expected calibration error in "
        "points, before and after (in brackets: that of a model as sure and right just as often)"
    )


def _reliability(one: RowChanges, answers: Answers) -> Reliability:
    seeds = [(answers.confidence[own], answers.right[own]) for own in one.of_seeds(OVERALL)]
    return Reliability(
        tuple(_bins(one, answers)),
        mean_of(100 * calibration_error(confidence, right) for confidence, right in seeds),
        mean_of(100 * if_calibrated(confidence) for confidence, _ in seeds),
    )


def _bins(one: RowChanges, answers: Answers) -> Iterator[Bin]:
    places = bins(answers.confidence)
    for place in range(NUM_BINS):
        own = places == place
        if number := int(own.sum()):
            right, units = answers.right[own].astype(float), one.units[own]
            num_rows = len(np.unique(one.rows[own]))
            accuracy = share(by_unit(right, units), by_unit(np.ones(number), units), num_rows)
            yield Bin(number, number / len(own), float(answers.confidence[own].mean()), accuracy)


def _cells(one: Bin) -> tuple[str, str, str, str]:
    return (
        f"{one.num_answers:,}",
        fixed(100 * one.confidence),
        fixed(100 * one.accuracy.value),
        interval_text(one.accuracy),
    )


def _draw(axes: Axes, panel: Panel, title: str) -> None:
    axes.plot([0, 100], [0, 100], color="0.6", linestyle=":", linewidth=1.2)
    for found, colour, marker in ((panel.before, BEFORE, "o"), (panel.after, AFTER, "s")):
        x = [100 * one.confidence for one in found.bins]
        y = [100 * one.accuracy.value for one in found.bins]
        ends = reaches([one.accuracy for one in found.bins])
        axes.errorbar(x, y, yerr=ends, color=colour, linewidth=1, elinewidth=0.8, capsize=1.5)
        areas = [max(LARGEST * one.part, SMALLEST) for one in found.bins]
        axes.scatter(x, y, s=areas, c=colour, marker=marker, alpha=0.8, zorder=3)
    axes.set_xlim(-2, 102)
    axes.set_ylim(-2, 102)
    errors = (
        f"{fixed(found.error.value)} ({fixed(found.calibrated.value)})"
        for found in (panel.before, panel.after)
    )
    axes.set_title(f"{literal(title)}\nECE {' → '.join(errors)}", fontsize=9.5)
    axes.tick_params(labelsize=SMALL)
    axes.spines[["top", "right"]].set_visible(False)
