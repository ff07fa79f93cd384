"""Time and peak memory of each entry on the embedded default, one after the other.

    python -m benchmarks.entries [NAME ...] [--out FOLDER]

Every entry runs as a user runs it, in a process and a storage folder of its own. Memory is the
proportional set size (memory shared by n processes counts as 1/n in each) of all its processes.
What an entry printed and its storage are kept where a folder is given.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.table import Table

from raysweep.cli.console import console, run_command

ENTRIES = {
    "lr": "raysweep.lr_sweep",
    "order": "raysweep.order_sweep",
    "replay": "raysweep.replay_sweep",
    "curvature": "raysweep.curvature_sweep",
    "optuna": "raysweep.optuna_sweep",
    "best_first": "raysweep.sweep best_first",
    "halving": "raysweep.sweep halving",
    "curvature_order": "raysweep.sweep curvature_order",
}
SECONDS_PER_SAMPLE = 1.0


@dataclass(frozen=True)
class Measured:
    """One run.

    Attributes:
        seconds: from the command to its end.
        peak: bytes.
    """

    code: int
    seconds: float
    peak: int
    last: str


def run(arguments: list[str], folder: Path) -> Measured:
    """Runs a module with its arguments and watches its processes."""
    log, started, peak = folder / "output.txt", time.monotonic(), 0
    command = [sys.executable, "-m", *arguments, "--storage", str(folder / "storage")]
    with log.open("w") as output:
        process = psutil.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            peak = max(peak, _memory(process))
            time.sleep(SECONDS_PER_SAMPLE)
    last = (log.read_text().strip().splitlines() or [""])[-1]
    return Measured(process.returncode, time.monotonic() - started, peak, last)


def _memory(process: psutil.Process) -> int:
    """Proportional set size of a process and all that it has started."""
    total = 0
    for one in _family(process):
        try:
            total += one.memory_full_info().pss
        except psutil.Error:
            continue  # it has just ended
    return total


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def main(
    names: Annotated[list[str] | None, typer.Argument(help=", ".join(ENTRIES))] = None,
    out: Annotated[Path | None, typer.Option(help="keep outputs and storage here")] = None,
) -> None:
    """Runs the entries and prints a table."""
    for name in names or ():
        if name not in ENTRIES:
            raise typer.BadParameter(f"{name}: no such entry; there are {', '.join(ENTRIES)}")
    table, failed = Table(title="The embedded default's entries"), False
    for column in ("entry", "command", "minutes", "peak memory (GiB)"):
        table.add_column(column, justify="left" if column in ("entry", "command") else "right")
    for name in names or ENTRIES:
        if out is None:
            with tempfile.TemporaryDirectory() as folder:
                found = run(ENTRIES[name].split(), Path(folder))
        else:
            (out / name).mkdir(parents=True)
            found = run(ENTRIES[name].split(), out / name)
        failed = failed or found.code != 0
        minutes = f"{found.seconds / 60:.1f}" if found.code == 0 else f"exit code {found.code}"
        memory = f"{found.peak / 2**30:.1f}"
        console().print(f"{name}: {minutes} minutes, {memory} GiB; {found.last}")
        table.add_row(name, f"python -m {ENTRIES[name]}", minutes, memory)
    console().print(table)
    raise typer.Exit(1 if failed else 0)


if __name__ == "__main__":
    run_command(main)
