"""Rows that a process holds for those that are forked off it: the same as read anew."""

from __future__ import annotations

from multiprocessing.connection import Connection

import pytest

from raysweep.process.fork_server import ForkServer
from raysweep.tasks.registry import TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import Splits, load_splits
from raysweep.worker import rows
from raysweep.worker.rows import HeldRows, find_splits

SETTINGS = DataSettings(source="tiny", num_train=40, num_test=26, num_validation=10)
NAMES = ("toxigen", "csqa")


@pytest.fixture(name="splits", scope="module")
def loaded() -> dict[str, Splits]:
    return {name: load_splits(TASKS[name], SETTINGS) for name in NAMES}


def find(channel: Connection, name: str, seed: int) -> None:
    """Sends what it finds but for the task, and how many times rows were read for it."""
    read = []

    def load(*arguments: object) -> Splits:
        read.append(arguments)
        return load_splits(TASKS[name], SETTINGS.model_copy(update={"seed": seed}))

    rows.load_splits = load  # type: ignore[attr-defined, assignment]
    found = find_splits(TASKS[name], SETTINGS.model_copy(update={"seed": seed}))
    content = HeldRows.of(SETTINGS, {name: found}).content
    channel.send((content[name], found.digests, len(read)))


def test_what_the_server_holds_is_not_read_again(splits: dict[str, Splits]) -> None:
    held = HeldRows.of(SETTINGS, splits)
    server = ForkServer(["raysweep.worker.rows"])
    try:
        server.call("raysweep.worker.rows:hold", held)
        for name in NAMES:
            child = server.start(f"{__name__}:find", name, SETTINGS.seed)
            assert child.channel.recv() == (held.content[name], splits[name].digests, 0)
            assert child.exit_code() == 0
        child = server.start(f"{__name__}:find", "csqa", SETTINGS.seed + 1)
        _, digests, num_read = child.channel.recv()
        assert num_read == 1, "of another data seed nothing is held"
        assert digests != splits["csqa"].digests
        assert child.exit_code() == 0
    finally:
        server.close()


def test_a_task_keeps_its_functions(
    splits: dict[str, Splits], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_held", [HeldRows.of(SETTINGS, splits)])
    for name in NAMES:
        assert find_splits(TASKS[name], SETTINGS) == splits[name]
        assert find_splits(TASKS[name], SETTINGS).task is TASKS[name]
    assert find_splits(TASKS["bbq"], SETTINGS) == load_splits(TASKS["bbq"], SETTINGS)
