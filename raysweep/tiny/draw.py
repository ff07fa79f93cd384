"""Seeded draws that give the same results on every platform and Python version."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

Item = TypeVar("Item")


class Draw:
    """A stream of draws that is decided by its name.

    Everything is built on `random.Random.random`, the one method whose stream Python guarantees.
    """

    def __init__(self, name: str) -> None:
        digest = hashlib.sha256(name.encode()).digest()
        self._random = random.Random(int.from_bytes(digest[:8], "big")).random

    def below(self, bound: int) -> int:
        """An integer from 0 to ``bound`` - 1."""
        return int(self._random() * bound)

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self._random() < probability

    def one(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[Item], weights: Sequence[float]) -> Item:
        """One of the items, in proportion to the weights."""
        bounds = list(accumulate(weights))
        point = self._random() * bounds[-1]
        return next(item for item, bound in zip(items, bounds, strict=True) if point < bound)

    def some(self, items: Sequence[Item], count: int) -> list[Item]:
        """``count`` different items, in random order."""
        pool = list(items)
        return [pool.pop(self.below(len(pool))) for _ in range(count)]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """All items in random order."""
        return self.some(items, len(items))
