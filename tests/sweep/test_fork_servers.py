"""One fork server for all workers of this machine, and their own where it is gone."""

from __future__ import annotations

import os
import stat
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


def test_workers_share_one_as_long_as_it_is_there(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fork_servers, "PRELOADED", ("colorsys",))
    fork_servers.start_shared(WORKERS, ROWS)
    address = Path(os.environ[fork_servers.VARIABLE])
    assert stat.S_IMODE(address.parent.stat().st_mode) == 0o700, "nobody else reaches it"
    first, second = forked_off(), forked_off()
    assert first == second
    fork_servers.end_shared()
    assert fork_servers.VARIABLE not in os.environ
    assert not address.parent.exists()
    assert forked_off() != first, "one's own"
    monkeypatch.setenv(fork_servers.VARIABLE, str(address))
    assert forked_off() != first
    assert "this worker starts its own" in caplog.text


def test_on_gpus_there_is_none_for_all() -> None:
    fork_servers.start_shared(WorkerSettings(shape="given", use_gpu=True), ROWS)
    assert fork_servers.VARIABLE not in os.environ


def test_where_a_sockets_name_would_be_too_long_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fork_servers, "scratch_path", lambda token: tmp_path / ("a" * 100) / token)
    fork_servers.start_shared(WORKERS, ROWS)
    assert fork_servers.VARIABLE not in os.environ
