"""What is said: once, with its reason, on the console and in the sweep's folder."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console

from raysweep.process.notes import PACKAGE, Note, repeat, speak_through
from raysweep.store.storage import Storage
from raysweep.store.store import DamagedEntryError, EntryKind, Store
from raysweep.sweep.coordinator import Coordinator
from raysweep.sweep.leases import LEASE_SECONDS
from raysweep.sweep.voice import listening


def heard(folder: Storage, *, verbose: bool = False) -> str:
    """What a person sees of an entry that is damaged and of a retry."""
    output = Console(file=io.StringIO(), width=10_000)
    store = Store(folder.sub("store"))
    store.storage.write("stages/k/manifest.json", b"{")
    with listening(folder, "runs/a.log", output, verbose=verbose):
        assert store.find(EntryKind.STAGE, "k") is None
        assert store.find(EntryKind.STAGE, "k") is None
        logging.getLogger("raysweep.store.storage").info("tried again: a reason")
    assert isinstance(output.file, io.StringIO)
    return output.file.getvalue()


def test_an_entry_that_is_set_aside_is_told_once_with_the_reason(tmp_path: Path) -> None:
    folder = Storage.open(tmp_path)
    shown = heard(folder)
    assert shown.count("is set aside as stages/k/damaged-") == 1
    assert shown.startswith("note   store: ")
    assert "manifest.json is damaged (Expecting property name" in shown
    assert "tried again" not in shown
    log = folder.read("runs/a.log").decode().splitlines()
    assert [line.split()[2] for line in log] == ["WARNING", "INFO"]
    assert "raysweep.store.store: " in log[0]


def test_more_is_shown_to_who_wants_it(tmp_path: Path) -> None:
    assert "note   store: tried again: a reason" in heard(Storage.open(tmp_path), verbose=True)


def test_where_nothing_is_said_there_is_no_file(tmp_path: Path) -> None:
    with listening(Storage.open(tmp_path), "runs/a.log", Console(quiet=True), verbose=False):
        pass
    assert list(tmp_path.iterdir()) == []


def test_who_listens_no_more_leaves_nothing_behind(tmp_path: Path) -> None:
    before = list(logging.getLogger(PACKAGE).handlers)
    heard(Storage.open(tmp_path))
    assert logging.getLogger(PACKAGE).handlers == before


def test_what_other_processes_say_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Note] = []
    logger = logging.getLogger(PACKAGE)
    for name in ("handlers", "propagate", "level"):
        monkeypatch.setattr(logger, name, getattr(logger, name))
    speak_through(told.append)
    logging.getLogger("raysweep.store.store").warning("%d %% is gone", 5)
    logging.getLogger("raysweep.store.store").debug("nobody wants this")
    assert told == [Note(logging.WARNING, "raysweep.store.store", "5 % is gone")]
    repeat(told[0])
    assert told == [told[0]] * 2


def test_a_lease_that_is_taken_over_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator, now = Coordinator(str(tmp_path), None, {}), [0.0]
    monkeypatch.setattr(coordinator, "_clock", lambda: now[0])
    assert coordinator.claim("key", "a@1")
    assert not coordinator.claim("key", "b@1")
    now[0] = LEASE_SECONDS + 1
    assert coordinator.claim("key", "b@1")
    (note,) = coordinator.take_notes()
    assert note.text == "the lease of key is taken over by b@1: a@1 has not renewed it"
    assert coordinator.take_notes() == []
    coordinator.release("key", "b@1")
    assert coordinator.claim("key", "c@1")
    assert coordinator.take_notes() == [], "given up is not taken over"


def test_an_entry_that_proves_to_be_something_else_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(Storage.open(tmp_path / "store"))
    folder = tmp_path / "attempt"
    folder.mkdir()
    (folder / "steps").write_bytes(b"12345")
    entry = store.publish(EntryKind.STAGE, "k", folder, {})
    place = tmp_path / "store" / "stages" / "k" / entry.files[0].path
    place.write_bytes(b"12346")
    with pytest.raises(DamagedEntryError):
        store.read(entry, "steps")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "sha256" in record.getMessage() or "differ" in record.getMessage()
