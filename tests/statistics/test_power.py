"""Power against statsmodels, and that what it promises is consistent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from statsmodels.stats.power import TTestPower

from raysweep.statistics.power import Design, detectable, rows_needed, seeds_needed

DESIGN = Design(num_rows=100, num_groups=13, num_seeds=3)


def test_one_seed_is_the_one_sample_t_test_of_statsmodels() -> None:
    design = Design(num_rows=50, num_groups=1000, num_seeds=1)
    size = 0.3 / design.error / 50**0.5
    expected = TTestPower().power(size, nobs=50, alpha=0.05 / 1000)
    assert design.power(0.3) == pytest.approx(expected, rel=1e-3)


def test_what_is_detectable_has_the_power() -> None:
    assert DESIGN.power(detectable(DESIGN)) == pytest.approx(0.8, abs=1e-6)


def test_what_is_needed_is_the_least_that_is_enough() -> None:
    rows = rows_needed(DESIGN, 0.10)
    assert rows
    assert replace(DESIGN, num_rows=rows).power(0.10) >= 0.8
    assert replace(DESIGN, num_rows=rows - 1).power(0.10) < 0.8
    seeds = seeds_needed(DESIGN, 0.14)
    assert seeds
    assert replace(DESIGN, num_seeds=seeds).power(0.14) >= 0.8
    assert replace(DESIGN, num_seeds=seeds - 1).power(0.14) < 0.8


def test_no_number_of_rows_makes_up_for_seeds_that_differ() -> None:
    assert rows_needed(replace(DESIGN, between=0.2), 0.05) is None


def test_no_number_of_seeds_makes_up_for_rows_that_they_share() -> None:
    assert seeds_needed(DESIGN, 0.05) is None
