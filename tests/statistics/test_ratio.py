"""Tests of ratios of means, against the t test that they invert and what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from raysweep.statistics.ratio import paired_ratio

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("num", [2, 3, 8])
def test_at_the_ends_the_t_test_of_the_pairs_has_five_percent(num: int) -> None:
    b = 40 + RNG.normal(size=num)
    a = 0.3 * b + RNG.normal(size=num)
    found = paired_ratio(a.tolist(), b.tolist())
    assert found is not None
    assert found.value == pytest.approx(a.mean() / b.mean())
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]
    for end in found.interval:
        assert ttest_1samp(a - end * b, 0).pvalue == pytest.approx(0.05, abs=1e-9)


def test_it_holds_the_true_ratio_as_often_as_it_says() -> None:
    """Of 2,000 triples 95 % ± 1 (two standard errors)."""
    b = 30 + 3 * RNG.normal(size=(2000, 3))
    a = 0.2 * b + 2 * RNG.normal(size=(2000, 3))
    hits = [
        found.is_unbounded or (found.interval and found.interval[0] <= 0.2 <= found.interval[1])
        for found in map(paired_ratio, a.tolist(), b.tolist())
        if found
    ]
    assert np.mean([bool(hit) for hit in hits]) == pytest.approx(0.95, abs=0.0098)


def test_of_a_denominator_that_may_be_zero_there_is_no_bound() -> None:
    b = [3.0, -1.0, 1.5]
    assert ttest_1samp(b, 0).pvalue > 0.05
    found = paired_ratio([1.0, 2.0, 3.0], b)
    assert found is not None
    assert (found.interval, found.is_unbounded) == (None, True)


@pytest.mark.parametrize(("a", "b"), [([2.0], [8.0]), ([2.0, 2.0], [8.0, 8.0])])
def test_without_deviations_there_is_a_value_only(a: list[float], b: list[float]) -> None:
    found = paired_ratio(list(a), list(b))
    assert found is not None
    assert (found.value, found.interval, found.is_unbounded) == (0.25, None, False)


def test_nothing_to_divide_by() -> None:
    assert paired_ratio([], []) is None
    assert paired_ratio([1.0, 2.0], [1.0, -1.0]) is None


def test_the_complement_turns_the_ends() -> None:
    found = paired_ratio([1.0, 2.0, 3.0], [10.0, 11.0, 12.0])
    assert found is not None
    assert found.interval is not None
    other = found.complement
    assert other.value == pytest.approx(1 - found.value)
    assert other.interval == pytest.approx((1 - found.interval[1], 1 - found.interval[0]))
