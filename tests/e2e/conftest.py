"""Sweeps as a user runs them: the real command, Ray, DeepSpeed and the embedded base."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 400


class User:
    """Runs commands in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.environment.pop("RAY_ADDRESS", None)

    def run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment,
            timeout=LIMIT_SECONDS,
        )

    def interrupt(
        self, sign: str, module: str, *arguments: str
    ) -> tuple[int, str, set[tuple[str, str]]]:
        """Runs a command and presses Ctrl-C when ``sign`` is printed.

        Returns the exit code, the output, and the addresses on which the command's processes
        listened at that moment, each with the process's name.
        """
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", module, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=self.environment,
            start_new_session=True,
        )
        assert process.stdout is not None
        deadline, seen = time.monotonic() + LIMIT_SECONDS, ""
        listening: set[tuple[str, str]] = set()
        for line in process.stdout:
            seen += line
            if sign in line:
                listening = _listening(process.pid)
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of the group
                break
            assert time.monotonic() < deadline, seen
        rest, _ = process.communicate(timeout=LIMIT_SECONDS)
        return process.returncode, seen + rest, listening


def _listening(parent: int) -> set[tuple[str, str]]:
    addresses = set()
    for process in psutil.Process(parent).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            for connection in process.net_connections(kind="inet"):
                if connection.status == psutil.CONN_LISTEN:
                    address = connection.laddr.ip.removeprefix("::ffff:")
                    addresses.add((address, process.name()))
    return addresses


@pytest.fixture(scope="session")
def user(tmp_path_factory: pytest.TempPathFactory) -> User:
    return User(tmp_path_factory.mktemp("user"))


def results_folder(output: str) -> str:
    """The path that a sweep prints at its end."""
    (line,) = [line for line in output.splitlines() if line.startswith("Results: ")]
    return line.removeprefix("Results: ").strip()
