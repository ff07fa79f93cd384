"""Sweeps as a user runs them: the real command, Ray, DeepSpeed and the embedded base."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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

    def interrupt(self, sign: str, module: str, *arguments: str) -> tuple[int, str]:
        """Runs a command, presses Ctrl-C when ``sign`` is printed; exit code and output."""
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
        for line in process.stdout:
            seen += line
            if sign in line:
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of the group
                break
            assert time.monotonic() < deadline, seen
        rest, _ = process.communicate(timeout=LIMIT_SECONDS)
        return process.returncode, seen + rest


@pytest.fixture(scope="session")
def user(tmp_path_factory: pytest.TempPathFactory) -> User:
    return User(tmp_path_factory.mktemp("user"))


def results_folder(output: str) -> str:
    """The path that a sweep prints at its end."""
    (line,) = [line for line in output.splitlines() if line.startswith("Results: ")]
    return line.removeprefix("Results: ").strip()
