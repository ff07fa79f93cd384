"""Axes: what they draw, against the distributions they are named after."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from pydantic import ValidationError
from scipy import stats

from raysweep.space.axes import as_axis


def draws(value: object, number: int = 4000) -> list[float]:
    source = random.Random(1)
    axis = as_axis(value)
    return [axis.draw(source) for _ in range(number)]


def test_uniform() -> None:
    assert stats.kstest(draws({"uniform": [2.0, 5.0]}), stats.uniform(2, 3).cdf).pvalue > 0.01


def test_loguniform() -> None:
    values = draws({"loguniform": [1e-6, 1e-3]})
    assert stats.kstest(values, stats.loguniform(1e-6, 1e-3).cdf).pvalue > 0.01
    assert min(values) >= 1e-6
    assert max(values) <= 1e-3


@pytest.mark.parametrize("kind", ["grid", "choice"])
def test_each_value_is_as_likely(kind: str) -> None:
    counts = Counter(draws({kind: [8, 16, 32]}))
    assert stats.chisquare(list(counts.values())).pvalue > 0.01
    assert set(counts) == {8, 16, 32}


def test_a_plain_value_is_always_drawn() -> None:
    assert set(draws(0.1, 5)) == {0.1}


def test_draws_are_fixed_for_ever() -> None:
    source = random.Random(7)
    drawn = [as_axis({"uniform": [0, 1]}).draw(source), as_axis({"grid": list("abc")}).draw(source)]
    assert drawn == [pytest.approx(0.32383276483316237, rel=0, abs=1e-15), "a"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"uniform": [2, 1]}, "not in ascending order"),
        ({"uniform": [1, 1]}, "not in ascending order"),
        ({"uniform": [0, math.inf]}, "finite"),
        ({"uniform": [0]}, "Field required"),
        ({"loguniform": [0, 1]}, "positive bounds"),
        ({"grid": []}, "at least 1"),
        ({"choice": [1], "grid": [1]}, "Extra inputs"),
        ({"normal": [0, 1]}, "Extra inputs|Field required"),
    ],
)
def test_axes_that_are_none(value: object, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        as_axis(value)
