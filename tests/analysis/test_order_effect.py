"""The order effect, paired by seed, from rows of known content."""

from __future__ import annotations

import math

import pytest
from typer.testing import CliRunner

from analysis.__main__ import app
from analysis.effects.order_effect import OrderEffects, order_effects, unevenness
from tests.analysis.sweep_folder import Sweep


def _add(sweep: Sweep, chain: str, *lost: int, rates: tuple[float, float] = (1e-3, 1e-3)) -> None:
    """Points of the first task lost by each seed."""
    first, second = chain.split(" -> ")
    for seed, points in enumerate(lost):
        sweep.add(chain, {first: 90 - points, second: 80}, before=90, seed=seed, rates=rates)


def _values(effects: OrderEffects) -> dict[str, float]:
    return {chain.title: one.value for chain, one in effects.pairs.items()}


def test_differences_are_paired_by_seed_and_pooled_over_pairs(sweep: Sweep) -> None:
    """TQA: 30 - 2, 20 - 6; BBQ: 12 - 10, 8 - 8, 7 - 6: deviations ±7 and 1, -1, 0, s2 = 100 / 3."""
    _add(sweep, "toxigen -> arc_easy", 30, 20)
    _add(sweep, "arc_easy -> toxigen", 2, 6, 50)
    _add(sweep, "bbq -> csqa", 12, 8, 7)
    _add(sweep, "csqa -> bbq", 10, 8, 6)
    effects = order_effects(sweep.storage)
    toxigen, bbq = effects.pairs.values()
    assert _values(effects) == {"TQA → ARC": pytest.approx(21), "BBQ → CQA": pytest.approx(1)}
    assert (toxigen.num, bbq.num, toxigen.freedom, bbq.freedom) == (2, 3, 3, 3)
    assert toxigen.deviation == pytest.approx(14 / math.sqrt(2))
    reach = 3.1824463 * math.sqrt(100 / 3)  # t of .975 with 3 degrees of freedom
    assert toxigen.interval == pytest.approx(
        (21 - reach / math.sqrt(2), 21 + reach / math.sqrt(2)), rel=1e-6
    )
    assert bbq.interval == pytest.approx(
        (1 - reach / math.sqrt(3), 1 + reach / math.sqrt(3)), rel=1e-6
    )
    assert toxigen.p is not None
    assert toxigen.p_holm == pytest.approx(2 * toxigen.p)
    assert bbq.p_holm == bbq.p


def test_differences_are_paired_by_both_seeds_and_draws_are_the_units(sweep: Sweep) -> None:
    """Draw 0: 30 - 2, 20 - 6, mean 21; draw 1: 15 - 8; the other order lacks draw 2."""
    for chain, lost in (
        ("toxigen -> arc_easy", {(0, 0): 30, (1, 0): 20, (0, 1): 15, (0, 2): 70}),
        ("arc_easy -> toxigen", {(0, 0): 2, (1, 0): 6, (0, 1): 8, (7, 0): 50}),
    ):
        first, second = chain.split(" -> ")
        for (seed, draw), points in lost.items():
            accuracies = {first: 90 - points, second: 80}
            sweep.add(chain, accuracies, before=90, seed=seed, data_seed=draw)
    (found,) = order_effects(sweep.storage).pairs.values()
    assert (found.value, found.num) == (pytest.approx((21 + 7) / 2), 2)  # type: ignore[comparison-overlap]
    assert found.deviation == pytest.approx(14 / math.sqrt(2))
    assert found.freedom == 1


def test_results_without_data_seeds_are_paired_by_seed(sweep: Sweep) -> None:
    for seed, lost in enumerate((30, 20)):
        for chain, points in (("bbq -> csqa", lost), ("csqa -> bbq", seed)):
            first, second = chain.split(" -> ")
            accuracies = {first: 90 - points, second: 80}
            sweep.add(chain, accuracies, before=90, seed=seed, data_seed=None)
    (found,) = order_effects(sweep.storage).pairs.values()
    assert (found.value, found.num) == (pytest.approx((30 + 19) / 2), 2)  # type: ignore[comparison-overlap]


