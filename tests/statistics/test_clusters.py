"""Rows of templates, against sums over pairs and against covariance matrices written out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from raysweep.statistics.clusters import cluster_correlation, weighed_rows
from raysweep.statistics.grouped_losses import GroupedLosses
from raysweep.statistics.power import Design
from tests.statistics.rows import grouped, random_rows


def planted(seed: int, icc: float, num_clusters: int = 400, num_rows: int = 5) -> GroupedLosses:
    """One-way random effects: losses that are no fractions, of one stratum."""
    rng = np.random.default_rng(seed)
    places = np.repeat(np.arange(num_clusters), num_rows)
    shared = rng.standard_normal(num_clusters)[places]
    losses = np.sqrt(icc) * shared + np.sqrt(1 - icc) * rng.standard_normal(len(places))
    groups = [("a",) if place % 2 else ("b",) for place in places]
    return grouped(groups, losses[:, None].tolist(), clusters=[f"t{place}" for place in places])


def by_pairs(rows: GroupedLosses, without: int = -1) -> float:
    """The correlation without one template, pair by pair."""
    means = rows.residuals.mean(axis=1)
    kept = np.flatnonzero(rows.clusters != without)
    pairs = [(i, j) for i, j in combinations(kept, 2) if rows.clusters[i] == rows.clusters[j]]
    return float(np.mean([means[i] * means[j] for i, j in pairs]) / (means[kept] ** 2).mean())


def test_the_correlation_is_the_mean_over_pairs_and_its_error_the_jackknife() -> None:
    rng = np.random.default_rng(0)
    rows = random_rows(0, num_rows=60, num_seeds=2)
    clusters = rng.integers(0, 12, 60)
    clusters[0] = 12  # a template of one row
    rows = GroupedLosses(rows.losses, rows.groups, rows.members, rows.strata, clusters)
    found = cluster_correlation([rows])
    assert found
    assert found.icc == pytest.approx(by_pairs(rows))
    left = np.array([by_pairs(rows, without) for without in range(13)])
    assert found.error == pytest.approx(np.sqrt(12 * left.var()))
    assert found.num_clusters == 12


@pytest.mark.parametrize("icc", [0.0, 0.1, 0.5])
def test_a_planted_correlation_is_found_within_its_error(icc: float) -> None:
    found = [cluster_correlation([planted(seed, icc)]) for seed in range(20)]
    values = np.array([one.icc for one in found if one])
    errors = np.array([one.error for one in found if one])
    assert values.mean() == pytest.approx(icc, abs=4 * errors.mean() / np.sqrt(20))
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.5)


def test_chains_count_by_what_was_lost() -> None:
    """The same rows twice as large outweigh the others fourfold; no row of a chain counts twice."""
    one, other = planted(1, 0.5, 30), planted(2, 0.0, 30)
    more = GroupedLosses(
        100 * other.losses, other.groups, other.members, other.strata, other.clusters
    )
    both, alone = cluster_correlation([one, more]), cluster_correlation([other])
    assert both
    assert alone
    assert both.icc == pytest.approx(alone.icc, abs=1e-3)
    twice = cluster_correlation([other, other])
    assert twice
    assert (twice.icc, twice.error) == pytest.approx((alone.icc, alone.error))


def test_what_cannot_be_told_is_none() -> None:
    assert cluster_correlation([]) is None
    assert cluster_correlation([random_rows(3)]) is None, "each row is its own"
    rows = [("a",), ("b",)] * 10
    nothing = grouped(rows, [[0.0]] * 20, clusters=[f"t{n // 4}" for n in range(20)])
    assert cluster_correlation([nothing]) is None


@pytest.mark.parametrize("crossed", [False, True])
def test_the_design_effect_is_that_of_the_covariance_matrix(crossed: bool) -> None:
    """The variance a' S a of equation 2 with the weights a of rows; of equal groups."""
    groups, places = np.repeat(np.arange(4), 60), np.arange(240)
    sizes = np.array([2, 8, 10, 40])
    within = np.repeat(np.arange(4), sizes)[places % 60]
    clusters = within if crossed else 4 * groups + within
    own = (groups == 0).astype(float)
    weights = own / 60 - 1 / 240
    alike = np.where(clusters[:, None] == clusters, 0.3, 0.0)
    np.fill_diagonal(alike, 1.0)
    variance = 0.25 * weights @ alike @ weights
    cluster_rows = weighed_rows(np.bincount(clusters, own), np.bincount(clusters))
    design = Design(60, 4, 1, changed=0.25, cluster_rows=cluster_rows, icc=0.3)
    assert design.error**2 == pytest.approx(variance)
    if crossed:
        assert cluster_rows == pytest.approx(0, abs=1e-12), "what a template lost cancels"
    else:
        assert cluster_rows == pytest.approx((sizes**2).sum() / 60), "Kish's"


def test_whole_templates_are_one_row_each() -> None:
    whole = Design(600, 9, 3, cluster_rows=10, icc=1.0)
    alone = Design(60, 9, 3)
    assert whole.error == pytest.approx(alone.error)
    assert whole.power(0.2) == pytest.approx(alone.power(0.2))
