"""Figure 3: forgetting by demographic group (the paper's section 4.2).

A panel per chain of a safety task with groups and a capability task: a bar per group, the dotted
line at the task's overall forgetting. The distance between the two is biased forgetting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from raysweep.errors import InputError
from raysweep.statistics.grouped_losses import FEW_ROWS
from raysweep.store.storage import Storage
from raysweep.tasks.task import OVERALL, Kind

from . import agreement
from .agreement import agreements
from .exhibit import Exhibit, Missing, Reading
from .literal import literal
from .load import (
    NO_PAIR,
    Chance,
    FirstTaskForgetting,
    Pair,
    chances,
    first_task_forgetting,
    sort_key,
)
from .mean import MISSING, Mean, fixed, shown
from .setting import titles

MAX_PANELS = 12
MAX_LISTED = 8
NUM_COLUMNS = 3
PANEL_WIDTH = 4.4  # inches
BAR_HEIGHT = 0.24
TITLE_HEIGHT = 0.95
LINE_HEIGHT = 0.17
TITLE_CHARACTERS = 34  # of a line over the narrowest axes
SMALL = 8.5  # points
CHARACTERS_PER_INCH = 13.5  # of small text, with room to spare
DISTINCT = "*"
MEANING = "differs from overall forgetting, corrected for all groups and chains (Holm, p <= .05)"
FEW = "†"
BAR, WORST, LINE = "#9db7d5", "#c8553d", "#1f4e8c"


@dataclass(frozen=True)
class Panel:
    """One chain's forgetting by group.

    Attributes:
        overall: the first task's forgetting, in points; None if only its groups are known.
        groups: those that forget most first; groups without test rows last.
        chance: what the largest biased forgetting is to be compared with; None where that cannot be
            told.
    """

    chain: Pair
    overall: Mean | None
    groups: tuple[FirstTaskForgetting, ...]
    chance: Chance | None

    def is_worst(self, cost: FirstTaskForgetting) -> bool:
        """Whether a group forgets most, and by more than chance explains."""
        return self.chance is not None and self.chance.is_beyond and cost.group == self.chance.group

    @property
    def ranking(self) -> dict[str, float]:
        """Forgetting by group, in points, of those with test rows."""
        return {cost.group: cost.points.value for cost in self.groups if cost.points}

    @property
    def num_seeds(self) -> int:
        """How often the chain was trained."""
        first = self.groups[0].points
        return first.num_seeds if first else 0


@dataclass(frozen=True)
class Selection:
    """The panels that are shown, and those that there was no room for."""

    shown: tuple[Panel, ...]
    left_out: tuple[Panel, ...]


def figure3(results: Storage) -> tuple[Panel, ...]:
    """All panels: by setting, then by safety task, then by capability task."""
    chains: dict[Pair, list[FirstTaskForgetting]] = {}
    for cost in first_task_forgetting(results):
        if cost.chain.first.kind is Kind.SAFETY:
            chains.setdefault(cost.chain, []).append(cost)
    reference = chances(results)
    panels = [_panel(chain, costs, reference.get(chain)) for chain, costs in chains.items()]
    return tuple(sorted((panel for panel in panels if panel.groups), key=_position))


def exhibit(reading: Reading) -> Exhibit | Missing:
    """The panels of the wanted learning rates, or the first ones, and which there was no room for.

    Raises:
        InputError: no panel has the wanted learning rates.
    """
    selection = select(reading.of(figure3), reading.rates)
    if not selection.shown:
        order = "in the order safety then capability and with forgetting by group"
        return Missing(f"{NO_PAIR}, {order}")
    remark = _left_out(selection) if selection.left_out else ""
    return Exhibit(listing(selection.shown), lambda: picture(selection.shown), remark=remark)


def select(panels: Sequence[Panel], wanted: Sequence[tuple[float, ...]] = ()) -> Selection:
    """The panels to show: those with the wanted learning rates, at most `MAX_PANELS`.

    Raises:
        InputError: no panel has the wanted learning rates.
    """
    known = list(dict.fromkeys(panel.chain.setting for panel in panels))
    for rates in wanted:
        if known and not any(_equal(rates, setting.learning_rates) for setting in known):
            measured = "; ".join(dict.fromkeys(f"'{setting.rates}'" for setting in known))
            text = ",".join(f"{rate:g}" for rate in rates)
            raise InputError(f"--learning-rates {text}", "not measured", f"choose from {measured}")
    chosen = [
        panel
        for panel in panels
        if not wanted or any(_equal(rates, panel.chain.setting.learning_rates) for rates in wanted)
    ]
    return Selection(tuple(chosen[:MAX_PANELS]), tuple(chosen[MAX_PANELS:]))


def listing(panels: Sequence[Panel]) -> Group:
    """The numbers, for a rich console."""
    headings = _titles(panels)
    title = Text("Figure 3: forgetting by group (points); larger is worse", "bold")
    found = agreements({panel.chain: panel.ranking for panel in panels})
    named = dict(zip((panel.chain for panel in panels), headings, strict=True))
    compared = [agreement.display(found, named)] if found else []
    return Group(title, *map(_table, panels, headings), *compared)


def picture(panels: Sequence[Panel]) -> Figure:
    """The figure of at least one panel."""
    rows = [panels[start : start + NUM_COLUMNS] for start in range(0, len(panels), NUM_COLUMNS)]
    headings = [fill(title, TITLE_CHARACTERS) for title in _titles(panels)]
    title_height = TITLE_HEIGHT + LINE_HEIGHT * max(title.count("\n") for title in headings)
    heights = [title_height + BAR_HEIGHT * max(len(p.groups) for p in row) for row in rows]
    num_columns = min(NUM_COLUMNS, len(panels))
    width = PANEL_WIDTH * num_columns
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = Figure((width, sum(heights) + 0.9), dpi=160, layout=layout)
    grid = figure.add_gridspec(len(rows), num_columns, height_ratios=heights)
    first: Axes | None = None  # all panels have one scale
    for number, (panel, title) in enumerate(zip(panels, headings, strict=True)):
        axes = figure.add_subplot(grid[divmod(number, NUM_COLUMNS)], sharex=first)
        _draw_panel(axes, panel, title)
        first = first or axes
    figure.suptitle("Forgetting by group", fontsize=13, fontweight="bold")
    caption = fill(_caption(panels), int(width * CHARACTERS_PER_INCH))
    figure.supxlabel(caption, fontsize=SMALL, color="0.3")
    return figure


def _left_out(selection: Selection) -> str:
    settings = [panel.chain.setting.rates for panel in selection.left_out]
    distinct = [f"'{rates}'" for rates in dict.fromkeys(settings)]
    more = len(distinct) - MAX_LISTED
    listed = "; ".join(distinct[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
    return (
        f"left out {len(selection.left_out)} of {len(selection.left_out + selection.shown)} "
        f"panels, with learning rates {listed}; choose with --learning-rates"
    )


def _panel(chain: Pair, costs: Sequence[FirstTaskForgetting], chance: Chance | None) -> Panel:
    overall = next((cost.points for cost in costs if cost.group == OVERALL), None)
    groups = [cost for cost in costs if cost.group != OVERALL]
    groups.sort(key=lambda cost: (-cost.points.value if cost.points else math.inf, cost.group))
    return Panel(chain, overall, tuple(groups), chance)


def _position(panel: Panel) -> tuple[object, ...]:
    capability, safety = sort_key(panel.chain)
    return panel.chain.setting.position, safety, capability


def _equal(first: Sequence[float], second: Sequence[float]) -> bool:
    return len(first) == len(second) and all(map(math.isclose, first, second))


def _titles(panels: Sequence[Panel]) -> list[str]:
    """A chain's name, with as much of its setting as tells it from the others."""
    labels = titles([panel.chain.setting for panel in panels])
    return [panel.chain.title + label for panel, label in zip(panels, labels, strict=True)]


