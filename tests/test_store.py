"""The stage store: whole or absent, verified, first publisher wins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyarrow import fs

from raysweep.errors import InputError
from raysweep.storage import Storage
from raysweep.store import DamagedEntryError, EntryKind, Store


@pytest.fixture(params=["local", "object store"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A local folder, and a file system that pyarrow does not take for a local one."""
    if request.param == "local":
        return Storage.open(tmp_path / "storage")
    (tmp_path / "bucket").mkdir()
    filesystem = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem(use_mmap=False))
    made = Storage("test://bucket", "bucket", filesystem)
    (tmp_path / "bucket" / "stages" / "k").mkdir(parents=True)  # object stores need no folders
    return made


@pytest.fixture
def attempt(tmp_path: Path) -> Path:
    folder = tmp_path / "attempt"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"w" * 1000)
    (folder / "steps.json").write_text("[]")
    return folder


@pytest.fixture
def local(tmp_path: Path) -> Store:
    return Store(Storage.open(tmp_path / "storage"))


def test_what_is_published_comes_back(local: Store, attempt: Path, tmp_path: Path) -> None:
    assert local.find(EntryKind.STAGE, "k") is None
    local.publish(EntryKind.STAGE, "k", attempt, {"host": "h"})
    entry = local.find(EntryKind.STAGE, "k")
    assert entry is not None
    assert entry.provenance == {"host": "h"}
    folder = local.fetch(entry, tmp_path / "copy")
    assert (folder / "weights.bin").read_bytes() == b"w" * 1000
    only = local.fetch(entry, tmp_path / "part", ("steps.json",))
    assert [path.name for path in only.iterdir()] == ["steps.json"]


def test_files_without_a_manifest_do_not_exist(
    local: Store, attempt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(self: Storage, name: str, content: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Storage, "write", crash)
    with pytest.raises(KeyboardInterrupt):
        local.publish(EntryKind.STAGE, "k", attempt, {})
    assert local.find(EntryKind.STAGE, "k") is None
    monkeypatch.undo()
    local.publish(EntryKind.STAGE, "k", attempt, {})
    assert local.find(EntryKind.STAGE, "k") is not None


def test_of_two_attempts_the_first_to_publish_wins(local: Store, attempt: Path) -> None:
    first = local.publish(EntryKind.STAGE, "k", attempt, {"by": 1})
    (attempt / "weights.bin").write_bytes(b"other")
    second = local.publish(EntryKind.STAGE, "k", attempt, {"by": 2})
    assert second == first
    assert local.find(EntryKind.STAGE, "k") == first


def test_damage_is_noticed(local: Store, attempt: Path, tmp_path: Path) -> None:
    entry = local.publish(EntryKind.STAGE, "k", attempt, {})
    path = Path(local.storage.root) / "stages" / "k" / entry.file("weights.bin").path
    content = bytearray(path.read_bytes())
    content[17] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedEntryError, match="differs from its manifest"):
        local.fetch(entry, tmp_path / "copy")
    path.unlink()
    with pytest.raises(DamagedEntryError, match="missing"):
        local.fetch(entry, tmp_path / "copy")
    with pytest.raises(DamagedEntryError, match="has no file"):
        entry.file("else")


def test_the_manifest_lists_sizes_and_digests(local: Store, attempt: Path) -> None:
    local.publish(EntryKind.STAGE, "k", attempt, {})
    manifest = json.loads(local.storage.read("stages/k/manifest.json"))
    sizes = {file["name"]: file["num_bytes"] for file in manifest["files"]}
    assert sizes == {"weights.bin": 1000, "steps.json": 2}
    assert all(len(file["sha256"]) == 64 for file in manifest["files"])


def test_storage_writes_reads_lists_and_deletes(storage: Storage, tmp_path: Path) -> None:
    folder = storage.sub("stages", "k")
    folder.write("a.arrow", b"1")
    folder.write("a.arrow", b"22")
    assert folder.read("a.arrow") == b"22"
    assert storage.names("stages/k", ".arrow") == ["a.arrow"]
    assert storage.names("nothing", ".arrow") == []
    (tmp_path / "file").write_bytes(b"333")
    folder.upload(tmp_path / "file", "b")
    folder.download("b", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"333"
    folder.delete("b")
    folder.delete("b")
    assert not folder.exists("b")


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage.open(tmp_path)
    storage.write("a", b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        storage.write("a", b"new")
    assert storage.read("a") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_unknown_scheme_is_an_input_error() -> None:
    with pytest.raises(InputError, match="storage nope://x"):
        Storage.open("nope://x")
