"""Figure 2 against pandas, and what its picture shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.catalogue import EXHIBITS
from analysis.data.published import TABLE_1, relative_forgetting
from analysis.exhibit import Exhibit, Missing, Reading
from analysis.paper.figure2 import figure2, picture
from raysweep.tasks.registry import TASKS
from raysweep.tasks.task import Kind
from tests.analysis.frames import forgotten
from tests.analysis.pictures import is_framed_in_white
from tests.analysis.sweep_folder import Sweep

PAIRS = [(s, c) for c in ("arc_easy", "csqa", "csqa2") for s in ("toxigen", "bbq")]


def _fill(sweep: Sweep, rates: tuple[float, float] = (1e-3, 1e-3), num_seeds: int = 3) -> None:
    rng = np.random.default_rng(5)
    for safety, capability in PAIRS:
        for first, second in ((safety, capability), (capability, safety)):
            for seed in range(num_seeds):
                before, lost = int(rng.integers(60, 99)), int(rng.integers(-5, 50))
                after = {first: min(before - lost, 100), second: 80}
                chain = f"{first} -> {second}"
                sweep.add(chain, after, before=before, seed=seed, rates=rates)


def test_means_of_each_seeds_own_ratio(sweep: Sweep) -> None:
    """And not the ratio of means: seeds differ in their accuracy before."""
    _fill(sweep)
    rows = forgotten(sweep).groupby(["chain"])["relative"].agg(["mean", "std"])
    (panel,) = figure2(sweep.storage)
    assert [(bars.safety.name, bars.capability.name) for bars in panel.bars] == PAIRS
    for bars in panel.bars:
        for kind, chain in (
            (Kind.SAFETY, f"{bars.safety.name} -> {bars.capability.name}"),
            (Kind.CAPABILITY, f"{bars.capability.name} -> {bars.safety.name}"),
        ):
            mean = bars.first[kind]
            assert mean is not None
            found = mean.value, mean.deviation, mean.num_seeds
            assert found == pytest.approx((*rows.loc[chain], 3))


def test_the_picture_has_a_bar_for_each_order(sweep: Sweep, tmp_path: Path) -> None:
    _fill(sweep)
    sweep.add("saferdialogues -> csqa2", {"saferdialogues": 45, "csqa2": 60}, before=90)
    panels = figure2(sweep.storage)
    figure = picture(panels)
    (axes,) = figure.axes
    capability, safety = (
        [bar.get_height() for bar in container]
        for container in axes.containers
        if type(container).__name__ == "BarContainer"
    )
    means = [bars.first for bars in panels[0].bars]
    assert capability == [one[Kind.CAPABILITY].value for one in means[:-1]]  # type: ignore[union-attr]
    assert safety == [one[Kind.SAFETY].value for one in means]  # type: ignore[union-attr]
    assert safety[-1] == pytest.approx(50)
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    assert ticks == [f"{TASKS[c].title}\n{TASKS[s].title}" for s, c in PAIRS] + ["CQA2\nSD"]
    figure.savefig(tmp_path / "figure2.png")
    assert is_framed_in_white(tmp_path / "figure2.png")
    caption = figure.get_supxlabel().replace("\n", " ")
    assert "mean over 1 to 3 seeds" in caption
    assert "sample standard deviation" in caption
    assert "not measured" in caption


def test_one_seed_has_no_error_bars_and_says_so(sweep: Sweep) -> None:
    _fill(sweep, num_seeds=1)
    figure = picture(figure2(sweep.storage))
    assert "one seed: no error bars" in figure.get_supxlabel()
    kinds = {type(one).__name__ for one in figure.axes[0].containers}
    assert kinds == {"BarContainer"}


def test_settings_with_one_learning_rate_are_shown_and_others_on_demand(sweep: Sweep) -> None:
    for rates in ((1e-3, 1e-3), (2e-3, 2e-3), (1e-3, 2e-3)):
        _fill(sweep, rates, num_seeds=1)
    found = EXHIBITS["figure2"](Reading(sweep.storage))
    assert isinstance(found, Exhibit)
    assert found.remark == "left out 1 of 3 settings; choose with --learning-rates"
    assert [axes.get_title() for axes in found.draw().axes] == [
        "lr 0.001, 0.001",
        "lr 0.002, 0.002",
    ]
    wanted = EXHIBITS["figure2"](Reading(sweep.storage, ((1e-3, 2e-3),)))
    assert isinstance(wanted, Exhibit)
    assert len(wanted.draw().axes) == 1
    other = EXHIBITS["figure2"](Reading(sweep.storage, ((5e-3, 2e-3),)))
    assert other == Missing("no pair was trained at the wanted learning rates")


def test_nothing_learned_has_no_relative_forgetting(sweep: Sweep) -> None:
    sweep.add("toxigen -> csqa", {"toxigen": 0, "csqa": 60}, before=0)
    assert figure2(sweep.storage) == ()


def test_the_papers_numbers_follow_from_its_table() -> None:
    """BBQ, then ARC: 43.45 of 54.56 + 43.45; on the whole safety is forgotten more."""
    safety, capability = relative_forgetting("bbq", "arc_easy") or (0, 0)
    assert safety == pytest.approx(100 * 43.45 / 98.01)
    assert capability == pytest.approx(100 * 1.02 / 77.21)
    for pair in TABLE_1:
        safety, capability = relative_forgetting(*pair) or (0, 0)
        assert safety > capability or pair == ("saferdialogues", "csqa2"), pair
    assert relative_forgetting("bbq", "my_task") is None