def test_pairs_are_the_units_of_the_whole(sweep: Sweep) -> None:
    """Means 10, 20 and 30: t = 20 / (10 / sqrt(3)) with 2 degrees, whose p has a closed form."""
    for pair, lost in (("arc_easy", 10), ("csqa", 20), ("csqa2", 30)):
        _add(sweep, f"bbq -> {pair}", lost)
        _add(sweep, f"{pair} -> bbq", 0)
    effects = order_effects(sweep.storage)
    (overall,) = effects.overall.values()
    assert (overall.value, overall.num) == (pytest.approx(20), 3)  # type: ignore[comparison-overlap]
    t = 20 / (10 / math.sqrt(3))
    assert overall.p == pytest.approx(1 - t / math.sqrt(2 + t**2))
    assert all(one.p is None for one in effects.pairs.values()), "one seed each"


def test_settings_are_kept_apart_and_corrected_together(sweep: Sweep) -> None:
    for rates, lost in (((1e-3, 1e-3), 20), ((2e-3, 1e-3), 60)):
        _add(sweep, "bbq -> csqa", lost, lost + 2, rates=rates)
        _add(sweep, "csqa -> bbq", 1, 1, rates=rates)
    effects = order_effects(sweep.storage)
    assert [one.value for one in effects.pairs.values()] == pytest.approx([20, 60])
    assert [one.freedom for one in effects.pairs.values()] == [1, 1]
    first, second = effects.pairs.values()
    assert first.p is not None
    assert second.p is not None
    assert second.p_holm == pytest.approx(min(1, 2 * second.p))
    assert first.p_holm == pytest.approx(first.p)


def test_one_order_alone_or_other_seeds_are_no_pair(sweep: Sweep) -> None:
    _add(sweep, "toxigen -> arc_easy", 30)
    _add(sweep, "bbq -> csqa", 30)
    sweep.add("csqa -> bbq", {"csqa": 50, "bbq": 80}, before=60, seed=7)
    sweep.add("csqa -> toxigen -> csqa@5%", {"csqa": 50}, before=60, rates=(1e-3,) * 3)
    _add(sweep, "toxigen -> csqa", 10)
    effects = order_effects(sweep.storage)
    assert (effects.pairs, effects.overall) == ({}, {})


def _printed(sweep: Sweep) -> list[str]:
    result = CliRunner().invoke(app, [str(sweep.path)], env={"COLUMNS": "140"})
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_it_is_printed_under_table_1(sweep: Sweep) -> None:
    """Differences 28, 24 and 20, 20: of the second pair alone there would be no test."""
    _add(sweep, "toxigen -> arc_easy", 30, 26)
    _add(sweep, "arc_easy -> toxigen", 2, 2)
    _add(sweep, "bbq -> csqa", 21, 20)
    _add(sweep, "csqa -> bbq", 1, 0)
    lines = _printed(sweep)
    reach = 4.3026527 * 2 / math.sqrt(2)  # t of .975 with 2 degrees, s2 = 8 / 2
    (row,) = [line for line in lines if line.startswith("TQA, ARC 2 ")]
    assert row.startswith(f"TQA, ARC 2 26.0 ± 2.8 {26 - reach:.1f} to {26 + reach:.1f} 0.00")
    assert any(line.startswith("BBQ, CQA 2 20.0 ± 0.0 13.9 to 26.1") for line in lines)
    assert any(line.startswith("all pairs 2 pairs 23.0 ± 4.2") for line in lines)
    assert not any("no test: one seed" in line for line in lines)
    assert lines.index(row) > next(n for n, line in enumerate(lines) if "Table 1" in line)


def test_one_seed_is_said_to_have_no_test(sweep: Sweep) -> None:
    _add(sweep, "toxigen -> arc_easy", 30)
    _add(sweep, "arc_easy -> toxigen", 2)
    lines = _printed(sweep)
    assert "TQA, ARC 1 28.0 – – –" in lines
    assert any("no test: one seed" in line for line in lines)
    assert not any(line.startswith("all pairs") for line in lines)


def test_unlike_deviations_are_said(sweep: Sweep) -> None:
    _add(sweep, "toxigen -> arc_easy", 10, 70)
    _add(sweep, "arc_easy -> toxigen", 0, 0)
    _add(sweep, "bbq -> csqa", 20, 22)
    _add(sweep, "csqa -> bbq", 0, 0)
    found = order_effects(sweep.storage).pairs.values()
    assert unevenness(found) == pytest.approx(30)
    assert any("deviations differ 30-fold" in line for line in _printed(sweep))
