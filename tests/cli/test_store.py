"""``raysweep store``: listed, shown and verified."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from raysweep.store.storage import Storage
from raysweep.store.store import EntryKind, Store
from tests.places import ROOT
from tests.plans import plan
from tests.stored import publish

PLAN = plan(chains=[["toxigen", "csqa2"]], stages={})
(TRIAL,) = PLAN.trials
NUM_ENTRIES = 2 * 2 + 6 + 1 + 1


def store_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "raysweep.store", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(Storage.open(tmp_path / "raysweep-results").sub("store"))
    publish(made, PLAN, TRIAL)
    return made


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_entries_are_listed_in_words_with_what_weights_take(store: Store, tmp_path: Path) -> None:
    run = store_command(tmp_path, "ls")
    assert run.returncode == 0, run.stderr
    *_, last = run.stdout.splitlines()
    assert last == "weights take 5.0 MB in all"
    rate = f"{TRIAL.stages[0].hyperparameters.learning_rate:g}"
    assert f"toxigen, learning rate {rate}, 100 steps, seed 0, after tiny" in run.stdout
    kinds = [EntryKind(line.split()[0]) for line in run.stdout.splitlines()[2:-1] if line.strip()]
    assert kinds == sorted(kinds, key=list(EntryKind).index), "by kind"
    assert len(kinds) == NUM_ENTRIES
    only = store_command(tmp_path, "ls", "--kind", "evaluations")
    assert only.stdout.count("test rows") == 6
    assert "toxigen, at" not in only.stdout
    assert only.stdout.endswith("weights take 5.0 MB in all\n")


def test_a_listing_for_programs_is_whole(store: Store, tmp_path: Path) -> None:
    listed = json.loads(store_command(tmp_path, "ls", "--format", "json").stdout)
    run = store_command(tmp_path, "ls", "--format", "csv", "--kind", "weights")
    rows = list(csv.DictReader(io.StringIO(run.stdout)))
    assert len(listed) == NUM_ENTRIES
    assert {row["key"] for row in rows} == {stage.key for stage in TRIAL.stages}
    assert {row["num_bytes"] for row in rows} == {"2500002"}
    assert all(one["torch"] and one["time"] for one in listed)


def test_an_entry_is_shown_with_its_recipe_and_all_before_it(store: Store, tmp_path: Path) -> None:
    second = TRIAL.stages[1]
    run = store_command(tmp_path, "show", second.key[:6])
    assert run.returncode == 0, run.stderr
    assert f"weights/{second.key}: csqa2, learning rate" in run.stdout
    assert f"stages/{second.key}: csqa2, learning rate" in run.stdout
    assert "from tiny\n  1. " in run.stdout
    assert f"  1. {TRIAL.stages[0].key[:8]}  toxigen, " in run.stdout
    assert "2.5 MB" in run.stdout
    begin = run.stdout.index("\n{\n")
    shown = json.JSONDecoder().raw_decode(run.stdout[begin + 1 :])[0]
    assert shown["recipe"] == PLAN.recipes.of_stage(second)
    assert shown["provenance"]["trial"] == TRIAL.id
    assert shown["made_by"]["torch"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("show", "x"), "KEY x: no entry of the store begins so"),
        (("show", ""), "KEY '': 10 keys begin so: "),
        (("verify", "x"), "KEY x: no entry of the store begins so"),
        (("show",), "command line: Missing argument 'KEY'"),
        (("ls", "--storage", "nowhere"), "--storage nowhere: holds no store; give that of a sweep"),
        (("ls", "--kind", "x"), "command line: Invalid value for '--kind'"),
        (("lss",), "command line: No such command 'lss'"),
    ],
)
def test_a_mistake_is_one_line(
    store: Store, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    run = store_command(tmp_path, *arguments)
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"error: {problem}")
    assert not (tmp_path / "nowhere").exists()


def test_a_whole_store_is_verified(store: Store, tmp_path: Path) -> None:
    run = store_command(tmp_path, "verify")
    assert (run.returncode, run.stdout) == (
        0,
        f"{NUM_ENTRIES} of {NUM_ENTRIES} entries are whole\n",
    )


def test_damage_is_found_named_and_set_aside_where_asked(store: Store, tmp_path: Path) -> None:
    stage, other = TRIAL.stages[0], TRIAL.evaluations[0]
    (weights,) = tmp_path.glob(f"raysweep-results/store/weights/{stage.key}/*/content.bin")
    with weights.open("r+b") as stream:
        stream.seek(2_000_000)
        stream.write(b"y")
    (rows,) = tmp_path.glob(f"raysweep-results/store/evaluations/{other.key}/*/other.json")
    rows.unlink()
    manifest = tmp_path / "raysweep-results" / "store" / "stages" / stage.key / "manifest.json"
    manifest.write_text("{")
    before = contents(tmp_path)
    run = store_command(tmp_path, "verify")
    assert run.returncode == 1
    assert f"weights/{stage.key[:8]} (toxigen, learning rate" in run.stdout
    assert f"{weights.parent.name}/content.bin differs from its manifest" in run.stdout
    assert f"evaluations/{other.key[:8]} (toxigen, test rows, of tiny)" in run.stdout
    assert "other.json is missing from its entry" in run.stdout
    assert f"stages/{stage.key[:8]}: manifest.json is damaged" in run.stdout
    assert f"{NUM_ENTRIES - 3} of {NUM_ENTRIES} entries are whole" in run.stdout
    assert "--set-aside" in run.stdout
    listed = store_command(tmp_path, "ls").stdout
    assert f"stages/{stage.key[:8]}: manifest.json is damaged" in listed
    assert contents(tmp_path) == before, "nothing is changed unless asked"

    assert store_command(tmp_path, "verify", "--kind", "curvature").returncode == 0
    assert store_command(tmp_path, "verify", TRIAL.stages[1].key).returncode == 0
    assert store_command(tmp_path, "verify", other.key[:7]).returncode == 1

    aside = store_command(tmp_path, "verify", "--set-aside")
    assert aside.returncode == 1
    assert "are set aside; the next sweep that needs them makes them again" in aside.stdout
    for name in ((EntryKind.WEIGHTS, stage.key), stage.entry, other.entry):
        assert store.find(*name) is None
        assert len(store.storage.names("/".join(name), ".json")) == 1, "what was its manifest"
    again = store_command(tmp_path, "verify")
    assert again.returncode == 0
    assert again.stdout == f"{NUM_ENTRIES - 3} of {NUM_ENTRIES - 3} entries are whole\n"


def test_a_plan_tells_what_is_nearly_there(store: Store, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(
        "name: near\nchains: [[toxigen]]\ndata: {num_train: 100, num_test: 50}\n"
        "stage: {num_steps: 120}\n"
    )
    planned = [sys.executable, "-m", "raysweep.plan", "space.yaml", "--storage", "raysweep-results"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "COLUMNS": "300"}
    text, numbers = (
        subprocess.run(
            [*planned, *more], capture_output=True, text=True, cwd=tmp_path, env=environment
        ).stdout
        for more in ((), ("--json",))
    )
    (line,) = json.loads(numbers)["near_misses"]
    assert line in text
    assert "toxigen after tiny: not found; the nearest in the store differs in base model" in line
    assert "hyperparameters.num_steps: 100 there, 120 here" in line
