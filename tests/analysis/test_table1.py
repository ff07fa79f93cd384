from __future__ import annotations

import math

import pytest

from analysis.data.mean import Mean
from analysis.paper.table1 import display, table1
from tests.analysis.sweep_folder import Sweep


def _same(mean: object, value: float, deviation: float | None, num_seeds: int) -> None:
    assert isinstance(mean, Mean)
    assert mean.num_seeds == num_seeds
    assert mean.value == pytest.approx(value)
    assert (
        mean.deviation is None if deviation is None else mean.deviation == pytest.approx(deviation)
    )


def test_both_orders_over_two_seeds(measured: Sweep) -> None:
    """Seeds 60/100 and 64/100 after 90/100: mean 62, deviation sqrt(8); forgetting 30 and 26."""
    row = table1(measured.storage)[0]
    assert (row.chain.capability.name, row.chain.safety.name) == ("arc_easy", "toxigen")
    assert row.chances == (25.0, 50.0)
    _same(row.safety_first.safety, 62, math.sqrt(8), 2)
    _same(row.safety_first.capability, 80, 0, 2)
    _same(row.safety_first.forgetting, 28, math.sqrt(8), 2)
    _same(row.capability_first.capability, 78, 0, 2)
    _same(row.capability_first.safety, 91, 0, 2)
    _same(row.capability_first.forgetting, -1, 0, 2)


def test_one_order_alone(measured: Sweep) -> None:
    """Accuracy 20/100 with one answer for all rows; 95/100 by a judge, without chance."""
    row = table1(measured.storage)[1]
    assert (row.chain.capability.title, row.chain.safety.title) == ("CQA", "SD")
    assert row.chances == (20.0, None)
    _same(row.capability_first.capability, 20, None, 1)
    _same(row.capability_first.forgetting, 50, None, 1)
    assert row.capability_first.constant == {"capability"}
    assert row.safety_first.num_seeds == 0


def test_replay_and_shares_are_no_pairs(measured: Sweep) -> None:
    assert len(table1(measured.storage)) == 2


def test_cells(measured: Sweep) -> None:
    table = display(table1(measured.storage))
    assert [column.name for column in table.columns] == [
        "Capability", "Safety", "seeds",
        "Acc_cap", "Acc_safety", "Forgetting_cap",
        "Acc_cap", "Acc_safety", "Forgetting_safety",
    ]  # fmt: skip
    assert table.sections == (
        (
            (
                "ARC (25.0)", "TQA (50.0)", "2",
                "78.0 ± 0.0", "91.0 ± 0.0", "-1.0 ± 0.0",
                "80.0 ± 0.0", "62.0 ± 2.8", "28.0 ± 2.8",
            ),
        ),
        (("CQA (20.0)", "SD", "1", "20.0!", "95.0", "50.0", "–", "–", "–"),),
    )  # fmt: skip
    notes = "\n".join(table.notes)
    for note in ("0.001, 0.001", "standard deviation", "! every test row", "– not measured"):
        assert note in notes


def test_each_setting_is_a_row_of_its_own(sweep: Sweep) -> None:
    for rates, final in [((1e-3, 1e-4), 70), ((1e-4, 1e-3), 50)]:
        sweep.add("bbq -> csqa2", {"bbq": final, "csqa2": 60}, before=90, rates=rates)
    table = display(table1(sweep.storage))
    assert [column.name for column in table.columns[2:4]] == ["lr1", "lr2"]
    assert [row[2:] for row in table.sections[0]] == [
        ("0.0001", "0.001", "–", "–", "–", "60.0", "50.0", "40.0"),
        ("0.001", "0.0001", "–", "–", "–", "60.0", "70.0", "20.0"),
    ]
    assert not any("standard deviation" in note for note in table.notes)


def test_other_hyperparameters_that_differ_get_columns(sweep: Sweep) -> None:
    for weight_decay in (0.5, 0.1):
        sweep.add("bbq -> csqa", {"bbq": 50, "csqa": 60}, before=90, weight_decay=weight_decay)
    table = display(table1(sweep.storage))
    assert [column.name for column in table.columns[2:4]] == ["weight_decay1", "weight_decay2"]
    assert [row[2:4] for row in table.sections[0]] == [("0.1", "0.1"), ("0.5", "0.5")]


def test_orders_with_different_numbers_of_seeds(sweep: Sweep) -> None:
    for seed in (0, 1):
        sweep.add("bbq -> csqa", {"bbq": 50, "csqa": 60}, before=90, seed=seed)
    sweep.add("csqa -> bbq", {"bbq": 50, "csqa": 60}, before=70)
    assert display(table1(sweep.storage)).sections[0][0][2] == "1/2"


def test_unfinished_trials_have_no_row(sweep: Sweep) -> None:
    sweep.add("bbq -> csqa", {"bbq": 90, "csqa": 20}, stage=1)
    assert table1(sweep.storage) == ()
