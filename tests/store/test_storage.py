"""Files in a folder or a bucket: each write is whole, what may pass is tried again."""

from __future__ import annotations

import errno
import re
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import pytest

from raysweep.errors import InputError
from raysweep.store.storage import Storage
from tests.store.unreliable import Unreliable


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
