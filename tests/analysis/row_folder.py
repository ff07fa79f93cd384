"""Result folders with test rows: chains of any length, whose tables agree with their rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from raysweep.results.tables import write_trial
from raysweep.space.chains import Chain
from raysweep.store.storage import Storage
from raysweep.tasks.registry import TASKS

Row = dict[str, Any]
GROUPS = {"toxigen": ("asian", "women"), "bbq": ("age", "religion")}


def drawn_rows(
    task: str,
    rates: Sequence[float],
    rng: np.random.Generator,
    number: int = 60,
    templates: int = 0,
) -> list[list[Row]]:
    """Rows of a task after each stage from 0, right at these rates, with likelihoods to match."""
    groups = GROUPS.get(task, ())
    num_answers = max(len(TASKS[task].labels), 2)
    return [
        [
            {
                "task": task,
                "example_id": f"{task}-{index}",
                "groups": [groups[index % len(groups)]] if groups else [],
                "subset": "all",
                "cluster": f"t{index % templates}" if templates else "",
                **_scored(bool(rng.random() < rate), num_answers, rng),
            }
            for index in range(number)
        ]
        for rate in rates
    ]


def add_chain(
    folder: Storage,
    chain: str,
    stages: Mapping[str, list[list[Row]]],
    seed: int = 0,
    rates: Sequence[float] | None = None,
    num_finished: int | None = None,
) -> str:
    """Writes a trial with evaluations and forgetting counted from its rows; gives its name.

    Args:
        stages: of each task the rows after each stage, from 0.
        num_finished: stages that have been trained; all by default.
    """
    parsed = Chain.parse(chain)
    rates = rates or [1e-3] * len(parsed)
    trial = f"{chain.replace(' -> ', '-').replace(' + ', '_')}-{rates}-{seed}"
    common: Row = {
        "sweep": "s",
        "trial": trial,
        "chain": chain,
        "seed": seed,
        "settings": json.dumps(
            [{"stage": str(m), "learning_rate": r} for m, r in zip(parsed, rates, strict=True)]
        ),
        "learning_rates": list(rates),
    }
    last = len(parsed) if num_finished is None else num_finished
    tables: dict[str, list[Row]] = {"evaluations": [], "forgetting": [], "predictions": []}
    for task, after in stages.items():
        about = {"title": TASKS[task].title, "kind": TASKS[task].kind.value}
        learned_at = parsed.learned_at(task)
        for stage, rows in enumerate(after[: last + 1]):
            own = {**common, **about, "task": task, "stage": stage}
            accuracy = float(np.mean([row["correct"] for row in rows]))
            whole = {**own, "group": "overall"}
            counted = {"subset": "all", "accuracy": accuracy, "chance": TASKS[task].chance}
            tables["evaluations"].append(whole | counted)
            tables["predictions"] += [{**own, **row} for row in rows]
            if learned_at and stage > learned_at:
                before = float(np.mean([row["correct"] for row in after[learned_at]]))
                lost = {"learned_at": learned_at, "forgetting": before - accuracy}
                tables["forgetting"].append(whole | lost)
    write_trial(folder, trial, tables)
    return trial


def _scored(correct: bool, num_answers: int, rng: np.random.Generator) -> Row:
    """The answer given is the first; the right one is that, or the second."""
    likelihoods = np.sort(rng.normal(-8, 2, num_answers))[::-1]
    own = float(likelihoods[0 if correct else 1])
    return {
        "correct": correct,
        "log_probabilities": likelihoods.tolist(),
        "log_probability_format": own - 1.0,
        "log_probability_content": 1.0,
    }
