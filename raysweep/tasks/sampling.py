"""Seeded stratified order: which rows come first when only some are used.

Within a cell (group x subset x label) rows are ordered by sha256(seed, content), so that the order
depends on neither the file's order nor the platform. Cells are dealt in turn, level by level: the
groups take turns, within a group its subsets, within a subset its labels, each until exhausted.
So the prefixes are nested, and in every prefix the groups differ by at most one row as far as they
reach, and so do a group's subsets and a subset's labels.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from itertools import zip_longest

from raysweep.tasks.task import Example


def stratified_order(
    examples: Iterable[Example], seed: int, preferred: Collection[str] = ()
) -> list[Example]:
    """All examples, in the stratified order of that seed.

    Args:
        preferred: ids of examples that come first within their cells.
    """

    def place(example: Example) -> tuple[bool, str, str]:
        return example.id not in preferred, _rank(seed, example.content_digest), example.id

    return _dealt(sorted(examples, key=place), seed, ())


def _dealt(members: list[Example], seed: int, cell: tuple[str, ...]) -> list[Example]:
    """Members of a cell, those of its parts in turn."""
    parts: dict[str, list[Example]] = defaultdict(list)
    for member in members:
        stratum = member.stratum
        if len(cell) == len(stratum):
            return members
        parts[stratum[len(cell)]].append(member)
    names = sorted(parts, key=lambda name: _rank(seed, "cell", *cell, name))
    turns = zip_longest(*(_dealt(parts[name], seed, (*cell, name)) for name in names))
    return [member for turn in turns for member in turn if member is not None]


def _rank(seed: int, *parts: str) -> str:
    return hashlib.sha256("\0".join([str(seed), *parts]).encode()).hexdigest()
