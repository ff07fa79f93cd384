"""The paper's Table 2 for the configured data, and an account of every row that is not used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from raysweep.errors import MissingDataError
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import Splits, load_splits
from raysweep.tasks.task import PaperSizes, Task

DASH = "-"


@dataclass(frozen=True)
class Census:
    """The sets of a task, disjoint and with the paper's sizes; None where there are none."""

    task: Task
    disjoint: Splits | None
    paper: Splits | None
    missing: str = ""


def take_census(task: Task, settings: DataSettings) -> Census:
    """Draws a task's sets both ways.

    Raises:
        InputError: the data is there and wrong.
    """
    try:
        disjoint = load_splits(task, settings.model_copy(update={"paper_sizes": False}))
    except MissingDataError as error:
        return Census(task, None, None, str(error))
    as_in_the_paper = settings.model_copy(update={"paper_sizes": True})
    return Census(task, disjoint, load_splits(task, as_in_the_paper) if task.sizes else None)


def table2(censuses: Sequence[Census], source: str) -> Table:
    """Our sizes beside the paper's."""
    table = Table(
        title=escape(f"Table 2 of the paper, and the data of {source!r}"),
        caption="Every pair of columns is ours | the paper's. Test sets are disjoint from the "
        "training set by default; 'paper_sizes' gives the paper's sizes, and 'trained' is how many "
        "of those test rows are also trained on.",
        caption_justify="left",
    )
    table.add_column("task")
    for column in ("train", "paper", "valid.", "test", "test,\npaper_sizes", "trained", "paper"):
        table.add_column(column, justify="right")
    for column in ("groups", "paper", "labels", "paper"):
        table.add_column(column, justify="right")
    for census in censuses:
        table.add_row(escape(census.task.name), *_cells(census))
    return table


def _cells(census: Census) -> list[str]:
    sizes = census.task.sizes or PaperSizes(0, 0)
    numbers = (sizes.train, sizes.test, sizes.num_groups, sizes.num_labels)
    train, test, groups, labels = (f"{number:,}" if number else DASH for number in numbers)
    ours, paper = census.disjoint, census.paper
    if ours is None:
        return [DASH, train, DASH, DASH, DASH, DASH, test, DASH, groups, DASH, labels]
    present = {group for example in ours.train for group in example.groups}
    return [
        *(f"{len(ours.train):,}", train, f"{len(ours.validation):,}"),
        f"{len(ours.test):,}",
        f"{len(paper.test):,}" if paper else DASH,
        f"{paper.num_trained_test_rows:,}" if paper else DASH,
        test,
        *(str(len(present) or DASH), groups, str(len(ours.task.labels) or DASH), labels),
    ]


def account(census: Census) -> list[str]:
    """What was read, what was left out and why, and how that compares with the paper."""
    lines = [f"{census.task.name}: {census.missing}"] if census.missing else []
    if splits := census.disjoint:
        read = ", ".join(f"{split} {count:,}" for split, count in splits.num_read.items())
        lines.append(f"{splits.task.name}: read {sum(splits.num_read.values()):,} rows ({read})")
        for (split, reason), count in splits.drops.items():
            lines.append(f"  left out of {split}: {count:,}, {reason}")
        lines += [*_unused(splits), *_alike(splits)]
    if splits := census.paper:
        lines += [f"  {note}" for note in splits.notes]
        if splits.num_trained_test_rows:
            lines.append(
                f"  paper_sizes: {splits.num_trained_test_rows:,} of {len(splits.test):,} test "
                "rows have a text that is also trained on"
            )
    if census.task.note:
        lines.append(f"  {census.task.note}")
    return lines


def _alike(splits: Splits) -> list[str]:
    """Groups whose names differ in case only: nobody knows whether they are meant to be one."""
    spellings: dict[str, set[str]] = {}
    for example in (*splits.train, *splits.validation, *splits.test):
        for group in example.groups:
            spellings.setdefault(group.casefold(), set()).add(group)
    return [
        f"  {' and '.join(map(repr, sorted(names)))} differ in case only: they are "
        f"{len(names)} groups"
        for names in spellings.values()
        if len(names) > 1
    ]


def _unused(splits: Splits) -> list[str]:
    used = len(splits.train) + len(splits.validation) + len(splits.test)
    rest = sum(splits.num_read.values()) - sum(splits.drops.values()) - used
    return [f"  in no set, because the sets are full: {rest:,}"] if rest else []
