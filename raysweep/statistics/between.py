"""The variance of a mean over trainings, from how far apart the trainings are.

Of estimates y of one quantity by n trainings, half a squared difference has the expectation

    E (y_i - y_j)^2 / 2 = s^2        where the two have nothing in common
                        = s^2 - c    where they have the data draw in common, of variance c

Each expectation is estimated by the mean over the pairs of its kind (a U-statistic; of equally many
trainings of each draw it is the analysis of variance with draws as a random factor: Searle, Casella
and McCulloch, 1992). So is the variance of the mean over trainings,

    V = (n s^2 + m c) / n^2            with m ordered pairs that have the draw in common

Trainings of a single draw have it all in common, and V is about other trainings on the same data:
it holds no variance of the data draw, of which one draw tells nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

Replicate = tuple[int, int | None]
"""A seed and a data seed; results of old versions do not tell the latter."""


def pair_weights(draws: np.ndarray) -> np.ndarray:
    """What V takes of each half squared difference, shape [trainings, trainings]; 0 for one.

    Args:
        draws: equal numbers are equal draws, shape [trainings].
    """
    number = len(draws)
    different = draws[:, None] != draws[None, :]
    same = ~different & ~np.eye(number, dtype=bool)
    num_same, num_different = int(same.sum()), int(different.sum())
    if not num_different:
        return np.asarray(same / max(number * num_same, 1))
    return np.asarray(different * (number + num_same) / num_different - same) / number**2


def half_squares(values: np.ndarray) -> np.ndarray:
    """Half the squared difference of every two values, shape [trainings, trainings]."""
    return np.asarray((values[:, None] - values[None, :]) ** 2 / 2)


def num_units(draws: Sequence[Hashable] | np.ndarray) -> int:
    """Trainings or, where there are several, draws: what is independent of each other."""
    distinct = len(set(draws))
    return distinct if distinct > 1 else len(draws)


def independent(values: Mapping[Replicate, float]) -> list[float]:
    """Values that have nothing in common: those of trainings, or the means of several draws.

    In the order of the seeds, or of the data seeds.
    """
    by_draw: dict[int | None, list[float]] = {}
    ordered = sorted(values.items(), key=lambda one: (one[0][1] or 0, one[0][0]))
    for (_, draw), value in ordered:
        by_draw.setdefault(draw, []).append(value)
    if len(by_draw) == 1:
        return [value for _, value in ordered]
    return [float(np.mean(several)) for several in by_draw.values()]
