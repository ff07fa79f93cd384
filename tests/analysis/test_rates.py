"""Forgetting by learning rate (Figures 5, 6 and 8) against pandas and scipy."""

from __future__ import annotations

from io import StringIO
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.catalogue import EXHIBITS
from analysis.data.load import forgetting_by_seed
from analysis.data.rate_curves import Rate, rate_curves
from analysis.effects.order_by_rate import orders_by_rate
from analysis.effects.rate_effect import rate_effects
from analysis.exhibit import Exhibit, Missing, Reading
from raysweep.tasks.task import Kind
from tests.analysis.frames import forgotten
from tests.analysis.pictures import is_framed_in_white
from tests.analysis.sweep_folder import Sweep

RATES = (1e-3, 2e-3, 4e-3)
ORDERS = ("toxigen -> arc_easy", "arc_easy -> toxigen")


def _grid(sweep: Sweep, chains: tuple[str, ...] = ORDERS, num_seeds: int = 2) -> pd.DataFrame:
    """Each chain at three rates of each stage; the rows as pandas reads them."""
    rng = np.random.default_rng(1)
    for chain, rates, seed in product(chains, product(RATES, RATES), range(num_seeds)):
        first, second = chain.split(" -> ")
        accuracies = {first: int(rng.integers(20, 90)), second: 80}
        sweep.add(chain, accuracies, before=95, seed=seed, rates=rates)
    return forgotten(sweep)


def test_a_curve_holds_everything_else(sweep: Sweep) -> None:
    rows = _grid(sweep)
    sweep.add("bbq -> csqa", {"bbq": 50, "csqa": 60}, before=90)
    sweep.add("toxigen -> arc_easy", {"toxigen": 5, "arc_easy": 9}, before=95, weight_decay=0.5)
    for rate, along, held in (
        (Rate.FIRST, "first_rate", "last_rate"),
        (Rate.SECOND, "last_rate", "first_rate"),
    ):
        curves = rate_curves(forgetting_by_seed(sweep.storage), rate)
        assert [curve.chain.title for curve in curves] == ["TQA → ARC"] * 3 + ["ARC → TQA"] * 3
        assert [curve.held.rate for curve in curves] == [*RATES, *RATES]
        for curve in curves:
            chain = f"{curve.chain.first.name} -> {curve.chain.second.name}"
            own = rows[(rows["chain"] == chain) & (rows[held] == curve.held.rate)]
            expected = own.groupby(along)["points"].agg(["mean", "std"])
            means = curve.means
            assert list(means) == list(expected.index)
            for value, mean in means.items():
                found = mean.value, mean.deviation, mean.num_seeds
                assert found == pytest.approx((*expected.loc[value], 2))


def test_the_effect_is_largest_minus_smallest_paired_by_seed(sweep: Sweep) -> None:
    """Of one first task the pooled test is the one of its seeds' means."""
    rows = _grid(sweep, num_seeds=3)
    curves = rate_curves(forgetting_by_seed(sweep.storage), Rate.SECOND)
    own = rows[rows["chain"] == "toxigen -> arc_easy"]
    by_rate = own.pivot_table(values="points", index="seed", columns="last_rate")
    seeds = by_rate[4e-3] - by_rate[1e-3]
    (effect,) = rate_effects(curves, Kind.SAFETY).values()
    test = stats.ttest_1samp(seeds, 0)
    assert (effect.value, effect.deviation) == pytest.approx((seeds.mean(), seeds.std()))
    assert (effect.p, effect.p_holm) == pytest.approx((test.pvalue, test.pvalue))
    assert effect.interval == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert list(rate_effects(curves, Kind.CAPABILITY)) == ["arc_easy"]


