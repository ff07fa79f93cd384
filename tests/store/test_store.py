"""The stage store: whole or absent, verified, first publisher wins."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from raysweep.errors import InputError
from raysweep.store.storage import Storage
from raysweep.store.store import DamagedEntryError, EntryKind, Store
from raysweep.testing import StoreContract


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


def _create(folder: Path, number: int, results: SimpleQueue[tuple[int, bool]]) -> None:
    storage = Storage.open(folder)
    results.put((number, storage.create("k/manifest.json", str(number).encode())))


def test_of_many_processes_exactly_one_creates(tmp_path: Path) -> None:
    context = get_context("fork")
    results = context.SimpleQueue()
    processes = [
        context.Process(target=_create, args=(tmp_path, number, results)) for number in range(16)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    outcomes = dict(results.get() for _ in processes)
    (winner,) = [number for number, created in outcomes.items() if created]
    assert Storage.open(tmp_path).read("k/manifest.json") == str(winner).encode()
    assert [path.name for path in (tmp_path / "k").iterdir()] == ["manifest.json"]


def test_the_manifest_lists_sizes_and_digests(store: Store, attempt: Path) -> None:
    store.publish(EntryKind.STAGE, "k", attempt, {})
    manifest = json.loads(store.storage.read("stages/k/manifest.json"))
    sizes = {file["name"]: file["num_bytes"] for file in manifest["files"]}
    assert sizes == {"weights.bin": 1000, "steps.json": 2}
    assert all(len(file["sha256"]) == 64 for file in manifest["files"])


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


class Unreliable:
    """A file system whose reads fail a few times first."""

    def __init__(self, storage: Storage, error: OSError, failures: int) -> None:
        self._inner, self._error, self.failures = storage.filesystem, error, failures

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def open_input_stream(self, path: str) -> object:
        if self.failures:
            self.failures -= 1
            raise self._error
        return self._inner.open_input_stream(path)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)


def test_what_may_pass_is_tried_again(storage: Storage, no_pauses: None) -> None:
    storage.write("a", b"content")
    flaky = Unreliable(storage, OSError("AWS Error NETWORK_CONNECTION during GetObject"), 3)
    assert replace(storage, filesystem=flaky).read("a") == b"content"
    assert flaky.failures == 0


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "no space"),
        FileNotFoundError(errno.ENOENT, "gone"),
        OSError("AWS Error ACCESS_DENIED during GetObject"),
    ],
)
def test_what_stays_is_raised_at_once(storage: Storage, error: OSError) -> None:
    storage.write("a", b"content")
    broken = Unreliable(storage, error, 2)
    with pytest.raises(OSError, match=re.escape(str(error))):
        replace(storage, filesystem=broken).read("a")
    assert broken.failures == 1


def test_patience_ends(storage: Storage, no_pauses: None) -> None:
    storage.write("a", b"content")
    broken = Unreliable(storage, OSError("AWS Error NETWORK_CONNECTION"), 100)
    with pytest.raises(OSError, match="NETWORK_CONNECTION"):
        replace(storage, filesystem=broken).read("a")
    assert 90 < broken.failures < 99


def rewrite_manifest(store: Store, **changes: object) -> None:
    """Changes the manifest's words about ``weights.bin``."""
    manifest = json.loads(store.storage.read("stages/k/manifest.json"))
    for file in manifest["files"]:
        if file["name"] == "weights.bin":
            file.update(changes)
    store.storage.write("stages/k/manifest.json", json.dumps(manifest).encode())


def take_manifest_of(store: Store, attempt: Path, kind: EntryKind) -> None:
    """Gives the entry the manifest of another one, which has other files."""
    other = attempt.with_name("other")
    other.mkdir()
    (other / "predictions.arrow").write_bytes(b"p")
    store.publish(kind, "k", other, {})
    store.storage.write("stages/k/manifest.json", store.storage.read(f"{kind}/k/manifest.json"))


def in_place_of(store: Store, place: str) -> None:
    """Puts a folder where a file was; an object store has none, there it is missing."""
    store.storage.delete(place)
    store.storage.write(f"{place}/something", b"else")


