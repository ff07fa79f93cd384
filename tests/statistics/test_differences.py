"""Tests of differences over seeds, against published values and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from raysweep.statistics.correction import holm
from raysweep.statistics.differences import Difference, between, corrected, over_units, pooled

SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)
"""Hours of sleep gained by two drugs, ten patients each: Student (1908)."""
PLANTS = {
    "control": [4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14],
    "first": [4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69],
    "second": [6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26],
}
"""Dried plants of Dobson (1983, table 7.1), whose residual error is .6234 with 27 degrees."""


def test_students_sleep_as_pairs() -> None:
    """R prints a mean of 1.58, t 4.0621, p 0.002833, interval 0.7001142 to 2.4598858."""
    first, second = SLEEP
    found = over_units([late - early for early, late in zip(first, second, strict=True)])
    assert found is not None
    assert found.interval == pytest.approx((0.7001142, 2.4598858), abs=1e-7)
    assert found.value == pytest.approx(1.58)
    assert (found.num, found.freedom) == (10, 9)
    assert found.p == pytest.approx(0.002833, abs=5e-7)


def test_students_sleep_as_two_samples() -> None:
    """R's Welch test prints df 17.776, p 0.07939, interval -3.3654832 to 0.2054832."""
    found = between(*SLEEP)
    assert found is not None
    assert found.interval == pytest.approx((-3.3654832, 0.2054832), abs=1e-7)
    assert found.freedom == pytest.approx(17.776, abs=5e-4)
    assert found.p == pytest.approx(0.07939, abs=5e-6)


def test_the_deviation_is_pooled_over_cases() -> None:
    """Residual standard error .6234 with 27 degrees of freedom, as printed; t of .975 2.0518305."""
    found = pooled(PLANTS)
    for name, values in PLANTS.items():
        one = found[name]
        assert one.interval is not None
        assert one.value == pytest.approx(np.mean(values))
        assert one.freedom == 27
        reach = 2.0518305 * 0.6234 / math.sqrt(10)
        assert one.interval[1] - one.value == pytest.approx(reach, rel=1e-4)
        assert one.deviation == pytest.approx(np.std(values, ddof=1))


def test_cases_of_different_size_by_the_definition() -> None:
    """Deviations -1, 1 and 2, -2, 0: s2 = 10 / 3; t = 3 / sqrt(s2 / 2) with 3 degrees: p .10336."""
    found = pooled({"two": [2.0, 4.0], "three": [12.0, 8.0, 10.0], "one": [7.0]})
    error = math.sqrt(10 / 3)
    for name, value, number in (("two", 3, 2), ("three", 10, 3), ("one", 7, 1)):
        one = found[name]
        assert one.interval is not None
        assert one.value == pytest.approx(value)
        assert (one.num, one.freedom) == (number, 3)
        reach = 3.1824463 * error / math.sqrt(number)  # t of .975 with 3 degrees of freedom
        assert one.interval == pytest.approx((value - reach, value + reach), rel=1e-7)
    t = 3 / (error / math.sqrt(2))
    angle = math.atan(t / math.sqrt(3))  # the t distribution of 3 degrees in closed form
    expected = 1 - 2 / math.pi * (angle + math.sin(angle) * math.cos(angle))
    assert found["two"].p == pytest.approx(expected)
    assert found["one"].deviation is None


def test_one_seed_has_no_test() -> None:
    assert pooled({"a": [2.0], "b": [3.0]}) == {"a": Difference(2.0, 1), "b": Difference(3.0, 1)}
    assert over_units([2.0]) == Difference(2.0, 1)
    assert between([2.0], [1.0, 3.0]) == Difference(0.0, 3)


@pytest.mark.filterwarnings("error")
def test_seeds_that_repeat_each_other_have_no_test() -> None:
    """By their deviation of 0 any difference would be certain."""
    assert pooled({"a": [2.0, 2.0], "b": [3.0, 3.0, 3.0]})["a"] == Difference(2.0, 2, 0.0)
    rounded = over_units([0.1 + 0.2, 0.3, 0.3])
    assert rounded is not None
    assert rounded.value == pytest.approx(0.3)
    assert rounded.p is None
    assert between([2.0, 2.0], [1.0, 1.0]) == Difference(1.0, 4)


def test_nothing_is_nothing() -> None:
    assert pooled({}) == pooled({"a": []}) == {}
    assert over_units([]) is None
    assert between([], [1.0]) is None
    assert holm([]) == []


def test_holms_correction() -> None:
    """Of .01, .04, .03 the smallest times 3, the next times 2, the last no smaller."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    tested = {name: Difference(1.0, 3, p=p) for name, p in (("a", 0.01), ("b", 0.04), ("c", 0.03))}
    found = corrected({**tested, "untested": Difference(1.0, 1)})
    assert [one.p_holm for one in found.values()][:3] == pytest.approx([0.03, 0.06, 0.06])
    assert list(found) == ["a", "b", "c", "untested"]
    assert found["untested"].p_holm is None
