"""Means over test rows that seeds share: intervals over the rows, and a test of two directions.

Seeds of a chain are scored on the same rows, and rows may come from one template. What varies
independently is a *unit*: a row with all its seeds, or a template with all its rows. With a unit's
sum y of values and number m of them the mean is r = sum y / sum m, and its variance over U units

    V = U / (U - 1) sum of (y - r m)^2 / (sum m)^2

(a ratio estimate; Cochran, 1977). It holds for the models at hand: other trainings may differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True)
class RowMean:
    """A mean over test rows.

    Attributes:
        low, high: 95 % interval over units; None for a mean of a single unit.
    """

    value: float
    low: float | None
    high: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends; None without."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def share(counts: np.ndarray, sizes: np.ndarray, num_rows: int) -> RowMean:
    """How often something holds, with a Wilson (1927) interval.

    Its number of rows is the n with r (1 - r) / (n - 1) = V (Korn and Graubard, 1998), and at most
    the number that there are: seeds make no rows. Where nothing varies it is that number as well.
    A single unit is one observation.

    Args:
        counts, sizes: of each unit how often it holds, of how many values; shape [units].
        num_rows: different rows.
    """
    from statsmodels.stats.proportion import proportion_confint

    value, variance = _ratio(counts, sizes)
    number = float(num_rows)
    if variance is None:
        number = 1.0
    elif variance > 0:
        number = min(value * (1 - value) / variance + 1, number)
    low, high = proportion_confint(value * number, number, 1 - CONFIDENCE, method="wilson")
    return RowMean(value, min(float(low), value), max(float(high), value))  # but for rounding


def mean(sums: np.ndarray, sizes: np.ndarray) -> RowMean:
    """Of any values, with a t interval of U - 1 degrees of freedom.

    Args:
        sums, sizes: of each unit the values' sum, and how many they are; shape [units].
    """
    from scipy import stats

    value, variance = _ratio(sums, sizes)
    if variance is None:
        return RowMean(value, None, None)
    reach = float(np.sqrt(variance) * stats.t.ppf((1 + CONFIDENCE) / 2, len(sizes) - 1))
    return RowMean(value, value - reach, value + reach)


def direction_p(net: np.ndarray) -> float:
    """Of units that go up as often as down: the exact two-sided sign test.

    With one seed and rows of their own it is McNemar's (1947) exact test.

    Args:
        net: of each unit, how much more often its answers were lost than gained; shape [units].
    """
    from scipy import stats

    up, down = int((net > 0).sum()), int((net < 0).sum())
    return float(stats.binomtest(up, up + down).pvalue) if up + down else 1.0


def by_unit(values: np.ndarray, units: Sequence[int] | np.ndarray) -> np.ndarray:
    """Sums of values over each of the units that occur, in the units' order."""
    _, places = np.unique(units, return_inverse=True)
    return np.bincount(places, weights=values)


def _ratio(sums: np.ndarray, sizes: np.ndarray) -> tuple[float, float | None]:
    total, number = float(sizes.sum()), len(sizes)
    value = float(sums.sum()) / total
    if number < 2:
        return value, None
    residuals = sums - value * sizes
    return value, number / (number - 1) * float(residuals @ residuals) / total**2
