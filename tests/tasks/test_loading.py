"""Every row becomes an example, is dropped for a reason, or ends in an error with its place."""

from __future__ import annotations

import copy
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysweep.errors import InputError, MissingDataError
from raysweep.tasks.files import json_lines
from raysweep.tasks.hub import read_hub
from raysweep.tasks.loading import load_examples
from raysweep.tasks.paper import saferdialogues as saferdialogues_module
from raysweep.tasks.registry import TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from raysweep.tasks.task import Example, Task
from raysweep.testing import TaskContract
from tests.tasks.archives import archive
from tests.tasks.junk import mutated
from tests.tasks.releases import (
    ROWS,
    as_on_hub,
    numbered,
    small_release,
    write_hub_copy,
    write_release,
)


class TestTask(TaskContract):
    """All that come with raysweep, on made-up rows."""

    @pytest.fixture(params=TASKS)
    def task(self, request: pytest.FixtureRequest) -> Task:
        return TASKS[request.param]

    @pytest.fixture
    def rows(self, task: Task) -> list[dict[str, Any]]:
        return [numbered(task.name, number) for number in range(60)]


@settings(max_examples=200, deadline=None)
@pytest.mark.parametrize("name", TASKS)
@given(data=st.data())
def test_a_mutated_row_is_an_example_or_dropped_or_blamed(name: str, data: st.DataObject) -> None:
    row = data.draw(mutated(ROWS[name]))
    good = numbered(name, 7)
    task = dataclasses.replace(
        TASKS[name], read_own=lambda: {"train": [("file:1", good), ("file:2", row)]}
    )
    message = ""
    try:
        loaded = load_examples(task, "anywhere")
    except InputError as error:
        message = str(error)
    if message:
        assert re.match(r"file:2: (field \w|the id )", message), message
        assert "\n" not in message
        message.encode()  # can be printed
        return
    assert loaded.num_read["train"] == 2
    assert len(loaded.examples["train"]) + sum(loaded.drops.values()) == 2
    for example in loaded.examples["train"]:
        assert example.question
        assert example.content_digest


@pytest.mark.parametrize("name", TASKS)
def test_raw_files_are_read(name: str, tmp_path: Path) -> None:
    release = small_release(name)
    write_release(tmp_path, name, release)
    loaded = load_examples(TASKS[name], str(tmp_path))
    assert loaded.num_read == {split: len(rows) for split, rows in release.items()}
    assert {split: len(rows) for split, rows in loaded.examples.items()} == loaded.num_read
    assert not loaded.drops


@pytest.mark.parametrize("name", [name for name in TASKS if TASKS[name].hub])
def test_rows_from_the_hub_are_those_of_the_raw_files(name: str, tmp_path: Path) -> None:
    release = small_release(name)
    write_release(tmp_path / "raw", name, release)
    hub = TASKS[name].hub
    assert hub is not None
    copies: dict[str, list[dict[str, Any]]] = {}
    for split, names in hub.splits.items():
        for part in names:
            rows = release[split]
            if name == "bbq":
                rows = [row for row in rows if row["category"].lower() == part]
            copies[part] = [as_on_hub(name, row) for row in rows]
    ending = "jsonl" if name == "csqa2" else "parquet"
    write_hub_copy(tmp_path / "hub", hub.config, copies, ending)
    copied = dataclasses.replace(hub, repository=str(tmp_path / "hub"))
    task = dataclasses.replace(TASKS[name], hub=copied)
    sizes = {"num_train": 15, "num_validation": 5}
    raw = load_splits(task, DataSettings(source=str(tmp_path / "raw"), **sizes))
    same = load_splits(task, DataSettings(source="hub", **sizes))
    assert same.train == raw.train
    assert same.validation == raw.validation
    assert same.test == raw.test
    assert same.digests == raw.digests


def test_what_a_row_says_cannot_break_the_one_line() -> None:
    row = copy.deepcopy(ROWS["csqa"])
    row["question"]["choices"][2]["label"] = "0\n0"
    task = dataclasses.replace(TASKS["csqa"], read_own=lambda: {"train": [("file:2", row)]})
    with pytest.raises(InputError) as caught:
        load_examples(task, "anywhere")
    assert "has the choices A, B, 0 0, D, E instead of A to E" in str(caught.value)


