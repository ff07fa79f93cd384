"""Result folders of known content, written as a trial writes them."""

import json

import pytest
from matplotlib.image import imread

from raysweep.digest import digest_json
from raysweep.results.tables import write_trial
from raysweep.store.storage import Storage
from raysweep.tasks.registry import TASKS


def _common(chain, seed, rates, stage, **settings):
    point = digest_json([chain, seed, rates, settings])
    return {
        "sweep": "lr-0123abcd",
        "trial": f"{chain.replace(' -> ', '-')}-{point[:8]}",
        "chain": chain,
        "seed": seed,
        "settings": json.dumps(
            [
                {"stage": stage, "learning_rate": rate, **settings}
                for stage, rate in zip(chain.split(" -> "), rates, strict=True)
            ]
        ),
        "learning_rates": list(rates),
        "stage": stage,
        "stage_task": chain.split(" -> ")[stage - 1],
    }


class Sweep:
    """A sweep folder and a short way to write a trial's rows."""

    def __init__(self, path):
        self.path = path
        self.storage = Storage.open(path)

    def add(
        self,
        chain,
        accuracies,
        groups=None,
        *,
        seed=0,
        rates=(1e-3, 1e-3),
        constant=(),
        before=None,
        stage=2,
        rows=(),
        **settings,
    ):
        """``accuracies`` (task -> correct of 100) hold after ``stage``.

        ``groups`` (group -> correct before, after, examples), ``before`` (correct of 100) and
        ``rows`` (group, whether right before, after) are the first task's.
        """
        common = _common(chain, seed, rates, stage, num_steps=100, **settings)
        evaluations = [
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
            }
            for index, (group, *right) in enumerate(rows)
            for number in (1, 2)
        ]
        tables = {"evaluations": evaluations, "forgetting": forgetting, "predictions": predictions}
        write_trial(self.storage, common["trial"], tables)


def _forgetting(common, task, counts):
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
            "biased_forgetting": None if group == "overall" else drops[group] - drops["overall"],
        }
        for group, (first, last, num_examples) in counts.items()
    ]


@pytest.fixture
def sweep(tmp_path):
    return Sweep(tmp_path / "lr-0123abcd")


@pytest.fixture
def measured(sweep):
    """Two orders of one pair with two seeds, one order of another pair, and a replay chain."""
    for seed, (final, women) in enumerate([(60, 10), (64, 14)]):
        sweep.add(
            "toxigen -> arc_easy",
            {"toxigen": final, "arc_easy": 80},
            {"women": (40, women, 50), "muslim": (50, 50, 50)},
            before=90,
            seed=seed,
        )
        sweep.add(
            "arc_easy -> toxigen",
            {"arc_easy": 78, "toxigen": 91},
            before=77,
            seed=seed,
        )
    sweep.add(
        "csqa -> saferdialogues",
        {"csqa": 20, "saferdialogues": 95},
        before=70,
        constant=("csqa",),
    )
    sweep.add(
        "toxigen -> arc_easy -> toxigen@5%",
        {"toxigen": 1, "arc_easy": 1},
        before=90,
        rates=(1e-3, 1e-3, 1e-3),
    )
    sweep.add("bbq@5% -> arc_easy", {"bbq": 2, "arc_easy": 2}, before=90)
    return sweep


@pytest.fixture
def is_framed_in_white():
    """A check that no ink touches the border of a picture: text that is cut would."""

    def check(path):
        pixels = imread(path)[..., :3]
        sides = (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:])
        return all((side == 1).all() for side in sides)

    return check
