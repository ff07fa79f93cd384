"""Sweeps as a user runs them: the real command, Ray, DeepSpeed and the embedded base."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 400


class User:
    """Runs commands in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAYSWEEP_DASHBOARD": "no"}
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

    def disturb(
        self,
        sign: str,
        disturbance: Callable[[int], None],
        module: str,
        *arguments: str,
        dashboard: bool = False,
    ) -> tuple[int, str]:
        """Runs a command; calls ``disturbance`` with its process id when ``sign`` is printed.

        Returns the exit code and the output.
        """
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", module, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env={**self.environment, **({"RAYSWEEP_DASHBOARD": "yes"} if dashboard else {})},
            start_new_session=True,
        )
        assert process.stdout is not None
        deadline, seen = time.monotonic() + LIMIT_SECONDS, ""
        for line in process.stdout:
            seen += line
            if sign in line:
                disturbance(process.pid)
                break
            assert time.monotonic() < deadline, seen
        rest, _ = process.communicate(timeout=LIMIT_SECONDS)
        return process.returncode, seen + rest


def press_ctrl_c(pid: int) -> None:
    """Interrupts all processes of the group, as a terminal does."""
    os.killpg(pid, signal.SIGINT)


def kill_a_worker(pid: int) -> None:
    """Kills one process of the worker group without warning."""
    children = psutil.Process(pid).children(recursive=True)
    next(child for child in children if "RayTrainWo" in child.name()).kill()


def listening_addresses(pid: int) -> set[tuple[str, str]]:
    """Addresses on which the processes below one listen, each with the process's name."""
    addresses = set()
    for process in psutil.Process(pid).children(recursive=True):
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
