"""Runs of small commands: all of their processes are found, whoever their parents are by then."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from tests.faults import runs
from tests.faults.moments import Fault
from tests.faults.runs import Run, RunError

PARENT = """
import subprocess, sys, time
from pathlib import Path
child = subprocess.Popen(["sleep", "300"], start_new_session=True)
Path("child").write_text(str(child.pid))
time.sleep(float(sys.argv[1]))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runs, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(runs, "LOOK_SECONDS", 0.0)
    (tmp_path / "parent.py").write_text(PARENT)
    return tmp_path


def child_of(folder: Path) -> psutil.Process:
    deadline = time.monotonic() + 30
    while not (folder / "child").exists() or not (folder / "child").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return psutil.Process(int((folder / "child").read_text()))


def test_everything_is_killed(folder: Path) -> None:
    run = Run(folder, ["parent", "300"])
    child = child_of(folder)
    run.kill_all()
    assert not runs._is_alive(child)


def test_what_outlives_the_command_is_named_and_killed(folder: Path) -> None:
    run = Run(folder, ["parent", "2"])
    child = child_of(folder)
    code, left = run.finish(linger=0.5)
    assert code == 0
    assert left == ["process sleep 300"]
    assert not runs._is_alive(child)


def test_a_moment_that_never_comes_is_an_error(folder: Path) -> None:
    never = Fault("writing", "raysweep.store.storage:Storage.write", "before", "", 1)
    with pytest.raises(RunError, match=r"never came \(writing: before call 1 of .* exit code 0"):
        Run(folder, ["parent", "0"], [never]).wait_for_moment()


def test_a_command_that_does_not_end_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "LIMIT_SECONDS", 1)
    run = Run(folder, ["parent", "300"])
    with pytest.raises(RunError, match="did not end: 1 s are up"):
        run.finish()
