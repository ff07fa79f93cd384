"""The rows of a task that a sweep trains on and tests on, with their digests."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from raysweep.config import TINY, DataSettings
from raysweep.digest import digest_json
from raysweep.errors import InputError
from raysweep.tasks import TASKS, Example, Row, Task
from raysweep.tasks.sampling import stratified_order


@dataclass(frozen=True)
class Splits:
    """The training and test set of a task, each in stratified order, disjoint by content."""

    task: Task
    train: tuple[Example, ...]
    test: tuple[Example, ...]

    @property
    def train_digest(self) -> str:
        """Identifies the training set, row by row and in order."""
        return _digest(self.train)

    @property
    def test_digest(self) -> str:
        """Identifies the test set."""
        return _digest(self.test)

    def train_part(self, fraction: float) -> tuple[Example, ...]:
        """The first ``fraction`` of the training set, rounded up: nested for growing fractions."""
        return self.train[: math.ceil(fraction * len(self.train) - 1e-9)]


@lru_cache(maxsize=16)
def load_splits(name: str, settings: DataSettings) -> Splits:
    """Reads a task's rows and draws its training and test set.

    Where the dataset has official splits they are used; otherwise the training set is drawn from
    the pool and the test set from what is left. Of rows with the same
    content one is kept, and none in the test set whose content is trained on.

    Raises:
        InputError: the data is missing, or no rows are left.
    """
    task = TASKS[name]
    raw = _read(task, settings.source)
    parsed = {split: _parsed(task, rows) for split, rows in raw.items()}
    pool = stratified_order(_distinct(parsed.get("pool") or parsed["train"]), settings.seed)
    train, rest = pool[: settings.num_train], pool[settings.num_train :]
    if "pool" not in parsed:
        rest = _distinct(parsed["test"], {example.content_digest for example in train})
    test = stratified_order(rest, settings.seed)[: settings.num_test]
    if not train or not test:
        raise InputError(
            settings.source, f"task {name!r} has no rows left", "lower num_train or check the files"
        )
    return Splits(task, tuple(train), tuple(test))


def _read(task: Task, source: str) -> dict[str, list[Row]]:
    if source == TINY:
        from raysweep.tiny import world  # built only when the closed world is asked for

        return world.read_split(task.name)
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise InputError(source, "no such data folder", "give 'tiny' or a folder of raw files")
    if task.read_split is None:
        known = ", ".join(name for name, other in TASKS.items() if other.read_split)
        raise InputError(
            source, f"task {task.name!r} cannot be read from raw files", f"choose among {known}"
        )
    return task.read_split(folder)


def _parsed(task: Task, rows: Iterable[Row]) -> list[Example]:
    return [example for row in rows if (example := task.parse(row)) is not None]


def _distinct(examples: Iterable[Example], seen: Iterable[str] = ()) -> list[Example]:
    """One example per content that is not in ``seen``: of several, the first by id."""
    taken, kept = set(seen), []
    for example in sorted(examples, key=lambda example: example.id):
        if example.content_digest not in taken:
            taken.add(example.content_digest)
            kept.append(example)
    return kept


def _digest(examples: Iterable[Example]) -> str:
    return digest_json(
        [
            [e.id, e.prompt, e.target, list(e.answers), e.label, list(e.groups), e.subset]
            for e in examples
        ]
    )
