"""Figure 2: relative forgetting of the task that comes first, by pair (the paper's section 4.1).

    forgetting / accuracy right after the first stage, in percent (section 3)

Two bars a pair: of the capability task when it comes first, and of the safety task when it does. A
panel per setting; where there are settings with one learning rate in both stages, as in the paper,
those with two are left out unless they are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from raysweep.statistics.between import Replicate
from raysweep.store.storage import Storage
from raysweep.tasks.task import Kind

from ..data.load import NO_PAIR, MeasuredTask, Pair, relative_by_seed, sort_key
from ..data.mean import MISSING, Mean, fixed, mean_of, shown
from ..data.published import relative_forgetting
from ..data.setting import Setting, standard, titles
from ..drawing.colours import OF_KIND
from ..drawing.literal import literal
from ..exhibit import Exhibit, Missing, Reading

MAX_PANELS = 12
PANEL_WIDTH = 2.2  # inches, of the narrowest
MIN_WIDTH, MAX_WIDTH = 5.2, 12.0  # of all panels of a row
BAR = 0.38
ASIDE = 0.09  # of the seeds' points, from the whisker
CHARACTERS_PER_INCH = 13.5  # of the caption, with room to spare
TITLE = "Figure 2: relative forgetting of the first task (%); larger is worse"


@dataclass(frozen=True)
class Bars:
    """A pair of tasks.

    Attributes:
        seeds: of each kind, relative forgetting of its task when it comes first, in percent, by
            seed; empty for an order that was not trained.
    """

    capability: MeasuredTask
    safety: MeasuredTask
    seeds: Mapping[Kind, Mapping[Replicate, float]]

    @property
    def first(self) -> dict[Kind, Mean | None]:
        """The mean of each kind."""
        return {kind: mean_of(by.values()) if by else None for kind, by in self.seeds.items()}

    @property
    def published(self) -> Mapping[Kind, float]:
        """The paper's, where it has the pair."""
        found = relative_forgetting(self.safety.name, self.capability.name)
        return dict(zip((Kind.SAFETY, Kind.CAPABILITY), found, strict=True)) if found else {}


@dataclass(frozen=True)
class Panel:
    """The pairs of one setting, in Table 1's order."""

    setting: Setting
    bars: tuple[Bars, ...]


def figure2(results: Storage) -> tuple[Panel, ...]:
    """All panels, by learning rates."""
    found = relative_by_seed(results)

    def setting(chain: Pair) -> Setting:
        return chain.setting

    def position(chain: Pair) -> tuple[object, ...]:
        return chain.setting.position, sort_key(chain)

    ordered = sorted(found, key=position)
    return tuple(
        Panel(one, tuple(_bars(found, list(pair)) for _, pair in groupby(chains, sort_key)))
        for one, chains in groupby(ordered, setting)
    )


def exhibit(reading: Reading) -> Exhibit | Missing:
    """The wanted settings, else those with one learning rate, and which there was no room for."""
    panels = reading.of(figure2)
    if not panels:
        return Missing(NO_PAIR)
    usual = standard({panel.setting for panel in panels})
    chosen = [
        panel
        for panel in panels
        if (
            reading.wants(panel.setting.learning_rates) if reading.rates else panel.setting in usual
        )
    ]
    if not chosen:
        return Missing("no pair was trained at the wanted learning rates")
    shown_panels = chosen[:MAX_PANELS]
    num_others = len(panels) - len(shown_panels)
    room = f"left out {num_others} of {len(panels)} settings; choose with --learning-rates"
    remark = room if num_others and not reading.rates else ""
    return Exhibit(listing(shown_panels), lambda: picture(shown_panels), remark=remark)


