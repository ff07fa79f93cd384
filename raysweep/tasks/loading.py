"""From a source of rows to checked examples, with an account of every row.

A row becomes an example, is dropped for a stated reason, or ends in an error that names file, line
and field: none goes missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from raysweep.errors import InputError, MissingDataError
from raysweep.tasks.files import FETCH_AGAIN
from raysweep.tasks.names import answers_mistake, name_mistake
from raysweep.tasks.sources import read_release
from raysweep.tasks.task import ALL, Dropped, Example, Fields, Release, Task
from raysweep.tasks.text import compared

LISTED_AGAIN = "another group of a row that is kept, with all its groups"


@dataclass(frozen=True)
class Loaded:
    """All examples of a task.

    Attributes:
        examples: by split; a split "pool" holds the rows of a dataset without official splits.
        num_read: rows read, by split.
        drops: rows that the task itself leaves out, by split and reason.
    """

    examples: Mapping[str, tuple[Example, ...]]
    num_read: Mapping[str, int]
    drops: Counter[tuple[str, str]]


def load_examples(task: Task, source: str) -> Loaded:
    """Reads and checks all rows of a task.

    Args:
        source: its name, or a path: see `sources`.

    Raises:
        InputError: there is no such data for the task, or a row is wrong.
    """
    examples: dict[str, tuple[Example, ...]] = {}
    num_read: Counter[str] = Counter()
    drops: Counter[tuple[str, str]] = Counter()
    reader = _Reader(task)
    for split, rows in read_release(task, source).items():
        kept = []
        for place, row in rows:
            outcome = reader.read(place, row)
            num_read[split] += 1
            if isinstance(outcome, Dropped):
                drops[split, outcome.reason] += 1
            else:
                kept.append(outcome)
        if not num_read[split]:
            raise InputError(f"task {task.name!r}", f"has no rows in {split}", FETCH_AGAIN)
        examples[split] = merge_groups(kept)
        if len(examples[split]) < len(kept):
            drops[split, LISTED_AGAIN] += len(kept) - len(examples[split])
    return Loaded(examples, num_read, drops)


def merge_groups(examples: Sequence[Example]) -> tuple[Example, ...]:
    """Rows that differ in nothing but their groups as one row of all these groups.

    A table in long format lists a text once per group. Rows that are equal in their groups, too,
    stay: they are repeats, which are counted as such.
    """
    rows = [replace(example, groups=()) for example in examples]
    listed: dict[Example, set[tuple[str, ...]]] = {}
    for row, example in zip(rows, examples, strict=True):
        listed.setdefault(row, set()).add(example.groups)
    merged: list[Example] = []
    for row, example in zip(rows, examples, strict=True):
        lists = listed[row]
        if len(lists) == 1:
            merged.append(example)
        elif lists:
            merged.append(replace(row, groups=tuple(sorted(set().union(*lists)))))
            lists.clear()  # the row is there now, with all its groups
    return tuple(merged)


def check_rows(task: Task, release: Release) -> tuple[int, list[InputError]]:
    """The number of rows of a release, and everything that is wrong with them.

    A file that cannot be read to its end is one mistake, and ends its split.

    Raises:
        MissingDataError: a file is not there.
    """
    num_rows, mistakes, reader = 0, list[InputError](), _Reader(task)
    for split, rows in release.items():
        located, before = iter(rows), num_rows + len(mistakes)
        while True:
            try:
                item = next(located, None)
                if item is None:
                    break
                num_rows += 1
                reader.read(*item)
            except MissingDataError:
                raise
            except InputError as error:
                mistakes.append(error)
        if num_rows + len(mistakes) == before:
            mistakes.append(
                InputError(f"task {task.name!r}", f"has no rows in {split}", FETCH_AGAIN)
            )
    return num_rows, mistakes


class _Reader:
    """Turns the rows of one task into examples, and sees to it that ids are unique."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._places: dict[str, tuple[str, Example, set[tuple[str, ...]]]] = {}

    def read(self, place: str, row: Fields) -> Example | Dropped:
        """What becomes of a row.

        Raises:
            InputError: the row violates the schema, or its id has occurred before.
        """  # noqa: DOC501  # `bad_row` makes one
        try:
            outcome = self._task.parse_row(row)
        except ValidationError as error:
            raise bad_row(place, error) from None
        if isinstance(outcome, Example):
            outcome = _with_one_spelling(outcome)
            self._check_names(place, outcome)
            if not self._task.content_ids:
                self._check_id(place, outcome)
        return outcome

    def _check_id(self, place: str, example: Example) -> None:
        """Ids are unique; another group of the same row may stand on a line of its own."""
        row = replace(example, groups=())
        first, known, groups = self._places.setdefault(example.id, (place, row, set()))
        if first != place and (row != known or example.groups in groups):
            problem = f"the id {example.id!r} stands at {first} already"
            raise InputError(place, problem, FETCH_AGAIN)
        groups.add(example.groups)

    def _check_names(self, place: str, example: Example) -> None:
        problem = answers_mistake(example.answers)
        for what, names in (("group", example.groups), ("subset", (example.subset,))):
            for name in names:
                if (what == "group" or name != ALL) and (mistake := name_mistake(name)):
                    problem = f"a {what} {mistake}"
        if problem:
            raise InputError(place, problem, "correct the task or the row")


def _with_one_spelling(example: Example) -> Example:
    """The example with the names of its groups in the form in which they are compared."""
    if all(compared(group) == group for group in example.groups):
        return example
    return replace(example, groups=tuple(sorted({compared(group) for group in example.groups})))


def bad_row(place: str, error: ValidationError) -> InputError:
    """The first mistake in a row."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    is_missing = first["type"] == "missing"
    if is_missing:
        message = "is missing"
    shown = "" if is_missing or first["input"] is None else f" = {str(first['input'])[:60]!r}"
    problem = f"field {field}{shown} {message[0].lower()}{message[1:]}"
    printable = " ".join(problem.encode(errors="replace").decode().split())
    return InputError(place, printable, "correct or replace the row")