DAMAGES = {
    "deleted": lambda s, place, a: s.storage.delete(place),
    "empty": lambda s, place, a: s.storage.write(place, b""),
    "cut": lambda s, place, a: s.storage.write(place, s.storage.read(place)[:-1]),
    "longer": lambda s, place, a: s.storage.write(place, s.storage.read(place) + b"\0"),
    "another": lambda s, place, a: s.storage.write(place, b"x" * 1000),
    "a folder": lambda s, place, a: in_place_of(s, place),
    "attempt deleted": lambda s, place, a: s.storage.delete_folder(place.rpartition("/")[0]),
    "all deleted": lambda s, place, a: s.storage.delete_folder("stages/k"),
    "not listed": lambda s, place, a: rewrite_manifest(s, name="something.else"),
    "other size": lambda s, place, a: rewrite_manifest(s, num_bytes=999),
    "no size": lambda s, place, a: rewrite_manifest(s, num_bytes=None),
    "other digest": lambda s, place, a: rewrite_manifest(s, sha256="0" * 64),
    "other place": lambda s, place, a: rewrite_manifest(s, path="elsewhere/weights.bin"),
    "outside": lambda s, place, a: rewrite_manifest(s, path="../other/weights.bin"),
    "name outside": lambda s, place, a: rewrite_manifest(s, name="../weights.bin"),
    "manifest of others": lambda s, place, a: take_manifest_of(s, a, EntryKind.EVALUATION),
    "manifest deleted": lambda s, place, a: s.storage.delete("stages/k/manifest.json"),
    "manifest empty": lambda s, place, a: s.storage.write("stages/k/manifest.json", b""),
    "manifest a list": lambda s, place, a: s.storage.write("stages/k/manifest.json", b"[]"),
    "manifest a folder": lambda s, place, a: in_place_of(s, "stages/k/manifest.json"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_whatever_is_wrong_makes_an_entry_damaged_and_it_can_be_made_again(
    store: Store, attempt: Path, kind: str
) -> None:
    entry = store.publish(EntryKind.STAGE, "k", attempt, {})
    DAMAGES[kind](store, f"stages/k/{entry.file('weights.bin').path}", attempt)
    with pytest.raises(DamagedEntryError, match="made again"):
        store.read(store.demand(EntryKind.STAGE, "k"), "weights.bin")
    assert store.find(EntryKind.STAGE, "k") is None
    store.publish(EntryKind.STAGE, "k", attempt, {})
    again = store.demand(EntryKind.STAGE, "k")
    assert store.read(again, "weights.bin") == b"w" * 1000
    assert store.read(again, "steps.json") == b"[]"


@pytest.mark.parametrize("kind", ["deleted", "attempt deleted", "all deleted", "a folder", "empty"])
def test_damage_between_the_look_and_the_use(store: Store, attempt: Path, kind: str) -> None:
    entry = store.publish(EntryKind.STAGE, "k", attempt, {})
    found = store.demand(EntryKind.STAGE, "k")
    DAMAGES[kind](store, f"stages/k/{entry.file('weights.bin').path}", attempt)
    with pytest.raises(DamagedEntryError, match="made again"):
        store.read(found, "weights.bin")
    assert store.find(EntryKind.STAGE, "k") is None


def test_a_file_where_the_entry_belongs_is_put_out_of_the_way(
    tmp_path: Path, attempt: Path
) -> None:
    store = Store(Storage.open(tmp_path / "storage"))
    store.storage.write("stages/k", b"not a folder")
    assert store.find(EntryKind.STAGE, "k") is None
    store.publish(EntryKind.STAGE, "k", attempt, {})
    assert store.read(store.demand(EntryKind.STAGE, "k"), "weights.bin") == b"w" * 1000


class Unreadable(Unreliable):
    """A file system that cannot read some files, as if their rights or their disk were bad."""

    def __init__(self, storage: Storage, error: OSError, part: str) -> None:
        super().__init__(storage, error, 0)
        self._part = part

    def open_input_stream(self, path: str) -> object:
        if self._part in path:
            raise self._error
        return self._inner.open_input_stream(path)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ENOENT])
@pytest.mark.parametrize("part", ["manifest.json", "weights.bin"])
def test_a_file_that_cannot_be_read_is_damage(
    tmp_path: Path,
    attempt: Path,
    number: int,
    part: str,
    no_pauses: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = Storage.open(tmp_path / "storage")
    Store(whole).publish(EntryKind.STAGE, "k", attempt, {})
    error = OSError(number, errno.errorcode[number])
    store = Store(replace(whole, filesystem=Unreadable(whole, error, part)))

    def download(self: Storage, name: str, destination: Path) -> None:
        destination.write_bytes(self.read(name))

    monkeypatch.setattr(Storage, "download", download)
    with pytest.raises(DamagedEntryError, match="made again"):
        store.read(store.demand(EntryKind.STAGE, "k"), "weights.bin")
    assert Store(whole).find(EntryKind.STAGE, "k") is None


def test_a_network_that_fails_is_no_damage(tmp_path: Path, attempt: Path, no_pauses: None) -> None:
    whole = Storage.open(tmp_path / "storage")
    entry = Store(whole).publish(EntryKind.STAGE, "k", attempt, {})
    error = OSError("AWS Error NETWORK_CONNECTION during GetObject")
    store = Store(replace(whole, filesystem=Unreadable(whole, error, "manifest.json")))
    with pytest.raises(OSError, match="NETWORK_CONNECTION"):
        store.find(EntryKind.STAGE, "k")
    assert Store(whole).find(EntryKind.STAGE, "k") == entry


def test_each_file_that_is_copied_is_told(store: Store, attempt: Path, tmp_path: Path) -> None:
    told: list[str] = []
    entry = store.publish(EntryKind.STAGE, "k", attempt, {}, lambda: told.append("up"))
    store.fetch(entry, tmp_path / "copy", on_file=lambda: told.append("down"))
    assert told == ["up", "up", "down", "down"]
