"""Figures of whole tasks, a row per chain, and below them of groups, a panel per chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Generic, TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from .literal import literal

T = TypeVar("T")

MAX_PANELS, MAX_WHOLE = 6, 36  # with those of ToxiGen all together fill a page
WHOLE = "whole tasks"
NUM_COLUMNS = 3
PANEL_WIDTH = 4.2  # inches
ROW_HEIGHT = 0.24
TITLE_HEIGHT = 0.95
LINE_HEIGHT = 0.17
TITLE_CHARACTERS = 34  # of a line over the narrowest axes
CHARACTERS_PER_INCH = 13.5  # of the caption, with room to spare
SMALL = 8.5  # points


@dataclass(frozen=True)
class Case(Generic[T]):
    """A task in one chain.

    Attributes:
        label: the chain, and the task where it is not the first of two.
        whole: of all its rows, with the name that it has among the others.
        groups: with their names, as they stand below one another; may be empty.
    """

    label: str
    whole: tuple[str, T]
    groups: tuple[tuple[str, T], ...]


@dataclass(frozen=True)
class Style(Generic[T]):
    """What a figure draws.

    Attributes:
        across: the label of all horizontal axes.
        draw: draws the rows of one panel at the heights 0, 1, ..., with labels for a legend.
    """

    title: str
    caption: str
    across: str
    draw: Callable[[Axes, Sequence[T]], None]


def left_out(cases: Sequence[Case[T]]) -> tuple[str, ...]:
    """What there is no room for; nothing if there is."""
    parts = []
    if (whole := len(cases) - MAX_WHOLE) > 0:
        parts.append(f"{whole} of {len(cases)} chains")
    with_groups = sum(1 for case in cases if case.groups)
    if (panels := with_groups - MAX_PANELS) > 0:
        parts.append(f"{panels} of {with_groups} panels by group")
    return (f"left out {' and '.join(parts)}: the tables have all",) if parts else ()


def draw_cases(cases: Sequence[Case[T]], style: Style[T]) -> Figure:
    """The figure of at least one case."""
    whole = cases[:MAX_WHOLE]
    panels = [case for case in cases if case.groups][:MAX_PANELS]
    rows = [panels[start : start + NUM_COLUMNS] for start in range(0, len(panels), NUM_COLUMNS)]
    named = {case.label: fill(case.label, TITLE_CHARACTERS) for case in panels}
    extra = LINE_HEIGHT * max((name.count("\n") for name in named.values()), default=0)
    heights = [TITLE_HEIGHT + ROW_HEIGHT * len(whole)]
    heights += [
        TITLE_HEIGHT + extra + ROW_HEIGHT * max(len(case.groups) for case in row) for row in rows
    ]
    num_columns = max(min(NUM_COLUMNS, len(panels)), 2)
    width = PANEL_WIDTH * num_columns
    caption = fill(style.caption, int(width * CHARACTERS_PER_INCH))
    height = sum(heights) + 0.8 + 0.15 * caption.count("\n")
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = Figure((width, height), dpi=150, layout=layout)
    grid = figure.add_gridspec(len(heights), num_columns, height_ratios=heights)
    first = figure.add_subplot(grid[0, :])
    _draw_panel(first, [case.whole for case in whole], style, "")
    shared: Axes | None = None  # all panels by group have one scale
    for number, case in enumerate(panels):
        place = divmod(number, NUM_COLUMNS)
        axes = figure.add_subplot(grid[place[0] + 1, place[1]], sharex=shared)
        _draw_panel(axes, case.groups, style, named[case.label])
        shared = shared or axes
    first.set_title(WHOLE, fontsize=10, loc="left")
    first.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        borderaxespad=0.3,
        ncols=4,
        frameon=False,
        fontsize=SMALL,
    )
    figure.suptitle(style.title, fontsize=13, fontweight="bold")
    figure.supxlabel(literal(caption), fontsize=SMALL, color="0.3")
    return figure


def _draw_panel(axes: Axes, rows: Sequence[tuple[str, T]], style: Style[T], title: str) -> None:
    style.draw(axes, [value for _, value in rows])
    axes.set_yticks(range(len(rows)), [literal(name) for name, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title(literal(title), fontsize=10)
    axes.set_xlabel(style.across, fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