def test_the_order_effect_at_each_rate(sweep: Sweep) -> None:
    """By pandas; its test has the deviation of all rates, each about its own mean."""
    rows = _grid(sweep, num_seeds=3)
    found = orders_by_rate(forgetting_by_seed(sweep.storage), Rate.FIRST)
    keys = ["first_rate", "last_rate", "seed"]
    safety, capability = (rows[rows["chain"] == one].set_index(keys)["points"] for one in ORDERS)
    seeds = (safety - capability).groupby(["first_rate", "seed"]).mean().unstack("seed")
    ((pair, effects),) = found.rates.items()
    assert [task.name for task in pair] == ["toxigen", "arc_easy"]
    assert [one.value for one in effects.values()] == pytest.approx(list(seeds.mean(axis=1)))
    freedom = seeds.size - len(seeds)
    error = np.sqrt((seeds.var(axis=1) * (seeds.shape[1] - 1)).sum() / freedom / seeds.shape[1])
    p = 2 * stats.t.sf(np.abs(seeds.mean(axis=1)) / error, freedom)
    assert [one.p for one in effects.values()] == pytest.approx(list(p))
    p_holm = multipletests(p, method="holm")[1]
    assert [one.p_holm for one in effects.values()] == pytest.approx(list(p_holm))
    change = seeds.loc[4e-3] - seeds.loc[1e-3]
    (largest_minus_smallest,) = found.changes.values()
    assert largest_minus_smallest.value == pytest.approx(change.mean())
    assert largest_minus_smallest.p == pytest.approx(stats.ttest_1samp(change, 0).pvalue)


def test_an_order_that_lacks_a_rate_is_compared_where_both_are(sweep: Sweep) -> None:
    """At the second rate 1e-3 only one order has seed 1, at 4e-3 one order has none."""
    for rates, lost, other in (((1e-3, 1e-3), 30, 10), ((1e-3, 2e-3), 40, 10)):
        sweep.add("toxigen -> csqa", {"toxigen": 95 - lost, "csqa": 9}, before=95, rates=rates)
        sweep.add("csqa -> toxigen", {"csqa": 95 - other, "toxigen": 9}, before=95, rates=rates)
    for seed, rates in ((1, (1e-3, 1e-3)), (0, (1e-3, 4e-3))):
        accuracies = {"toxigen": 0, "csqa": 9}
        sweep.add("toxigen -> csqa", accuracies, before=95, rates=rates, seed=seed)
    found = orders_by_rate(forgetting_by_seed(sweep.storage), Rate.SECOND)
    ((_, effects),) = found.rates.items()
    assert {value: one.value for value, one in effects.items()} == pytest.approx(
        {1e-3: 20, 2e-3: 30}
    )
    assert orders_by_rate(forgetting_by_seed(sweep.storage), Rate.FIRST).rates == {}


Points = list[tuple[float, float]]


def _lines(found: Exhibit) -> dict[str, list[Points]]:
    """Each panel's curves, by its row's and its own heading; learning rates as the axis names them.

    Curves stand a little beside each other.
    """
    panels: dict[str, list[Points]] = {}
    block = ""
    for axes in found.draw().axes:
        ticks = [float(label.get_text()) for label in axes.get_xticklabels()]
        block = axes.get_ylabel().splitlines()[0] if axes.get_ylabel() else block
        panels[f"{block}: {axes.get_title()}"] = [
            [
                (min(ticks, key=lambda tick: abs(np.log(tick / x))), float(y))
                for x, y in zip(*container.lines[0].get_data(), strict=True)  # type: ignore[attr-defined]
            ]
            for container in axes.containers
        ]
    return panels


@pytest.mark.parametrize(("name", "along"), [("figure5", "first_rate"), ("figure6", "last_rate")])
def test_no_point_of_a_grid_is_hidden(sweep: Sweep, name: str, along: str) -> None:
    rows = _grid(sweep, (*ORDERS, "bbq -> arc_easy"))
    found = EXHIBITS[name](Reading(sweep.storage))
    assert isinstance(found, Exhibit)
    held = {"first_rate": "last_rate", "last_rate": "first_rate"}[along]
    panels = _lines(found)
    assert len(panels) == 6
    points = sorted(point for lines in panels.values() for line in lines for point in line)
    means = rows.groupby(["chain", held, along])["points"].mean().reset_index()
    expected = sorted(zip(means[along], means["points"], strict=True))
    assert np.array(points) == pytest.approx(np.array(expected))
    assert [len(lines) for lines in panels.values()] == [2, 2, 2, 1, 1, 1]


