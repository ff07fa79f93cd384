"""Intervals over rows against the classical ones, and against other packages where rows cluster."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from raysweep.statistics.row_means import by_unit, direction_p, mean, share


@pytest.mark.parametrize(("count", "number"), [(0, 40), (7, 40), (40, 40), (1, 1), (250, 1000)])
def test_rows_of_one_seed_have_wilsons_interval(count: int, number: int) -> None:
    found = share(np.repeat([1.0, 0.0], [count, number - count]), np.ones(number), number)
    expected = proportion_confint(count, number, 0.05, method="wilson")
    assert found.value == count / number
    assert found.interval == pytest.approx(expected, abs=1e-12)


def test_seeds_that_repeat_each_other_tell_nothing_more() -> None:
    one = np.repeat([1.0, 0.0], [12, 28])
    expected = share(one, np.ones(40), 40)
    found = share(3 * one, np.full(40, 3.0), 40)
    assert (found.value, *(found.interval or ())) == pytest.approx(
        (expected.value, *(expected.interval or ()))
    )


def test_rows_of_a_template_that_are_alike_are_one_row() -> None:
    """And of one template alone hardly anything is known."""
    one = np.repeat([1.0, 0.0], [12, 28])
    expected = proportion_confint(12, 40, 0.05, method="wilson")
    assert share(5 * one, np.full(40, 5.0), 200).interval == pytest.approx(expected)
    alone = share(np.array([0.0]), np.array([200.0]), 200)
    assert alone.interval == pytest.approx(proportion_confint(0, 1, 0.05, method="wilson"))


def test_seeds_that_differ_never_count_as_more_rows() -> None:
    """Each of 60 rows is right in one of two seeds: no variance between rows is left."""
    found = share(np.ones(60), np.full(60, 2.0), 60)
    assert found.interval == pytest.approx(proportion_confint(30, 60, 0.05, method="wilson"))


def test_a_mean_of_rows_has_the_t_interval() -> None:
    values = np.random.default_rng(0).normal(2, 3, 25)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = mean(values, np.ones(25))
    assert found.interval == pytest.approx((expected.low, expected.high))
    assert mean(values[:1], np.ones(1)).interval is None


def test_a_mean_of_templates_is_that_of_cluster_robust_least_squares() -> None:
    """With the residuals of Liang and Zeger (1986), as statsmodels has them."""
    rng = np.random.default_rng(1)
    units = rng.integers(12, size=90)
    values = rng.normal(size=90) + units / 5
    fit = OLS(values, np.ones(90)).fit(
        cov_type="cluster", cov_kwds={"groups": units, "df_correction": True}, use_t=True
    )
    found = mean(by_unit(values, units), by_unit(np.ones(90), units))
    assert found.value == pytest.approx(fit.params[0])
    assert found.interval == pytest.approx(tuple(fit.conf_int()[0]))


@pytest.mark.parametrize(("lost", "gained"), [(12, 3), (3, 12), (0, 5), (7, 7), (0, 0), (1, 0)])
def test_one_seed_has_mcnemars_exact_test(lost: int, gained: int) -> None:
    net = np.repeat([1.0, -1.0, 0.0], [lost, gained, 30])
    expected = mcnemar([[20, lost], [gained, 10]], exact=True).pvalue if lost + gained else 1.0
    assert direction_p(net) == pytest.approx(expected)


def test_seeds_that_lose_the_same_rows_are_no_new_evidence() -> None:
    one = np.repeat([1.0, -1.0, 0.0], [9, 2, 30])
    assert direction_p(3 * one) == direction_p(one)


def test_sums_by_unit() -> None:
    assert by_unit(np.array([1.0, 2.0, 4.0]), np.array([7, 3, 7])).tolist() == [2, 5]