def test_a_hub_row_of_another_schema_is_blamed(tmp_path: Path) -> None:
    hub = TASKS["csqa"].hub
    assert hub is not None
    write_hub_copy(tmp_path / "hub", None, {"train": [{"id": "1", "question": "Where?"}]})
    copied = dataclasses.replace(
        hub, repository=str(tmp_path / "hub"), splits={"train": ("train",)}
    )
    with pytest.raises(InputError, match=r"train row 1: a row of another schema .*choices"):
        read_hub(copied)


def test_a_hub_dataset_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub = TASKS["csqa"].hub
    assert hub is not None
    missing = dataclasses.replace(hub, repository=str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"hub dataset .*none: cannot be loaded at revision 94630"):
        read_hub(missing)


def test_every_hub_dataset_is_pinned_to_a_commit() -> None:
    for task in TASKS.values():
        assert task.hub is None or re.fullmatch(r"[0-9a-f]{40}", task.hub.revision)


def test_the_archive_of_saferdialogues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = small_release("saferdialogues")
    write_release(tmp_path / "raw", "saferdialogues", release)
    folder = tmp_path / "raw" / "saferdialogues" / "saferdialogues_dataset"
    members = {f"saferdialogues_dataset/{p.name}": p.read_bytes() for p in folder.iterdir()}
    path, sha256 = archive(tmp_path, members)
    task = TASKS["saferdialogues"]
    with pytest.raises(InputError, match=f"sha256 is {sha256}, not ef6a5f85"):
        load_examples(task, str(path))
    monkeypatch.setattr(saferdialogues_module, "ARCHIVE_SHA256", sha256)
    assert (
        load_examples(task, str(path)).examples
        == load_examples(task, str(tmp_path / "raw")).examples
    )


def test_missing_data_says_where_to_get_it(tmp_path: Path) -> None:
    for name, needle in [
        ("saferdialogues", r"parl\.ai/downloads/.*sha256 ef6a5f85"),
        ("bbq", r"Age\.jsonl: no such file"),
        ("toxigen", r"toxiGen\.json: no such file"),
    ]:
        with pytest.raises(MissingDataError, match=needle):
            load_examples(TASKS[name], str(tmp_path))
    with pytest.raises(MissingDataError, match=r"'toxigen': is not on the hub; .*'toxigen_v1'"):
        load_examples(TASKS["toxigen"], "hub")
    with pytest.raises(MissingDataError, match="closed world has no such task"):
        load_examples(TASKS["toxigen_v1"], "tiny")
    with pytest.raises(MissingDataError, match="no such data folder"):
        load_examples(TASKS["bbq"], str(tmp_path / "none"))


def test_real_dialogues(real_data: Path, tmp_path: Path) -> None:
    """A few of them are public in ParlAI's repository, as text files and as rows."""
    folder = tmp_path / "saferdialogues" / "saferdialogues_dataset"
    folder.mkdir(parents=True)
    sample = real_data / "saferdialogues"
    for name in ("train.txt", "valid.txt", "test.txt"):
        (folder / name).write_bytes((sample / "parlai_txt_sample" / name).read_bytes())
    task = TASKS["saferdialogues"]
    loaded = load_examples(task, str(tmp_path))
    assert loaded.num_read == {"train": 10, "validation": 10, "test": 10}
    rows = [row for _, row in json_lines(sample / "saferdialogues_sample.jsonl")]
    expected = {
        example.id: example for row in rows if isinstance(example := task.parse_row(row), Example)
    }
    for examples in loaded.examples.values():
        for example in examples:
            assert example == expected[example.id]
            assert example.context.count("\n") in (2, 3), "four or five turns, the last one apart"


def test_a_sources_name_goes_before_a_folder_that_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tiny", "tiny_uneven", "hub", "rows"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    chosen = DataSettings(source="tiny_uneven", sources={"csqa": "rows", "bbq": "hub"})
    assert chosen.source == "tiny_uneven"
    assert chosen.sources == {"csqa": str(tmp_path / "rows"), "bbq": "hub"}
