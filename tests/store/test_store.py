"""The stage store: whole or absent, verified, first publisher wins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raysweep.store.storage import Storage
from raysweep.store.store import EntryKind, Store


def test_what_is_published_comes_back(store: Store, attempt: Path, tmp_path: Path) -> None:
    assert store.find(EntryKind.STAGE, "k") is None
    store.publish(EntryKind.STAGE, "k", attempt, {"host": "h"})
    entry = store.find(EntryKind.STAGE, "k")
    assert entry is not None
    assert entry.provenance == {"host": "h"}
    folder = store.fetch(entry, tmp_path / "copy")
    assert (folder / "weights.bin").read_bytes() == b"w" * 1000
    only = store.fetch(entry, tmp_path / "part", ("steps.json",))
    assert [path.name for path in only.iterdir()] == ["steps.json"]


def test_files_without_a_manifest_do_not_exist(
    store: Store, attempt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(self: Storage, name: str, content: bytes) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Storage, "create", crash)
    with pytest.raises(KeyboardInterrupt):
        store.publish(EntryKind.STAGE, "k", attempt, {})
    assert store.find(EntryKind.STAGE, "k") is None
    monkeypatch.undo()
    store.publish(EntryKind.STAGE, "k", attempt, {})
    assert store.find(EntryKind.STAGE, "k") is not None


def test_of_two_attempts_the_first_to_publish_wins(store: Store, attempt: Path) -> None:
    first = store.publish(EntryKind.STAGE, "k", attempt, {"by": 1})
    (attempt / "weights.bin").write_bytes(b"other")
    second = store.publish(EntryKind.STAGE, "k", attempt, {"by": 2})
    assert second == first
    assert store.find(EntryKind.STAGE, "k") == first


def test_a_read_that_fails_once_is_repeated(
    store: Store, attempt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = store.publish(EntryKind.STAGE, "k", attempt, {})
    download, calls = Storage.download, []

    def cut_short(self: Storage, name: str, destination: Path) -> None:
        download(self, name, destination)
        calls.append(name)
        if len(calls) == 1:
            destination.write_bytes(b"")

    monkeypatch.setattr(Storage, "download", cut_short)
    store.fetch(entry, tmp_path / "copy")
    assert len(calls) == 3
    assert store.find(EntryKind.STAGE, "k") == entry


def test_the_manifest_lists_sizes_and_digests(store: Store, attempt: Path) -> None:
    store.publish(EntryKind.STAGE, "k", attempt, {})
    manifest = json.loads(store.storage.read("stages/k/manifest.json"))
    sizes = {file["name"]: file["num_bytes"] for file in manifest["files"]}
    assert sizes == {"weights.bin": 1000, "steps.json": 2}
    assert all(len(file["sha256"]) == 64 for file in manifest["files"])


def test_each_file_that_is_copied_is_told(store: Store, attempt: Path, tmp_path: Path) -> None:
    told: list[str] = []
    entry = store.publish(EntryKind.STAGE, "k", attempt, {}, lambda: told.append("up"))
    store.fetch(entry, tmp_path / "copy", on_file=lambda: told.append("down"))
    assert told == ["up", "up", "down", "down"]
