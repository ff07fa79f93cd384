"""Panels of lines over amounts that stand side by side, not to scale: shares, steps, batch sizes.

A line's colour tells one thing of it and its marker and dashes another, alike in all panels. Points
are means over seeds; bars are the sample standard deviation over seeds, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from textwrap import fill
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from ..data.mean import Mean
from .literal import literal

COLOURS = ("#c8553d", "#1f4e8c", "#588157", "#8d6a9f", "#b08900", "#5e6472")
Dashes = Literal["-", "--", ":", "-."]
STYLES: tuple[tuple[str, Dashes], ...] = (
    ("o", "-"),
    ("s", "--"),
    ("^", ":"),
    ("D", "-."),
    ("v", "-"),
    ("P", "--"),
    ("X", ":"),
)
DODGE = 0.018  # of the axis between neighbouring lines
WIDEST = 0.6  # of a place, that all lines together take
MARGIN = 3.0  # points beyond 0 and 100
PANEL_SIZE = (4.0, 3.1)  # inches
LEGEND_WIDTH = 0.085  # inches a character
SMALL = 8.5  # points
CHARACTERS_PER_INCH = 13.0  # of the caption, with room to spare
TITLE_CHARACTERS = 44  # of a line over a panel
LEARNED = "after its own stage"
GREY = "0.45"
FINE, COARSE = (0.0, (1.0, 2.0)), (0.0, (6.0, 3.0))


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        colour, style: names; equal ones look alike.
        means: by amount.
    """

    label: str
    colour: str
    style: str
    means: Mapping[float, Mean]


@dataclass(frozen=True)
class LinePanel:
    """Lines that are compared with one another.

    Attributes:
        chance: accuracy of random answers in percent, where there is one.
        learned: that right after the task's own stage, where it is the same for all lines.
        is_forgetting: else it is an accuracy; forgetting has a line at 0 and may be negative.
    """

    title: str
    across: str
    up: str
    lines: tuple[Line, ...]
    chance: float | None = None
    learned: float | None = None
    is_forgetting: bool = False

    @property
    def means(self) -> list[Mean]:
        """All that it shows."""
        return [mean for line in self.lines for mean in line.means.values()]


def draw_lines(
    rows: Sequence[Sequence[LinePanel | None]],
    title: str,
    caption: str,
    scale: Literal["all", "col"] = "all",
) -> Figure:
    """A figure of at least one panel; those of a row have the same amounts.

    Args:
        scale: which panels have one scale upwards: all of them, or those of a column.
    """
    panels = [panel for row in rows for panel in row if panel]
    lines = [line for panel in panels for line in panel.lines]
    looks = _looks(lines)
    beside = 0.9 + LEGEND_WIDTH * max(len(LEARNED), *(len(line.label) for line in lines))
    num_columns = max(map(len, rows))
    width = PANEL_SIZE[0] * num_columns + beside
    wrapped = fill(caption, int(width * CHARACTERS_PER_INCH))
    height = PANEL_SIZE[1] * len(rows) + 0.6 + 0.15 * wrapped.count("\n")
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure = Figure((width, height), dpi=150, layout=layout)
    axes = figure.subplots(len(rows), num_columns, squeeze=False, sharey=scale)
    drawn: list[tuple[Axes, LinePanel]] = []
    for placed, row in zip(axes, rows, strict=True):
        amounts = sorted({x for panel in row if panel for line in panel.lines for x in line.means})
        for one, panel in zip(placed, [*row, *[None] * num_columns], strict=False):
            one.set_visible(panel is not None)
            if panel is not None:
                _draw_panel(one, panel, amounts, looks)
                drawn.append((one, panel))
    for one, panel in drawn:  # error bars may reach beyond the values that there are
        low, high = one.get_ylim()
        least = -100 if panel.is_forgetting else 0
        one.set_ylim(max(low, least - MARGIN), min(high, 100 + MARGIN))
    figure.suptitle(literal(title), fontsize=12, fontweight="bold")
    figure.supxlabel(literal(wrapped), fontsize=SMALL, color="0.3")
    _draw_legend(figure, panels, looks)
    return figure


def about_seeds(means: Iterable[Mean]) -> str:
    """What points and bars are."""
    numbers = sorted({mean.num_seeds for mean in means})
    if numbers == [1]:
        return "one seed: no error bars"
    counts = " to ".join(map(str, dict.fromkeys((numbers[0], numbers[-1]))))
    return f"means over {counts} seeds; error bars: sample standard deviation over seeds"


Look = tuple[str, str, Dashes]
"""Colour, marker and dashes."""


def _looks(lines: Sequence[Line]) -> dict[str, Look]:
    """By label."""
    colours = dict(zip(dict.fromkeys(line.colour for line in lines), cycle(COLOURS), strict=False))
    styles = dict(zip(dict.fromkeys(line.style for line in lines), cycle(STYLES), strict=False))
    return {line.label: (colours[line.colour], *styles[line.style]) for line in lines}


def _draw_panel(
    axes: Axes, panel: LinePanel, amounts: Sequence[float], looks: Mapping[str, Look]
) -> None:
    num = len(panel.lines)
    step = min(DODGE * len(amounts), WIDEST / num)
    for number, line in enumerate(panel.lines):
        aside = step * (number - (num - 1) / 2)
        colour, marker, dashes = looks[line.label]
        means = list(line.means.values())
        axes.errorbar(
            [amounts.index(amount) + aside for amount in line.means],
            [mean.value for mean in means],
            yerr=[mean.deviation or 0.0 for mean in means],
            color=colour,
            marker=marker,
            linestyle=dashes,
            markersize=5,
            linewidth=1.4,
            elinewidth=0.9,
            capsize=2.5,
        )
    if panel.is_forgetting:
        axes.axhline(0, color="0.5", linewidth=0.8)
    for level, pattern in ((panel.chance, FINE), (panel.learned, COARSE)):
        if level is not None:
            axes.axhline(level, color=GREY, linestyle=pattern, linewidth=1.1, zorder=0)
    axes.set_title(literal(fill(panel.title, TITLE_CHARACTERS)), fontsize=10)
    axes.set_xlabel(literal(panel.across), fontsize=SMALL)
    axes.set_ylabel(literal(panel.up), fontsize=SMALL)
    axes.set_xticks(range(len(amounts)), [f"{amount:g}" for amount in amounts])
    axes.set_xlim(-0.5, len(amounts) - 0.5)
    axes.tick_params(labelsize=SMALL, labelleft=True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_legend(figure: Figure, panels: Sequence[LinePanel], looks: Mapping[str, Look]) -> None:
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle=dashes, label=literal(label))
        for label, (colour, marker, dashes) in looks.items()
    ]
    if any(panel.learned is not None for panel in panels):
        handles.append(Line2D([], [], color=GREY, linestyle=COARSE, label=LEARNED))
    if any(panel.chance is not None for panel in panels):
        handles.append(Line2D([], [], color=GREY, linestyle=FINE, label="chance"))
    figure.legend(handles=handles, loc="outside right center", frameon=False, fontsize=SMALL)
