"""A sweep that is interrupted before its first trial shows what earlier runs have left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import Plan, make_plan
from raysweep.process.ending import REMEDY
from raysweep.results.tables import write_trial
from raysweep.space.space import load_space
from raysweep.store.storage import Storage
from raysweep.sweep.outcome import Outcome, before_the_first_trial, chain_seconds
from raysweep.sweep.study import Study
from raysweep.tasks.registry import TASKS
from tests.plans import plan
from tests.processes import next_line

ROOT = Path(__file__).parents[2]
GRID = """
name: early
chains: [[toxigen, csqa2], [csqa2, toxigen]]
data: {num_train: 130, num_test: 26}
stage: {num_steps: 2, sequence_limit: 512}
"""
OPTUNA = GRID + "search: {method: optuna, num_samples: 5, objectives: {capability_accuracy: max}}\n"


@pytest.fixture(params=[GRID, OPTUNA], ids=["grid", "optuna"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Plan:
    (tmp_path / "space.yaml").write_text(request.param)
    space = load_space(tmp_path / "space.yaml")
    return make_plan(space, find_checkpoint(space.model))


def finish_one(plan: Plan, folder: Storage) -> str:
    """Results as of one finished trial; its id."""
    if plan.space.search.method == "optuna":
        study = Study(plan, folder)
        proposal = study.propose()
        trial = proposal.trial
        study.tell(proposal.number, {"capability_accuracy": 0.75})
    else:
        trial = plan.trials[1]
    rows = [
        {
            "stage": 2,
            "kind": "safety",
            "trial": trial.id,
            "task": task,
            "title": TASKS[task].title,
            "group": "overall",
            "subset": "all",
            "accuracy": 0.75,
            "chance": 0.5,
            "constant_prediction": False,
        }
        for task in trial.tasks
    ]
    write_trial(folder, trial.id, {"evaluations": rows, "forgetting": [], "curvature": []})
    return str(trial.chain)


def test_the_table_is_shown_after_an_interruption_amid_imports(made: Plan, tmp_path: Path) -> None:
    chain = finish_one(made, Storage.open(tmp_path / "storage").sub("sweeps", made.sweep))
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "raysweep.sweep", "space.yaml", "--storage", "storage"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert next_line(process).startswith(f"Sweep {made.sweep}: ")
    process.send_signal(signal.SIGTERM)  # while Ray is imported
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (143, "")
    assert sum(chain in line and "75.0" in line for line in output.splitlines()) == 1
    assert f"The sweep is unfinished. {REMEDY}" in output
    assert "Started a Ray cluster" not in output


def test_it_knows_all_trials_that_there_may_be_results_of(made: Plan, tmp_path: Path) -> None:
    folder = Storage.open(tmp_path / "folder")
    finish_one(made, folder)
    outcome = before_the_first_trial(made, folder)
    assert outcome.is_unfinished
    if outcome.study:
        assert len(outcome.trials) == 1
        assert outcome.study.num_left == 4
    else:
        assert outcome.trials == made.trials


def test_what_is_unfinished(tmp_path: Path) -> None:
    folder = Storage.open(tmp_path)
    assert not Outcome(folder, ()).is_unfinished
    assert Outcome(folder, (), unfinished=("a",)).is_unfinished
    assert Outcome(folder, (), is_interrupted=True).is_unfinished


def test_a_chains_seconds_are_those_of_its_stages_whoever_has_made_them() -> None:
    trial, other = plan().trials[:2]
    first, second = trial.stages
    assert first.key == other.stages[0].key, "they share it"
    spent = {first.parent: 1.0, first.key: 20.0, second.key: 300.0, other.stages[1].key: 4000.0}
    assert chain_seconds(trial, spent) == 321.0
    assert chain_seconds(other, spent) == 4021.0
    assert chain_seconds(other, {}) == 0.0
