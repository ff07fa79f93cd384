"""Table 3 against pandas, with the paper's numbers at its rates."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.data.published import TABLE_3
from analysis.paper.table3 import display, table3
from tests.analysis.frames import frame
from tests.analysis.sweep_folder import Sweep


def _rows(sweep: Sweep) -> dict[tuple[str, float], tuple[float, float | None, int]]:
    return {
        (row.task.name, row.rate): (
            row.accuracy.value,
            row.accuracy.deviation,
            row.accuracy.num_seeds,
        )
        for row in table3(sweep.storage)
        if row.accuracy
    }


def test_mean_and_deviation_over_first_stages(sweep: Sweep) -> None:
    """Stages that two chains begin with count once; shares and mixtures are none of it."""
    rng = np.random.default_rng(2)
    for task in ("bbq", "arc_easy"):
        for rate in (1e-3, 3e-3):
            for seed in range(3):
                right = int(rng.integers(50, 100))
                sweep.add(task, {task: right}, stage=1, rates=(rate,), seed=seed)
                chain = f"{task} -> csqa"
                sweep.add(chain, {task: right}, stage=1, rates=(rate, 1e-3), seed=seed)
    sweep.add("bbq@5%", {"bbq": 1}, stage=1, rates=(1e-3,))
    rows = frame(sweep, "evaluations")
    rows = rows[rows["chain"].isin(["bbq", "arc_easy"])]
    expected = 100 * rows.groupby(["task", "first_rate"])["accuracy"].agg(["mean", "std"])
    found = _rows(sweep)
    assert found.keys() == set(expected.index)
    for key, (mean, deviation, number) in found.items():
        assert (mean, deviation, number) == pytest.approx((*expected.loc[key], 3))


def test_the_papers_rates_stand_among_ours(sweep: Sweep) -> None:
    for rate, right in ((1e-5, 90), (3e-5, 80)):
        sweep.add("toxigen", {"toxigen": right}, stage=1, rates=(rate,))
    sweep.add("csqa", {"csqa": 40}, stage=1, rates=(1e-5,))
    table = display(table3(sweep.storage))
    assert table.sections == (
        (
            ("TQA (50.0)", "1e-06", "–", "–", "73.36"),
            ("TQA (50.0)", "5e-06", "–", "–", "88.07"),
            ("TQA (50.0)", "1e-05", "1", "90.0", "89.87"),
            ("TQA (50.0)", "1.5e-05", "–", "–", "90.75"),
            ("TQA (50.0)", "2e-05", "–", "–", "90.98"),
            ("TQA (50.0)", "3e-05", "1", "80.0", "–"),
        ),
        (("CQA (20.0)", "1e-05", "1", "40.0", "–"),),
    )
    notes = " ".join(table.notes)
    assert "LLaMA-2 7B" in notes
    assert "not trained here" in notes
    assert "deviation" not in notes, "one seed"


def test_what_else_differs_has_a_column(sweep: Sweep) -> None:
    for weight_decay, right in ((0.1, 90), (0.5, 80)):
        accuracies = {"csqa": right}
        sweep.add("csqa", accuracies, stage=1, rates=(1e-3,), weight_decay=weight_decay)
    table = display(table3(sweep.storage))
    assert [column.name for column in table.columns] == [
        "Task", "learning rate", "weight_decay1", "seeds", "accuracy", "paper",
    ]  # fmt: skip
    assert [row[2:] for row in table.rows] == [("0.1", "1", "90.0", "–"), ("0.5", "1", "80.0", "–")]


def test_the_published_numbers() -> None:
    """Means of the paper's five rates, added up by hand from its table."""
    totals = {task: round(sum(rates.values()), 2) for task, rates in TABLE_3.items()}
    assert totals == {"toxigen": 433.03, "bbq": 476.16, "saferdialogues": 484.51}
