"""A ratio of two means of paired numbers, with Fieller's interval.

The interval holds those ratios r for which a t test of a - r b over the pairs does not tell its
mean from 0 (Fieller, 1954). Where the denominator itself cannot be told from 0 there is no bound:
almost any ratio is among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raysweep.statistics.differences import CONFIDENCE, NOTHING


@dataclass(frozen=True)
class Ratio:
    """Mean of a / mean of b.

    Attributes:
        denominator: mean of b.
        num: pairs.
        interval: 95 %; None for one pair, for pairs that do not differ, and without bounds.
        is_unbounded: whether the denominator cannot be told from 0.
    """

    value: float
    denominator: float
    num: int
    interval: tuple[float, float] | None = None
    is_unbounded: bool = False

    @property
    def complement(self) -> Ratio:
        """One less the ratio."""
        interval = None if self.interval is None else (1 - self.interval[1], 1 - self.interval[0])
        return Ratio(1 - self.value, self.denominator, self.num, interval, self.is_unbounded)


def paired_ratio(a: Sequence[float], b: Sequence[float]) -> Ratio | None:
    """The ratio of means of numbers that belong together; None without any, or where b's is 0."""
    from scipy.stats import t

    if not len(a) or not np.mean(b):
        return None
    means = np.mean(a), np.mean(b)
    value, denominator = float(means[0] / means[1]), float(means[1])
    if len(a) < 2:
        return Ratio(value, denominator, len(a))
    covariance = np.cov(a, b)
    if not np.sqrt(np.diag(covariance)).max() > NOTHING:
        return Ratio(value, denominator, len(a))
    # Those r with (mean a - r mean b)² <= t² var(a - r b) / n, a quadratic in r.
    quantile = t.ppf((1 + CONFIDENCE) / 2, len(a) - 1)
    product = np.outer(means, means) - quantile**2 * covariance / len(a)
    if product[1, 1] <= 0:
        return Ratio(value, denominator, len(a), is_unbounded=True)
    middle = product[0, 1] / product[1, 1]
    reach = np.sqrt(max(middle**2 - product[0, 0] / product[1, 1], 0.0))
    return Ratio(value, denominator, len(a), (float(middle - reach), float(middle + reach)))
