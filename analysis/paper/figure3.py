"""Figure 3: forgetting by demographic group (the paper's section 4.2).

A panel per chain of a safety task with groups and a capability task: a bar per group, the dotted
line at the task's overall forgetting. The distance between the two is biased forgetting, which
Figures 9 and 10 show.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..data.load import NO_PAIR, FirstTaskForgetting
from ..data.mean import MISSING, shown
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
from ..effects import agreement
from ..effects.agreement import agreements
from ..exhibit import Exhibit, Missing, Reading

NO_GROUPS = f"{NO_PAIR}, in the order safety then capability and with forgetting by group"


def exhibit(reading: Reading) -> Exhibit | Missing:
    """The panels of the wanted learning rates, or the first ones, and which there was no room for.

    Raises:
        InputError: no panel has the wanted learning rates.
    """
    selection = select(reading.of(group_panels), reading.rates)
    if not selection.shown:
        return Missing(NO_GROUPS)
    panels = selection.shown
    return Exhibit(listing(panels), lambda: picture(panels), remark=selection.remark)


def listing(panels: Sequence[Panel]) -> Group:
    """The numbers, for a rich console."""
    headings = panel_titles(panels)
    title = Text("Figure 3: forgetting by group (points); larger is worse", "bold")
    found = agreements({panel.chain: panel.ranking for panel in panels})
    named = dict(zip((panel.chain for panel in panels), headings, strict=True))
    compared = [agreement.display(found, named)] if found else []
    return Group(title, *map(_table, panels, headings), *compared)


def picture(panels: Sequence[Panel]) -> Figure:
    """The figure of at least one panel."""
    marks = about_marks(panels, "the distance to the line")
    caption = "; ".join(["dotted line: overall forgetting", *marks])
    return draw_panels(panels, _draw_panel, "Forgetting by group", caption, "forgetting (points)")


def _table(panel: Panel, title: str) -> Group:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("group", overflow="fold")
    for name in ("test rows", "forgetting", "biased forgetting", "95 % interval", "p (Holm)"):
        table.add_column(name, justify="right")
    table.add_column("")
    for cost in panel.groups:
        is_worst = panel.is_worst(cost)
        cells = (
            cost.group,
            f"{cost.num_examples:,}{FEW if cost.is_small else ''}",
            shown(cost.points),
            shown(cost.biased),
            interval_text(cost),
            MISSING if cost.p is None else f"{cost.p:.3f}",
        )
        style = "bold red" if is_worst else ""
        table.add_row(*(Text(cell, style) for cell in cells), "worst" if is_worst else "")
    several = panel.num_seeds > 1
    seeds = f", {panel.num_seeds} seeds (mean ± sample standard deviation)" if several else ""
    compared = f"; {text}" if (text := against_chance(panel.chance)) else ""
    return Group("", Text(f"{title}: overall {shown(panel.overall)}{seeds}{compared}"), table)


def _reach(cost: FirstTaskForgetting) -> float:
    """Half of the interval, in points."""
    return 0.0 if cost.interval is None else (cost.interval[1] - cost.interval[0]) / 2


def _draw_panel(axes: Axes, panel: Panel) -> None:
    bars = [(cost, cost.points) for cost in panel.groups if cost.points]
    costs = [cost for cost, _ in bars]
    axes.barh(
        row_labels(costs),
        [points.value for _, points in bars],
        xerr=list(map(_reach, costs)) if any(map(_reach, panel.groups)) else None,
        color=colours(panel, costs),
        error_kw={"elinewidth": 0.9, "capsize": 2, "ecolor": "0.25"},
        height=0.75,
    )
    axes.invert_yaxis()
    axes.axvline(0, color="0.4", linewidth=0.8)
    if panel.overall is not None:
        axes.axvline(panel.overall.value, color=LINE, linestyle=":", linewidth=1.8)
