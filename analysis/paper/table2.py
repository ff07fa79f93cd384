"""Table 2: the datasets, with the paper's numbers beside ours (section 8.1).

Test rows, groups and labels are those that the results speak of. No result says how many rows a
training set has: the records of the sweep's runs do, in ``runs/`` beside the results.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from raysweep.results.query import query
from raysweep.store.storage import Storage
from raysweep.tasks.registry import TASKS
from raysweep.tasks.task import ALL, OVERALL, Kind, PaperSizes

from ..data.load import TASK_ORDER, MeasuredTask
from ..data.mean import MISSING
from ..drawing.booktabs import Booktabs, Column
from ..exhibit import Exhibit, Missing, Reading

RUNS = "runs"
SQL = f"""
    SELECT task, title, kind, any_value(chance) AS chance,
           list(DISTINCT num_examples ORDER BY num_examples)
               FILTER ("group" = '{OVERALL}' AND subset = '{ALL}') AS num_test,
           count(DISTINCT "group") FILTER ("group" <> '{OVERALL}') AS num_groups
    FROM evaluations GROUP BY task, title, kind
"""


@dataclass(frozen=True)
class Dataset:
    """A task's data.

    Attributes:
        num_train: rows of its training set; None where no run of the sweep has recorded them.
        num_test: rows scored; several numbers where evaluations differ.
        num_groups: 0 for a task without groups.
        num_labels: possible answers; None for a generative task.
        published: the paper's numbers; None for a task that is not in it.
    """

    task: MeasuredTask
    num_train: int | None
    num_test: tuple[int, ...]
    num_groups: int
    num_labels: int | None
    published: PaperSizes | None


def table2(results: Storage) -> tuple[Dataset, ...]:
    """The tasks that were evaluated, in the paper's order."""
    sizes = _training_sizes(results)
    found = [
        Dataset(
            MeasuredTask(row["task"], row["title"], Kind(row["kind"])),
            sizes.get(row["task"]),
            tuple(row["num_test"] or ()),
            row["num_groups"],
            round(1 / row["chance"]) if row["chance"] else None,
            TASKS[row["task"]].sizes if row["task"] in TASKS else None,
        )
        for row in query(results, SQL).to_pylist()
    ]
    return tuple(sorted(found, key=_position))


def exhibit(reading: Reading) -> Exhibit | Missing:
    """The table of what was evaluated."""
    found = reading.of(table2)
    if not found:
        return Missing("no task was evaluated")
    table = display(found)
    return Exhibit(table, table.picture, table.texts())


def display(found: Sequence[Dataset]) -> Booktabs:
    """Each number with the paper's beside it."""
    groups = ("Training rows", "Test rows", "Groups", "Labels")
    columns = [Column("Task"), Column("Kind")]
    columns += [
        Column(name, group, group, is_number=True) for group in groups for name in ("ours", "paper")
    ]
    sections = tuple(
        tuple(_cells(one) for one in section)
        for _, section in groupby(found, lambda one: one.task.kind)
    )
    notes = [
        "Test rows, groups and labels as evaluated. Paper: its Table 2; "
        f"{MISSING} also where it prints none."
    ]
    if any(one.num_train is None for one in found):
        notes.append(
            "Training rows: no run of this sweep recorded them (those of earlier versions did not)."
        )
    return Booktabs("Table 2: datasets", tuple(columns), sections, tuple(notes))


def _training_sizes(results: Storage) -> dict[str, int]:
    """From the latest run that has recorded them."""
    found: dict[str, int] = {}
    for name in results.names(RUNS, ".json"):
        record: Mapping[str, Any] = json.loads(results.read(f"{RUNS}/{name}"))
        sizes = record.get("num_rows", {})
        found |= {task: number["train"] for task, number in sizes.items()}
    return found


def _position(one: Dataset) -> tuple[object, ...]:
    place = TASK_ORDER.get(one.task.name, len(TASK_ORDER))
    return one.task.kind is Kind.SAFETY, place, one.task.name


def _cells(one: Dataset) -> tuple[str, ...]:
    paper = one.published
    ours = (
        _shown(one.num_train),
        ", ".join(map(str, one.num_test)) or MISSING,
        _shown(one.num_groups or None),
        _shown(one.num_labels),
    )
    theirs = (
        _shown(paper.train if paper else None),
        _shown(paper.test if paper else None),
        _shown(paper.num_groups if paper else None),
        _shown(paper.num_labels if paper else None),
    )
    pairs = zip(ours, theirs, strict=True)
    return one.task.title, str(one.task.kind), *(cell for pair in pairs for cell in pair)


def _shown(number: int | None) -> str:
    return MISSING if number is None else str(number)
