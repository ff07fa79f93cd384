"""How far a model's confidence in its answers is from how often they are right.

The expected calibration error of answers in ten equal bins b of confidence, n_b of n in each, is

    sum over b of n_b / n |accuracy_b - mean confidence_b|

(Naeini, Cooper and Hauskrecht, 2015; Guo et al., 2017). It is above 0 also for a model whose
confidence is exactly right, the more so the fewer the answers: `if_calibrated` is what it would be
then, by drawing whether each answer is right with its own confidence as the probability
(Broecker and Smith, 2007).
"""

from __future__ import annotations

import numpy as np

NUM_BINS = 10
NUM_DRAWS = 200


def bins(confidence: np.ndarray) -> np.ndarray:
    """The bin of each answer, from 0."""
    return np.asarray(np.minimum((NUM_BINS * confidence).astype(int), NUM_BINS - 1))


def calibration_error(confidence: np.ndarray, correct: np.ndarray) -> float:
    """As above, of at least one answer."""
    gaps = np.bincount(bins(confidence), weights=correct - confidence, minlength=NUM_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def if_calibrated(confidence: np.ndarray, seed: int = 0, num_draws: int = NUM_DRAWS) -> float:
    """The mean error of a model that is right as often as it is confident, of these answers."""
    rng = np.random.default_rng(seed)
    places = bins(confidence)
    drawn = [rng.random(len(confidence)) < confidence for _ in range(num_draws)]
    gaps = [np.bincount(places, weights=one - confidence, minlength=NUM_BINS) for one in drawn]
    return float(np.abs(gaps).sum(axis=1).mean() / len(confidence))
