"""What is put down of a run."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import Plan, make_plan
from raysweep.space.packaged import packaged_space
from raysweep.space.space import load_space
from raysweep.store.storage import Storage
from raysweep.sweep.outcome import Outcome
from raysweep.sweep.run_record import begin_record, record_run, run_name

CLUSTER = {
    "CPU": 2.0, "memory": 8e9, "accelerator_type:H100": 1.0, "node:10.0.0.7": 1.0,
    "object_store_memory": 1e9,
}  # fmt: skip


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(load_space(packaged_space("lr")), find_checkpoint("tiny"))


def test_a_run_is_told_whole_and_names_no_host(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ["/usr/bin/python3", "-m", "raysweep.lr_sweep", "--storage", "my results"]
    monkeypatch.setattr(sys, "orig_argv", typed)
    run = begin_record(plan, CLUSTER, run_name())
    assert run["command"] == "python -m raysweep.lr_sweep --storage 'my results'"
    assert run["cluster"] == {"CPU": 2.0, "memory": 8e9, "accelerator_type:H100": 1.0}
    assert run["versions"]["ray"] == __import__("ray").__version__
    assert (
        run["versions"]["torch"].partition("+")[0]
        == __import__("torch").__version__.partition("+")[0]
    )
    assert run["model"]["digest"] == plan.checkpoint.digest
    assert run["rows"]["toxigen"] == plan.splits["toxigen"].digests
    assert run["num_rows"]["toxigen"]["train"] == len(plan.splits["toxigen"].train) > 0
    assert run["num_rows"]["toxigen"]["test"] == plan.space.data.num_test == 1300
    assert run["machine"]["num_cores"] >= 1
    assert run["machine"]["memory_bytes"] > 2**30
    assert (run["ended"], run["end"]) == (None, None)


def test_a_run_is_written_when_it_begins_and_when_it_ends(plan: Plan, tmp_path: Path) -> None:
    folder = Storage.open(tmp_path)
    first, second = (begin_record(plan, CLUSTER, run_name()) for _ in range(2))

    def found() -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in (tmp_path / "runs").iterdir()]

    def run_second() -> Outcome:
        assert {one["name"] for one in found()} == {first["name"], second["name"]}
        assert [one["end"] for one in found()] == [None, None]
        return Outcome(folder, plan.trials)

    def run_first() -> Outcome:
        outcome = record_run(second, folder, run_second, pytest.fail)
        (ended,) = [one for one in found() if one["end"]]
        assert ended["name"] == second["name"]
        return outcome

    record_run(first, folder, run_first, pytest.fail)
    assert [one["end"] for one in found()] == ["finished", "finished"]
    for one in found():
        assert datetime.fromisoformat(one["started"]) <= datetime.fromisoformat(one["ended"])


@pytest.mark.parametrize(
    ("made", "end"),
    [
        ({}, "finished"),
        ({"failures": {"a": "why"}}, "failed"),
        ({"failures": {"a": "why"}, "is_interrupted": True}, "interrupted"),
        (KeyboardInterrupt(), "interrupted"),
        (ValueError("x"), "ValueError"),
    ],
)
def test_how_a_run_ended(plan: Plan, tmp_path: Path, made: Any, end: str) -> None:
    folder, record = Storage.open(tmp_path), begin_record(plan, CLUSTER, run_name())
    seen = []

    def run() -> Outcome:
        seen.append(read(tmp_path)["end"])
        if isinstance(made, BaseException):
            raise made
        return Outcome(folder, plan.trials, **made)

    expected = pytest.raises(type(made)) if isinstance(made, BaseException) else nullcontext()
    with expected:
        record_run(record, folder, run, pytest.fail)
    assert seen == [None], "recorded before it begins"
    assert read(tmp_path)["end"] == end


def read(folder: Path) -> dict[str, Any]:
    (file,) = (folder / "runs").iterdir()
    return dict(json.loads(file.read_text()))


def test_a_full_disk_at_the_end_costs_no_outcome(plan: Plan, tmp_path: Path) -> None:
    folder, told = Storage.open(tmp_path), list[str]()

    def run() -> Outcome:
        shutil.rmtree(tmp_path / "runs")
        (tmp_path / "runs").write_text("a file where the folder would be")
        return Outcome(folder, plan.trials)

    record = begin_record(plan, CLUSTER, run_name())
    assert record_run(record, folder, run, told.append).trials == plan.trials
    assert len(told) == 1
    assert "is not recorded" in told[0]
