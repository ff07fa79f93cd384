"""The stage store: whole or absent, verified, first publisher wins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raysweep.store.storage import Storage
from raysweep.store.store import DamagedEntryError, EntryKind, Store
from raysweep.testing import StoreContract


class TestStore(StoreContract):
    """In a folder and in a bucket."""


def test_an_entry_has_no_file_that_it_does_not_list(store: Store, attempt: Path) -> None:
    with pytest.raises(DamagedEntryError, match="has no file"):
        store.publish(EntryKind.STAGE, "k", attempt, {}).file("else")


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
