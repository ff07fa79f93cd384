"""Matrices whose numbers are worked out by hand, and drawn ones against a second reading."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from raysweep.measures.forgetting import Accuracy, overall_forgetting
from raysweep.measures.transfer import TransferMatrix


def matrix(rows: list[list[float]], learned_at: dict[str, int]) -> TransferMatrix:
    """From a row per stage, from 0, and the tasks' columns in the order of `learned_at`."""
    cells = {
        (stage, task): row[place]
        for stage, row in enumerate(rows)
        for place, task in enumerate(learned_at)
    }
    return TransferMatrix(len(rows) - 1, learned_at, cells)


def test_three_tasks_by_hand() -> None:
    """The middle task is known best after the third stage: before the last, after its own."""
    found = matrix(
        [[0.2, 0.3, 0.1, 0.2],
         [0.9, 0.4, 0.1, 0.2],
         [0.6, 0.7, 0.2, 0.2],
         [0.8, 0.9, 0.8, 0.5],
         [0.5, 0.6, 0.7, 0.9]],
        {"a": 1, "b": 2, "c": 3, "d": 4},
    )  # fmt: skip
    assert found.average_accuracy == pytest.approx((0.5 + 0.6 + 0.7 + 0.9) / 4)
    assert found.average_forgetting == pytest.approx((0.4 + 0.3 + 0.1) / 3)
    assert found.backward_transfer == pytest.approx((-0.4 - 0.1 - 0.1) / 3)
    assert found.forward_transfer == pytest.approx((0.1 + 0.1 + 0.3) / 3)


def test_a_task_may_be_known_best_before_it_is_learned() -> None:
    found = matrix([[0.5, 0.9], [0.8, 0.95], [0.7, 0.6], [0.7, 0.5]], {"a": 1, "b": 2})
    assert found.average_forgetting == pytest.approx((0.1 + 0.45) / 2), "not since the base, 0.9"
    assert found.backward_transfer == pytest.approx((-0.1 - 0.1) / 2)


def test_a_replayed_task_counts_once_and_since_its_first_stage() -> None:
    """a -> b -> a: the last stage is a's second."""
    found = matrix([[0.5, 0.4], [0.9, 0.3], [0.6, 0.8], [0.85, 0.7]], {"a": 1, "b": 2})
    assert found.average_accuracy == pytest.approx((0.85 + 0.7) / 2)
    assert found.average_forgetting == pytest.approx((0.05 + 0.1) / 2)
    assert found.backward_transfer == pytest.approx((-0.05 - 0.1) / 2)
    assert found.forward_transfer == pytest.approx(-0.1)


def test_since_the_best_of_two_stages_of_a_task() -> None:
    """a -> b -> a -> c: a is best after its second stage, equation 1 is since its first."""
    rows = [[0.5, 0.4, 0.3], [0.8, 0.4, 0.3], [0.6, 0.9, 0.3], [0.95, 0.9, 0.3], [0.7, 0.9, 0.9]]
    found = matrix(rows, {"a": 1, "b": 2, "c": 4})
    assert found.average_forgetting == pytest.approx((0.25 + 0) / 2)
    assert found.backward_transfer == pytest.approx((-0.1 + 0) / 2)


def test_a_task_that_is_never_learned_is_in_no_number() -> None:
    found = TransferMatrix(
        2, {"a": 1}, {(1, "a"): 0.9, (2, "a"): 0.6, (1, "b"): 0.1, (2, "b"): 0.2}
    )
    assert found.is_complete
    assert found.average_accuracy == 0.6
    assert found.average_forgetting == pytest.approx(0.3)
    assert found.forward_transfer is None


def test_one_stage_has_nothing_to_forget() -> None:
    found = TransferMatrix(1, {"a": 1}, {(1, "a"): 0.9})
    assert found.average_accuracy == 0.9
    assert found.average_forgetting is None
    assert found.backward_transfer is None
    assert found.forward_transfer is None


def test_without_the_base_there_is_no_forward_transfer() -> None:
    cells = {(1, "a"): 0.9, (2, "a"): 0.6, (1, "b"): 0.3, (2, "b"): 0.8}
    learned = {"a": 1, "b": 2}
    assert TransferMatrix(2, learned, cells).forward_transfer is None
    with_base = TransferMatrix(2, learned, cells | {(0, "b"): 0.25})
    assert with_base.forward_transfer == pytest.approx(0.05)


@pytest.mark.parametrize("missing", [(1, "a"), (2, "a"), (3, "a"), (2, "b"), (3, "b")])
def test_every_stage_since_a_task_is_learned_is_needed(missing: tuple[int, str]) -> None:
    found = matrix([[0.5, 0.5]] * 4, {"a": 1, "b": 2})
    assert found.is_complete
    cells = {cell: value for cell, value in found.accuracies.items() if cell != missing}
    assert not TransferMatrix(3, found.learned_at, cells).is_complete
    before = {cell: value for cell, value in found.accuracies.items() if cell != (1, "b")}
    assert TransferMatrix(3, found.learned_at, before).is_complete


def test_two_stages_forget_by_equation_1() -> None:
    found = matrix([[0.5, 0.25], [0.9, 0.3], [0.65, 0.8]], {"a": 1, "b": 2})
    lost = overall_forgetting(Accuracy(90, 100), Accuracy(65, 100)).forgetting
    assert found.average_forgetting == pytest.approx(lost)
    assert found.backward_transfer == pytest.approx(-(lost or 0))


def test_drawn_matrices_against_a_data_frame() -> None:
    rng = np.random.default_rng(0)
    for num_stages in (2, 3, 5):
        tasks = [f"t{number}" for number in range(1, num_stages + 1)]
        frame = pd.DataFrame(rng.random((num_stages + 1, num_stages)), columns=tasks)
        found = matrix(frame.to_numpy().tolist(), {t: n for n, t in enumerate(tasks, start=1)})
        last, earlier = frame.iloc[-1], tasks[:-1]
        lost = (frame.iloc[1:-1].max() - last)[earlier].mean()
        own = pd.Series({task: frame.loc[n, task] for n, task in enumerate(tasks, start=1)})
        right_before = pd.Series({task: frame.loc[n, task] for n, task in enumerate(tasks)})
        assert found.average_accuracy == pytest.approx(last.mean())
        assert found.average_forgetting == pytest.approx(lost)
        assert found.backward_transfer == pytest.approx((last - own)[earlier].mean())
        assert found.forward_transfer == pytest.approx((right_before - frame.iloc[0])[1:].mean())
