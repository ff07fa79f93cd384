"""What holds of a stage store in every storage location."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from raysweep.store.storage import Storage
from raysweep.store.store import DamagedEntryError, EntryKind, Store


class StoreContract:
    """Tests of a storage location.

    They ask for the fixture ``storage``, an empty `Storage` such as
    ``Storage.open("s3://bucket/new-folder")``.
    """

    @pytest.fixture
    def store(self, storage: Storage) -> Store:
        """A store there."""
        return Store(storage.sub("store"))

    @pytest.fixture
    def attempt(self, tmp_path: Path) -> Path:
        """A folder of files to be published."""
        folder = tmp_path / "attempt"
        folder.mkdir()
        (folder / "weights.bin").write_bytes(b"w" * 1000)
        (folder / "steps.json").write_text("[]")
        return folder

    def test_storage_writes_reads_lists_and_deletes(self, storage: Storage, tmp_path: Path) -> None:
        """Bytes and local files."""
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

    def test_folders_come_and_go(self, storage: Storage) -> None:
        """As far as a location has any."""
        assert storage.folders("kind") == []
        storage.write("kind/b/x", b"1")
        storage.write("kind/a/y/z", b"2")
        storage.write("kind/file", b"3")
        assert storage.folders("kind") == ["a", "b"]
        storage.delete_folder("kind/a")
        storage.delete_folder("kind/none")
        assert storage.folders("kind") == ["b"]
        assert not storage.exists("kind/a/y/z")

    def test_of_several_creations_the_first_counts(self, storage: Storage) -> None:
        """On which "the first to publish wins" rests."""
        assert storage.create("k/manifest.json", b"first")
        assert not storage.create("k/manifest.json", b"second")
        assert storage.read("k/manifest.json") == b"first"

    def test_what_is_published_comes_back(
        self, store: Store, attempt: Path, tmp_path: Path
    ) -> None:
        """Whole or in part, with its provenance."""
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
        self, store: Store, attempt: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An attempt that ends before it has published leaves no half an entry."""

        def crash(self: Storage, name: str, content: bytes) -> bool:
            raise KeyboardInterrupt

        monkeypatch.setattr(Storage, "create", crash)
        with pytest.raises(KeyboardInterrupt):
            store.publish(EntryKind.STAGE, "k", attempt, {})
        assert store.find(EntryKind.STAGE, "k") is None
        monkeypatch.undo()
        store.publish(EntryKind.STAGE, "k", attempt, {})
        assert store.find(EntryKind.STAGE, "k") is not None

    def test_of_two_attempts_the_first_to_publish_wins(self, store: Store, attempt: Path) -> None:
        """The second one is told what there is."""
        first = store.publish(EntryKind.STAGE, "k", attempt, {"by": 1})
        (attempt / "weights.bin").write_bytes(b"other")
        second = store.publish(EntryKind.STAGE, "k", attempt, {"by": 2})
        assert second == first
        assert store.find(EntryKind.STAGE, "k") == first

    def test_a_damaged_entry_is_set_aside_and_made_again(
        self, store: Store, attempt: Path, tmp_path: Path
    ) -> None:
        """Whether a file is another one, too short or gone."""
        storage = store.storage
        damages: dict[str, tuple[Callable[[str], object], str]] = {
            "other": (
                lambda place: storage.write(place, b"w" * 999 + b"v"),
                "differs from its manifest",
            ),
            "short": (lambda place: storage.write(place, b"w" * 999), "differs from its manifest"),
            "gone": (storage.delete, "is missing from its entry"),
        }
        for damage, problem in damages.values():
            entry = store.publish(EntryKind.STAGE, "k", attempt, {})
            damage(f"stages/k/{entry.file('weights.bin').path}")
            with pytest.raises(DamagedEntryError, match=f"{problem}; the entry is set aside"):
                store.fetch(entry, tmp_path / "copy")
            assert store.find(EntryKind.STAGE, "k") is None
        entry = store.publish(EntryKind.STAGE, "k", attempt, {})
        assert store.read(entry, "weights.bin") == b"w" * 1000
        aside = [name for name in storage.names("stages/k", ".json") if "damaged" in name]
        assert len(aside) == len(damages)

    @pytest.mark.parametrize(
        "content", [b"", b'{"files": [{"na', b"[]", b'{"files": [{"name": 1}]}']
    )
    def test_a_damaged_manifest_is_no_entry(
        self, store: Store, attempt: Path, content: bytes
    ) -> None:
        """And in nobody's way."""
        store.publish(EntryKind.STAGE, "k", attempt, {})
        store.storage.write("stages/k/manifest.json", content)
        assert store.find(EntryKind.STAGE, "k") is None
        again = store.publish(EntryKind.STAGE, "k", attempt, {})
        assert again == store.find(EntryKind.STAGE, "k")

    def test_what_is_dropped_is_gone(self, store: Store, attempt: Path) -> None:
        """With its files, and can be published again."""
        entry = store.publish(EntryKind.WEIGHTS, "k", attempt, {})
        store.drop(EntryKind.WEIGHTS, "k")
        assert store.find(EntryKind.WEIGHTS, "k") is None
        assert not store.storage.exists(f"weights/k/{entry.file('weights.bin').path}")
        assert store.publish(EntryKind.WEIGHTS, "k", attempt, {}).files
