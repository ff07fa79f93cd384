"""What biased forgetting would be if groups made no difference: the reference of its maximum.

The largest of 13 noisy numbers is large. What it is by chance alone is found by giving the groups'
labels to other rows (a permutation test: Fisher, 1935; Good, 2005): within strata that keep the
right answer and the context condition, and rows of several groups with all of them.

Rows from one template are no independent facts, and templates of one group may be larger than those
of another, so that they cannot be exchanged. There what each template's rows lost beyond their
strata's means gets a random weight instead (the wild cluster bootstrap under the null hypothesis:
Cameron, Gelbach and Miller, 2008).

The weights are Mammen's (1993), whose third moment is 1, and not signs, which that literature
prefers for two-sided tests: a maximum looks at one tail only, and a few templates lose much while
most lose little. Signs, or the six points of Webb (2014), make both tails alike and the upper one
too thin, with few templates as with many. To divide each group's value by its cluster-robust error
errs the other way, since a group that loses more varies more. ``docs/evidence/levels.md`` has the
levels.

It is a statement about the models at hand and about chance in the choice of their test rows; what
another training would give, `effects` tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from raysweep.statistics.grouped_losses import GroupedLosses, over_seeds, ratio

NUM_PERMUTATIONS = 4000
LEVEL = 0.95
ROOM = 2**24  # entries of random tables that are drawn at once
EQUAL = 1e-9  # sums of the same numbers in another order are equal


@dataclass(frozen=True)
class Maximum:
    """The largest of the groups' values, beside what no difference between groups gives.

    Attributes:
        group: that has it.
        num_rows: test rows of that group.
        value: of that group, a fraction.
        expected: mean of the largest value over permutations.
        limit: 95 % point of the largest value over permutations.
        p: how probable a maximum as large is: (1 + permutations that reach it) / (1 + all).
    """

    group: str
    num_rows: int
    value: float
    expected: float
    limit: float
    p: float

    @property
    def excess(self) -> float:
        """How much larger the maximum is than expected."""
        return self.value - self.expected


@dataclass(frozen=True)
class Unevenness:
    """A test of all groups with at least `MIN_ROWS` rows; means over seeds.

    Attributes:
        biased: the maximum of equation 2.
        standardised: the maximum of `GroupedLosses.standardised`.
        p: of no group differing at all: the sum of n_g (biased_g - expected_g)^2 over the groups,
            among its permutations.
        num_rows, num_groups: that were compared.
        num_clusters: templates that the rows come from; None where each row is its own.
    """

    biased: Maximum
    standardised: Maximum
    p: float
    num_rows: int
    num_groups: int
    num_clusters: int | None
    num_permutations: int = NUM_PERMUTATIONS


def unevenness(
    rows: GroupedLosses, seed: int = 0, num_permutations: int = NUM_PERMUTATIONS
) -> Unevenness | None:
    """Compares a task's groups with what chance gives.

    Args:
        seed: of the permutations; equal arguments give equal results.

    Returns:
        None where no group has rows enough, or all rows are those of the only group.
    """
    kept = rows.is_eligible & ~rows.members.all(axis=0)
    if not kept.any():
        return None
    rng = np.random.default_rng(seed)
    draw = _weighted if rows.is_clustered else _permuted
    own, alike = (drawn[:, kept] for drawn in draw(rows, rng, num_permutations))
    expected = over_seeds(rows.expected)[kept]
    names = [name for name, wanted in zip(rows.groups, kept, strict=True) if wanted]
    biased = over_seeds(rows.biased)[kept]
    sizes = rows.sizes[kept]
    total = float(np.sum(sizes * (biased - expected) ** 2))
    return Unevenness(
        _maximum(names, sizes, biased, own + expected),
        _maximum(names, sizes, over_seeds(rows.standardised)[kept], alike),
        _p_value(total, (sizes * own**2).sum(axis=1)),
        int(rows.present.any(axis=1).sum()),
        len(names),
        int(rows.clusters.max()) + 1 if rows.is_clustered else None,
        num_permutations,
    )


def _maximum(
    names: list[str], sizes: np.ndarray, values: np.ndarray, permuted: np.ndarray
) -> Maximum:
    best, largest = int(np.argmax(values)), permuted.max(axis=1)
    value = float(values[best])
    limit = float(np.quantile(largest, LEVEL))
    expected, p = float(largest.mean()), _p_value(value, largest)
    return Maximum(names[best], int(sizes[best]), value, expected, limit, p)


def _p_value(value: float, permuted: np.ndarray) -> float:
    reached = np.count_nonzero(permuted >= value - EQUAL)
    return float((1 + reached) / (1 + len(permuted)))


def _weighted(
    rows: GroupedLosses, rng: np.random.Generator, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """As `_permuted`, with a random weight for the residuals of each template."""
    num_clusters = int(rows.clusters.max()) + 1
    chosen = mammen(rng, (number, num_clusters))

    def drawn(weights: np.ndarray) -> np.ndarray:
        parts = []
        for group in range(len(rows.groups)):
            num_known = max(int((weights[:, group] > 0).any(axis=0).sum()), 1)
            lost = (rows.shares(weights, group) * rows.residuals).sum(axis=1) / num_known
            parts.append(np.bincount(rows.clusters, lost, num_clusters))
        return np.asarray(chosen @ np.stack(parts, axis=1))

    return drawn(rows.mixed_weights), drawn(rows.standard_weights)


def mammen(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """The two points with mean 0, variance 1 and third moment 1 (Mammen, 1993)."""
    root = np.sqrt(5)
    is_low = rng.random(shape) < (root + 1) / (2 * root)
    return np.asarray(np.where(is_low, (1 - root) / 2, (1 + root) / 2))


def _permuted(
    rows: GroupedLosses, rng: np.random.Generator, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Groups' differences from all rows without their answers' part, plain and standardised.

    Shapes [permutations, groups].
    """
    sums, counts = _permuted_sums(rows, rng, number)
    own = over_seeds(ratio(sums.sum(axis=1), counts.sum(axis=1)))
    weights = rows.weights[None, :, None, :] * (counts > 0)
    gaps = np.nan_to_num(ratio(sums, counts))
    alike = over_seeds(ratio((weights * gaps).sum(axis=1), weights.sum(axis=1)))
    return np.nan_to_num(own), np.nan_to_num(alike)


