"""Intervals of group effects against closed forms, and corrections against published examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from raysweep.statistics.effects import Effect, biased_effects, corrected, standardised_effects
from raysweep.statistics.grouped_losses import GroupedLosses
from tests.statistics.rows import grouped, random_rows

BENJAMINI_HOCHBERG = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
    0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip
"""The fifteen p-values of Benjamini and Hochberg (1995, section 4.1)."""


def test_corrections_find_what_benjamini_and_hochberg_print() -> None:
    """Four hypotheses are rejected by their procedure, three by Bonferroni's and Holm's."""
    found = corrected([Effect(f"{n}", 100, 0.1, p=p) for n, p in enumerate(BENJAMINI_HOCHBERG)])
    assert sum(effect.p_bh <= 0.05 for effect in found if effect.p_bh is not None) == 4
    assert sum(effect.is_distinct for effect in found) == 3
    assert found[0].p_holm == pytest.approx(15 * 0.0001)
    assert found[1].p_holm == pytest.approx(14 * 0.0004)


def test_one_seed_and_two_groups_are_a_t_test_of_both_means() -> None:
    """With the variance of all rows instead of that within groups, which a closed form relates."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(-1, 2, 150).astype(float), rng.integers(-1, 2, 250).astype(float)
    losses = np.concatenate([first, second])[:, None].tolist()
    effect = biased_effects(grouped([("a",)] * 150 + [("b",)] * 250, losses))[0]
    t = float(stats.ttest_ind(first, second).statistic)
    assert effect.value == pytest.approx(250 / 400 * (first.mean() - second.mean()))
    assert effect.error is not None
    assert effect.value / effect.error == pytest.approx(t * np.sqrt(399 / (398 + t**2)))


def test_a_group_of_which_no_row_changed_has_the_noise_of_all_rows() -> None:
    """Its own rows would say that nothing can have been chance."""
    own = [("quiet",)] * 40 + [("b",)] * 360
    effect = biased_effects(grouped(own, [[0.0]] * 40 + [[float(n % 20 == 0)] for n in range(360)]))
    assert effect[1].group == "quiet"
    assert effect[1].p is not None
    assert effect[1].p > 0.05


def test_seeds_that_repeat_each_other_add_nothing() -> None:
    one = random_rows(1, num_seeds=1)
    three = GroupedLosses(
        np.repeat(one.losses, 3, axis=1), one.groups, one.members, one.strata, one.clusters
    )
    for single, several in zip(biased_effects(one), biased_effects(three), strict=True):
        assert several.value == pytest.approx(single.value)
        assert several.error == pytest.approx(single.error)


def test_deviations_between_seeds_widen_the_interval() -> None:
    """Rows without noise: the error is that of a mean over seeds, pooled over the groups."""
    rng = np.random.default_rng(2)
    deviations = rng.standard_normal((4, 5))
    groups = np.repeat(np.arange(4), 50)
    rows = grouped([(f"g{group}",) for group in groups], deviations[groups].tolist())
    pooled = (deviations - deviations.mean(axis=0)).var(axis=1, ddof=1).mean()
    for effect in biased_effects(rows):
        assert effect.error == pytest.approx(np.sqrt(pooled / 5), rel=0.01)
        assert effect.freedom == pytest.approx(4 * 3, rel=0.05)


def own_rows(num_draws: int, per_group: int = 60) -> GroupedLosses:
    """Each draw has trained once, and tested on rows of its own."""
    rng, num_rows = np.random.default_rng(7), 4 * per_group * num_draws
    groups = [(f"g{number % 4}",) for number in range(num_rows)]
    losses = np.full((num_rows, num_draws), np.nan)
    owners = np.arange(num_rows) // (num_rows // num_draws)
    losses[np.arange(num_rows), owners] = rng.integers(-1, 2, num_rows)
    return grouped(groups, losses.tolist(), draws=range(num_draws))


def test_draws_with_rows_of_their_own_are_experiments_of_their_own() -> None:
    """Nothing is crossed: each draw is a sweep of its own, of whose means a mean is taken.

    The pooled variance of that mean is the groups' variance between draws over their number.
    """
    rows = own_rows(3)
    single = [grouped_alone(rows, draw) for draw in range(3)]
    spread = rows.biased.var(axis=1, ddof=1)
    by_rows = np.array([[one.error or 0 for one in biased_effects(own)] for own in single]) ** 2
    expected = by_rows.sum(axis=0) / 9 + (spread - by_rows.mean(axis=0)).mean() / 3
    for number, effect in enumerate(biased_effects(rows)):
        assert effect.num_rows == 3 * 60
        assert effect.value == pytest.approx(np.mean([own.biased[number] for own in single]))
        assert effect.error == pytest.approx(
            np.sqrt(max(expected[number], 0.5 / 9 * by_rows[:, number].sum()))
        )


