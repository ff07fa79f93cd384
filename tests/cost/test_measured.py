"""What a store holds of a plan, and how fast it was trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysweep.cost.forecast import Assumptions, forecast
from raysweep.cost.measured import find_finished
from raysweep.cost.report import cost_lines, stage_tree
from raysweep.errors import InputError
from raysweep.plan.plan import Plan
from raysweep.plan.trials import Stage
from raysweep.results.records import STEPS, write_records
from raysweep.results.tables import write_trial
from raysweep.store.storage import Storage
from raysweep.store.store import EntryKind, Store
from raysweep.training.settings import WorkerSettings
from raysweep.training.stage import Step
from tests.plans import plan


def publish_stage(store: Store, stage: Stage, speeds: list[float], folder: Path) -> None:
    """A stage of two workers with these tokens per second."""
    folder.mkdir(exist_ok=True)
    steps = [Step(i + 1, 1.0, 1e-3, 1.0, 1.0, 10, 2, speed) for i, speed in enumerate(speeds)]
    write_records(folder / STEPS, steps)
    store.publish(EntryKind.STAGE, stage.key, folder, {"num_workers": 2})


@pytest.fixture
def made() -> Plan:
    return plan(curvature={"enabled": False})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Storage.open(tmp_path / "s").sub("store"))


def test_nothing_is_there(made: Plan, tmp_path: Path) -> None:
    found = find_finished(made, str(tmp_path / "none"))
    assert not found.entries
    assert found.tokens_per_second is None
    assert not (tmp_path / "none").exists(), "looking changes nothing"


def test_the_rest_and_the_speed(made: Plan, store: Store, tmp_path: Path) -> None:
    first, second = made.trials[0].stages
    publish_stage(store, first, [1, 1, 1, 100, 200, 600], tmp_path / "a")
    publish_stage(store, second, [1, 1, 1, 300, 400], tmp_path / "b")
    base = made.trials[0].evaluations[0]
    (tmp_path / "c").mkdir()
    store.publish(EntryKind.EVALUATION, base.key, tmp_path / "c", {})
    found = find_finished(made, str(tmp_path / "s"))
    assert len(found.entries) == 3
    assert found.num_stages_measured == 2
    assert found.tokens_per_second == 300 / 2, "the median of steps 4 and later, per worker"
    assumptions = Assumptions(None, tokens_per_second=150, startup_seconds=0, price=None)
    cost = forecast(made, assumptions, found.entries)
    assert (cost.num_stages_left, cost.num_stages_distinct) == (10, 12)
    assert cost.num_evaluations_left == cost.num_evaluations - 1
    everything, spared = forecast(made, assumptions).worker_hours, 2 * 100 * 16 / 150 / 3600
    assert cost.worker_hours == everything
    assert everything is not None
    count = cost.num_tokens_trained / (12 * 100 * 16)
    left = everything - (cost.worker_hours_left or 0)
    assert left == pytest.approx(spared * count, rel=0.2), "two stages, and a small evaluation"
    lines = "\n".join(cost_lines(made, cost, assumptions, found))
    assert "2 of 12 stages and 1 of" in lines
    assert f"150 training tokens/s a worker, measured on 2 stages in {tmp_path / 's'}" in lines


def test_finished_stages_are_marked_in_the_tree(made: Plan, store: Store, tmp_path: Path) -> None:
    publish_stage(store, made.trials[0].stages[0], [1.0] * 5, tmp_path / "a")
    tree = stage_tree(made, find_finished(made, str(tmp_path / "s")).entries)
    marked = ["trained already" in str(branch.label) for branch in tree.children]
    assert marked == [True, False, False, False]


def test_only_warm_steps_count(made: Plan, store: Store, tmp_path: Path) -> None:
    publish_stage(store, made.trials[0].stages[0], [5, 5, 5], tmp_path / "a")
    found = find_finished(made, str(tmp_path / "s"))
    assert len(found.entries) == 1
    assert (found.tokens_per_second, found.num_stages_measured) == (None, 0)


def test_a_damaged_stage_is_trained_again(made: Plan, store: Store, tmp_path: Path) -> None:
    publish_stage(store, made.trials[0].stages[0], [5] * 5, tmp_path / "a")
    (file,) = (tmp_path / "s" / "store" / "stages").rglob(STEPS)
    file.write_bytes(b"rubbish")
    assert not find_finished(made, str(tmp_path / "s")).entries


def test_a_location_that_cannot_be_opened(made: Plan) -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        find_finished(made, "nothing://here")


def test_the_speed_of_another_sweep_of_the_same_model(
    made: Plan, store: Store, tmp_path: Path
) -> None:
    """Own stages count alone where there are some; those of other models or workers never."""
    storage = Storage.open(tmp_path / "s")

    def write_sweep(name: str, speeds: list[float], keys: str, **changes: object) -> None:
        space = made.space.model_copy(update=changes)
        folder = storage.sub("sweeps", name)
        folder.write("space.json", space.model_dump_json().encode())
        rows = [
            {"stage_key": key, "step": step, "provenance_tokens_per_second": speed}
            for key in keys
            for step, speed in enumerate([1.0, 1.0, 1.0, *speeds], start=1)
        ]
        write_trial(folder, f"{name}-1", {"steps": rows})
        write_trial(folder, f"{name}-2", {"steps": rows})

    storage.sub("sweeps", "empty").write("note.txt", b"not a sweep")
    storage.sub("sweeps", "broken").write("space.json", b"{")
    write_sweep("model", [9e9], "m", model="another")
    write_sweep("gpus", [9e9], "g", workers=WorkerSettings(shape="given", use_gpu=True))
    assert find_finished(made, storage.uri).tokens_per_second is None
    write_sweep("four", [400, 800], "ab", workers=WorkerSettings(shape="given", num_workers=4))
    write_sweep("two", [20], "c", workers=WorkerSettings(shape="given", num_workers=2))
    found = find_finished(made, storage.uri)
    assert found.tokens_per_second == 100, "the median of 100, 200, 100, 200 and 10"
    assert found.num_stages_measured == 3, "each stage once, though two trials have it"
    publish_stage(store, made.trials[0].stages[0], [1, 1, 1, 70], tmp_path / "a")
    assert find_finished(made, storage.uri).tokens_per_second == 35
