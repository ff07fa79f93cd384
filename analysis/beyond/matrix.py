"""What a chain knows of each of its tasks after each of its stages, as heat maps and a table.

A cell is the accuracy on a task (column) after a stage (row), the matrix R of Lopez-Paz and Ranzato
(2017), with a row for the base model: see `raysweep.measures.transfer`. Means over seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle

from raysweep.results.chain_summary import ChainMatrices, chain_matrices
from raysweep.store.storage import Storage

from ..data.load import TASK_ORDER
from ..data.mean import MISSING, Mean, fixed, mean_of, shown
from ..data.trained_chain import (
    ShownTask,
    TrainedChain,
    chains_of_trials,
    is_wanted,
    labels,
    shown_tasks,
    without,
)
from ..drawing.booktabs import Booktabs, Column
from ..drawing.literal import literal
from ..exhibit import Exhibit, Missing, Reading

MAX_PANELS = 18
WIDTH = 11.0  # inches, of all panels side by side
PANEL_WIDTH, CELL_WIDTH, CELL_HEIGHT = 1.5, 0.72, 0.27  # inches; the first without cells
TITLE_HEIGHT = 0.85
TITLE_CHARACTERS_PER_INCH = 11.0
CHARACTERS_PER_INCH = 14.0  # of the caption, with room to spare
SMALL = 8.5  # points
COLOURS = ListedColormap(colormaps["Blues"](np.linspace(0.15, 1, 256)))
"""From a blue that is told from white: an accuracy of 0 is no lack of one."""
DARK = 0.6  # accuracies above have light figures
BEFORE = "°"
BASE = "base"
TITLE = "Accuracy (%) on each task after each stage"
NOTHING = "no trial has finished its chain, with every task measured since it was learned"
FULL = "a full stage is one on all of a task's data"


@dataclass(frozen=True)
class Matrix:
    """One chain's accuracies.

    Attributes:
        tasks: in the order of the chain.
        cells: in percent, by stage and task's name; what was not measured is left out.
        num_seeds: that have finished the chain.
    """

    chain: TrainedChain
    tasks: tuple[ShownTask, ...]
    cells: dict[tuple[int, str], Mean]
    num_seeds: int

    @property
    def stages(self) -> list[int]:
        """Those measured, from 0 for the base model."""
        return sorted({stage for stage, _ in self.cells})

    def stage_title(self, stage: int) -> str:
        """Such as ``2 ARC``."""
        return f"{stage} {self.chain.stage_titles[stage - 1]}" if stage else BASE

    def is_before(self, stage: int, task: ShownTask) -> bool:
        """Whether the task has not been learned then."""
        first = self.chain.chain.learned_at(task.name)
        return first is None or stage < first


def matrices(results: Storage) -> tuple[Matrix, ...]:
    """Of all chains that a seed has finished: by setting, then in the paper's order of tasks."""
    tasks = shown_tasks(results)
    found = (_matrix(one, tasks) for one in chain_matrices(results))
    return tuple(sorted(found, key=lambda one: one.chain.position))


def exhibit(reading: Reading) -> Exhibit | Missing:
    """The heat maps that there is room for, and a table of all."""
    found = reading.of(matrices)
    if not found:
        return Missing(NOTHING)
    wanted = [one for one in found if is_wanted(one.chain, reading.rates)]
    if not wanted:
        return Missing("no chain begins with these learning rates")
    table, each_row = display(found), display(found, in_each_row=True)
    left = len(wanted) - MAX_PANELS
    remarks = [f"left out {left} of {len(wanted)} heat maps: the table has all"] if left > 0 else []
    num_trials = len(reading.of(chains_of_trials)) - sum(one.num_seeds for one in found)
    remarks += without(num_trials, "a finished chain")
    return Exhibit(
        table, lambda: picture(wanted[:MAX_PANELS]), each_row.texts(), "; ".join(remarks)
    )


def display(found: Sequence[Matrix], in_each_row: bool = False) -> Booktabs:
    """The table: a section per chain, a row per stage.

    Args:
        in_each_row: whether each row tells its chain, or the first one alone.
    """
    tasks = {task.name: task for one in found for task in one.tasks}
    ordered = sorted(tasks.values(), key=lambda task: TASK_ORDER.get(task.name, len(TASK_ORDER)))
    columns = [Column("chain"), Column("after stage")]
    columns += [Column(heading(task), is_number=True) for task in ordered]
    columns.append(Column("seeds", is_number=True))
    named = labels([one.chain for one in found])
    sections = tuple(
        tuple(
            (
                name if in_each_row or stage == one.stages[0] else "",
                one.stage_title(stage),
                *(_cell(one, stage, task) for task in ordered),
                str(one.num_seeds) if in_each_row or stage == one.stages[0] else "",
            )
            for stage in one.stages
        )
        for one, name in zip(found, named, strict=True)
    )
    notes = [
        "In brackets beside a task: accuracy of random answers.",
        f"{BEFORE} before the task's first full stage ({FULL}).",
    ]
    if any(mean.deviation is not None for one in found for mean in one.cells.values()):
        notes.append("Mean ± sample standard deviation over seeds that have finished the chain.")
    return Booktabs(TITLE, tuple(columns), sections, tuple(notes))


