from __future__ import annotations

import math
from pathlib import Path

import pytest

from analysis.drawing.group_panels import MAX_PANELS, group_panels, select
from analysis.paper.figure3 import picture
from raysweep.errors import InputError
from raysweep.tasks.registry import TASKS
from tests.analysis.pictures import is_framed_in_white
from tests.analysis.sweep_folder import Sweep


def test_groups_are_sorted_by_mean_forgetting(measured: Sweep) -> None:
    """Women: (40 - 10) / 50 and (40 - 14) / 50, that is 60 and 52 points; overall 30 and 26."""
    (panel,) = group_panels(measured.storage)
    assert panel.chain.title == "TQA → ARC"
    assert panel.overall is not None
    assert panel.overall.value == pytest.approx(28)
    assert [cost.group for cost in panel.groups] == ["women", "muslim"]
    women, muslim = panel.groups
    assert women.points
    assert women.biased
    assert muslim.points
    assert muslim.biased
    assert women.points.value == pytest.approx(56)
    assert women.points.deviation == pytest.approx(math.sqrt(32))
    assert women.biased.value == pytest.approx(28)
    assert muslim.points.value == pytest.approx(0)
    assert muslim.biased.value == pytest.approx(-28)
    assert (women.num_examples, women.points.num_seeds) == (50, 2)
    assert panel.chance is None, "there are no predictions"


def test_a_group_whose_interval_excludes_zero_is_marked(sweep: Sweep, tmp_path: Path) -> None:
    """Of 75 points overall women forget 100, men 50, and the third group 75."""
    for seed in (0, 1):
        rows = [("women", True, False)] * 40 + [("men", True, bool(i % 2)) for i in range(40)]
        rows += [("muslim", True, i % 4 == seed) for i in range(40)]
        groups = {"women": (40, 0, 40), "men": (40, 20, 40), "muslim": (40, 10, 40)}
        accuracies = {"toxigen": 25, "csqa": 60}
        sweep.add("toxigen -> csqa", accuracies, groups, before=100, seed=seed, rows=rows)
    (panel,) = group_panels(sweep.storage)
    costs = {cost.group: cost for cost in panel.groups}
    assert [group for group, cost in costs.items() if cost.is_distinct] == ["women", "men"]
    women, muslim = costs["women"].interval, costs["muslim"].interval
    assert women
    assert muslim
    assert 0 < women[0] < 25 < women[1] < 45
    assert muslim[0] < 0 < muslim[1]
    assert panel.is_worst(costs["women"])
    assert not panel.is_worst(costs["men"])
    picture([panel]).savefig(tmp_path / "figure3.png")


def test_groups_that_differ_by_chance_alone_are_not_marked(sweep: Sweep) -> None:
    """One of three forgets most; its few rows say nothing, and have no interval."""
    rows = [("women", True, i % 2 == 0) for i in range(40)]
    rows += [("men", True, i % 2 == 0 or i == 1) for i in range(40)] + [("few", True, False)] * 5
    groups = {"women": (40, 20, 40), "men": (40, 21, 40), "few": (5, 0, 5)}
    accuracies = {"toxigen": 48, "csqa": 60}
    sweep.add("toxigen -> csqa", accuracies, groups, before=100, rows=rows)
    (panel,) = group_panels(sweep.storage)
    few = panel.groups[0]
    assert (few.group, few.interval, few.p, few.is_small) == ("few", None, None, True)
    assert panel.chance
    assert panel.chance.group == "women"
    assert not any(panel.is_worst(cost) or cost.is_distinct for cost in panel.groups)


def test_without_predictions_there_is_no_interval(measured: Sweep) -> None:
    (panel,) = group_panels(measured.storage)
    assert [cost.interval for cost in panel.groups] == [None, None]
    assert not any(cost.is_distinct for cost in panel.groups)


def test_only_safety_tasks_with_groups_have_panels(sweep: Sweep) -> None:
    sweep.add("arc_easy -> toxigen", {"arc_easy": 50, "toxigen": 50}, before=60)
    sweep.add("saferdialogues -> csqa", {"saferdialogues": 50, "csqa": 50}, before=60)
    assert group_panels(sweep.storage) == ()


def _settings(sweep: Sweep, number: int) -> list[tuple[float, float]]:
    rates = [(1e-5 * (1 + index), 1e-5) for index in range(number)]
    for pair in rates:
        for chain in ("toxigen -> csqa", "bbq -> arc_easy", "toxigen -> arc_easy"):
            first, second = chain.split(" -> ")
            groups = {TASKS[first].groups[0]: (30, 20, 50)}
            sweep.add(chain, {first: 50, second: 60}, groups, before=60, rates=pair)
    return rates


def test_panels_beyond_the_limit_are_left_out_by_setting(sweep: Sweep) -> None:
    rates = _settings(sweep, 5)
    selection = select(group_panels(sweep.storage))
    assert len(selection.shown) == MAX_PANELS == 12
    assert [panel.chain.title for panel in selection.shown[:3]] == [
        "TQA → ARC",
        "TQA → CQA",
        "BBQ → ARC",
    ]
    left_out = {panel.chain.setting.learning_rates for panel in selection.left_out}
    assert left_out == {rates[-1]}


def test_learning_rates_choose_panels(sweep: Sweep) -> None:
    _settings(sweep, 5)
    panels = group_panels(sweep.storage)
    selection = select(panels, [(5e-5, 1e-5)])
    assert len(selection.shown) == 3
    assert selection.left_out == ()
    with pytest.raises(InputError, match="'1e-05, 1e-05'"):
        select(panels, [(7e-5, 1e-5)])


@pytest.mark.parametrize("seeds", [1, 2])
def test_nothing_of_the_picture_is_cut(sweep: Sweep, tmp_path: Path, seeds: int) -> None:
    for seed in range(seeds):
        for decay in (0.125, 0.25):
            for task in ("toxigen", "bbq"):
                groups = {
                    group: (90, 10 * index % 90 + seed, 1000)
                    for index, group in enumerate(TASKS[task].groups)
                }
                final = {task: 50, "csqa2": 60}
                chain = f"{task} -> csqa2"
                sweep.add(chain, final, groups, before=60, seed=seed, weight_decay=decay)
    panels = group_panels(sweep.storage)
    for number in (1, 2, 4):
        path = tmp_path / f"{number}.png"
        picture(panels[-number:]).savefig(path)
        assert is_framed_in_white(path)
