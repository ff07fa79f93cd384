"""An entry that is not as it was published is set aside, and can be made again."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from raysweep.store.storage import Storage
from raysweep.store.store import DamagedEntryError, EntryKind, Store
from tests.store.unreliable import Unreadable


def flip(store: Store, place: str) -> None:
    content = bytearray(store.storage.read(place))
    content[17] ^= 1
    store.storage.write(place, bytes(content))


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


DAMAGES: dict[str, Callable[[Store, str, Path], object]] = {
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
