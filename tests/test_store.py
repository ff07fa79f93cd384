"""The stage store: whole or absent, verified, first publisher wins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from raysweep.errors import InputError
from raysweep.storage import Storage
from raysweep.store import DamagedEntryError, EntryKind, Store


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of a real S3 protocol server on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="raysweep-test")
        yield "s3://raysweep-test"
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return Storage.open(tmp_path / "storage")
    return Storage.open(f"{request.getfixturevalue('bucket')}/{tmp_path.name}")


@pytest.fixture
def store(storage: Storage) -> Store:
    return Store(storage.sub("store"))


@pytest.fixture
def attempt(tmp_path: Path) -> Path:
    folder = tmp_path / "attempt"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"w" * 1000)
    (folder / "steps.json").write_text("[]")
    return folder


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
    def crash(self: Storage, name: str, content: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Storage, "write", crash)
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


def test_damage_is_noticed(store: Store, attempt: Path, tmp_path: Path) -> None:
    entry = store.publish(EntryKind.STAGE, "k", attempt, {})
    place = f"stages/k/{entry.file('weights.bin').path}"
    content = bytearray(store.storage.read(place))
    content[17] ^= 1
    store.storage.write(place, bytes(content))
    with pytest.raises(DamagedEntryError, match="differs from its manifest"):
        store.fetch(entry, tmp_path / "copy")
    store.storage.delete(place)
    with pytest.raises(DamagedEntryError, match="missing"):
        store.fetch(entry, tmp_path / "copy")
    with pytest.raises(DamagedEntryError, match="has no file"):
        entry.file("else")


def test_the_manifest_lists_sizes_and_digests(store: Store, attempt: Path) -> None:
    store.publish(EntryKind.STAGE, "k", attempt, {})
    manifest = json.loads(store.storage.read("stages/k/manifest.json"))
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
