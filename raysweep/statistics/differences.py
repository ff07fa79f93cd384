"""Mean differences over seeds, with intervals: of several cases at once, or of cases as units.

Seeds are few, so a case's own deviation between them is known badly. `pooled` takes it from all
cases together, as an analysis of variance with a mean for each case does: right where seeds
deviate about alike everywhere, too wide for calm cases and too narrow for unruly ones where they
do not. What has no deviation to go by has a value and no test: one seed, or seeds that repeat each
other to the digit.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from raysweep.statistics.correction import holm

CONFIDENCE = 0.95
NOTHING = 1e-9  # errors below are those of rounding

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Difference:
    """A mean difference.

    Attributes:
        num: of the numbers that it is the mean of; of `between`, of both samples together.
        deviation: sample standard deviation of these alone; None for one.
        freedom: degrees of freedom of the test; None, as all that follows, without a test.
        low, high: 95 % interval.
        p: two-sided, of no difference.
        p_holm: corrected for several cases (Holm, 1979): see `corrected`.
    """

    value: float
    num: int
    deviation: float | None = None
    freedom: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval; None without a test."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def pooled(samples: Mapping[Name, Sequence[float]]) -> dict[Name, Difference]:
    """Each case's mean; t tests whose deviation within cases is pooled over all of them.

    A case with one number has a test if others have several.
    """
    from statsmodels.regression.linear_model import OLS

    samples = {name: values for name, values in samples.items() if len(values)}
    found = {name: _untested(values) for name, values in samples.items()}
    sizes = [len(values) for values in samples.values()]
    if sum(sizes) == len(sizes):
        return found
    indicators = np.repeat(np.eye(len(sizes)), sizes, axis=0)
    fit = OLS(np.concatenate([np.asarray(v, dtype=float) for v in samples.values()]), indicators)
    fit = fit.fit()
    if not np.sqrt(fit.mse_resid) > NOTHING:
        return found
    intervals = fit.conf_int(1 - CONFIDENCE)
    return {
        name: _tested(one, fit.df_resid, intervals[number], fit.pvalues[number])
        for number, (name, one) in enumerate(found.items())
    }


def over_units(values: Sequence[float]) -> Difference | None:
    """The mean of numbers that are units of their own, by a t test; None without any."""
    from scipy.stats import ttest_1samp

    if not len(values):
        return None
    found = _untested(values)
    if not (found.deviation or 0.0) > NOTHING:
        return found
    test = ttest_1samp(values, 0.0)
    return _tested(found, test.df, test.confidence_interval(CONFIDENCE), test.pvalue)


def between(first: Sequence[float], second: Sequence[float]) -> Difference | None:
    """The mean of the first sample less that of the second (Welch, 1947); None without any."""
    from scipy.stats import ttest_ind

    if not (len(first) and len(second)):
        return None
    found = Difference(float(np.mean(first) - np.mean(second)), len(first) + len(second))
    deviations = [_untested(values).deviation or 0.0 for values in (first, second)]
    if min(len(first), len(second)) < 2 or not max(deviations) > NOTHING:
        return found
    test = ttest_ind(first, second, equal_var=False)
    return _tested(found, test.df, test.confidence_interval(CONFIDENCE), test.pvalue)


def corrected(found: Mapping[Name, Difference]) -> dict[Name, Difference]:
    """The same with p-values corrected for all that are given (Holm)."""
    names = [name for name, one in found.items() if one.p is not None]
    p_values = holm([one.p for one in found.values() if one.p is not None])
    return dict(found) | {
        name: replace(found[name], p_holm=p) for name, p in zip(names, p_values, strict=True)
    }


def _untested(values: Sequence[float]) -> Difference:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Difference(float(np.mean(values)), len(values), deviation)


def _tested(one: Difference, freedom: float, interval: Sequence[float], p: float) -> Difference:
    low, high = map(float, interval)
    return replace(one, freedom=float(freedom), low=low, high=high, p=float(p))