def test_both_orders_stand_in_one_panel(sweep: Sweep, tmp_path: Path) -> None:
    rows = _grid(sweep)
    found = EXHIBITS["figure8"](Reading(sweep.storage))
    assert isinstance(found, Exhibit)
    panels = _lines(found)
    assert len(panels) == 6
    safety, capability = panels["(b) TQA, ARC: first learning rate 0.002"]
    for line, chain in ((safety, ORDERS[0]), (capability, ORDERS[1])):
        own = rows[(rows["chain"] == chain) & (rows["first_rate"] == 2e-3)]
        means = own.groupby("last_rate")["points"].mean()
        assert np.array(line) == pytest.approx(np.array(list(means.items())))
    figure = found.draw()
    assert "mean over 2 seeds; bars: ± sample standard deviation" in figure.get_supxlabel()
    figure.savefig(tmp_path / "figure8.png")
    assert is_framed_in_white(tmp_path / "figure8.png")


def test_one_value_of_the_other_rate_can_be_chosen(sweep: Sweep) -> None:
    _grid(sweep, num_seeds=1)
    found = EXHIBITS["figure8"](Reading(sweep.storage, ((1e-3, 2e-3),)))
    assert isinstance(found, Exhibit)
    assert list(_lines(found)) == [
        "(a) TQA, ARC: second learning rate 0.002",
        "(b) TQA, ARC: first learning rate 0.001",
    ]
    assert "one seed: no error bars" in found.draw().get_supxlabel()
    missing = EXHIBITS["figure8"](Reading(sweep.storage, ((9e-3, 9e-3),)))
    assert missing == Missing("no such panel has the wanted learning rates")


def test_there_is_room_for_ten_panels_of_a_kind(sweep: Sweep) -> None:
    for number, first in product(range(1, 13), (1e-3, 2e-3)):
        rates = (first, number * 1e-4)
        sweep.add("bbq -> csqa", {"bbq": 50, "csqa": 60}, before=90, rates=rates)
    found = EXHIBITS["figure5"](Reading(sweep.storage))
    assert isinstance(found, Exhibit)
    assert found.remark == "left out 2 of 12 panels; choose with --learning-rates"
    assert len(found.draw().axes) == 10


def test_one_rate_of_a_stage_is_no_curve(sweep: Sweep) -> None:
    for rates in ((1e-3, 1e-3), (2e-3, 2e-3)):
        sweep.add("bbq -> csqa", {"bbq": 50, "csqa": 60}, before=90, rates=rates)
    reading = Reading(sweep.storage)
    for name in ("figure5", "figure6", "figure8"):
        found = EXHIBITS[name](reading)
        assert isinstance(found, Missing)
        assert "all else equal" in found.reason


def test_the_effect_is_printed_with_its_interval(sweep: Sweep) -> None:
    """TQA 20 and 24: t with one degree of freedom, 12.706 x 2; Holm over both safety tasks."""
    for task, lost in (("toxigen", (20, 24)), ("bbq", (5, 9))):
        for seed, more in enumerate(lost):
            for rate, points in ((1e-3, 10), (2e-3, 10 + more)):
                accuracies = {task: 95 - points, "csqa": 9}
                chain = f"{task} -> csqa"
                sweep.add(chain, accuracies, before=95, seed=seed, rates=(1e-3, rate))
    found = EXHIBITS["figure6"](Reading(sweep.storage))
    assert isinstance(found, Exhibit)
    assert found.text is not None
    console = Console(width=140, file=StringIO())
    console.print(found.text)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    reach = stats.t.ppf(0.975, 2) * np.sqrt(8 / 2)  # of both tasks, s2 = 8
    (row,) = (line for line in lines if line.startswith("TQA 0.001"))
    interval = f"{22 - reach:.1f} to {22 + reach:.1f}"
    p = 2 * stats.t.sf(22 / 2, 2)
    assert row == f"TQA 0.001 0.002 1 2 22.0 ± 2.8 {interval} {p:.3f} {2 * p:.3f}"
    assert "TQA → CQA, first learning rate 0.001 10.0 ± 0.0 32.0 ± 2.8" in lines
