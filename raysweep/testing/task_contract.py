"""What holds of every task."""

from __future__ import annotations

import copy
import dataclasses
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from raysweep.errors import InputError
from raysweep.tasks.loading import load_examples
from raysweep.tasks.names import answers_mistake, task_mistake
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from raysweep.tasks.task import ALL, POOL, Example, Fields, Task

JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 10**30, 1.5, float("nan"), float("inf")),
    *("", " ", "x", "nan", "0\n0", "\0", "\ud800", "overall", "e\u0301", b"bytes"),
    *([], [None], ["x", 1], [[]], {}, {"": None}, {"a": {"b": 1}}),
)
"""What a field may hold by mistake."""


class TaskContract:
    """Tests of a task.

    They ask for the fixtures ``task`` and ``rows``: at least 30 good rows in the dataset's own
    schema, no two of the same content.
    """

    def test_its_names_can_be_told_apart(self, task: Task) -> None:
        """As tables and figures have to."""
        assert task_mistake(task) == ""

    def test_a_good_row_is_an_example_with_its_right_answer(
        self, task: Task, rows: Sequence[Fields]
    ) -> None:
        """And with groups, subset and roles that the task knows."""
        for row in rows:
            example = task.parse_row(row)
            assert isinstance(example, Example), example
            assert example.question
            assert example.target
            assert len(example.answers) == len(task.labels)
            assert task.is_generative or example.answers[example.label] == example.target
            assert answers_mistake(example.answers) == ""
            assert not task.groups or set(example.groups) <= set(task.groups)
            assert example.subset in (ALL, *task.subsets)
            assert len(example.roles) in (0, len(example.answers))

    def test_no_row_goes_missing(self, task: Task, rows: Sequence[Fields]) -> None:
        """All are examples here; what a task leaves out is counted with its reason."""
        loaded = load_examples(_of(task, rows), "")
        assert loaded.num_read == {POOL: len(rows)}
        assert len(loaded.examples[POOL]) == len(rows)
        assert not loaded.drops

    def test_sets_share_no_text_whatever_the_order_of_the_rows(
        self, task: Task, rows: Sequence[Fields]
    ) -> None:
        """A file that is sorted otherwise gives the same sets, and so the same keys."""
        settings = DataSettings(num_train=len(rows) // 3, num_validation=5)
        shuffled = list(rows)
        random.Random(0).shuffle(shuffled)
        splits, same = (load_splits(_of(task, one), settings) for one in (rows, shuffled))
        assert splits.digests == same.digests
        sets = (splits.train, splits.validation, splits.test)
        contents = [example.content_digest for part in sets for example in part]
        assert len(contents) == len(set(contents)) == len(rows)

    def test_a_row_with_anything_in_any_place_is_an_example_or_dropped_or_blamed(
        self, task: Task, rows: Sequence[Fields]
    ) -> None:
        """The blame is one line with the place of the row and the field."""
        for wrong in _mutated(rows[0]):
            try:
                loaded = load_examples(_of(task, [rows[1], wrong]), "")
            except InputError as error:
                message = str(error)
                assert re.match(r"row 2: (field \w|the id )", message), message
                assert "\n" not in message
                message.encode()  # can be printed
            else:
                assert len(loaded.examples[POOL]) + sum(loaded.drops.values()) == 2

    def test_an_id_that_occurs_twice_is_a_mistake(self, task: Task, rows: Sequence[Fields]) -> None:
        """Unless the dataset has none, and ids are digests of the content."""
        if not task.content_ids:
            with pytest.raises(InputError, match=r"row \d+: the id .* stands at row 1 already"):
                load_examples(_of(task, [*rows, rows[0]]), "")


def _of(task: Task, rows: Sequence[Fields]) -> Task:
    """The task with these rows as its whole pool."""
    pool = [(f"row {number}", row) for number, row in enumerate(rows, start=1)]
    return dataclasses.replace(task, read_own=lambda: {POOL: pool})


def _mutated(row: Fields) -> Iterator[Fields]:
    """The row with each of its fields, at any depth, deleted or replaced by junk."""
    for *parents, last in _paths(row):
        for junk in (_DELETED, *JUNK):
            changed: Any = copy.deepcopy(dict(row))
            holder = changed
            for key in parents:
                holder = holder[key]
            if junk is _DELETED:
                del holder[last]
            else:
                holder[last] = copy.deepcopy(junk)
            yield changed


_DELETED = object()


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    """Of every field and list entry within a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (key,)
        if isinstance(item, dict | list):
            yield from ((key, *below) for below in _paths(item))
