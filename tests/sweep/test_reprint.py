"""A sweep of which nothing remains is shown again without a cluster; any other is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from raysweep.measures.scores import Prediction
from raysweep.plan.plan import Plan
from raysweep.plan.trials import Trial
from raysweep.results.records import PREDICTIONS, STEPS, write_records
from raysweep.results.tables import read_table
from raysweep.store.storage import Storage
from raysweep.store.store import EntryKind, Store
from raysweep.sweep.reprint import find_whole
from raysweep.sweep.study import Study
from raysweep.training.stage import Step
from tests.plans import plan

Publish = Callable[[Trial], None]
NO_CURVATURE = {"enabled": False}


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.open(tmp_path / "results")


@pytest.fixture
def publish(storage: Storage, tmp_path: Path) -> Publish:
    """Puts all that a trial needs into the store: three of four rows right, whatever the task."""
    store = Store(storage.sub("store"))

    def put(kind: EntryKind, key: str, name: str, records: Sequence[object]) -> None:
        folder = tmp_path / "attempts" / key
        folder.mkdir(parents=True, exist_ok=True)
        write_records(folder / name, records)
        store.publish(kind, key, folder, {"num_workers": 1})

    def publish_trial(trial: Trial) -> None:
        for stage in trial.stages:
            put(EntryKind.STAGE, stage.key, STEPS, [Step(1, 1.0, 1e-3, 1.0, 1.0, 10, 2, 5.0)])
        rows = [Prediction(f"{n}", ("women",), "", "toxic", "toxic", n > 0) for n in range(4)]
        for one in trial.measurements:
            if one.kind == EntryKind.EVALUATION:
                put(one.kind, one.key, PREDICTIONS, rows)

    return publish_trial


def test_only_a_whole_sweep_is_shown(storage: Storage, publish: Publish) -> None:
    made = plan(curvature=NO_CURVATURE)
    assert find_whole(made, storage) is None
    for trial in made.trials[:-1]:
        publish(trial)
    assert find_whole(made, storage) is None
    assert not storage.exists("sweeps"), "nothing is written of a sweep that is not whole"
    publish(made.trials[-1])
    found = find_whole(made, storage)
    assert found is not None
    assert found.trials == made.trials
    rows = read_table(found.folder, "evaluations").to_pylist()
    assert {row["trial"] for row in rows} == {trial.id for trial in made.trials}
    assert {row["accuracy"] for row in rows} == {0.75}


def test_files_that_miss_a_stage_or_are_rubbish_are_written_again(
    storage: Storage, publish: Publish
) -> None:
    made = plan(curvature=NO_CURVATURE)
    for trial in made.trials:
        publish(trial)
    found = find_whole(made, storage)
    assert found is not None
    names = [f"results/steps/{trial.id}.arrow" for trial in made.trials]
    whole = [found.folder.read(name) for name in names]
    stamp = Path(found.folder.root) / names[3]
    before = stamp.stat().st_mtime_ns
    found.folder.write(names[0], b"rubbish")
    found.folder.delete(names[1])
    assert find_whole(made, storage) is not None
    assert [found.folder.read(name) for name in names] == whole
    assert stamp.stat().st_mtime_ns == before, "what is whole is left alone"


def test_a_damaged_entry_makes_it_unfinished(storage: Storage, publish: Publish) -> None:
    made = plan(curvature=NO_CURVATURE)
    for trial in made.trials:
        publish(trial)
    for file in (Path(storage.root) / "store" / "stages").rglob(STEPS):
        file.write_bytes(b"rubbish")
    assert find_whole(made, storage) is None


def test_a_study_with_nothing_left(storage: Storage, publish: Publish) -> None:
    made = plan(
        curvature=NO_CURVATURE,
        stages={},
        stage={"learning_rate": {"choice": [1e-3, 2e-3]}},
        search={"method": "optuna", "num_samples": 3, "objectives": {"loss": "min"}},
    )
    study = Study(made, storage.sub("sweeps", made.sweep))
    for number in range(3):
        assert find_whole(made, storage) is None
        proposal = study.propose()
        publish(proposal.trial)
        study.tell(proposal.number, {"loss": float(number)})
    found = find_whole(made, storage)
    assert found is not None
    assert found.study is not None
    assert [row["state"] for row in found.study.rows()] == ["complete"] * 3
    longer = plan_with_more(made)
    assert longer.sweep == made.sweep
    assert find_whole(longer, storage) is None


def plan_with_more(made: Plan) -> Plan:
    return plan(
        curvature=NO_CURVATURE,
        stages={},
        stage={"learning_rate": {"choice": [1e-3, 2e-3]}},
        search={"method": "optuna", "num_samples": 4, "objectives": {"loss": "min"}},
    )


def test_a_sweep_that_stops_early_is_never_shown_without_running(
    storage: Storage, publish: Publish
) -> None:
    made = plan(
        curvature=NO_CURVATURE, stopping={"metric": "loss", "mode": "min", "grace_stages": 1}
    )
    for trial in made.trials:
        publish(trial)
    assert find_whole(made, storage) is None


def test_neither_ray_nor_torch_is_imported() -> None:
    code = (
        "import sys, raysweep.sweep.reprint; "
        "print([n for n in ('ray', 'torch') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr
