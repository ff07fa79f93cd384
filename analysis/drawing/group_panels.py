"""Panels by demographic group: each a chain of a safety task with groups and a capability task.

What Figures 3, 9 and 10 have in common: which panels there are and which are shown, their marks,
and how they are laid out. A group is called worst, and is red, where its lead is more than chance
gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from raysweep.errors import InputError
from raysweep.statistics.grouped_losses import FEW_ROWS
from raysweep.store.storage import Storage
from raysweep.tasks.task import OVERALL, Kind

from ..data.load import Chance, FirstTaskForgetting, Pair, chances, first_task_forgetting, sort_key
from ..data.mean import MISSING, Mean, fixed
from ..data.setting import titles
from .literal import literal

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

    @property
    def remark(self) -> str:
        """What there was no room for; empty if all are shown."""
        if not self.left_out:
            return ""
        settings = [panel.chain.setting.rates for panel in self.left_out]
        distinct = [f"'{rates}'" for rates in dict.fromkeys(settings)]
        more = len(distinct) - MAX_LISTED
        listed = "; ".join(distinct[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
        return (
            f"left out {len(self.left_out)} of {len(self.left_out + self.shown)} "
            f"panels, with learning rates {listed}; choose with --learning-rates"
        )


def group_panels(results: Storage) -> tuple[Panel, ...]:
    """All panels: by setting, then by safety task, then by capability task."""
    chains: dict[Pair, list[FirstTaskForgetting]] = {}
    for cost in first_task_forgetting(results):
        if cost.chain.first.kind is Kind.SAFETY:
            chains.setdefault(cost.chain, []).append(cost)
    reference = chances(results)
    panels = [_panel(chain, costs, reference.get(chain)) for chain, costs in chains.items()]
    return tuple(sorted((panel for panel in panels if panel.groups), key=_position))


def select(
    panels: Sequence[Panel],
    wanted: Sequence[tuple[float, ...]] = (),
    of: Callable[[str], bool] | None = None,
) -> Selection:
    """The panels to show: those with the wanted learning rates, at most `MAX_PANELS`.

    Args:
        of: whether a first task's panels are among them, by its name; all of them without it.

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
        if of is None or of(panel.chain.first.name)
    ]
    return Selection(tuple(chosen[:MAX_PANELS]), tuple(chosen[MAX_PANELS:]))


def draw_panels(
    panels: Sequence[Panel],
    draw: Callable[[Axes, Panel], None],
    title: str,
    caption: str,
    across: str,
) -> Figure:
    """The figure of at least one panel, all with one scale.

    Args:
        draw: draws one, but for its title and scale.
        across: the label of the scale.
    """
    rows = [panels[start : start + NUM_COLUMNS] for start in range(0, len(panels), NUM_COLUMNS)]
    headings = [fill(text, TITLE_CHARACTERS) for text in panel_titles(panels)]
    title_height = TITLE_HEIGHT + LINE_HEIGHT * max(text.count("\n") for text in headings)
    heights = [title_height + BAR_HEIGHT * max(len(p.groups) for p in row) for row in rows]
    num_columns = min(NUM_COLUMNS, len(panels))
    width = PANEL_WIDTH * num_columns
    wrapped = fill(caption, int(width * CHARACTERS_PER_INCH))
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    height = sum(heights) + 0.9 + LINE_HEIGHT * wrapped.count("\n")
    figure = Figure((width, height), dpi=160, layout=layout)
    grid = figure.add_gridspec(len(rows), num_columns, height_ratios=heights)
    first: Axes | None = None
    for number, (panel, heading) in enumerate(zip(panels, headings, strict=True)):
        axes = figure.add_subplot(grid[divmod(number, NUM_COLUMNS)], sharex=first)
        draw(axes, panel)
        axes.set_title(literal(heading), fontsize=10)
        axes.set_xlabel(across, fontsize=SMALL)
        axes.tick_params(labelsize=SMALL)
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        first = first or axes
    figure.suptitle(literal(title), fontsize=13, fontweight="bold")
    figure.supxlabel(literal(wrapped), fontsize=SMALL, color="0.3")
    return figure


def row_labels(costs: Sequence[FirstTaskForgetting]) -> list[str]:
    """Of the groups: name, marks and test rows."""
    return [
        f"{DISTINCT if cost.is_distinct else ''} {literal(cost.group.replace('_', ' '))} "
        f"({cost.num_examples:,}{FEW if cost.is_small else ''})"
        for cost in costs
    ]


def colours(panel: Panel, costs: Sequence[FirstTaskForgetting]) -> list[str]:
    """Of the groups' bars."""
    return [WORST if panel.is_worst(cost) else BAR for cost in costs]


def panel_titles(panels: Sequence[Panel]) -> list[str]:
    """A chain's name, with as much of its setting as tells it from the others."""
    labels = titles([panel.chain.setting for panel in panels])
    return [panel.chain.title + label for panel, label in zip(panels, labels, strict=True)]


def about_marks(panels: Sequence[Panel], interval_of: str) -> list[str]:
    """What brackets, colours, whiskers and marks of a picture mean, as far as it has them."""
    costs = [cost for panel in panels for cost in panel.groups]
    parts = ["in brackets: test rows of the group"]
    if any(panel.is_worst(cost) for panel in panels for cost in panel.groups):
        parts.append("red: the group that forgets most, where that is more than chance gives")
    if any(cost.interval for cost in costs):
        over = "test rows and seeds" if panels[0].num_seeds > 1 else "test rows; one seed"
        parts.append(f"whiskers: 95 % interval of {interval_of}, over {over}")
    if any(cost.is_distinct for cost in costs):
        parts.append(f"{DISTINCT} {MEANING}")
    if any(cost.is_small for cost in costs):
        parts.append(f"{FEW} fewer than {FEW_ROWS} rows")
    return parts


def interval_text(cost: FirstTaskForgetting) -> str:
    """Of biased forgetting, with the mark."""
    if cost.interval is None:
        return MISSING
    low, high = map(fixed, cost.interval)
    return f"{low} to {high}{DISTINCT if cost.is_distinct else ''}"


def against_chance(chance: Chance | None) -> str:
    """The largest biased forgetting of a panel beside its reference; empty where it has none."""
    if chance is None:
        return ""
    verdict = "" if chance.is_beyond else ": no group is called worst"
    expected = f"{fixed(chance.expected)} if groups made no difference, p {chance.p:.3f}"
    return f"largest biased forgetting {fixed(chance.value)} ({chance.group}), {expected}{verdict}"


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
