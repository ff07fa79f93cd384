"""What a plan could find: counted from its rows, chains and seeds."""

from __future__ import annotations

import json
import sys
from collections import Counter

import pytest

from raysweep.cli.app import main
from raysweep.plan.power import group_power, power_lines
from raysweep.statistics.clusters import ClusterCorrelation
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


def test_rows_of_templates_tell_less_than_rows_of_their_own() -> None:
    """BBQ's: 108 rows of a group from 6 templates of 13 to 29 rows."""
    made = plan(data={"num_train": 100}, chains=[["bbq", "csqa2"]], stages={}, seeds=[0, 1])
    (found,) = group_power(made, 0.2, icc=0.3)
    test = made.splits["bbq"].test
    own = Counter(example.cluster for example in test if example.groups == (found.group,))
    everyone = Counter(example.cluster for example in test)
    weights = [own[cluster] / 108 - everyone[cluster] / len(test) for cluster in everyone]
    rows = sum(weight**2 for weight in weights) / (1 / 108 - 1 / len(test))
    assert rows == pytest.approx(sum(n**2 for n in own.values()) / 108, rel=0.02), "as Kish's"
    assert found.num_clusters == 54
    assert found.design_effect == pytest.approx(1 + (rows - 1) * 0.3)
    alone = group_power(made, 0.2, icc=0.0)[0]
    assert found.detectable > 2 * alone.detectable
    assert alone.design.error == pytest.approx(Design(108, 9, 2).error)
    text = " ".join(" ".join(power_lines([found])).split())
    assert "from 54 templates, in which rows correlate by 0.3 (assumed: --icc): design" in text
    assert f"1 + ({rows:.1f} - 1) x 0.3 = {found.design_effect:.1f} for {found.group}" in text


def test_what_was_measured_counts_before_what_is_assumed() -> None:
    made = plan(data={"num_train": 100}, chains=[["bbq", "csqa2"]], stages={})
    (found,) = group_power(made, 0.2, measured={"bbq": ClusterCorrelation(0.25, 0.04, 54)})
    assert found.design.icc == 0.25
    assert "by 0.25 (measured: 0.25, standard error 0.04)" in " ".join(power_lines([found]))
    (none,) = group_power(made, 0.2, measured={"bbq": ClusterCorrelation(-0.01, 0.04, 54)})
    assert none.design_effect == 1
    assert "by 0 (measured: -0.01, standard error 0.04)" in " ".join(power_lines([none]))


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
    assert {one["task"]: one["num_clusters"] for one in numbers} == {"toxigen": None, "bbq": 270}
