"""What biased forgetting would be if groups made no difference: the reference of its maximum.

The largest of 13 noisy numbers is large. What it is by chance alone is found by giving the groups'
labels to other rows (a permutation test: Fisher, 1935; Good, 2005): within strata that keep the
right answer and the context condition, rows of several groups with all of them, and rows from one
template together. It is a statement about the models at hand and about chance in the choice of
their test rows; what another training would give, `effects` tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from raysweep.statistics.grouped_losses import GroupedLosses, over_seeds, ratio

NUM_PERMUTATIONS = 4000
LEVEL = 0.95
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
    """

    biased: Maximum
    standardised: Maximum
    p: float
    num_rows: int
    num_groups: int
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
    sums, counts = _permuted(rows, np.random.default_rng(seed), num_permutations)
    sums, counts = sums[:, :, kept], counts[:, :, kept]
    expected = over_seeds(rows.expected)[kept]
    own = over_seeds(ratio(sums.sum(axis=1), counts.sum(axis=1)))
    weights = rows.weights[None, :, None, :] * (counts > 0)
    gaps = np.nan_to_num(ratio(sums, counts))
    alike = over_seeds(ratio((weights * gaps).sum(axis=1), weights.sum(axis=1)))
    names = [name for name, wanted in zip(rows.groups, kept, strict=True) if wanted]
    biased = over_seeds(rows.biased)[kept]
    sizes = rows.sizes[kept]
    total = float(np.sum(sizes * (biased - expected) ** 2))
    return Unevenness(
        _maximum(names, sizes, biased, np.nan_to_num(own) + expected),
        _maximum(names, sizes, over_seeds(rows.standardised)[kept], np.nan_to_num(alike)),
        _p_value(total, (sizes * np.nan_to_num(own) ** 2).sum(axis=1)),
        int(rows.present.any(axis=1).sum()),
        len(names),
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


def _permuted(
    rows: GroupedLosses, rng: np.random.Generator, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over permuted groups of what rows lost beyond their stratum's mean, and row counts.

    Shapes [permutations, strata, groups, seeds].
    """
    sums, counts = rows.cell_sums
    means = np.nan_to_num(ratio(sums[:, -1], counts[:, -1]))
    residuals = (rows.losses - means[rows.strata]).astype(float)
    patterns, cells = np.unique(rows.members, axis=0, return_inverse=True)
    cells = cells.reshape(-1)
    blocks = rows.strata
    if rows.is_clustered:
        if _are_nested(rows.clusters, cells):
            return _permute_clusters(rows, residuals, patterns, cells, rng, number)
        blocks = np.unique(np.stack([rows.strata, rows.clusters]), axis=1, return_inverse=True)[1]
    return _permute_rows(rows, residuals, patterns, cells, blocks.reshape(-1), rng, number)


def _are_nested(clusters: np.ndarray, cells: np.ndarray) -> bool:
    """Whether all rows of a template have the same groups."""
    pairs = np.unique(np.stack([clusters, cells]), axis=1)
    return bool(pairs.shape[1] == len(np.unique(clusters)))


def _permute_rows(
    rows: GroupedLosses,
    residuals: np.ndarray,
    patterns: np.ndarray,
    cells: np.ndarray,
    blocks: np.ndarray,
    rng: np.random.Generator,
    number: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Within blocks; a permutation only decides how many rows of each value a cell gets.

    That number is a random table with the block's margins, which is drawn as such.
    """
    if not np.isnan(rows.losses).any():  # all seeds have all rows: only their mean counts
        residuals = residuals.mean(axis=1, keepdims=True).round(12)
    num_strata = int(rows.strata.max()) + 1
    shape = (number, num_strata, patterns.shape[1], residuals.shape[1])
    sums, counts = np.zeros(shape), np.zeros(shape)
    for block in np.unique(blocks):
        inside = blocks == block
        found, values = np.unique(residuals[inside], axis=0, return_inverse=True)
        own_cells, places = np.unique(cells[inside], return_inverse=True)
        margins = np.bincount(places.reshape(-1)), np.bincount(values.reshape(-1))
        drawn = _tables(*margins, rng, number).astype(float)
        by_group = np.einsum("pcv,cg->pgv", drawn, patterns[own_cells].astype(float))
        stratum = rows.strata[inside][0]
        sums[:, stratum] += by_group @ np.nan_to_num(found)
        counts[:, stratum] += by_group @ (~np.isnan(found)).astype(float)
    return sums, counts


def _tables(
    cells: np.ndarray, values: np.ndarray, rng: np.random.Generator, number: int
) -> np.ndarray:
    """Random tables with these margins, shape [number, cells, values]."""
    from scipy.stats import random_table

    if min(len(cells), len(values)) == 1:  # scipy 1.17 gives negative counts for these
        return np.broadcast_to(
            cells[:, None] * values / cells.sum(), (number, len(cells), len(values))
        )
    return np.asarray(random_table(cells, values, seed=rng).rvs(number))


def _permute_clusters(
    rows: GroupedLosses,
    residuals: np.ndarray,
    patterns: np.ndarray,
    cells: np.ndarray,
    rng: np.random.Generator,
    number: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Whole templates change groups."""
    num_strata, num_clusters = int(rows.strata.max()) + 1, int(rows.clusters.max()) + 1
    shape = (num_clusters, num_strata, rows.num_seeds)
    lost, scored = np.zeros(shape), np.zeros(shape)
    np.add.at(lost, (rows.clusters, rows.strata), np.nan_to_num(residuals))
    np.add.at(scored, (rows.clusters, rows.strata), rows.present)
    cell_of = np.zeros(num_clusters, dtype=int)
    cell_of[rows.clusters] = cells
    drawn = patterns[rng.permuted(np.tile(cell_of, (number, 1)), axis=1)].astype(float)
    sums = np.einsum("pkg,kts->ptgs", drawn, lost, optimize=True)
    return sums, np.einsum("pkg,kts->ptgs", drawn, scored, optimize=True)
