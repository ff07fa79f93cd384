"""Figures 9 and 10: biased forgetting by group, of ToxiGen and of BBQ (equation 2, section 9.3).

A panel per chain of a safety task and a capability task. The bar is the group's forgetting less the
task's; beside it stand the same for equal mixes of answers (standardised), and that drawn towards 0
by its noise (shrunken). The dashed line is what chance gives for the largest of the groups.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..data.load import FirstTaskForgetting
from ..data.mean import MISSING, fixed, shown
from ..drawing.booktabs import Booktabs, Column
from ..drawing.group_panels import (
    FEW,
    LINE,
    Panel,
    about_marks,
    against_chance,
    colours,
    draw_panels,
    group_panels,
    interval_text,
    panel_titles,
    row_labels,
    select,
)
from ..exhibit import Exhibit, Missing, Reading, Show
from .figure3 import NO_GROUPS

COLUMNS = (
    Column("Chain"),
    Column("Group"),
    Column("rows", is_number=True),
    Column("biased", "Equation 2", is_number=True),
    Column("95 % interval", "Equation 2", is_number=True),
    Column("standardised", "Equal mixes of answers", "Equal mixes", is_number=True),
    Column("95 % interval", "Equal mixes of answers", "Equal mixes", is_number=True),
    Column("shrunken", "Equal mixes of answers", "Equal mixes", is_number=True),
    Column("p (Holm)", "Equal mixes of answers", "Equal mixes", is_number=True),
)
STANDARDISED = "◇ standardised: the same for equal mixes of answers"
SHRUNKEN = "● that drawn towards 0 by its noise"
NOTES = (
    "Standardised: the same if all groups had the task's mix of answers; shrunken: that drawn "
    "towards 0 by the share of it that is noise.",
    "± sample standard deviation over seeds; intervals over test rows and seeds (of one seed: over "
    "rows). p: standardised, corrected for all groups and chains.",
)


def biased_forgetting(name: str, of: Callable[[str], bool], none: str) -> Show:
    """The figure of some tasks.

    Args:
        name: of the figure, in its table's title.
        of: whether a first task is one of them, by its name.
        none: why there is nothing to show if others have groups.
    """

    def exhibit(reading: Reading) -> Exhibit | Missing:
        known = reading.of(group_panels)
        selection = select(known, reading.rates, of)
        panels = selection.shown
        if not panels:
            return Missing(none if known else NO_GROUPS)
        table = listing(panels, name)
        return Exhibit(table, lambda: picture(panels), table.texts(), selection.remark)

    return exhibit


def listing(panels: Sequence[Panel], name: str) -> Booktabs:
    """The numbers: a section per panel, with what chance gives below."""
    headings = panel_titles(panels)
    sections = tuple(
        tuple(_cells(title, panel, cost) for cost in panel.groups)
        for title, panel in zip(headings, panels, strict=True)
    )
    chance = tuple(
        f"{title}: {text}."
        for title, panel in zip(headings, panels, strict=True)
        if (text := against_chance(panel.chance))
    )
    title = f"{name}: biased forgetting by group (points); larger is worse"
    return Booktabs(title, COLUMNS, sections, (*NOTES, *chance))


def picture(panels: Sequence[Panel]) -> Figure:
    """The figure of at least one panel."""
    tasks = dict.fromkeys(panel.chain.first.title for panel in panels)
    parts = []
    if any(cost.standardised for panel in panels for cost in panel.groups):
        parts += [STANDARDISED, SHRUNKEN]
    if any(panel.chance for panel in panels):
        parts.append("dashed line: what chance gives for the largest")
    caption = "; ".join(["bars: equation 2", *parts, *about_marks(panels, "the bar")])
    title = f"Biased forgetting by group: {', '.join(tasks)}"
    return draw_panels(panels, _draw_panel, title, caption, "biased forgetting (points)")


def _cells(title: str, panel: Panel, cost: FirstTaskForgetting) -> tuple[str, ...]:
    alike = cost.standardised
    return (
        title,
        cost.group + (" (worst)" if panel.is_worst(cost) else ""),
        f"{cost.num_examples:,}{FEW if cost.is_small else ''}",
        shown(cost.biased),
        interval_text(cost),
        MISSING if alike is None else fixed(alike.value),
        MISSING if alike is None else f"{fixed(alike.low)} to {fixed(alike.high)}",
        MISSING if alike is None or alike.shrunken is None else fixed(alike.shrunken),
        MISSING if cost.p is None else f"{cost.p:.3f}",
    )


def _draw_panel(axes: Axes, panel: Panel) -> None:
    bars = [(cost, cost.biased) for cost in panel.groups if cost.biased]
    costs = [cost for cost, _ in bars]
    values = np.array([biased.value for _, biased in bars])
    # An interval is around the mean over seeds of the same rows: around the bar's end.
    ends = np.array([cost.interval or (x, x) for cost, x in zip(costs, values, strict=True)])
    axes.barh(
        row_labels(costs),
        values,
        xerr=np.abs(ends.T - values) if any(cost.interval for cost in costs) else None,
        color=colours(panel, costs),
        error_kw={"elinewidth": 0.9, "capsize": 2, "ecolor": "0.25"},
        height=0.75,
    )
    axes.invert_yaxis()
    axes.axvline(0, color="0.4", linewidth=0.8)
    alike = [(place, cost.standardised) for place, cost in enumerate(costs) if cost.standardised]
    drawn = [(place, one.shrunken) for place, one in alike if one.shrunken is not None]
    style: dict[str, Any] = {"linestyle": "none", "markeredgecolor": "0.1"}
    places = [place for place, _ in alike]
    axes.plot([one.value for _, one in alike], places, "D", color="white", markersize=5, **style)
    places = [place for place, _ in drawn]
    axes.plot([value for _, value in drawn], places, "o", color="0.1", markersize=3.5, **style)
    if panel.chance is not None:
        axes.axvline(panel.chance.expected, color=LINE, linestyle="--", linewidth=1.5)
