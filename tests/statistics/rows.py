"""Rows with planted losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from raysweep.statistics.grouped_losses import GroupedLosses, Row


def grouped(
    groups: Sequence[tuple[str, ...]],
    losses: Sequence[Sequence[float]],
    strata: Sequence[object] | None = None,
    clusters: Sequence[str] | None = None,
    draws: Sequence[int] = (),
) -> GroupedLosses:
    """Rows in the order of their ids; ``losses`` by row and seed, nan where there is none."""
    names = [f"row {number:05}" for number in range(len(groups))]
    rows = {
        name: Row(own, strata[n] if strata else "", clusters[n] if clusters else "")
        for n, (name, own) in enumerate(zip(names, groups, strict=True))
    }
    seeds = [
        {name: loss for name, loss in zip(names, column, strict=True) if not np.isnan(loss)}
        for column in np.array(losses, dtype=float).T
    ]
    return GroupedLosses.of(rows, seeds, draws)


def random_rows(
    seed: int, num_rows: int = 300, num_seeds: int = 1, num_groups: int = 4
) -> GroupedLosses:
    """Rows of one group each, with two answers of which one is lost more."""
    rng = np.random.default_rng(seed)
    groups = [(f"g{number}",) for number in rng.integers(num_groups, size=num_rows)]
    answers = rng.integers(2, size=num_rows)
    losses = rng.random((num_rows, num_seeds)) < 0.1 + 0.2 * answers[:, None]
    gains = rng.random((num_rows, num_seeds)) < 0.05
    return grouped(groups, (losses.astype(float) - gains).tolist(), list(answers))