def grouped_alone(rows: GroupedLosses, seed: int) -> GroupedLosses:
    kept = rows.present[:, seed] > 0
    return GroupedLosses(
        rows.losses[kept][:, [seed]],
        rows.groups,
        rows.members[kept],
        rows.strata[kept],
        np.arange(kept.sum()),
    )


def test_the_covariance_of_rows_is_that_of_the_rows_which_both_have() -> None:
    """Rows that repeat their losses: half of them in both draws, which have the variance 1 / n.

    With the same loss of a row in both, the variance of a mean over both draws by rows is
    v / n (1 + 1/2) / 2 in place of v / n / 2 for rows of their own.
    """
    rng, n = np.random.default_rng(8), 4000
    loss = rng.integers(-1, 2, 6 * n // 4).astype(float)
    losses = np.stack([loss, loss], axis=1)
    losses[n:, 0] = np.nan
    losses[: n // 2, 1] = np.nan
    groups = [(f"g{number % 2}",) for number in range(len(loss))]
    rows = grouped(groups, losses.tolist(), draws=[0, 1])
    found = biased_effects(rows)[0]
    by_rows = loss.var() / n * 1.5 / 2  # of the mean of all: of half the difference of two halves
    assert found.error is not None
    apart = (rows.biased[:, 0] - rows.biased[:, 1]) ** 2 / 2
    between = (apart - loss.var() / n * (1 - 0.5)).mean() / 2
    assert found.error**2 == pytest.approx(max(by_rows + between, by_rows / 2), rel=0.05)


def test_seeds_of_one_draw_are_no_draws_of_their_own() -> None:
    """Six trainings of three draws, rows without noise: the error is that of three means."""
    rng = np.random.default_rng(9)
    deviations = np.repeat(rng.standard_normal((4, 3)), 2, axis=1)  # seeds of a draw do not differ
    groups = np.repeat(np.arange(4), 50)
    names = [(f"g{group}",) for group in groups]
    rows = grouped(names, deviations[groups].tolist(), draws=[0, 0, 1, 1, 2, 2])
    pooled = (deviations - deviations.mean(axis=0))[:, ::2].var(axis=1, ddof=1).mean()
    for effect in biased_effects(rows):
        assert effect.error == pytest.approx(np.sqrt(pooled / 3), rel=0.01)
        assert effect.freedom == pytest.approx(2 * 3, rel=0.05)


def test_a_model_that_only_looks_at_the_answer_has_no_effect() -> None:
    rows = random_rows(3)
    blind = GroupedLosses(
        rows.strata[:, None].astype(float), rows.groups, rows.members, rows.strata, rows.clusters
    )
    assert max(abs(effect.value) for effect in biased_effects(blind)) > 0.02
    for effect in standardised_effects(blind):
        assert effect.value == pytest.approx(0, abs=1e-12)
        assert effect.p == 1
        assert effect.low is not None
        assert effect.high is not None
        assert effect.low <= 0 <= effect.high


def test_few_rows_have_no_interval() -> None:
    """An interval of nan would exclude 0: `not nan <= 0 <= nan` is true."""
    own = [("small",)] * 5 + [("a",)] * 60 + [("b",)] * 60
    effect = biased_effects(grouped(own, [[float(n % 4 == 0)] for n in range(125)]))[2]
    assert (effect.group, effect.num_rows) == ("small", 5)
    assert effect.low is None
    assert effect.p is None
    assert not effect.is_distinct


def test_rows_without_a_group_count_in_the_overall_of_both() -> None:
    """The interval is of the estimate that it stands beside."""
    own = [("a",)] * 50 + [("b",)] * 50 + [()] * 400
    losses = [[float(n % 5 == 0)] for n in range(100)] + [[1.0]] * 400
    for effect in biased_effects(grouped(own, losses)):
        assert effect.value == pytest.approx(0.2 - (20 + 400) / 500)
        assert effect.low is not None
        assert effect.high is not None
        assert effect.low < effect.value < effect.high < 0


def test_templates_are_the_unit_of_chance() -> None:
    rng = np.random.default_rng(5)
    places = np.repeat(np.arange(40), 25)
    lost = rng.random(40) < 0.3
    groups = [("a",) if place < 20 else ("b",) for place in places]
    losses = lost[places].astype(float)[:, None].tolist()
    clustered = biased_effects(grouped(groups, losses, clusters=[f"t{p}" for p in places]))[0]
    alone = biased_effects(grouped(groups, losses))[0]
    assert clustered.error is not None
    assert alone.error is not None
    assert clustered.error / alone.error == pytest.approx(5, rel=0.1)


def test_estimates_are_drawn_towards_nothing_by_their_noise() -> None:
    for effect in biased_effects(random_rows(6)):
        assert effect.shrunken is not None
        assert abs(effect.shrunken) <= abs(effect.value)
