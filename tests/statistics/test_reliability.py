"""Calibration errors against pandas' bins, and a calibrated model's against the binomial."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from raysweep.statistics.reliability import bins, calibration_error, if_calibrated


def test_bins_are_closed_below_and_the_last_above() -> None:
    edges = np.array([0.0, 0.05, 0.1, 0.55, 0.9, 0.999, 1.0])
    assert bins(edges).tolist() == [0, 0, 1, 5, 9, 9, 9]


def test_the_error_of_drawn_answers() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"confidence": rng.beta(5, 2, 400), "right": rng.random(400) < 0.6})
    edges = np.linspace(0, 1, 11)
    binned = frame.groupby(pd.cut(frame["confidence"], edges, right=False), observed=True)
    gaps = (binned["right"].mean() - binned["confidence"].mean()).abs() * binned.size() / 400
    found = calibration_error(frame["confidence"].to_numpy(), frame["right"].to_numpy())
    assert found == pytest.approx(gaps.sum())


def test_a_model_that_is_always_sure_and_half_right() -> None:
    assert calibration_error(np.ones(10), np.arange(10) < 5) == pytest.approx(0.5)
    assert if_calibrated(np.ones(10)) == 0


@pytest.mark.parametrize("number", [5, 100])
def test_a_calibrated_model_errs_by_the_binomials_mean_deviation(number: int) -> None:
    """All answers in one bin, with confidence 0.95: E |B - 0.95 n| / n."""
    right = np.arange(number + 1)
    chances = stats.binom.pmf(right, number, 0.95)
    expected = float((chances * np.abs(right / number - 0.95)).sum())
    num_draws = 20_000
    error = 5 * expected / num_draws**0.5  # its deviation is about its mean; five errors
    found = if_calibrated(np.full(number, 0.95), num_draws=num_draws)
    assert found == pytest.approx(expected, abs=error)