def _caption(panels: Sequence[Panel]) -> str:
    costs = [cost for panel in panels for cost in panel.groups]
    parts = ["dotted line: overall forgetting", "in brackets: test rows of the group"]
    if any(panel.is_worst(cost) for panel in panels for cost in panel.groups):
        parts.append("red: the group that forgets most, where that is more than chance gives")
    if any(cost.interval for cost in costs):
        over = "test rows and seeds" if panels[0].num_seeds > 1 else "test rows; one seed"
        parts.append(f"whiskers: 95 % interval of the distance to the line, over {over}")
    if any(cost.is_distinct for cost in costs):
        parts.append(f"{DISTINCT} {MEANING}")
    if any(cost.is_small for cost in costs):
        parts.append(f"{FEW} fewer than {FEW_ROWS} rows")
    return "; ".join(parts)


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
            _interval(cost),
            MISSING if cost.p is None else f"{cost.p:.3f}",
        )
        style = "bold red" if is_worst else ""
        table.add_row(*(Text(cell, style) for cell in cells), "worst" if is_worst else "")
    several = panel.num_seeds > 1
    seeds = f", {panel.num_seeds} seeds (mean ± sample standard deviation)" if several else ""
    heading = f"{title}: overall {shown(panel.overall)}{seeds}{_compared(panel)}"
    return Group("", Text(heading), table)


def _compared(panel: Panel) -> str:
    if panel.chance is None:
        return ""
    one = panel.chance
    verdict = "" if one.is_beyond else ": no group is called worst"
    expected = f"{fixed(one.expected)} if groups made no difference, p {one.p:.3f}"
    return f"; largest biased forgetting {fixed(one.value)} ({one.group}), {expected}{verdict}"


def _interval(cost: FirstTaskForgetting) -> str:
    if cost.interval is None:
        return MISSING
    low, high = map(fixed, cost.interval)
    return f"{low} to {high}{DISTINCT if cost.is_distinct else ''}"


def _reach(cost: FirstTaskForgetting) -> float:
    """Half of the interval, in points."""
    return 0.0 if cost.interval is None else (cost.interval[1] - cost.interval[0]) / 2


def _draw_panel(axes: Axes, panel: Panel, title: str) -> None:
    bars = [(cost, cost.points) for cost in panel.groups if cost.points]
    axes.barh(
        [
            f"{DISTINCT if cost.is_distinct else ''} {literal(cost.group.replace('_', ' '))} "
            f"({cost.num_examples:,}{FEW if cost.is_small else ''})"
            for cost, _ in bars
        ],
        [points.value for _, points in bars],
        xerr=[_reach(cost) for cost, _ in bars] if any(map(_reach, panel.groups)) else None,
        color=[WORST if panel.is_worst(cost) else BAR for cost, _ in bars],
        error_kw={"elinewidth": 0.9, "capsize": 2, "ecolor": "0.25"},
        height=0.75,
    )
    axes.invert_yaxis()
    axes.axvline(0, color="0.4", linewidth=0.8)
    if panel.overall is not None:
        axes.axvline(panel.overall.value, color=LINE, linestyle=":", linewidth=1.8)
    axes.set_title(literal(title), fontsize=10)
    axes.set_xlabel("forgetting (points)", fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
