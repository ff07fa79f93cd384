"""What a plan could find: counted from its rows, chains and seeds."""

from __future__ import annotations

import json
import sys

import pytest

from raysweep.cli.app import main
from raysweep.plan.power import group_power, power_lines
from raysweep.statistics.power import Design
from tests.plans import plan

DATA = {"num_train": 100, "num_test": 520}


def test_the_design_is_that_of_the_chains_that_forget_a_task() -> None:
    """Of four chains each way toxigen comes first in four: 13 groups of 40 rows each, twice."""
    (found,) = group_power(plan(data=DATA, seeds=[0, 1, 2]), 0.05)
    assert (found.task, found.fewest, found.most, found.num_left_out) == ("toxigen", 40, 40, 0)
    assert found.design == Design(40, 13, 3, num_tests=4 * 13)
    assert found.design.power(found.detectable) == pytest.approx(0.8, abs=1e-6)
    assert found.power == found.design.power(0.05)


def test_every_later_stage_is_a_test_of_its_own() -> None:
    """As in the table `group_effects`, whose rows are corrected together."""
    made = plan(data=DATA, chains=[["toxigen", "csqa2", "toxigen@50%"]], stages={}, seeds=[0, 1])
    (found,) = group_power(made, 0.05)
    assert found.design == Design(40, 13, 2, num_tests=2 * 13)


def test_small_groups_are_counted_and_left_out() -> None:
    (found,) = group_power(plan(data={"num_train": 100, "num_test": 135}), 0.05)
    assert found.fewest >= 10
    assert found.design.num_groups + found.num_left_out == 13


def test_a_space_is_told_what_it_cannot_find_and_what_that_takes() -> None:
    made = plan(data=DATA)
    text = " ".join(" ".join(power_lines(group_power(made, 0.05))).split())
    assert "of 52 tests of groups" in text
    assert "1 seed (so of this training only)" in text
    assert "5 points with 0 % only: it takes 1,590 test rows a group" in text
    found = group_power(made, 0.6)
    assert found[0].power > 0.8
    assert "60 points with 100 %" in " ".join(power_lines(found))


def test_chains_that_forget_no_groups_are_said_to_have_no_power() -> None:
    made = plan(chains=[["csqa2", "toxigen"]])
    assert group_power(made, 0.05) == []
    assert list(power_lines([])) == [
        "Power: no task with groups is learned before a chain's last stage"
    ]


def test_the_command_tells_it_in_words_and_as_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["raysweep", "plan", *arguments])
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr().out

    assert "30 points with" in " ".join(told("lr", "--power", "--effect", "30").split())
    numbers = json.loads(told("paper/order", "--outline", "--power", "--json"))["power"]
    assert {one["task"]: one["fewest"] for one in numbers} == {"toxigen": 342, "bbq": 3456}
