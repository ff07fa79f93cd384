"""Metrics that a search may name, and chains that end without them."""

from __future__ import annotations

import pytest

from raysweep.errors import InputError
from tests.plans import plan


def search(metric: str, **changes: object) -> None:
    objectives = {"method": "optuna", "num_samples": 3, "objectives": {metric: "min"}}
    plan(**{"search": objectives, **changes})


@pytest.mark.parametrize(
    "metric",
    [
        *("forgetting", "max_biased_forgetting", "spectral_radius", "loss", "accuracy_toxigen"),
        *("capability_accuracy", "safety_accuracy", "mean_forgetting"),
    ],
)
def test_what_every_pair_has(metric: str) -> None:
    search(metric)


@pytest.mark.parametrize(
    ("metric", "changes", "expected"),
    [
        ("forgeting", {}, "unknown metric (did you mean 'forgetting'?)"),
        ("accuracy_bbq", {}, "unknown metric"),
        ("accuracy_csqa", {"chains": [["csqa", "bbq"], ["bbq", "csqa2"]]}, "the task is not in it"),
        ("safety_forgetting", {}, "csqa2 -> toxigen: no safety task is learned before its last"),
        ("capability_forgetting", {}, "toxigen -> csqa2: no capability task is learned before"),
        ("safety_accuracy", {"chains": [["csqa", "csqa2"]]}, "no safety task is in it"),
        ("forgetting", {"chains": [["csqa"]], "stages": {}}, "not learned before its last stage"),
        ("mean_forgetting", {"chains": [["csqa"]], "stages": {}}, "no task is learned before"),
        ("forgetting", {"chains": [["csqa@5%", "bbq"]]}, "its first task is not learned"),
        ("spectral_radius", {"curvature": {"enabled": False}}, "curvature.enabled is false"),
    ],
)
def test_what_cannot_be_an_objective(
    metric: str, changes: dict[str, object], expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        search(metric, **changes)
    assert expected in str(caught.value)


def test_a_replayed_chain_has_learned_both_tasks_before_its_last_stage() -> None:
    chains = [["toxigen", "csqa2", "toxigen@5%"]]
    search("safety_forgetting", chains=chains, stages={})
    search("capability_forgetting", chains=chains, stages={})


@pytest.mark.parametrize(
    ("stopping", "expected"),
    [
        ({"metric": "lost", "mode": "min"}, "stopping.metric 'lost': unknown metric"),
        (
            {"metric": "forgetting", "mode": "min", "every_steps": 5},
            "every_steps needs metric: loss",
        ),
        ({"metric": "loss", "mode": "min", "grace_stages": 2}, "nothing is left to stop"),
        ({"metric": "loss", "mode": "least"}, "stopping.mode = 'least'"),
        ({"metric": "loss", "mode": "min", "reduction_factor": 1}, "reduction_factor = 1"),
    ],
)
def test_stopping_that_makes_no_sense(stopping: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(stopping=stopping)
    assert expected in str(caught.value)


def test_steps_are_compared_at_equal_lengths_only() -> None:
    with pytest.raises(InputError, match="trials are compared at equal steps"):
        plan(
            stage={"num_steps": {"grid": [5, 10]}},
            stopping={"metric": "loss", "mode": "min", "every_steps": 5},
        )


def test_optuna_looks_at_one_seed() -> None:
    with pytest.raises(InputError, match="Optuna looks at one seed"):
        search("forgetting", seeds=[0, 1])
    with pytest.raises(InputError, match=r"data\.seed\.grid = \[0, 1\]; Optuna looks at one draw"):
        search("forgetting", data={"seed": {"grid": [0, 1]}})
    search("forgetting", data={"seed": "trial"}, seeds=[3])
