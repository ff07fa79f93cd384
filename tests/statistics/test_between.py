"""The variance between trainings against closed forms, and against another library."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from raysweep.statistics.between import half_squares, independent, num_units, pair_weights


def variance(values: np.ndarray, draws: np.ndarray) -> float:
    return float((pair_weights(draws) * half_squares(values)).sum())


@pytest.mark.parametrize("draws", [[0] * 5, [0, 1, 2, 3, 4]])
def test_of_trainings_with_nothing_or_all_in_common_it_is_the_error_of_a_mean(
    draws: list[int],
) -> None:
    values = np.random.default_rng(0).standard_normal(5)
    assert variance(values, np.array(draws)) == pytest.approx(values.var(ddof=1) / 5)


def test_of_balanced_draws_it_is_the_mean_square_between_them() -> None:
    """As statsmodels has it, over the number of trainings."""
    draws = np.repeat(np.arange(3), 4)
    values = np.random.default_rng(1).standard_normal(12) + draws
    table = pd.DataFrame({"value": values, "draw": draws})
    mean_square = anova_lm(ols("value ~ C(draw)", table).fit())["mean_sq"]["C(draw)"]
    assert variance(values, draws) == pytest.approx(mean_square / 12)


@pytest.mark.parametrize("sizes", [(3, 3, 3), (5, 1, 1), (2, 4)])
def test_it_is_unbiased_of_any_numbers_of_trainings(sizes: tuple[int, ...]) -> None:
    """With deviations 2 of draws and 1 within: the variance of a mean is known."""
    draws = np.repeat(np.arange(len(sizes)), sizes)
    weights, rng, number = pair_weights(draws), np.random.default_rng(2), 20_000
    found = []
    for _ in range(number):
        values = rng.standard_normal(len(sizes))[draws] * 2 + rng.standard_normal(len(draws))
        found.append((weights * half_squares(values)).sum())
    shares = np.array(sizes) / sum(sizes)
    expected = 4 * (shares**2).sum() + 1 / sum(sizes)
    assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) / np.sqrt(number))


def test_one_training_says_nothing() -> None:
    assert variance(np.array([3.0]), np.array([0])) == 0


def test_what_is_independent() -> None:
    """Seeds of one draw; of several draws these, each with its mean."""
    assert independent({(1, 0): 5.0, (0, 0): 3.0}) == [3.0, 5.0]
    assert independent({(1, None): 5.0, (0, None): 3.0}) == [3.0, 5.0]
    assert independent({(1, 1): 5.0, (0, 0): 3.0}) == [3.0, 5.0]
    assert independent({(0, 2): 1.0, (1, 0): 7.0, (0, 0): 3.0}) == [5.0, 1.0]
    assert independent({}) == []
    assert [num_units([0, 0, 0]), num_units([0, 1, 1]), num_units([4, 5, 6])] == [3, 2, 3]
