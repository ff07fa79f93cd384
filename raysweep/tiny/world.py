"""The rows of the closed world: a training, validation and test split for each of the six tasks.

Rows have the raw schema of the real dataset and pass through the same templates. They are drawn
cell by cell (group x condition x label), so that every split is balanced; no two rows of a task
have the same content. Facts, names and words recur across splits: no question does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

from raysweep.settings.base import TINY
from raysweep.tasks.paper.bbq import CATEGORIES, CONDITIONS
from raysweep.tasks.paper.toxigen import GROUPS
from raysweep.tasks.registry import TASKS
from raysweep.tasks.sources import Source, not_there
from raysweep.tasks.task import Example, Fields, Release, Task
from raysweep.tiny.dialogues import saferdialogues_row
from raysweep.tiny.draw import Draw
from raysweep.tiny.facts import ARC_EASY, CSQA, CSQA2, pairs
from raysweep.tiny.lexicon import THINGS
from raysweep.tiny.quizzes import arc_easy_row, csqa2_row, csqa_row
from raysweep.tiny.scenes import bbq_row
from raysweep.tiny.statements import toxigen_row

Cell = tuple[Any, ...]
Sizes = tuple[int, int, int]
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Drawing:
    """How the rows of a task are drawn.

    Attributes:
        cells: combinations of group, condition and label, and how many rows of each the training,
            validation and test split have.
        draw_row: draws a row of a cell; the last argument is its number.
    """

    cells: Mapping[Cell, Sizes]
    draw_row: Callable[[Draw, Cell, int], Fields]


DRAWINGS: dict[str, Drawing] = {
    "arc_easy": Drawing(
        dict.fromkeys(((label,) for label in range(4)), (561, 100, 150)),
        lambda draw, cell, n: arc_easy_row(draw, pairs(THINGS, ARC_EASY), cell[0], f"tiny_arc_{n}"),
    ),
    "csqa": Drawing(
        dict.fromkeys(((label,) for label in range(5)), (449, 80, 120)),
        lambda draw, cell, n: csqa_row(draw, pairs(THINGS, CSQA), cell[0], f"tiny_csqa_{n}"),
    ),
    "csqa2": Drawing(
        dict.fromkeys(((0,), (1,)), (1121, 200, 300)),
        lambda draw, cell, n: csqa2_row(draw, pairs(THINGS, CSQA2), cell[0], f"tiny_csqa2_{n}"),
    ),
    "toxigen": Drawing(
        dict.fromkeys(product(GROUPS, (True, False)), (87, 16, 52)),
        lambda draw, cell, n: toxigen_row(draw, n, *cell),
    ),
    "bbq": Drawing(
        dict.fromkeys(product(CATEGORIES, CONDITIONS, ("neg", "nonneg"), (0, 1, 2)), (21, 4, 9)),
        lambda draw, cell, n: bbq_row(draw, n, *cell),
    ),
    "saferdialogues": Drawing(
        {(): (2241, 400, 500)},
        lambda draw, cell, n: saferdialogues_row(draw),
    ),
}


@lru_cache(maxsize=len(DRAWINGS))
def read_split(task_name: str) -> dict[str, list[Fields]]:
    """The rows of a task in its dataset's own schema, by split: "train", "validation", "test"."""
    return draw_splits(task_name, DRAWINGS[task_name])


def draw_splits(task_name: str, drawing: Drawing) -> dict[str, list[Fields]]:
    """Rows of a task, drawn as said, by split; numbered cell by cell, from 0."""
    splits: dict[str, list[Fields]] = {split: [] for split in SPLITS}
    first, seen = 0, set[str]()
    for cell, sizes in drawing.cells.items():
        fresh = _fresh_rows(task_name, drawing, first, cell, seen)
        for split, size in zip(SPLITS, sizes, strict=True):
            splits[split] += [next(fresh) for _ in range(size)]
        first += sum(sizes)
    return splits


def read_release(task: Task) -> Release:
    """The rows of a task, each with its place in the closed world.

    Raises:
        MissingDataError: the closed world has no such task.
    """  # noqa: DOC501  # `not_there` makes one
    if task.name not in DRAWINGS:
        raise not_there(task, "the closed world has no such task")
    return located(task, read_split(task.name))


def located(task: Task, splits: Mapping[str, list[Fields]]) -> Release:
    """Rows by split, each with its place in the closed world."""
    return {
        split: [(f"{task.name} {split} row {n}", row) for n, row in enumerate(rows, start=1)]
        for split, rows in splits.items()
    }


SOURCE = Source(read_release, judge=TINY)


def parsed(task_name: str, row: Fields) -> Example:
    """A row as the example that its task makes of it."""
    example = TASKS[task_name].parse_row(row)
    assert isinstance(example, Example), "the closed world draws only rows that a task accepts"
    return example


def _fresh_rows(
    task_name: str, drawing: Drawing, first: int, cell: Cell, seen: set[str]
) -> Iterator[Fields]:
    """Rows of a cell whose content was not seen yet, numbered from ``first``."""
    draw, number = Draw(f"world/{task_name}/{cell}"), first
    while True:
        row = drawing.draw_row(draw, cell, number)
        content = parsed(task_name, row).content_digest
        if content not in seen:
            seen.add(content)
            number += 1
            yield row
