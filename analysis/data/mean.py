"""A mean over seeds, with its spread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

MISSING = "–"


@dataclass(frozen=True)
class Mean:
    """A measure averaged over the seeds of a chain.

    Attributes:
        value: the mean, in the unit in which it is shown (percent or points).
        deviation: sample standard deviation over seeds (divisor n - 1); None for a single seed.
        num_seeds: how many seeds have been measured.
    """

    value: float
    deviation: float | None
    num_seeds: int

    def __str__(self) -> str:
        shown = fixed(self.value)
        return shown if self.deviation is None else f"{shown} ± {fixed(self.deviation)}"


def mean_of(values: Iterable[float]) -> Mean:
    """Of at least one number, a seed each."""
    numbers = list(values)
    deviation = float(np.std(numbers, ddof=1)) if len(numbers) > 1 else None
    return Mean(float(np.mean(numbers)), deviation, len(numbers))


def fixed(value: float) -> str:
    """One decimal, and never ``-0.0``."""
    return f"{round(value, 1) + 0.0:.1f}"


def shown(mean: Mean | None) -> str:
    """The mean as text; a dash for what has not been measured."""
    return MISSING if mean is None else str(mean)
