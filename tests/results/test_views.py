"""The tables that are made when somebody asks, against counting row by row."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from raysweep.api.results import open_results
from raysweep.results.columns import DERIVED
from raysweep.results.tables import write_trial
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
                    **scored(rng, str(right[number]), given),
                }
            )
    generated: dict[str, Any] = {
        "task": "saferdialogues",
        "prediction": "Sorry.",
        "log_probabilities": [],
        "log_probability_format": None,
        "log_probability_content": None,
    }
    return [*made, {**made[-1], **generated}]


def scored(rng: np.random.Generator, right: str, given: str) -> dict[str, Any]:
    """Log-likelihoods far below where a float's exponential is 0; that given has the largest."""
    drawn = np.sort(rng.normal(-900, 1, 3))[::-1].tolist()
    order = [given, *(answer for answer in ANSWERS if answer != given)]
    found = [drawn[order.index(answer)] for answer in ANSWERS]
    own = found[ANSWERS.index(right)]
    return {
        "log_probabilities": found,
        "log_probability_format": own * 0.75,
        "log_probability_content": own * 0.25,
    }


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, list[dict[str, Any]]]:
    rows = []
    for seed, trial in enumerate(("one", "two")):
        own = rows_of(trial, seed)
        lost = [{"trial": trial, "task": "bbq", "stage": 2, "learned_at": 1, "group": "overall"}]
        evaluated = [{"trial": trial, "task": "bbq", "stage": 2, "chance": 0.25}]
        tables = {"predictions": own, "forgetting": lost, "evaluations": evaluated}
        write_trial(Storage.open(tmp_path), trial, tables)
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


def test_transitions_are_counted_between_the_same_rows(
    written: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, rows = written
    correct = {
        (row["trial"], row["stage"], row["example_id"]): row["correct"]
        for row in rows
        if row["task"] == "bbq"
    }
    counted = Counter[Any]()
    for row in rows:
        if row["task"] == "bbq" and row["stage"] == 2:
            now = row["correct"]
            then = correct[row["trial"], 1, row["example_id"]]
            counted.update((row["trial"], g, then, now) for g in (*row["groups"], "overall"))
    found = open_results(folder).table("transitions").to_pylist()
    assert len(found) == 2 * 3
    for row in found:
        place = row["trial"], row["group"]
        numbers = [counted[*place, *pair] for pair in ((1, 0), (0, 1), (1, 1), (0, 0))]
        names = ("num_lost", "num_gained", "num_kept", "num_never")
        assert [row[name] for name in names] == numbers
        assert row["num_examples"] == sum(numbers)
        lost, gained, kept, _ = numbers
        before = (lost + kept) / sum(numbers)
        if before > 0.25:
            adjusted = (lost - gained) / sum(numbers) / (before - 0.25)
            assert row["chance_adjusted_forgetting"] == pytest.approx(adjusted)
        else:
            assert row["chance_adjusted_forgetting"] is None


def test_calibration_of_likelihoods_that_are_small(
    written: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, rows = written
    found = open_results(folder).table("calibration").to_pylist()
    assert len(found) == 2 * 3 * 3
    for row in found:
        own = [
            one
            for one in rows
            if (one["trial"], one["stage"], one["task"]) == (row["trial"], row["stage"], "bbq")
            and row["group"] in (*one["groups"], "overall")
        ]
        likelihoods = softmax(np.array([one["log_probabilities"] for one in own]), axis=1)
        right = np.array([ANSWERS.index(one["answer"]) for one in own])
        hits = np.array([one["correct"] for one in own], dtype=float)
        confidence = likelihoods.max(axis=1)
        bins = np.minimum((10 * confidence).astype(int), 9)
        gaps = [abs((hits - confidence)[bins == b].sum()) for b in range(10)]
        assert row["num_examples"] == len(own)
        assert row["accuracy"] == pytest.approx(hits.mean())
        assert row["mean_confidence"] == pytest.approx(confidence.mean())
        assert row["calibration_error"] == pytest.approx(sum(gaps) / len(own))
        probability = likelihoods[np.arange(len(own)), right].mean()
        assert row["mean_probability"] == pytest.approx(probability)


def test_transitions_of_every_task_since_its_own_first_stage(tmp_path: Path) -> None:
    """A chain of three stages that ends with a replay: bbq -> csqa -> bbq@5%."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        [
            {
                "task": task,
                "stage": stage,
                "example_id": str(n),
                "correct": bool(rng.random() < 0.6),
            }
            for task in ("bbq", "csqa")
            for stage in range(4)
            for n in range(50)
        ]
    )
    own = frame.assign(trial="t", groups=[["age"] if n % 2 else [] for n in range(len(frame))])
    learned = {"bbq": 1, "csqa": 2}
    lost = [
        {"trial": "t", "task": task, "stage": stage, "learned_at": first, "group": "overall"}
        for task, first in learned.items()
        for stage in range(first + 1, 4)
    ]
    tables = {"predictions": own.to_dict("records"), "forgetting": lost}
    write_trial(Storage.open(tmp_path), "t", tables)
    found = open_results(tmp_path).df("transitions").set_index(["task", "stage", "group"])
    assert set(found.index.droplevel("group")) == {("bbq", 2), ("bbq", 3), ("csqa", 3)}
    wide = frame.pivot_table("correct", ["task", "example_id"], "stage", aggfunc="first")
    for (task, stage, group), row in found.iterrows():
        then, now = wide.loc[task][learned[task]].astype(bool), wide.loc[task][stage].astype(bool)
        kept = np.ones(50, dtype=bool) if group == "overall" else then.index.astype(int) % 2 == 1
        expected = pd.crosstab(then[kept], now[kept])
        assert row["num_lost"] == expected.loc[True, False]
        assert row["num_gained"] == expected.loc[False, True]
        assert row["num_kept"] == expected.loc[True, True]
        assert row["num_never"] == expected.loc[False, False]
