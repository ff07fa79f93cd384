"""What Tune is told of a trial: the settings that it runs with, and a way back from a proposal."""

from __future__ import annotations

import json

import pytest
from ray.tune.search import Searcher

from raysweep.plan.plan import Plan
from raysweep.plan.proposals import Proposals
from raysweep.store.storage import Storage
from raysweep.sweep.searchers import PROPOSAL, ListedTrials, ProposedTrials
from raysweep.sweep.study import Study
from raysweep.sweep.tune_settings import tune_settings
from tests.plans import plan


def settings(made: Plan) -> list[dict[str, object]]:
    return [tune_settings(trial, made.space) for trial in made.trials]


def test_a_trials_settings_are_flat_and_its_own() -> None:
    made = plan(
        chains=[["toxigen", "csqa2", "toxigen@5%"]],
        stage={"num_steps": {"grid": [40, 80]}},
        stages={1: {"learning_rate": 1e-3}, 3: {"num_steps": 10}},
        seeds=[7],
    )
    first, second = settings(made)
    assert first == {
        "trial": made.trials[0].id,
        "model": "tiny",
        "chain": "toxigen -> csqa2 -> toxigen@5%",
        "order": "safety first",
        "first_task": "toxigen",
        "last_task": "toxigen",
        "seed": 7,
        "data_seed": 0,
        "replay_fraction": 0.05,
        "replay_steps": 10,
        "learning_rate_1": 1e-3,
        "learning_rate_2": 1e-5,
        "learning_rate_3": 1e-5,
        "num_steps_1": 40,
        "num_steps_2": 40,
        "num_steps_3": 10,
    }
    assert (second["num_steps_1"], second["replay_steps"]) == (80, 10)
    assert json.loads(json.dumps(first)) == first, "plain values, as loggers need"


@pytest.mark.parametrize(
    ("chain", "order", "fraction"),
    [
        (["csqa2", "toxigen"], "capability first", 0.0),
        (["csqa2", "csqa"], "csqa2 first", 0.0),
        (["bbq"], "bbq first", 0.0),
        (["toxigen", ["csqa2", "toxigen@20%"]], "safety first", 0.2),
    ],
)
def test_order_and_replay(chain: list[object], order: str, fraction: float) -> None:
    (found,) = settings(plan(chains=[chain], stages={}))
    assert (found["order"], found["replay_fraction"]) == (order, fraction)


def test_listed_trials_are_suggested_one_after_the_other() -> None:
    made = plan()
    searcher = ListedTrials(made.trials, lambda trial: tune_settings(trial, made.space))
    assert [searcher.suggest(str(n)) for n in range(8)] == settings(made)
    assert searcher.suggest("9") == Searcher.FINISHED


SEARCH = {
    "search": {"method": "optuna", "num_samples": 6, "objectives": {"forgetting": "min"}},
    "chains": [["toxigen", "csqa2"], ["toxigen", "bbq"]],
    "stages": {1: {"learning_rate": {"loguniform": [1e-5, 1e-3]}}},
    "stage": {"num_steps": {"choice": [10, 20]}, "weight_decay": 0.1},
}


def test_a_driver_makes_the_very_trial_that_was_proposed(tmp_path: object) -> None:
    made = plan(**SEARCH)
    assert made.planner
    study, elsewhere = Study(made, Storage.open(str(tmp_path))), plan(**SEARCH)
    assert elsewhere.planner
    searcher = ProposedTrials(study, lambda trial: {"trial": trial.id}, lambda name, metrics: True)
    proposals = Proposals(elsewhere.space, elsewhere.planner)
    for number in range(6):
        config = searcher.suggest(str(number))
        assert proposals.trial(config[PROPOSAL]).id == config["trial"]
        assert set(config[PROPOSAL]) == {"chain", "stages.1.learning_rate", "stage.num_steps"}
