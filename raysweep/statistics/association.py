"""How two quantities go together: rank correlation, correlation, a fitted line.

What cannot be told is None, never nan: fewer than three points, a constant side, a value that is
not finite. Each point counts as one independent case: what is measured several times belongs
together before it comes here, or into one cluster of `line`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from raysweep.statistics.grouped_losses import numbered

CONFIDENCE = 0.95
LEAST_POINTS = 3
EQUAL_DIGITS = 9
"""Values that differ after these many decimals are equal: shares that were computed in two ways."""
NEGLIGIBLE = 1e-12  # of a side's size: the rounding of its computation


@dataclass(frozen=True)
class RankCorrelation:
    """Kendall's tau-b of two rankings.

    Attributes:
        p: two-sided, of independent rankings; exact where there are few cases and no ties.
        num: cases that both rank.
    """

    tau: float
    p: float
    num: int


@dataclass(frozen=True)
class Correlation:
    """Pearson's r.

    Attributes:
        low, high: 95 % interval by Fisher's transformation; -1 and 1 for three points.
        p: two-sided, of r = 0.
        num: points.
    """

    r: float
    low: float
    high: float
    p: float
    num: int


@dataclass(frozen=True)
class Line:
    """Ordinary least squares of y on x, with an intercept.

    Attributes:
        low, high: 95 % interval of the slope.
        p: two-sided, of slope 0.
        r_squared: share of y's variance that the line explains.
        num: points.
        num_clusters: over which errors were taken; None if each point is a case of its own.
    """

    slope: float
    intercept: float
    low: float
    high: float
    p: float
    r_squared: float
    num: int
    num_clusters: int | None = None


def rank_correlation(
    first: Mapping[str, float], second: Mapping[str, float]
) -> RankCorrelation | None:
    """Of what has a place, by name, in both rankings; ties count as such (Kendall, 1945)."""
    from scipy.stats import kendalltau

    names = sorted(first.keys() & second.keys())
    sides = [np.round([side[name] for name in names], EQUAL_DIGITS) for side in (first, second)]
    if not _tells(*sides):
        return None
    found = kendalltau(*sides, variant="b")
    return RankCorrelation(float(found.statistic), float(found.pvalue), len(names))


def correlation(x: Sequence[float], y: Sequence[float]) -> Correlation | None:
    """Of points (x, y).

    Raises:
        ValueError: there are not as many y as x.
    """
    from scipy.stats import pearsonr

    across, up = _sides(x, y)
    if not _tells(across, up):
        return None
    found = pearsonr(across, up)
    low, high = found.confidence_interval(CONFIDENCE)
    r, p = float(found.statistic), float(found.pvalue)
    return Correlation(r, float(low), float(high), p, len(across))


def line(
    x: Sequence[float], y: Sequence[float], clusters: Sequence[Hashable] | None = None
) -> Line | None:
    """The line of y on x.

    Args:
        clusters: of each point, what it has in common with others; errors are then robust to
            whatever goes together within a cluster (Liang and Zeger, 1986, with the correction for
            their number and t with one degree of freedom less than that). None for fewer than
            three clusters.

    Raises:
        ValueError: there are not as many y, or clusters, as x.
    """
    from statsmodels.regression.linear_model import OLS
    from statsmodels.tools import add_constant

    across, up = _sides(x, y)
    if not _tells(across, up):
        return None
    model = OLS(up, add_constant(across))
    if clusters is None:
        num_clusters, fit = None, model.fit()
    else:
        if len(clusters) != len(across):
            raise ValueError(
                f"{len(clusters)} clusters for {len(across)} points: give one for each"
            )
        numbers = numbered(clusters)
        num_clusters = int(numbers.max()) + 1
        if num_clusters < LEAST_POINTS:
            return None
        fit = model.fit(cov_type="cluster", cov_kwds={"groups": numbers}, use_t=True)
    with np.errstate(divide="ignore"):  # points on a line have no error
        p = float(fit.pvalues[1])
    low, high = fit.conf_int(1 - CONFIDENCE)[1]
    intercept, slope = fit.params
    return Line(
        slope=float(slope),
        intercept=float(intercept),
        low=float(low),
        high=float(high),
        p=p,
        r_squared=float(fit.rsquared),
        num=len(across),
        num_clusters=num_clusters,
    )


def _sides(x: Sequence[float], y: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    if len(x) != len(y):
        raise ValueError(f"{len(x)} x and {len(y)} y: give a y for each x")
    return np.asarray(x, dtype=float), np.asarray(y, dtype=float)


def _tells(*sides: np.ndarray) -> bool:
    """Whether there are points enough, and both sides vary."""
    for side in sides:
        if len(side) < LEAST_POINTS or not np.isfinite(side).all():
            return False
        if math.isclose(np.ptp(side), 0, abs_tol=NEGLIGIBLE * float(np.abs(side).max())):
            return False
    return True
