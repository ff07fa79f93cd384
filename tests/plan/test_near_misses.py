"""What is told of stages that the store has almost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raysweep.model.checkpoint import Checkpoint
from raysweep.plan import near_misses as near
from raysweep.plan.near_misses import near_misses, near_misses_at_start, stages_in
from raysweep.plan.plan import Plan
from raysweep.plan.trials import Trial
from raysweep.store.storage import Storage
from raysweep.store.store import Store
from tests.plans import BASE, plan
from tests.stored import publish


def planned(num_steps: int = 150, base: Checkpoint = BASE, **changes: Any) -> Plan:
    chains = [["toxigen", "csqa2"]]
    return plan(base, chains=chains, stages={}, stage={"num_steps": num_steps}, **changes)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Storage.open(tmp_path / "store"))


def publish_stages(store: Store, made: Plan, trial: Trial, number: int = 2) -> None:
    publish(store, made, trial, [stage.entry for stage in trial.stages[:number]])


def told(made: Plan, store: Store) -> list[str]:
    return near_misses(made, stages_in(store))


def test_another_number_of_steps_is_named_with_both(store: Store) -> None:
    there = planned(100)
    publish_stages(store, there, there.trials[0])
    assert told(planned(150), store) == [
        "toxigen after tiny: not found; the nearest in the store differs in "
        "hyperparameters.num_steps: 100 there, 150 here"
    ]
    assert near_misses_at_start(planned(150), store) == told(planned(150), store)


def test_a_later_stage_is_compared_with_those_after_the_same_one(store: Store) -> None:
    there = plan(chains=[["toxigen", "csqa2"]], stages={2: {"num_steps": 7}})
    publish_stages(store, there, there.trials[0])
    here = plan(chains=[["toxigen", "csqa2"]], stages={2: {"num_steps": 8}})
    (line,) = told(here, store)
    assert line.startswith("csqa2 after tiny -> toxigen: not found; ")
    assert line.endswith("differs in hyperparameters.num_steps: 7 there, 8 here")
    assert near_misses_at_start(here, store) == [], "its first stage is found"


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (planned(data={"num_train": 90, "num_test": 50}), "the training rows of toxigen"),
        (planned(base=replace(BASE, digest="ab" * 32)), 'base model: abababab there, "d1" here'),
        (planned(seeds=[3]), "seed: 3 there, 0 here"),
    ],
)
def test_rows_base_model_and_seed(store: Store, there: Plan, expected: str) -> None:
    publish_stages(store, there, there.trials[0])
    (line,) = told(planned(), store)
    assert line.endswith(f"differs in {expected}")


def test_another_version_of_training(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    there = planned()
    publish_stages(store, there, there.trials[0])
    monkeypatch.setattr("raysweep.plan.versions.TRAINING", 99)
    (line,) = told(planned(), store)
    assert line.endswith("differs in format version: 2 there, 99 here")


def test_what_the_plan_asks_for_itself_is_no_surprise(store: Store) -> None:
    made = planned(seeds=[0, 1])
    publish_stages(store, made, made.trials[0])
    assert told(made, store) == []


def test_another_mixture_or_another_place_in_the_chain_is_not_near(store: Store) -> None:
    for there in (
        plan(chains=[["toxigen@50%", "csqa2"]], stages={}),
        plan(chains=[["csqa2", "toxigen"]], stages={}, stage={"num_steps": 9}),
    ):
        publish_stages(store, there, there.trials[0])
    assert told(planned(), store) == []


def test_there_are_few_lines_the_nearest_first_and_the_rest_is_counted(store: Store) -> None:
    there = planned(100)
    publish_stages(store, there, there.trials[0])
    lines = told(planned(150, seeds=list(range(9))), store)
    assert len(lines) == near.MAX_LINES + 1
    assert lines[0].endswith("differs in hyperparameters.num_steps: 100 there, 150 here")
    assert lines[-1] == f"{9 - near.MAX_LINES} more stages are not found either"


def test_entries_without_a_recipe_and_foreign_ones_are_passed_over(
    store: Store, tmp_path: Path
) -> None:
    there = planned(100)
    publish_stages(store, there, there.trials[0])
    (tmp_path / "files").mkdir()
    for key in ("old", *(stage.key for stage in planned(9).trials[0].stages)):
        store.publish(planned().trials[0].stages[0].entry[0], key, tmp_path / "files", {})
    store.storage.write("stages/foreign/manifest.json", b'{"files": [], "provenance": {}}')
    store.storage.write("stages/none/manifest.json", b"nonsense")
    assert len(told(planned(150), store)) == 1
    assert store.storage.exists("stages/none/manifest.json"), "nothing is set aside by looking"


def test_of_a_large_store_a_part_is_read_at_the_start(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        there = planned(100 + number)
        publish_stages(store, there, there.trials[0], 1)
    monkeypatch.setattr(near, "MAX_READ", 2)
    (line,) = near_misses_at_start(planned(), store)
    assert "hyperparameters.num_steps: 10" in line
    assert len(stages_in(store, 2)) == 2
    assert len(stages_in(store)) == 5
