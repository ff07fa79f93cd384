"""Correlations and lines against published values and closed forms; nothing is ever nan."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest

from raysweep.statistics.association import correlation, line, rank_correlation

TUNA = (
    [44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1],
    [2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8],
)
"""Hollander and Wolfe (1973, page 187): lightness and quality of canned tuna; R's `cor.test`."""
ANSCOMBE = (
    [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5],
    [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68],
)
"""Anscombe (1973), the first of the four."""
NORRIS = [
    (0.2, 0.1), (337.4, 338.8), (118.2, 118.1), (884.6, 888.0), (10.1, 9.2), (226.5, 228.1),
    (666.3, 668.5), (996.3, 998.5), (448.6, 449.1), (777.0, 778.9), (558.2, 559.2), (0.4, 0.3),
    (0.6, 0.1), (775.5, 778.1), (666.9, 668.8), (338.0, 339.3), (447.5, 448.9), (11.6, 10.8),
    (556.0, 557.7), (228.1, 228.3), (995.8, 998.0), (887.6, 888.8), (120.2, 119.6), (0.3, 0.3),
    (0.3, 0.6), (556.8, 557.6), (339.1, 339.3), (887.2, 888.0), (999.0, 998.5), (779.0, 778.9),
    (11.1, 10.2), (118.3, 117.6), (229.2, 228.9), (669.1, 668.4), (448.9, 449.2), (0.5, 0.2),
]  # fmt: skip
"""NIST's reference data for linear regression."""
DEGENERATE = [
    ([], []),
    ([1.0], [2.0]),
    ([1.0, 2.0], [2.0, 3.0]),
    ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]),
    ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]),
    ([0.1 + 0.2, 0.3, 0.3], [1.0, 2.0, 3.0]),
    ([1.0, math.nan, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]),
    ([1.0, 2.0, 3.0], [-math.inf, 2.0, 3.0]),
]


def _named(values: Sequence[float]) -> dict[str, float]:
    return {f"case {number}": value for number, value in enumerate(values)}


