"""The table `answers` against counting row by row."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raysweep.api.results import open_results
from raysweep.results.tables import DERIVED, write_trial
from raysweep.store.storage import Storage

ANSWERS = ("A", "B", "C")


def rows_of(trial: str, seed: int) -> list[dict[str, Any]]:
    """Sixty rows of a task after each of three stages, and of a generated one."""
    rng = np.random.default_rng(seed)
    right = rng.choice(ANSWERS, 60)
    made = []
    for stage in (0, 1, 2):
        for number in range(60):
            given = str(rng.choice(ANSWERS[: 3 - stage]))
            made.append(
                {
                    "trial": trial,
                    "stage": stage,
                    "stage_task": "bbq" if stage else None,
                    "task": "bbq",
                    "example_id": f"{number}",
                    "groups": ["age", "ses"] if number % 5 == 0 else ["age"] * (number % 2),
                    "answer": str(right[number]),
                    "prediction": given,
                    "correct": given == right[number],
                    "log_probabilities": [-1.0, -2.0, -3.0],
                }
            )
    generated = {"task": "saferdialogues", "prediction": "Sorry.", "log_probabilities": []}
    return [*made, {**made[-1], **generated}]


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, list[dict[str, Any]]]:
    rows = []
    for seed, trial in enumerate(("one", "two")):
        own = rows_of(trial, seed)
        lost = [{"trial": trial, "task": "bbq", "stage": 2, "learned_at": 1, "group": "overall"}]
        write_trial(Storage.open(tmp_path), trial, {"predictions": own, "forgetting": lost})
        rows += own
    return tmp_path, rows


def test_answers_are_counted_as_right_and_as_given(
    written: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, rows = written
    right, hit, given, sizes = Counter[Any](), Counter[Any](), Counter[Any](), Counter[Any]()
    for row in rows:
        for group in (*row["groups"], "overall") if row["task"] == "bbq" else ():
            place = row["trial"], row["stage"], group
            right[*place, row["answer"]] += 1
            hit[*place, row["answer"]] += row["correct"]
            given[*place, row["prediction"]] += 1
            sizes[place] += 1
    table = open_results(folder).table("answers")
    assert table.schema.names == DERIVED["answers"].names
    found = table.to_pylist()
    assert {row["task"] for row in found} == {"bbq"}
    assert len(found) == len(right | given)
    for row in found:
        place = row["trial"], row["stage"], row["group"]
        key = (*place, row["answer"])
        assert (row["num_examples"], row["num_correct"], row["num_given"]) == (
            right[key], hit[key], given[key],
        )  # fmt: skip
        assert row["share_given"] == pytest.approx(given[key] / sizes[place])
        accuracy = hit[key] / right[key] if right[key] else None
        assert row["accuracy"] == accuracy
        earlier = (row["trial"], 1, row["group"], row["answer"])
        if row["stage"] == 2 and accuracy is not None:
            assert row["forgetting"] == pytest.approx(hit[earlier] / right[earlier] - accuracy)
        else:
            assert row["forgetting"] is None
