"""What it costs to have a process that can train: imported anew, or forked off one that has.

    python -m benchmarks.lanes [--repeats 5]

A worker's process is started in three ways, one after the other and again, and does nothing:

- a new Python that imports what a worker imports, as each worker of each trial would;
- a process forked off a server that has imported it, as a lane's workers do it;
- the server itself, once a lane.

CPU seconds are those of the process and all that it has started.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Annotated

import typer
from rich.table import Table

from raysweep.cli.console import console, run_command
from raysweep.process.fork_server import ForkServer
from raysweep.sweep.fork_servers import preloaded
from raysweep.training.settings import WorkerSettings

NUM_FORKED = 20
OWN = "benchmarks.lanes"
SHAPES = {
    "one worker, ZeRO 0": WorkerSettings(num_workers=1, zero_stage=0),
    "several workers, ZeRO 2 or 3": WorkerSettings(num_workers=2, zero_stage=2),
}


def nothing(channel: Connection) -> None:
    """Says that it is there."""
    channel.send(None)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Of the processes that the work has started and waited for."""
    before = os.times()
    work()
    after = os.times()
    used = after.children_user - before.children_user
    return used + after.children_system - before.children_system


def main(
    repeats: Annotated[int, typer.Option(help="Of each way.", min=1)] = 5,
) -> None:
    """Prints the medians."""
    table = Table(title="To have a process that can train: medians")
    for column in ("workers", "a new process", "the fork server", "a forked process"):
        table.add_column(column, justify="left" if column == "workers" else "right")
    for name, workers in SHAPES.items():
        turns = [_turn(preloaded(workers)) for _ in range(repeats)]
        new, served, forked = map(statistics.median, zip(*turns, strict=True))
        shown = f"{new:.2f} CPU-s", f"{served:.2f} CPU-s", f"{1000 * forked:.0f} CPU-ms"
        table.add_row(name, *shown)
    console().print(table)


def _turn(modules: tuple[str, ...]) -> tuple[float, float, float]:
    """CPU seconds of a new process, of a server, and of a process forked off it."""
    imports = "; ".join(f"import {module}" for module in modules)
    new = cpu_seconds(lambda: subprocess.run([sys.executable, "-c", imports], check=True))
    served = cpu_seconds(lambda: _fork(modules, 1))
    forked = cpu_seconds(lambda: _fork(modules, 1 + NUM_FORKED)) - served
    return new, served, forked / NUM_FORKED


def _fork(modules: tuple[str, ...], number: int) -> None:
    """A server, and so many processes of it one after the other."""
    server = ForkServer((*modules, OWN))
    try:
        for _ in range(number):
            child = server.start(f"{OWN}:nothing")
            child.channel.recv()
            child.exit_code()
    finally:
        server.close()


if __name__ == "__main__":
    run_command(main)
