"""A whole sweep from a notebook.

It runs in a process of its own, as the command does: a sweep takes over the signals of its process,
adopts what its workers leave behind, and ends all that lives below it. None of that is to happen to
a notebook's kernel.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from raysweep.api.plan import SweepPlan
from raysweep.api.results import Results, open_results
from raysweep.store.storage import Storage


class SweepError(RuntimeError):
    """A sweep has not finished; the message is its last line."""


def run(
    plan: SweepPlan,
    storage: str | Path,
    *,
    wait_minutes: float = 0.0,
    dashboard: bool = True,
) -> Results:
    """Runs what of a plan is not in the storage location yet, and prints how it goes.

    Joins the running Ray cluster if there is one; otherwise starts one on this machine for the time
    of the sweep. KeyboardInterrupt ends the sweep in order; run it again to go on.

    Args:
        storage: a folder or URI that every host reaches.
        wait_minutes: to wait until the cluster is large enough.
        dashboard: whether a cluster that is started has one.

    Raises:
        InputError: the storage cannot be written.
        SweepError: trials failed, the cluster is too small, or Ray was lost. What there is stays:
            `open_results` of ``storage/sweeps/<plan.sweep>``.
    """
    target = Storage.open(str(storage))
    target.check_writable()
    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder) / "space.json"
        space.write_text(plan.space.model_dump_json())
        code, last = _follow(
            [
                *(sys.executable, "-u", "-m", "raysweep.cli.notebook", str(space)),
                *("--storage", str(storage), "--wait-for-workers", str(wait_minutes)),
                "--dashboard" if dashboard else "--no-dashboard",
            ]
        )
    if code:
        raise SweepError(last.removeprefix("error: ") or f"exit code {code}")
    return open_results(target.sub("sweeps", plan.sweep).uri)


def _follow(command: list[str]) -> tuple[int, str]:
    """Prints what a command prints; its exit code and last line."""
    last = ""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,  # so that an interruption comes to it once: from here
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                print(line, end="", flush=True)
                last = line.strip() or last
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            for line in process.stdout:
                print(line, end="", flush=True)
            raise
    return process.returncode, last
