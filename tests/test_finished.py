"""What a store holds of a plan, and how fast it was trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysweep.cost import Assumptions, forecast
from raysweep.errors import InputError
from raysweep.finished import find_finished
from raysweep.plan import Plan
from raysweep.plan_report import cost_lines, stage_tree
from raysweep.records import STEPS, write_records
from raysweep.stages import Stage
from raysweep.storage import Storage
from raysweep.store import EntryKind, Store
from raysweep.train import Step
from tests.test_plan import plan


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
    count = cost.num_tokens_trained / (12 * 100 * 16)
    left = everything - (cost.worker_hours_left or 0)
    assert left == pytest.approx(spared * count, rel=0.2), "two stages, and a small evaluation"
    lines = "\n".join(cost_lines(made, cost, assumptions, found))
    assert "2 of 12 stages and 1 of" in lines
    assert f"150 training tokens/s a worker, measured on 2 stages in {tmp_path / 's'}" in lines


def test_finished_stages_are_marked_in_the_tree(made: Plan, store: Store, tmp_path: Path) -> None:
    publish_stage(store, made.trials[0].stages[0], [1.0] * 5, tmp_path / "a")
    tree = stage_tree(made, find_finished(made, str(tmp_path / "s")).entries)
    marked = [str(branch.label).endswith("trained already") for branch in tree.children]
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
