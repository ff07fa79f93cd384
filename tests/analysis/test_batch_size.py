"""Forgetting by global batch size, from rows of known content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t, ttest_rel

from analysis.beyond.batch_size import NONE, Varied, batch_sizes, exhibit, listing, picture
from analysis.exhibit import Missing, Reading
from tests.analysis.pictures import is_framed_in_white
from tests.analysis.sweep_folder import Sweep

SMALL, LARGE = (30, 33, 37), (20, 25, 24)


def _add(sweep: Sweep, chain: str, lost: tuple[int, ...], size: object, rate: float = 1e-3) -> None:
    first, second = chain.split(" -> ")
    for seed, points in enumerate(lost):
        final = {first: 90 - points, second: 80}
        rates = (rate, 1e-3)
        sweep.add(chain, final, before=90, seed=seed, rates=rates, global_batch_size=size)


def test_one_chain_is_a_paired_t_test(sweep: Sweep) -> None:
    _add(sweep, "toxigen -> csqa", SMALL, 16)
    _add(sweep, "toxigen -> csqa", LARGE, 128)
    (one,) = batch_sizes(sweep.storage)
    assert (one.varied, one.chain.title, list(one.points)) == (Varied.BOTH, "TQA → CQA", [16, 128])
    change = one.changes[128]
    expected = ttest_rel(LARGE, SMALL)
    assert change.value == pytest.approx(np.mean(LARGE) - np.mean(SMALL))
    assert (change.p, change.p_holm) == pytest.approx((expected.pvalue, expected.pvalue))
    assert change.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_seeds_are_pooled_and_p_values_corrected_over_chains(sweep: Sweep) -> None:
    """A second chain with one seed at the larger size has a test by the deviation of the first."""
    _add(sweep, "toxigen -> csqa", SMALL, 16)
    _add(sweep, "toxigen -> csqa", LARGE, 128)
    _add(sweep, "toxigen -> csqa2", (10, 10, 10), 16)
    _add(sweep, "toxigen -> csqa2", (15,), 128)
    _add(sweep, "bbq -> csqa", (10,), 16)
    _add(sweep, "bbq -> csqa", (15,), 128)
    first, second, other = batch_sizes(sweep.storage)
    assert other.changes[128].p is None, "of another first task, by whose seeds nothing is known"
    deviation = np.std(np.subtract(LARGE, SMALL), ddof=1)
    p = 2 * t.sf(5 / deviation, 2)
    assert second.changes[128].value == pytest.approx(5)
    assert second.changes[128].num == 1
    assert second.changes[128].p == pytest.approx(p)
    assert first.changes[128].p
    assert first.changes[128].p_holm == pytest.approx(min(2 * first.changes[128].p, 1))


def test_everything_else_is_equal(sweep: Sweep) -> None:
    """Learning rates are not mixed, and three sizes are each compared with the smallest."""
    for rate, more in ((1e-3, 0), (2e-3, 10)):
        for size, lost in ((16, 30), (64, 20), (128, 15)):
            _add(sweep, "toxigen -> csqa", (lost + more, lost + more + 1), size, rate)
    _add(sweep, "toxigen -> csqa", (1,), 16, rate=3e-3)
    found = batch_sizes(sweep.storage)
    assert [one.chain.setting.learning_rates for one in found] == [(1e-3, 1e-3), (2e-3, 1e-3)]
    for one in found:
        changes = {size: round(change.value, 9) for size, change in one.changes.items()}
        assert changes == {64: -10, 128: -15}
    labels = [row[0] for row in listing(found).rows]
    assert labels[0] == "TQA → CQA  (lr 0.001, 0.001)"


def test_the_size_of_one_stage_alone(sweep: Sweep) -> None:
    """Of a grid of 2 x 2 sizes: both together, and each with the other one fixed."""
    for sizes, lost in (((16, 16), 30), ((16, 128), 50), ((128, 16), 25), ((128, 128), 40)):
        _add(sweep, "bbq -> csqa", (lost, lost + 2), sizes)
    found = [
        (one.varied, {size: round(c.value, 9) for size, c in one.changes.items()})
        for one in batch_sizes(sweep.storage)
    ]
    assert found == [
        (Varied.BOTH, {128: 10}),
        (Varied.FIRST, {128: -5}),
        (Varied.FIRST, {128: -10}),
        (Varied.SECOND, {128: 20}),
        (Varied.SECOND, {128: 15}),
    ]


def test_one_size_is_nothing_to_compare(sweep: Sweep) -> None:
    _add(sweep, "toxigen -> csqa", SMALL, 16)
    _add(sweep, "bbq -> csqa", LARGE, 128)
    assert exhibit(Reading(sweep.storage)) == Missing(NONE)


def test_nothing_of_the_picture_is_cut(sweep: Sweep, tmp_path: Path) -> None:
    for sizes in ((16, 16), (16, 128), (128, 16), (128, 128)):
        for rate in (1e-3, 2e-3):
            _add(sweep, "bbq -> csqa", (20, 30), sizes, rate)
            _add(sweep, "arc_easy -> toxigen", (20, 30), sizes, rate)
    path = tmp_path / "batch_size.png"
    picture(batch_sizes(sweep.storage)).savefig(path)
    assert is_framed_in_white(path)
