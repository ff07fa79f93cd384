"""Result folders of known content, written as a trial writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from raysweep.digest import digest_json
from raysweep.results.tables import write_trial
from raysweep.store.storage import Storage
from raysweep.tasks.registry import TASKS


def _common(
    chain: str,
    seed: int,
    data_seed: int | None,
    rates: Sequence[float],
    stage: int,
    **settings: object,
) -> dict[str, object]:
    point = digest_json([chain, seed, data_seed, rates, settings])
    trained = [chain.split(" -> ")[:stage], seed, list(rates[:stage]), settings]
    return {
        "sweep": "lr-0123abcd",
        "trial": f"{chain.replace(' -> ', '-')}-{point[:8]}",
        "chain": chain,
        "seed": seed,
        "data_seed": data_seed,
        "settings": json.dumps(
            [
                {"stage": stage, "learning_rate": rate}
                | {k: v[place] if isinstance(v, tuple) else v for k, v in settings.items()}
                for place, (stage, rate) in enumerate(zip(chain.split(" -> "), rates, strict=True))
            ]
        ),
        "learning_rates": list(rates),
        "stage": stage,
        "stage_task": chain.split(" -> ")[stage - 1],
        "stage_key": digest_json(trained),
    }


class Sweep:
    """A sweep folder and a short way to write a trial's rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.storage = Storage.open(path)

    def add(
        self,
        chain: str,
        accuracies: Mapping[str, int],
        groups: Mapping[str, tuple[int, int, int]] | None = None,
        *,
        seed: int = 0,
        data_seed: int | None = 0,
        rates: Sequence[float] = (1e-3, 1e-3),
        constant: Sequence[str] = (),
        before: int | None = None,
        stage: int = 2,
        rows: Sequence[tuple[str, bool, bool]] = (),
        answers: Sequence[str] = (),
        **settings: object,
    ) -> None:
        """``accuracies`` (task -> correct of 100) hold after ``stage``.

        Of a setting that is a tuple each stage has its own part.

        ``groups`` (group -> correct before, after, examples), ``before`` (correct of 100) and
        ``rows`` (group, whether right before, after) are the first task's, ``answers`` the right
        ones, if given. Results of old versions have no data seed.
        """
        common = _common(chain, seed, data_seed, rates, stage, num_steps=100, **settings)
        evaluations = _evaluations(common, accuracies, constant)
        first = chain.split(" -> ")[0].partition("@")[0]
        forgetting = []
        if before is not None:
            counts = {"overall": (before, accuracies[first], 100), **(groups or {})}
            forgetting = _forgetting(common, first, counts)
        predictions = [
            {
                **common,
                "stage": number,
                "task": first,
                "example_id": f"row-{index}",
                "groups": [group],
                "correct": right[number - 1],
                "answer": answers[index] if answers else None,
            }
            for index, (group, *right) in enumerate(rows)
            for number in (1, 2)
        ]
        tables = {"evaluations": evaluations, "forgetting": forgetting, "predictions": predictions}
        write_trial(self.storage, str(common["trial"]), tables)

    def add_stages(
        self, chain: str, accuracies: Sequence[Mapping[str, int]], *, seed: int = 0
    ) -> None:
        """Of a trial its evaluations only, after each of its first stages."""
        rates = [1e-3] * len(chain.split(" -> "))
        rows = []
        for stage, correct in enumerate(accuracies, start=1):
            common = _common(chain, seed, 0, rates, stage, num_steps=100)
            rows += _evaluations(common, correct)
        write_trial(self.storage, str(rows[0]["trial"]), {"evaluations": rows})


def _evaluations(
    common: Mapping[str, object], accuracies: Mapping[str, int], constant: Sequence[str] = ()
) -> list[dict[str, object]]:
    return [
        {
            **common,
            "task": task,
            "title": TASKS[task].title,
            "kind": TASKS[task].kind.value,
            "group": "overall",
            "subset": "all",
            "num_examples": 100,
            "num_correct": correct,
            "accuracy": correct / 100,
            "chance": TASKS[task].chance,
            "constant_prediction": None if TASKS[task].is_generative else task in constant,
        }
        for task, correct in accuracies.items()
    ]


def _forgetting(
    common: dict[str, object], task: str, counts: Mapping[str, tuple[int, int, int]]
) -> list[dict[str, object]]:
    drops = {group: (first - last) / number for group, (first, last, number) in counts.items()}
    return [
        {
            **common,
            "task": task,
            "title": TASKS[task].title,
            "kind": TASKS[task].kind.value,
            "group": group,
            "learned_at": 1,
            "num_examples": num_examples,
            "accuracy_before": first / num_examples,
            "accuracy_after": last / num_examples,
            "forgetting": drops[group],
            "relative_forgetting": drops[group] * num_examples / first if first else None,
            "biased_forgetting": None if group == "overall" else drops[group] - drops["overall"],
        }
        for group, (first, last, num_examples) in counts.items()
    ]
