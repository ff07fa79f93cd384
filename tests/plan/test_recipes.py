"""What is published has the recipe whose digest its key is."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from raysweep.digest import digest_json
from raysweep.measures.custom import CustomMeasurement
from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import make_plan
from raysweep.space.packaged import packaged_space
from raysweep.space.space import load_space
from raysweep.store.storage import Storage
from raysweep.store.store import EntryKind
from raysweep.worker.job import jobs_of
from tests.plans import plan

SPACES = ("lr", "replay_mixed", "curvature", "best_first", "curvature_order", "optuna")


@pytest.mark.parametrize("name", SPACES)
def test_a_worker_makes_the_recipe_of_every_key_of_its_trial(name: str, tmp_path: Path) -> None:
    space = load_space(packaged_space(name))
    made = make_plan(space, find_checkpoint(space.model))
    jobs = jobs_of(made, Storage.open(tmp_path))
    for trial in made.all_trials:
        job = pickle.loads(pickle.dumps(jobs(trial)))  # as it travels
        entries = [*trial.entries, *((EntryKind.WEIGHTS, one.key) for one in trial.stages)]
        for entry in entries:
            assert digest_json(job.recipes.of(trial, entry)) == entry[1]


def test_a_worker_makes_the_recipes_of_what_is_measured_only_where_it_is_asked_for() -> None:
    made = plan(curvature={"content": True, "path_points": 16})
    for trial in made.trials:
        recipes = {one: made.recipes.of(trial, one.entry) for one in trial.measurements}
        assert all(digest_json(recipe) == one.key for one, recipe in recipes.items())
        whole, content = (recipes[one] for one in trial.curvatures)
        assert content == whole | {"part": "content"}
        assert [recipes[one]["path_points"] for one in trial.changes] == [16]


def test_a_worker_makes_the_recipe_of_a_measurement_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = CustomMeasurement("norm", {"norm": "of all weights"}, lambda _: {"norm": 1.0}, version=3)
    known = {"norm": own}
    for module in ("raysweep.space.space", "raysweep.plan.recipes"):
        monkeypatch.setattr(f"{module}.known_measurements", lambda: known)
    made = plan(measurements=["norm"])
    trial = made.trials[0]
    assert len(trial.custom) == 3 * 2
    for one in trial.custom:
        recipe = made.recipes.of(trial, one.entry)
        assert digest_json(recipe) == one.key
        assert (recipe["measurement"], recipe["version"]) == ("norm", 3)


def test_a_recipe_is_plain_json_and_names_its_parent() -> None:
    made = plan()
    first, second = made.trials[0].stages
    recipe = made.recipes.of_stage(second)
    assert json.loads(json.dumps(recipe)) == recipe
    assert recipe["parent"] == first.key
    assert made.recipes.of_stage(first)["parent"] == made.checkpoint.digest