def _permuted_sums(
    rows: GroupedLosses, rng: np.random.Generator, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over permuted groups of what rows lost beyond their stratum's mean, and row counts.

    Labels are given to other rows that the same seeds have scored, so that each seed keeps as many
    rows of a group as it has. A permutation only decides how many rows of each value each
    combination of groups gets: a random table with their margins, which is drawn as such. Shapes
    [permutations, strata, groups, seeds].
    """
    residuals, present = rows.residuals, rows.present
    if present.all():  # all seeds have all rows: only their mean counts
        residuals, present = residuals.mean(axis=1, keepdims=True).round(12), present[:, :1]
    patterns, cells = np.unique(rows.members, axis=0, return_inverse=True)
    cells = cells.reshape(-1)
    num_strata = int(rows.strata.max()) + 1
    shape = (number, num_strata, patterns.shape[1], residuals.shape[1])
    sums, counts = np.zeros(shape), np.zeros(shape)
    for stratum in range(num_strata):
        in_stratum = np.flatnonzero(rows.strata == stratum)
        scored_by, blocks = np.unique(present[in_stratum], axis=0, return_inverse=True)
        for block, seeds in enumerate(scored_by):
            inside = in_stratum[blocks.reshape(-1) == block]
            found, values = np.unique(residuals[inside], axis=0, return_inverse=True)
            own_cells, places = np.unique(cells[inside], return_inverse=True)
            margins = np.bincount(places.reshape(-1)), np.bincount(values.reshape(-1))
            at_once = max(ROOM // (len(margins[0]) * len(margins[1])), 1)
            for start in range(0, number, at_once):
                some = slice(start, min(start + at_once, number))
                drawn = _tables(*margins, rng, some.stop - start).astype(float)
                by_group = np.einsum("pcv,cg->pgv", drawn, patterns[own_cells].astype(float))
                sums[some, stratum] += by_group @ found
                counts[some, stratum] += by_group.sum(axis=2, keepdims=True) * seeds
    return sums, counts


def _tables(
    cells: np.ndarray, values: np.ndarray, rng: np.random.Generator, number: int
) -> np.ndarray:
    """Random tables with these margins, shape [number, cells, values]."""
    from scipy.stats import random_table

    if min(len(cells), len(values)) == 1:  # scipy 1.17 gives negative counts for these
        only = cells[:, None] * values / cells.sum()
        return np.broadcast_to(only, (number, len(cells), len(values)))
    return np.asarray(random_table(cells, values, seed=rng).rvs(number))