def listing(panels: Sequence[Panel]) -> Group:
    """The numbers, for a rich console."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("pair", overflow="fold")
    for name in ("seeds", "capability first", "paper", "safety first", "paper"):
        table.add_column(name, justify="right")
    labels = titles([panel.setting for panel in panels])
    for panel, label in zip(panels, labels, strict=True):
        for bars in panel.bars:
            names = Text(f"{bars.capability.title}, {bars.safety.title}{label}")
            table.add_row(names, _seeds(bars), *_cells(bars))
        if len(panel.bars) > 1:
            table.add_section()
    notes = ["Paper: LLaMA-2 7B, from its Table 1; Figure 2 prints no numbers."]
    if _num_seeds(panels)[1] > 1:
        notes.append("Mean ± sample standard deviation over seeds.")
    return Group(Text(TITLE, "bold"), table, *(Text(note, "dim") for note in notes))


def picture(panels: Sequence[Panel]) -> Figure:
    """The figure of at least one panel; all have one scale."""
    width = max(PANEL_WIDTH, 0.8 + max(sum(map(_width, panel.bars)) for panel in panels))
    num_columns = min(len(panels), max(1, int(MAX_WIDTH / width)))
    num_rows = math.ceil(len(panels) / num_columns)
    size = max(num_columns * width, MIN_WIDTH), 3.1 * num_rows + 0.9
    figure = Figure(size, dpi=150, layout="constrained")
    grid = list(figure.subplots(num_rows, num_columns, squeeze=False, sharey=True).flat)
    labels = titles([panel.setting for panel in panels])
    for axes, panel, label in zip(grid, panels, labels, strict=False):
        _draw_panel(axes, panel)
        axes.set_title(literal(label.strip().strip("()")), fontsize=10)
    for axes in grid[len(panels) :]:
        axes.remove()
    figure.supylabel("forgetting / accuracy before (%)", fontsize=10)
    handles, names = next(iter(figure.axes)).get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside upper center",
        ncols=2,
        frameon=False,
        fontsize=9,
        title="Relative forgetting of the first task",
        title_fontproperties={"weight": "bold", "size": 12},
    )
    caption = fill(_caption(panels), int(size[0] * CHARACTERS_PER_INCH))
    figure.supxlabel(caption, fontsize=8, color="0.3")
    return figure


def _bars(found: Mapping[Pair, Mapping[Replicate, float]], chains: Sequence[Pair]) -> Bars:
    seeds = {chain.first.kind: found[chain] for chain in chains}
    chain = chains[0]
    return Bars(chain.capability, chain.safety, {kind: seeds.get(kind, {}) for kind in Kind})


def _draw_panel(axes: Axes, panel: Panel) -> None:
    for side, kind in ((-1, Kind.CAPABILITY), (1, Kind.SAFETY)):
        means = [bars.first[kind] for bars in panel.bars]
        known = [(place, mean) for place, mean in enumerate(means) if mean]
        axes.bar(
            [place + side * BAR / 2 for place, _ in known],
            [mean.value for _, mean in known],
            yerr=[mean.deviation or 0.0 for _, mean in known] if _has_deviation(known) else None,
            width=BAR,
            color=OF_KIND[kind],
            label=f"{kind} task first",
            error_kw={"elinewidth": 0.9, "capsize": 2.5, "ecolor": "0.2"},
        )
        for place, bars in enumerate(panel.bars):
            values = list(bars.seeds[kind].values())
            if len(values) > 1:
                places = [place + side * BAR / 2 + ASIDE] * len(values)
                axes.plot(places, values, ".", color="0.2", markersize=4)
        lacking = [place + side * BAR / 2 for place, mean in enumerate(means) if not mean]
        axes.plot(lacking, [0.0] * len(lacking), "x", color="0.5", markersize=5)
    names = [literal(f"{bars.capability.title}\n{bars.safety.title}") for bars in panel.bars]
    axes.set_xticks(range(len(names)), names, fontsize=9)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.axhline(0, color="0.4", linewidth=0.8)
    axes.tick_params(axis="x", length=0)
    axes.tick_params(axis="y", labelsize=9)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _has_deviation(known: Sequence[tuple[int, Mean]]) -> bool:
    return any(mean.deviation is not None for _, mean in known)


def _caption(panels: Sequence[Panel]) -> str:
    fewest, most = _num_seeds(panels)
    seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
    parts = ["below each pair: capability task, safety task"]
    if most > 1:
        parts.append(
            f"bars: mean over {seeds} seeds, the dots; whiskers: ± sample standard deviation"
        )
    else:
        parts.append("one seed: no error bars")
    if any(mean is None for panel in panels for bars in panel.bars for mean in bars.first.values()):
        parts.append("×: not measured")
    return "; ".join(parts)


def _num_seeds(panels: Sequence[Panel]) -> tuple[int, int]:
    """The fewest and the most."""
    means = [mean for panel in panels for bars in panel.bars for mean in bars.first.values()]
    numbers = [mean.num_seeds for mean in means if mean]
    return min(numbers), max(numbers)


def _cells(bars: Bars) -> list[str]:
    """Ours and the paper's, of each kind."""
    cells = []
    for kind in (Kind.CAPABILITY, Kind.SAFETY):
        one = bars.published.get(kind)
        cells += [shown(bars.first[kind]), MISSING if one is None else fixed(one)]
    return cells


def _seeds(bars: Bars) -> str:
    """One number, or that of each order."""
    numbers = [mean.num_seeds if (mean := bars.first[kind]) else 0 for kind in Kind]
    return "/".join(map(str, numbers if len(set(numbers) - {0}) > 1 else {max(numbers)}))


def _width(bars: Bars) -> float:
    """Inches that a pair takes."""
    letters = max(len(bars.capability.title), len(bars.safety.title))
    return max(0.8, 0.25 + 0.09 * letters)
