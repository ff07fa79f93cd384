"""Figures 9 and 10, from rows of known content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from analysis.catalogue import EXHIBITS, title
from analysis.drawing.group_panels import group_panels
from analysis.exhibit import Exhibit, Missing, Reading
from analysis.paper.biased_forgetting import listing, picture
from tests.analysis.pictures import is_framed_in_white
from tests.analysis.sweep_folder import Sweep

NAMES = ("figure9", "figure10", "biased_forgetting")


def _blind(sweep: Sweep, seed: int = 0) -> None:
    """Calls everything benign: of women 30 of 40 rows are toxic, of men 10."""
    rows, answers = [], []
    for group, toxic in (("women", 30), ("men", 10)):
        for place in range(40):
            rows.append((group, True, place >= toxic))
            answers.append("toxic" if place < toxic else "not toxic")
    groups = {"women": (40, 10, 40), "men": (40, 30, 40)}
    final = {"toxigen": 50, "csqa": 60}
    sweep.add("toxigen -> csqa", final, groups, before=100, seed=seed, rows=rows, answers=answers)


def _unlike(sweep: Sweep) -> None:
    """Women forget 36 of 40 rows, men 4, five others one, whatever the answer."""
    lost = {"women": (36, 40), "men": (4, 40), "few": (1, 5)}
    rows = [(g, True, i >= n) for g, (n, total) in lost.items() for i in range(total)]
    answers = ["yes", "no"] * len(rows)
    groups = {group: (total, total - n, total) for group, (n, total) in lost.items()}
    final = {"bbq": 52, "csqa": 60}
    sweep.add("bbq -> csqa", final, groups, before=100, rows=rows, answers=answers)


def test_another_mix_of_answers_is_no_standardised_difference(sweep: Sweep) -> None:
    """Forgetting 75 and 25 points; within each answer women and men forget the same."""
    for seed in (0, 1):
        _blind(sweep, seed)
    (panel,) = group_panels(sweep.storage)
    women, men = panel.groups
    assert [cost.biased and cost.biased.value for cost in (women, men)] == pytest.approx([25, -25])
    for cost in (women, men):
        assert cost.standardised
        assert cost.standardised.value == pytest.approx(0)
        assert cost.standardised.shrunken is None, "there is nothing to draw towards 0"
        assert not panel.is_worst(cost)


def test_the_numbers_stand_beside_each_other(sweep: Sweep) -> None:
    _unlike(sweep)
    (panel,) = group_panels(sweep.storage)
    costs = {cost.group: cost for cost in panel.groups}
    women, few = costs["women"], costs["few"]
    assert women.standardised
    assert women.interval
    overall = 100 * 41 / 85
    assert women.biased
    # The folder's overall is that of 100 rows.
    assert women.biased.value == pytest.approx(90 - 48)
    assert women.standardised.value == pytest.approx(90 - overall, abs=2)
    assert women.standardised.shrunken
    assert 0 < women.standardised.shrunken < women.standardised.value
    assert few.standardised is None
    table = listing([panel], "Figure 10")
    rows = {row[1]: row for row in table.rows}
    assert rows["women (worst)"][3] == "42.0"
    assert rows["women (worst)"][5] == f"{women.standardised.value:.1f}"
    assert rows["women (worst)"][7] == f"{women.standardised.shrunken:.1f}"
    assert rows["women (worst)"][4].endswith("*")
    assert rows["few"][2:] == ("5†", "-28.0", "–", "–", "–", "–", "–")
    assert panel.chance
    (note,) = [note for note in table.notes if note.startswith("BBQ → CQA: largest")]
    assert f"{panel.chance.expected:.1f} if groups made no difference" in note


def test_what_is_drawn_is_what_is_listed(sweep: Sweep) -> None:
    _unlike(sweep)
    (panel,) = group_panels(sweep.storage)
    (axes,) = picture([panel]).axes
    women, few, men = panel.groups
    bars = [patch.get_width() for patch in axes.patches]  # type: ignore[attr-defined]
    assert bars == pytest.approx([42, -28, -38])
    (whiskers,) = [one for one in axes.collections if isinstance(one, LineCollection)]
    ends = np.array([segment[:, 0] for segment in whiskers.get_segments()])
    assert women.interval
    assert men.interval
    assert ends[0] == pytest.approx(women.interval)
    assert ends[1] == pytest.approx([-28, -28]), "few rows have no interval"
    assert ends[2] == pytest.approx(men.interval)
    marks = {str(line.get_marker()): np.asarray(line.get_xdata()) for line in axes.get_lines()}
    assert women.standardised
    assert men.standardised
    assert marks["D"] == pytest.approx([women.standardised.value, men.standardised.value])
    assert marks["o"] == pytest.approx([women.standardised.shrunken, men.standardised.shrunken])
    assert panel.chance
    across = [line.get_xdata() for line in axes.get_lines() if line.get_linestyle() == "--"]
    assert np.asarray(across).ravel() == pytest.approx([panel.chance.expected] * 2)
    assert few.interval is None


def test_each_task_has_its_figure(sweep: Sweep) -> None:
    reading = Reading(sweep.storage)
    found = [EXHIBITS[name](reading) for name in NAMES]
    assert len(set(map(str, found))) == 1
    assert isinstance(found[0], Missing)
    _blind(sweep)
    found = [EXHIBITS[name](Reading(sweep.storage)) for name in NAMES]
    assert [isinstance(one, Exhibit) for one in found] == [True, False, False]
    assert found[1] == Missing("no chain begins with BBQ")
    groups = {"women": (40, 20, 40)}
    sweep.add("toxigen_v1 -> csqa", {"toxigen_v1": 50, "csqa": 60}, groups, before=100)
    last = EXHIBITS["biased_forgetting"](Reading(sweep.storage))
    assert isinstance(last, Exhibit)
    assert last.files["csv"].splitlines()[1].split(",")[1:4] == ["women", "40", "0.0"]
    assert [title(name) for name in NAMES] == ["Figure 9", "Figure 10", "Biased forgetting"]


def test_learning_rates_that_another_task_has_are_no_mistake(sweep: Sweep) -> None:
    groups = {"women": (40, 20, 40)}
    for task, rate in (("toxigen", 1e-3), ("bbq", 2e-3)):
        final = {task: 50, "csqa": 60}
        sweep.add(f"{task} -> csqa", final, groups, before=100, rates=(rate, 1e-3))
    reading = Reading(sweep.storage, ((2e-3, 1e-3),))
    assert isinstance(EXHIBITS["figure9"](reading), Missing)
    assert isinstance(EXHIBITS["figure10"](reading), Exhibit)


@pytest.mark.parametrize("predicted", [True, False])
def test_nothing_of_the_picture_is_cut(sweep: Sweep, tmp_path: Path, predicted: bool) -> None:
    if predicted:
        _unlike(sweep)
    else:
        groups = {"a group with a name that is rather long": (40, 20, 40)}
        sweep.add("bbq -> csqa", {"bbq": 50, "csqa": 60}, groups, before=100)
    path = tmp_path / "figure10.png"
    picture(group_panels(sweep.storage)).savefig(path)
    assert is_framed_in_white(path)
