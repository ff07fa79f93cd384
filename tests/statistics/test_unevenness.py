"""The permutation reference against permutations written out one by one, and where it is exact."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import permutation_test

from raysweep.statistics.grouped_losses import GroupedLosses, over_seeds
from raysweep.statistics.unevenness import mammen, unevenness
from tests.statistics.rows import grouped, random_rows

NUMBER = 4000


def one_by_one(
    rows: GroupedLosses, blocks: np.ndarray, number: int = NUMBER
) -> tuple[np.ndarray, np.ndarray]:
    """Both maxima under permutations of the rows' groups within blocks."""
    rng, found = np.random.default_rng(7), []
    for _ in range(number):
        order = np.arange(len(rows.losses))
        for block in np.unique(blocks):
            inside = np.flatnonzero(blocks == block)
            order[inside] = rng.permutation(inside)
        permuted = GroupedLosses(
            rows.losses, rows.groups, rows.members[order], rows.strata, rows.clusters
        )
        found.append([over_seeds(permuted.biased).max(), over_seeds(permuted.standardised).max()])
    biased, standardised = np.array(found).T
    return biased, standardised


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_maxima_are_those_of_permutations_written_out(num_seeds: int) -> None:
    rows = random_rows(0, num_seeds=num_seeds)
    found = unevenness(rows)
    assert found
    for maximum, permuted in zip(
        (found.biased, found.standardised), one_by_one(rows, rows.strata), strict=True
    ):
        spread = permuted.std() / np.sqrt(NUMBER)
        assert maximum.expected == pytest.approx(permuted.mean(), abs=5 * spread)
        share = (permuted >= maximum.value - 1e-9).mean()
        assert maximum.p == pytest.approx(share, abs=5 * 0.5 / np.sqrt(NUMBER))
        assert maximum.limit == pytest.approx(np.quantile(permuted, 0.95), abs=0.01)


def test_seeds_with_other_rows_count_with_their_own() -> None:
    rows = random_rows(1, num_seeds=2)
    losses = rows.losses.copy()
    losses[:40, 0] = np.nan
    losses[60:80, 1] = np.nan
    rows = GroupedLosses(losses, rows.groups, rows.members, rows.strata, rows.clusters)
    found = unevenness(rows)
    assert found
    blocks = 4 * rows.strata + (rows.present @ [1, 2]).astype(int)
    for maximum, permuted in zip(
        (found.biased, found.standardised), one_by_one(rows, blocks), strict=True
    ):
        spread = permuted.std() / np.sqrt(NUMBER)
        assert maximum.expected == pytest.approx(permuted.mean(), abs=5 * spread)
        assert maximum.limit == pytest.approx(np.quantile(permuted, 0.95), abs=0.005)