def picture(found: Sequence[Matrix]) -> Figure:
    """The heat maps of at least one chain, all on one scale from 0 to 100 %."""
    widest = max(len(one.tasks) for one in found)
    num_columns = max(1, min(len(found), int(WIDTH / (PANEL_WIDTH + CELL_WIDTH * widest))))
    rows = [found[start : start + num_columns] for start in range(0, len(found), num_columns)]
    width = num_columns * (PANEL_WIDTH + CELL_WIDTH * widest)
    across = int(TITLE_CHARACTERS_PER_INCH * width / num_columns)
    named = [fill(name, across) for name in labels([one.chain for one in found])]
    extra = 0.16 * max(name.count("\n") for name in named)
    heights = [TITLE_HEIGHT + extra + CELL_HEIGHT * max(len(o.stages) for o in row) for row in rows]
    caption = fill(_caption(found), int((width + 0.9) * CHARACTERS_PER_INCH))
    height = sum(heights) + 0.8 + 0.15 * caption.count("\n")
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure = Figure((width + 0.9, height), dpi=160, layout=layout)
    grid = figure.add_gridspec(len(rows), num_columns, height_ratios=heights)
    panels = []
    for number, (one, name) in enumerate(zip(found, named, strict=True)):
        axes = figure.add_subplot(grid[divmod(number, num_columns)])
        _draw(axes, one, name)
        panels.append(axes)
    scale = ScalarMappable(Normalize(0, 100), COLOURS)
    bar = figure.colorbar(scale, ax=panels, fraction=0.05, aspect=30, shrink=min(1, 3 / height))
    bar.set_label("accuracy (%)", fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL)
    figure.suptitle(TITLE, fontsize=13, fontweight="bold")
    figure.supxlabel(caption, fontsize=SMALL, color="0.3")
    return figure


def heading(task: ShownTask) -> str:
    """Its title, with the accuracy of random answers where there is one."""
    return task.title if task.chance is None else f"{task.title} ({fixed(100 * task.chance)})"


def _matrix(found: ChainMatrices, tasks: dict[str, ShownTask]) -> Matrix:
    chain = TrainedChain.from_row(found.common, tasks)
    values: dict[tuple[int, str], list[float]] = {}
    for one in found.by_seed.values():
        for cell, accuracy in one.accuracies.items():
            values.setdefault(cell, []).append(100 * accuracy)
    own = [tasks[name] for name in chain.chain.tasks if any(task == name for _, task in values)]
    cells = {cell: mean_of(numbers) for cell, numbers in values.items()}
    return Matrix(chain, tuple(own), cells, len(found.by_seed))


def _cell(one: Matrix, stage: int, task: ShownTask) -> str:
    if task not in one.tasks:
        return ""
    mean = one.cells.get((stage, task.name))
    return shown(mean) + (BEFORE if mean and one.is_before(stage, task) else "")


def _caption(found: Sequence[Matrix]) -> str:
    numbers = sorted({one.num_seeds for one in found})
    seeds = " to ".join(map(str, dict.fromkeys((numbers[0], numbers[-1]))))
    over = "one seed" if numbers == [1] else f"means over seeds ({seeds})"
    parts = [over, "in brackets: accuracy of random answers"]
    parts.append(f"framed: the task's first full stage ({FULL}); white: before it")
    if any((stage, t.name) not in o.cells for o in found for stage in o.stages for t in o.tasks):
        parts.append(f"{MISSING} not measured")
    return "; ".join(parts)


def _draw(axes: Axes, one: Matrix, name: str) -> None:
    for y, stage in enumerate(one.stages):
        for x, task in enumerate(one.tasks):
            _draw_cell(axes, x, y, one.cells.get((stage, task.name)), one.is_before(stage, task))
    for x, task in enumerate(one.tasks):  # over the cells, so that no neighbour hides a side
        first = one.chain.chain.learned_at(task.name)
        if first in one.stages:
            place = (x, one.stages.index(first))
            axes.add_patch(Rectangle(place, 1, 1, fill=False, edgecolor="0.1", linewidth=1.6))
    axes.set_xlim(-0.02, len(one.tasks) + 0.02)
    axes.set_ylim(len(one.stages) + 0.02, -0.02)
    axes.set_xticks(
        [x + 0.5 for x in range(len(one.tasks))], [literal(heading(t)) for t in one.tasks]
    )
    axes.set_yticks(
        [y + 0.5 for y in range(len(one.stages))],
        [literal(one.stage_title(stage)) for stage in one.stages],
    )
    axes.tick_params(length=0, labelsize=SMALL)
    axes.set_title(literal(name), fontsize=9.5)
    axes.spines[:].set_visible(False)


def _draw_cell(axes: Axes, x: int, y: int, mean: Mean | None, is_before: bool) -> None:
    level = 0.0 if mean is None else mean.value / 100
    is_plain = is_before or mean is None
    colour = "white" if is_plain else COLOURS(level)
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colour, edgecolor="0.75", linewidth=0.6))
    axes.text(
        x + 0.5,
        y + 0.5,
        MISSING if mean is None else fixed(mean.value),
        ha="center",
        va="center",
        fontsize=SMALL,
        color="0.4" if is_plain else "white" if level > DARK else "0.1",
    )
