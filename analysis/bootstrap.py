"""Intervals of biased forgetting: how far chance in the choice of test rows may have moved it."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.stats import DegenerateDataWarning, bootstrap

CONFIDENCE = 0.95
NUM_RESAMPLES = 2000
BATCH = 200  # resamples that are held at a time


def biased_interval(losses: np.ndarray, members: np.ndarray) -> tuple[float, float] | None:
    """Percentile bootstrap interval (Efron, 1979) of a group's biased forgetting, over test rows.

    With the loss d of each test row (1 if it was right before and wrong after, -1 for the reverse,
    else 0, averaged over seeds) biased forgetting is

        mean(d over the group's rows) - mean(d over all rows)

    Rows are drawn with replacement from all rows, so that both means move together, as they do.

    Args:
        losses: shape [rows].
        members: which rows are the group's, bool, shape [rows].

    Returns:
        Both ends, in the unit of ``losses``; None where the group has no row, or so few that a
        resample has none.
    """
    weights = members.astype(float)

    def statistic(index: np.ndarray, axis: int) -> np.ndarray:
        drawn, own = losses[index], weights[index]
        return np.asarray((drawn * own).sum(axis) / own.sum(axis) - drawn.mean(axis))

    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # a mean of no rows: None, below
        found = bootstrap(
            (np.arange(len(losses)),),
            statistic,
            vectorized=True,
            n_resamples=NUM_RESAMPLES,
            batch=BATCH,
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
    return None if np.isnan(found.low) else (float(found.low), float(found.high))