def test_the_tuna_of_hollander_and_wolfe() -> None:
    """R prints tau 0.4444444, p 0.1194; r 0.5711816, p 0.1082, interval -0.1497426 to 0.8955795."""
    ranks = rank_correlation(*map(_named, TUNA))
    assert ranks is not None
    assert ranks.tau == pytest.approx(0.4444444, abs=1e-7)
    assert ranks.num == 9
    assert ranks.p == pytest.approx(0.1194, abs=5e-5)
    found = correlation(*TUNA)
    assert found is not None
    assert found.r == pytest.approx(0.5711816, abs=1e-7)
    assert found.p == pytest.approx(0.1082, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((-0.1497426, 0.8955795), abs=1e-7)


def test_ties_are_those_of_tau_b() -> None:
    """The example of scipy's documentation: tau -0.47140452079103173, p 0.2827454599327748."""
    found = rank_correlation(_named([12, 2, 1, 12, 2]), _named([1, 4, 7, 1, 0]))
    assert found is not None
    assert (found.tau, found.p) == pytest.approx((-0.47140452079103173, 0.2827454599327748))


def test_rankings_are_joined_by_name() -> None:
    first = {"women": 3.0, "muslim": 2.0, "jewish": 1.0, "only here": 9.0}
    second = {"jewish": 10.0, "muslim": 20.0, "women": 30.0, "only there": 0.0}
    found = rank_correlation(first, second)
    assert found is not None
    assert (found.tau, found.num) == (1, 3)
    assert found.p == pytest.approx(2 / math.factorial(3)), "2 of 6 orders are as extreme"


def test_what_differs_by_rounding_is_a_tie() -> None:
    exact = rank_correlation(_named([0.3, 0.3, 0.5, 0.7]), _named([1, 2, 3, 4]))
    rounded = rank_correlation(_named([0.1 + 0.2, 0.3, 0.5, 0.7]), _named([1, 2, 3, 4]))
    assert exact == rounded


def test_anscombe_prints_the_line() -> None:
    """Slope 0.5, intercept 3, R2 .67, t 4.24 with 9 degrees of freedom, error of the slope .118."""
    found = line(*ANSCOMBE)
    assert found is not None
    assert found.slope == pytest.approx(0.5, abs=1e-3)
    assert found.intercept == pytest.approx(3, abs=5e-3)
    assert found.r_squared == pytest.approx(0.667, abs=5e-4)
    assert found.p == pytest.approx(0.00217, abs=5e-6)
    assert found.high - found.slope == pytest.approx(2.262157 * 0.1179, rel=1e-3)
    assert found.low + found.high == pytest.approx(2 * found.slope)
    assert (found.num, found.num_clusters) == (11, None)


def test_nist_certifies_the_line_of_norris() -> None:
    """Eleven digits; the interval: the certified error times the t of 34 degrees, 2.032245."""
    found = line(*zip(*NORRIS, strict=True))
    assert found is not None
    assert found.slope == pytest.approx(1.00211681802045, rel=1e-11)
    assert found.intercept == pytest.approx(-0.262323073774029, rel=1e-9)
    assert found.r_squared == pytest.approx(0.999993745883712, rel=1e-12)
    reach = 2.0322445 * 0.429796848199937e-3
    assert (found.low, found.high) == pytest.approx(
        (found.slope - reach, found.slope + reach), rel=1e-9
    )


def test_r_squared_is_the_square_of_r() -> None:
    found, fitted = correlation(*ANSCOMBE), line(*ANSCOMBE)
    assert found is not None
    assert fitted is not None
    assert found.r**2 == pytest.approx(fitted.r_squared)
    assert found.p == pytest.approx(fitted.p)


def test_errors_by_cluster_are_the_sandwich() -> None:
    """By its definition, with CR1's correction; the slope is that without clusters."""
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(6), 4)
    x = rng.standard_normal(24)
    y = x + np.repeat(rng.standard_normal(6), 4) + rng.standard_normal(24)
    found, plain = line(x.tolist(), y.tolist(), clusters.tolist()), line(x.tolist(), y.tolist())
    assert found is not None
    assert plain is not None
    design = np.stack([np.ones(24), x], axis=1)
    residuals = y - design @ np.linalg.solve(design.T @ design, design.T @ y)
    scores = [design[clusters == c].T @ residuals[clusters == c] for c in range(6)]
    bread = np.linalg.inv(design.T @ design)
    variance = bread @ sum(np.outer(score, score) for score in scores) @ bread
    error = math.sqrt(variance[1, 1] * 6 / 5 * 23 / 22)
    assert found.slope == pytest.approx(plain.slope)
    assert found.high - found.slope == pytest.approx(2.570582 * error, rel=1e-6)  # t of 5 degrees
    assert (found.num, found.num_clusters) == (24, 6)


def test_points_that_are_repeated_within_their_cluster_add_nothing() -> None:
    """As many as wanted would make any line certain; here only small-sample factors are left."""
    x, y = ANSCOMBE
    names = list(range(len(x)))
    once, often = line(x, y, names), line(x * 50, y * 50, names * 50)
    pretended = line(x * 50, y * 50)
    assert once is not None
    assert often is not None
    assert pretended is not None
    factor = math.sqrt((549 / 548) / (10 / 9))
    assert often.high - often.low == pytest.approx(factor * (once.high - once.low))
    assert pretended.high - pretended.low < 0.2 * (often.high - often.low)


def test_two_clusters_say_nothing() -> None:
    assert line(*ANSCOMBE, clusters=["a"] * 5 + ["b"] * 6) is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("x", "y"), DEGENERATE)
def test_what_cannot_be_told_is_none(x: list[float], y: list[float]) -> None:
    assert correlation(x, y) is None
    assert line(x, y) is None
    assert line(x, y, clusters=list(range(len(x)))) is None
    assert rank_correlation(_named(x), _named(y)) is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("y", [*itertools.permutations([1.0, 2.0, 4.0]), (2.0, 4.0, 6.0)])
def test_three_points_have_numbers(y: tuple[float, ...]) -> None:
    for found in (correlation([1, 2, 3], y), line([1, 2, 3], y)):
        assert found is not None
        assert all(math.isfinite(value) for value in vars(found).values() if value is not None)


def test_sides_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="3 x and 2 y"):
        line([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="2 clusters for 3 points"):
        line([1, 2, 3], [1, 2, 4], clusters=["a", "b"])
