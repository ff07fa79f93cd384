"""Panels of forgetting by learning rate, of Figures 5, 6 and 8."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..data.mean import shown as as_text
from ..data.rate_curves import Held, Rate, RateCurve
from ..data.setting import varying
from ..exhibit import Reading
from .literal import literal

NUM_COLUMNS = 5
MAX_PANELS = 10  # of a block
MAX_TICKS = 8
PANEL = (2.6, 2.5)  # inches
DODGE = 0.012  # of an axis, between curves
CHARACTERS_PER_INCH = 13.5  # of the caption, with room to spare
TITLE_CHARACTERS_PER_INCH = 9.0


@dataclass(frozen=True)
class Style:
    """How a curve is drawn."""

    label: str
    colour: str
    marker: str = "o"
    line: str = "-"


@dataclass(frozen=True)
class Panel:
    """Curves with everything equal but the first and second task.

    Attributes:
        block: what panels in neighbouring rows have in common, as a heading.
    """

    block: str
    rate: Rate
    held: Held
    curves: tuple[RateCurve, ...]


def panels(block: str, curves: Sequence[RateCurve]) -> list[Panel]:
    """The panels of curves along one learning rate: one for each value of what is held."""

    def position(curve: RateCurve) -> tuple[object, ...]:
        return curve.held.setting.position

    ordered = sorted(curves, key=position)
    return [
        Panel(block, same[0].rate, held, tuple(same))
        for held, group in groupby(ordered, lambda curve: curve.held)
        for same in [list(group)]
    ]


def selected(reading: Reading, found: Sequence[Panel]) -> tuple[list[Panel], str]:
    """Those through the wanted learning rates, as many as there is room for; and a remark."""
    wanted = [panel for panel in found if reading.wants(_rates(panel))]
    blocks = [list(same) for _, same in groupby(wanted, lambda panel: panel.block)]
    shown = [panel for block in blocks for panel in block[:MAX_PANELS]]
    number = len(wanted) - len(shown)
    room = f"left out {number} of {len(wanted)} panels; choose with --learning-rates"
    return shown, room if number else ""


def listing(title: str, found: Sequence[Panel]) -> Group:
    """The numbers, for a rich console."""
    values = sorted({value for panel in found for curve in panel.curves for value in curve.points})
    parts: list[RenderableType] = [Text(title, "bold")]
    for rate, of_rate in groupby(sorted(found, key=lambda one: one.rate), lambda one: one.rate):
        table = Table(box=box.SIMPLE_HEAD, show_edge=False)
        table.add_column(f"{rate.label}:", overflow="fold")
        panels_of_rate = list(of_rate)
        own = [v for v in values if any(v in c.points for p in panels_of_rate for c in p.curves)]
        for value in own:
            table.add_column(f"{value:g}", justify="right")
        headings = _headings(panels_of_rate)
        for panel in panels_of_rate:
            for curve in panel.curves:
                name = f"{curve.chain.title}, {', '.join(headings[panel].splitlines())}"
                means = curve.means
                table.add_row(Text(name), *(as_text(means.get(value)) for value in own))
        parts += ["", table]
    return Group(*parts)


def picture(title: str, found: Sequence[Panel], styles: Mapping[RateCurve, Style]) -> Figure:
    """All panels with one scale of forgetting; a block begins a new row."""
    rows = [
        list(block)[start : start + NUM_COLUMNS]
        for block in (list(same) for _, same in groupby(found, lambda panel: panel.block))
        for start in range(0, len(block), NUM_COLUMNS)
    ]
    num_columns = max(map(len, rows))
    size = max(num_columns * PANEL[0] + 0.4, 5.6), len(rows) * PANEL[1] + 1.1
    figure = Figure(size, dpi=150, layout="constrained")
    grid = figure.subplots(len(rows), num_columns, squeeze=False, sharey=True)
    headings = _headings(found)
    for row, of_row in zip(grid, rows, strict=True):
        for axes, panel in zip(row, of_row, strict=False):
            _draw(axes, panel, styles)
            axes.set_title(literal(headings[panel]), fontsize=9)
        for axes in row[len(of_row) :]:
            axes.remove()
        row[0].set_ylabel(f"{literal(of_row[0].block)}\nforgetting (points)", fontsize=9)
    known = list(dict.fromkeys(styles[curve] for panel in found for curve in panel.curves))
    handles = [Line2D([], [], **_line(style)) for style in known]
    num_wide = max(1, int(size[0] / (0.7 + 0.085 * max(len(style.label) for style in known))))
    legend = figure.legend(
        handles,
        [literal(style.label) for style in known],
        loc="outside upper center",
        ncols=min(num_wide, len(known)),
        frameon=False,
        fontsize=9,
        title=fill(literal(title), int(size[0] * TITLE_CHARACTERS_PER_INCH)),
        title_fontproperties={"weight": "bold", "size": 12},
    )
    legend.get_title().set_multialignment("center")
    caption = fill(_caption(found), int(size[0] * CHARACTERS_PER_INCH))
    figure.supxlabel(caption, fontsize=8, color="0.3")
    return figure


def _draw(axes: Axes, panel: Panel, styles: Mapping[RateCurve, Style]) -> None:
    values = sorted({value for curve in panel.curves for value in curve.points})
    span = math.log10(values[-1] / values[0])
    for number, curve in enumerate(panel.curves):
        aside = 10 ** (span * DODGE * (number - (len(panel.curves) - 1) / 2))
        means = curve.means
        several = any(mean.deviation is not None for mean in means.values())
        axes.errorbar(
            [value * aside for value in means],
            [mean.value for mean in means.values()],
            yerr=[mean.deviation or 0.0 for mean in means.values()] if several else None,
            capsize=2.5,
            elinewidth=0.9,
            **_line(styles[curve]),
        )
    axes.axhline(0, color="0.5", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlim(values[0] * 10 ** (-0.1 * span), values[-1] * 10 ** (0.1 * span))
    if len(values) <= MAX_TICKS:
        axes.xaxis.set_major_locator(FixedLocator(values))
        axes.xaxis.set_major_formatter(FixedFormatter([f"{value:g}" for value in values]))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", rotation=90 if len(values) > 2 else 0)
    axes.tick_params(labelsize=8)
    axes.set_xlabel(panel.rate.label, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _line(style: Style) -> dict[str, Any]:
    return {
        "color": style.colour,
        "marker": style.marker,
        "linestyle": style.line,
        "linewidth": 1.5,
        "markersize": 5,
    }


def _headings(found: Sequence[Panel]) -> dict[Panel, str]:
    """What is held, with as much of the rest as tells panels from each other."""
    varied = varying({panel.held.setting for panel in found})
    return {
        panel: "\n".join(
            [
                f"{panel.rate.other.label} {panel.held.rate:g}",
                *(f"{name} {panel.held.setting.other(name)}" for name in varied),
            ]
        )
        for panel in found
    }


def _caption(found: Sequence[Panel]) -> str:
    means = [mean for panel in found for curve in panel.curves for mean in curve.means.values()]
    numbers = sorted({mean.num_seeds for mean in means})
    if numbers == [1]:
        return "one seed: no error bars; all else is equal along a curve"
    seeds = " to ".join(str(number) for number in dict.fromkeys((numbers[0], numbers[-1])))
    return (
        f"points: mean over {seeds} seeds; bars: ± sample standard deviation; all else is equal "
        "along a curve"
    )


def _rates(panel: Panel) -> tuple[float | None, ...]:
    """Of both stages, in the order of the chain; None for the one along the axis."""
    return tuple(None if rate is panel.rate else panel.held.rate for rate in Rate)
