"""``raysweep COMMAND``: the script. A command's module is imported when the command is called."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import NamedTuple

from raysweep import __version__
from raysweep.cli.console import command_line, run_command
from raysweep.settings.mistakes import check_known


class Command(NamedTuple):
    """Where a command is, and what it is for.

    Attributes:
        is_sweep: its ``main`` is an entry point by itself.
    """

    module: str
    purpose: str
    is_sweep: bool = False


COMMANDS = {
    "sweep": Command("raysweep.sweep.__main__", "run any search space", True),
    "lr-sweep": Command("raysweep.lr_sweep", "learning rates of both stages", True),
    "order-sweep": Command("raysweep.order_sweep", "every pair of tasks, in both orders", True),
    "replay-sweep": Command("raysweep.replay_sweep", "how much replay brings back", True),
    "curvature-sweep": Command("raysweep.curvature_sweep", "sharpness of each minimum", True),
    "optuna-sweep": Command("raysweep.optuna_sweep", "settings that keep both tasks", True),
    "plan": Command("raysweep.cli.plan", "what a sweep will do and cost"),
    "query": Command("raysweep.cli.query", "SQL over the results of a sweep"),
    "report": Command("raysweep.cli.report", "the paper's tables and figures of a sweep"),
    "tasks": Command("raysweep.cli.tasks", "sizes and examples of the tasks; checks of files"),
    "curvature": Command("raysweep.cli.curvature", "spectral radius of one model's loss"),
    "judge": Command("raysweep.cli.judge", "convert a published toxicity classifier"),
    "pretrain": Command("raysweep.cli.pretrain", "build the embedded model again"),
    "store": Command("raysweep.cli.store", "what the store holds: ls, show, verify"),
    "spaces": Command("raysweep.cli.spaces", "the search spaces that come with raysweep"),
    "schema": Command("raysweep.cli.schema", "JSON schema of a search space, for editors"),
}


def main() -> None:
    """The entry point."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in COMMANDS:
        sys.argv = [f"raysweep {name}", *arguments]
        command = import_module(COMMANDS[name].module).main
        if COMMANDS[name].is_sweep:
            command()
        else:
            run_command(command)
        return
    with command_line():
        if name == "--version":
            print(f"raysweep {__version__}")
        elif name in ("--help", "-h"):
            print("Usage: raysweep COMMAND [OPTIONS]\n")
            for one, known in COMMANDS.items():
                print(f"  {one:<16} {known.purpose}")
            print("\n`raysweep COMMAND --help` says more. --version prints the version.")
        else:
            check_known(f"command {name}", name, COMMANDS)
