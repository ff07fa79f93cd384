"""Runs of the real command, with every process that one starts."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from raysweep.store.storage import Storage
from tests.e2e.conftest import results_folder
from tests.faults.moments import Fault, as_variable, reached

ROOT = Path(__file__).parents[2]
INJECT = Path(__file__).parent / "inject"
LIMIT_SECONDS = 400
LOOK_SECONDS = 1.0
GRACE_SECONDS = 15  # for processes to go after they were killed
LINGER_SECONDS = 90  # after the command's end: a dashboard's module that was asking the cluster's
# control service something when it ended waits a minute for it to come back, then exits


class RunError(RuntimeError):
    """A run did not behave: a moment that never came, or no end."""


class Run:
    """One run of a command, in a session and with a temporary folder of its own.

    Args:
        folder: where it runs and where its output goes.
        faults: what happens to it; counted anew.
    """

    def __init__(
        self, folder: Path, arguments: Sequence[str], faults: Sequence[Fault] = ()
    ) -> None:
        # Short, because Ray's sockets lie in it, and a socket's path is limited.
        self._temporary = Path(tempfile.mkdtemp(prefix="rs"))
        self._faults = [replace(f, folder=self._fault_folder(i)) for i, f in enumerate(faults)]
        environment = {
            **os.environ,
            "PYTHONPATH": f"{INJECT}{os.pathsep}{ROOT}",
            "TMPDIR": str(self._temporary),
            **as_variable(self._faults),
        }
        environment.pop("RAY_ADDRESS", None)
        self._log = folder / f"output-{len(list(folder.glob('output-*.txt'))) + 1}.txt"
        with self._log.open("wb") as stream:
            self._process = psutil.Popen(
                [sys.executable, "-u", "-m", *arguments],
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        self._seen: set[psutil.Process] = {self._process}
        self._looked = 0.0
        self._deadline = time.monotonic() + LIMIT_SECONDS

    @property
    def output(self) -> str:
        """What the command has printed."""
        return self._log.read_text(errors="replace")

    @property
    def last_words(self) -> str:
        """The last line that the command has printed."""
        return (self.output.strip().splitlines() or [""])[-1]

    @property
    def results(self) -> Storage:
        """The sweep's folder."""
        return Storage.open(results_folder(self.output))

    def wait_for_moment(self, number: int = 0) -> psutil.Process:
        """The process that has come to a fault's moment.

        Raises:
            RunError: the command ended, or the time was up, before the moment came.
        """
        fault = self._faults[number]
        while (pid := reached(Path(fault.folder))) is None:
            self._go_on_waiting(f"the moment never came ({fault})")
        self._look()
        return psutil.Process(pid)

    def let_go(self) -> None:
        """Lets whatever is stopped go on, if it is still alive."""
        for fault in self._faults:
            (Path(fault.folder) / "go").touch()

    def named(self, part: str) -> list[psutil.Process]:
        """The run's processes with that in their titles."""
        self._look()
        return [process for process in self._alive() if part in _title(process)]

    def kill_all(self) -> None:
        """Kills every process at once: all are halted first, so that none starts another."""
        halted: set[psutil.Process] = set()
        while more := self._look() - halted:
            _signal(more, signal.SIGSTOP)
            halted |= more
        _signal(halted, signal.SIGKILL)
        psutil.wait_procs(halted, timeout=GRACE_SECONDS)
        self._clean()

    def finish(self, linger: float = LINGER_SECONDS) -> tuple[int, list[str]]:
        """The exit code, and what was left behind: processes (killed now) and weights on disk."""
        while self._process.poll() is None:
            self._go_on_waiting("the command did not end")
        _, left = psutil.wait_procs(self._alive(), timeout=linger)
        behind = [f"process {_title(process)}" for process in left]
        behind += [f"{path.name} in the temporary folder" for path in self._weights()]
        _signal(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=GRACE_SECONDS)
        self._clean()
        return int(self._process.returncode), behind

    def _weights(self) -> list[Path]:
        """Folders into which workers had fetched weights."""
        return sorted(self._temporary.glob("raysweep-*/"))

    def _fault_folder(self, number: int) -> str:
        folder = self._temporary / f"fault-{number}"
        folder.mkdir()
        return str(folder)

    def _go_on_waiting(self, otherwise: str) -> None:
        """Waits a little; gives up where the process has ended or the time is up."""
        ended = self._process.poll() is not None
        if ended or time.monotonic() > self._deadline:
            self.kill_all()
            last = "\n".join(self.output.splitlines()[-20:])
            how = f"exit code {self._process.returncode}" if ended else f"{LIMIT_SECONDS} s are up"
            raise RunError(f"{otherwise}: {how}\n{last}")
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._look()
        time.sleep(0.1)

    def _look(self) -> set[psutil.Process]:
        """All processes seen so far: children of one that is gone are known from before."""
        self._looked = time.monotonic()
        running = list(psutil.process_iter(["ppid"]))
        num_seen = 0
        while len(self._seen) > num_seen:  # children, their children, ...
            num_seen, pids = len(self._seen), {process.pid for process in self._alive()}
            self._seen.update(process for process in running if process.info["ppid"] in pids)
        return self._seen

    def _alive(self) -> list[psutil.Process]:
        return [process for process in self._seen if _is_alive(process)]

    def _clean(self) -> None:
        shutil.rmtree(self._temporary, ignore_errors=True)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return ""


def _signal(processes: Sequence[psutil.Process] | set[psutil.Process], number: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
