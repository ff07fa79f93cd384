"""Seeded stratified order: which rows come first when only some are used.

Within a cell (group x subset x label) rows are ordered by sha256(seed, content), so the order
depends on neither the file's order nor the platform. Cells are then dealt round-robin, in an order
drawn from the same hash, until each is exhausted: every prefix holds the cells in equal numbers as
far as they reach, and the prefixes are nested.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable

from raysweep.tasks.task import Example


def stratified_order(examples: Iterable[Example], seed: int) -> list[Example]:
    """All examples, in the stratified order of that seed."""
    cells: dict[tuple[str, ...], list[Example]] = defaultdict(list)
    for example in examples:
        cells[example.stratum].append(example)
    ranked = []
    for stratum, members in cells.items():
        cell_rank = _rank(seed, "cell", *stratum)
        members.sort(key=lambda example: (_rank(seed, example.content_digest), example.id))
        ranked += [(position, cell_rank, member) for position, member in enumerate(members)]
    ranked.sort(key=lambda item: item[:2])
    return [member for _, _, member in ranked]


def _rank(seed: int, *parts: str) -> str:
    return hashlib.sha256("\0".join([str(seed), *parts]).encode()).hexdigest()
