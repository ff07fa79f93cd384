"""One fork server for all workers of this machine, and their own where it is gone."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from raysweep.sweep import fork_servers
from raysweep.tasks.settings import DataSettings
from raysweep.training.settings import WorkerSettings
from raysweep.worker.rows import HeldRows

WORKERS = WorkerSettings(shape="given", num_workers=1, zero_stage=0)
ROWS = HeldRows(DataSettings(), {})


def parent(channel: Connection) -> None:
    """Says off which process it was forked."""
    channel.send(os.getppid())


def forked_off() -> int:
    """By a worker that begins now."""
    server = fork_servers.fork_server(WORKERS)
    child = server.start(f"{__name__}:parent")
    found = int(child.channel.recv())
    assert child.exit_code() == 0
    server.close()
    return found


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(fork_servers, "PRELOADED", ("colorsys",))
    yield
    fork_servers.end_shared()


def test_workers_share_one_as_long_as_it_is_there(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with fork_servers.shared(WORKERS):
        address = Path(os.environ[fork_servers.VARIABLE])
        assert stat.S_IMODE(address.parent.stat().st_mode) == 0o700, "nobody else reaches it"
        early = forked_off()
        fork_servers.equip_shared(WORKERS, ROWS)
        first, second = forked_off(), forked_off()
        assert early == first == second
    assert fork_servers.VARIABLE not in os.environ
    assert not address.parent.exists()
    assert forked_off() != first, "one's own"
    monkeypatch.setenv(fork_servers.VARIABLE, str(address))
    assert forked_off() != first
    assert "this worker starts its own" in caplog.text


def test_who_has_not_started_it_early_starts_it_with_what_is_known() -> None:
    fork_servers.equip_shared(WORKERS, ROWS)
    assert forked_off() == forked_off()
    assert fork_servers.VARIABLE in os.environ


def test_one_that_is_lost_before_it_is_equipped_is_told_of_and_missed_by_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with fork_servers.shared(WORKERS):
        os.kill(forked_off(), signal.SIGKILL)
        large = HeldRows(DataSettings(), {"a": {"b": "c" * 2**20}})
        deadline = time.monotonic() + 30
        while fork_servers.VARIABLE in os.environ and time.monotonic() < deadline:
            fork_servers.equip_shared(WORKERS, large)
        assert "workers import for themselves" in caplog.text
        assert forked_off() != os.getpid()


def test_on_gpus_and_for_the_cluster_of_another_there_is_none_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_gpus = WorkerSettings(shape="given", use_gpu=True)
    with fork_servers.shared(on_gpus):
        assert fork_servers.VARIABLE not in os.environ
    with fork_servers.shared(WORKERS):
        fork_servers.equip_shared(on_gpus, ROWS)
        assert fork_servers.VARIABLE not in os.environ, "the shape has GPUs, it turns out"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    with fork_servers.shared(WORKERS):
        assert fork_servers.VARIABLE not in os.environ


def test_where_a_sockets_name_would_be_too_long_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fork_servers, "scratch_path", lambda token: tmp_path / ("a" * 100) / token)
    with fork_servers.shared(WORKERS):
        fork_servers.equip_shared(WORKERS, ROWS)
        assert fork_servers.VARIABLE not in os.environ
