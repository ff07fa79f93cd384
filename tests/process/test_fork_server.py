"""Processes forked off a server: each as new as the other, and none outlives its server."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from raysweep.process.fork_server import ForkServer, LostServerError

MODULE = "colorsys"  # small, and imported by nothing here


@pytest.fixture(name="server")
def started() -> Iterator[ForkServer]:
    server = ForkServer([MODULE])
    yield server
    server.close()


def _see(channel: Connection, mark: str) -> None:
    """Tells what a former process has left, and leaves a mark for the next."""
    channel.send((MODULE in sys.modules, os.environ.get("MARK"), os.getpid(), os.getppid()))
    os.environ["MARK"] = mark


def _echo(channel: Connection) -> None:
    while True:
        channel.send(channel.recv() + 1)


def _fail(channel: Connection) -> None:
    raise ValueError("as it should")


def test_each_process_is_new_and_has_its_imports(server: ForkServer) -> None:
    seen = []
    for mark in ("first", "second"):
        child = server.start(f"{__name__}:_see", mark)
        seen.append(child.channel.recv())
        assert child.exit_code() == 0
    (imported, left, pid, parent), (also_imported, also_left, other, same_parent) = seen
    assert imported
    assert also_imported
    assert left is None
    assert also_left is None
    assert pid != other
    assert parent == same_parent != os.getpid()


def test_a_process_answers_until_its_channel_ends(server: ForkServer) -> None:
    child = server.start(f"{__name__}:_echo")
    for number in (1, 41):
        child.channel.send(number)
        assert child.channel.recv() == number + 1
    assert child.exit_code() == 1, "the end of its channel is an error to it"


def test_a_process_that_fails_or_is_killed_says_so_and_another_follows(server: ForkServer) -> None:
    failed = server.start(f"{__name__}:_fail")
    with pytest.raises(EOFError):
        failed.channel.recv()
    assert failed.exit_code() == 1
    killed = server.start(f"{__name__}:_echo")
    killed.kill()
    with pytest.raises((EOFError, ConnectionError)):
        killed.channel.recv()
    assert killed.exit_code() == -signal.SIGKILL
    child = server.start(f"{__name__}:_see", "")
    assert child.channel.recv()[1] is None
    assert child.exit_code() == 0


def test_a_kill_that_comes_too_late_ends_nobody_else(server: ForkServer) -> None:
    ended = server.start(f"{__name__}:_see", "")
    ended.channel.recv()
    time.sleep(0.2)
    ended.kill()
    assert ended.exit_code() == 0
    child = server.start(f"{__name__}:_echo")
    child.channel.send(1)
    assert child.channel.recv() == 2
    child.kill()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_ends_with_its_server_and_the_server_with_its_owner(
    server: ForkServer, how: signal.Signals
) -> None:
    child = server.start(f"{__name__}:_see", "")
    _, _, _, parent = child.channel.recv()
    child.exit_code()
    child = server.start(f"{__name__}:_echo")
    child.channel.send(1)
    assert child.channel.recv() == 2
    (process,) = psutil.Process(parent).children()
    os.kill(parent, how)
    server.close()
    # None of a process that is not ours to wait for, which this one is where orphans are adopted.
    assert process.wait(timeout=10) in (None, -signal.SIGKILL)
    with pytest.raises(LostServerError):
        server.start(f"{__name__}:_see", "")


def test_others_share_a_server_each_with_its_own_process(tmp_path: Path) -> None:
    address = str(tmp_path / "socket")
    owner = ForkServer([MODULE], address)
    first = owner.start(f"{__name__}:_echo")
    joined = ForkServer.join(address)
    second = joined.start(f"{__name__}:_echo")
    for child in (first, second):
        child.channel.send(1)
        assert child.channel.recv() == 2
    second.kill()
    with pytest.raises((EOFError, ConnectionError)):
        second.channel.recv()
    assert second.exit_code() == -signal.SIGKILL
    third = joined.start(f"{__name__}:_see", "")
    imported, left, _, _ = third.channel.recv()
    assert (imported, left, third.exit_code()) == (True, None, 0)
    first.channel.send(41)
    assert first.channel.recv() == 42, "it has not noticed"
    fourth = joined.start(f"{__name__}:_echo")
    fourth.channel.send(1)
    assert fourth.channel.recv() == 2
    joined.close()
    with pytest.raises((EOFError, ConnectionError)):
        fourth.channel.recv()
    first.channel.send(0)
    assert first.channel.recv() == 1, "one client's end is not another's"
    owner.close()
    with pytest.raises(LostServerError):
        ForkServer.join(address)


def mark(value: str) -> None:
    """Leaves a mark in this process."""
    os.environ["MARK"] = value


def test_what_the_server_calls_all_later_ones_have(server: ForkServer) -> None:
    seen = []
    for number in range(3):
        if number:
            server.call(f"{__name__}:mark", f"mark {number}")
        child = server.start(f"{__name__}:_see", "a child's own")
        seen.append(child.channel.recv()[1])
        assert child.exit_code() == 0
    assert seen == [None, "mark 1", "mark 2"]


def test_a_call_that_fails_ends_the_server(server: ForkServer) -> None:
    server.call(f"{__name__}:_fail", None)
    with pytest.raises((LostServerError, EOFError, ConnectionError)):
        server.start(f"{__name__}:_see", "").channel.recv()