def test_the_difference_of_two_groups_as_scipy_tests_it() -> None:
    rows = random_rows(2, num_groups=2)
    rows = GroupedLosses(rows.losses, rows.groups, rows.members, rows.strata * 0, rows.clusters)
    first = rows.losses[rows.members[:, 0], 0]
    second = rows.losses[rows.members[:, 1], 0]
    found = unevenness(rows)
    assert found
    expected = permutation_test(
        (first, second),
        lambda a, b, axis: (a.mean(axis) - b.mean(axis)) ** 2,
        alternative="greater",
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    assert found.p == pytest.approx(expected.pvalue, abs=0.03)


def test_a_model_that_only_looks_at_the_answer_is_even() -> None:
    """Equation 2 is not 0 then, but just what the groups' shares of answers give."""
    rows = random_rows(3)
    blind = GroupedLosses(
        rows.strata[:, None].astype(float), rows.groups, rows.members, rows.strata, rows.clusters
    )
    found = unevenness(blind)
    assert found
    assert found.biased.value > 0.02
    assert found.biased.excess == pytest.approx(0, abs=1e-12)
    assert found.standardised.value == pytest.approx(0, abs=1e-12)
    assert (found.biased.p, found.standardised.p, found.p) == (1, 1, 1)


def test_rows_of_several_groups_move_whole() -> None:
    """Groups that always come together stay equal under every permutation."""
    rng = np.random.default_rng(4)
    own = [("a", "b") if number % 2 else ("c",) for number in range(200)]
    rows = grouped(own, rng.integers(-1, 2, size=(200, 1)).astype(float).tolist())
    found = unevenness(rows)
    assert found
    permuted, _ = one_by_one(rows, rows.strata, number=1000)
    assert found.biased.expected == pytest.approx(permuted.mean(), abs=0.005)
    assert rows.biased[0] == rows.biased[1]


def test_rows_from_one_template_are_lost_together() -> None:
    """Ten templates whose rows are all lost or all kept are ten facts, not a thousand."""
    rng = np.random.default_rng(5)
    lost = rng.permutation([1.0] * 5 + [0.0] * 5)
    places = np.repeat(np.arange(10), 100)
    groups = [("a",) if place < 5 else ("b",) for place in places]
    losses = [[lost[place]] for place in places]
    together = unevenness(grouped(groups, losses, clusters=[f"t{place}" for place in places]))
    alone = unevenness(grouped(groups, losses))
    assert together
    assert alone
    assert together.p > 0.05
    assert alone.p < 0.001


def test_weights_of_templates_have_the_moments_of_a_skewed_sum() -> None:
    """Unlike signs, whose third moment is 0."""
    drawn = mammen(np.random.default_rng(0), (100_000,))
    for power, moment in ((1, 0), (2, 1), (3, 1), (4, 2)):
        error = (drawn**power).std() / np.sqrt(len(drawn))
        assert (drawn**power).mean() == pytest.approx(moment, abs=5 * error)


def test_weighted_templates_have_the_spread_of_their_sums() -> None:
    """Of one stratum and two groups: the maximum is the distance of both means, up to a factor."""
    rng = np.random.default_rng(6)
    places = np.repeat(np.arange(30), rng.integers(2, 20, 30))
    lost = (rng.random(30) < 0.4).astype(float)[places]
    groups = [("a",) if place % 3 else ("b",) for place in places]
    rows = grouped(groups, lost[:, None].tolist(), clusters=[f"t{place}" for place in places])
    found = unevenness(rows)
    assert found
    own = np.array([group == ("a",) for group in groups])
    factors = np.where(own, 1 / own.sum(), 0) - 1 / len(own)
    sums = np.bincount(places, factors * (lost - lost.mean()))
    golden = (1 + np.sqrt(5)) / 2
    share = golden / np.sqrt(5)  # of the lower point
    weights = np.random.default_rng(1).choice(
        [1 - golden, golden], (NUMBER, 30), p=[share, 1 - share]
    )
    first = weights @ sums
    second = -first * own.sum() / (~own).sum()
    largest = np.maximum(first, second)
    assert found.biased.expected == pytest.approx(largest.mean(), abs=5 * largest.std() / 63)
    assert found.biased.limit == pytest.approx(np.quantile(largest, 0.95), rel=0.1)


def test_no_group_with_rows_enough_has_no_reference() -> None:
    few = grouped([("a",)] * 9 + [()] * 50, [[1.0]] * 59)
    assert unevenness(few) is None
    assert unevenness(grouped([("a",)] * 50, [[1.0]] * 50)) is None


def test_small_groups_are_not_called_worst() -> None:
    own = [("small",)] * 5 + [("a",)] * 60 + [("b",)] * 60
    losses = [[1.0]] * 5 + [[float(number % 3 == 0)] for number in range(120)]
    found = unevenness(grouped(own, losses))
    assert found
    assert found.biased.group != "small"
    assert found.num_groups == 2


def test_equal_rows_in_another_order_give_equal_results() -> None:
    rows = random_rows(8)
    assert unevenness(rows) == unevenness(rows)
