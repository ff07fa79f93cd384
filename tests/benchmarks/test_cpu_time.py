"""CPU time of a command: all of its processes are counted, whoever waits for them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.cpu_time import measure

EACH = 0.2
BURN = f"""
import os, signal, time
def burn():
    while sum(os.times()[:2]) < {EACH}: pass
"""
UNAWAITED = """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # as Ray's raylet does: no parent's usage has it
if os.fork() == 0:
    burn(); os._exit(0)
if os.fork() == 0:  # a daemon, which outlives the command
    os.setsid()
    if os.fork() == 0:
        burn()
    os._exit(0)
"""


def test_children_that_nobody_waits_for_are_counted(tmp_path: Path) -> None:
    program = f"{BURN}{UNAWAITED}burn()"
    spent = measure([sys.executable, "-c", program], os.environ, tmp_path / "log")
    if spent.is_exact:
        assert spent.cpu_seconds >= 3 * EACH - 0.02  # of a clock tick per process
    assert (spent.code, spent.output) == (0, "")


def test_without_a_control_group_the_command_is_looked_at(tmp_path: Path) -> None:
    program = f"{BURN}burn(); time.sleep(0.5); print('done'); raise SystemExit(3)"
    spent = measure([sys.executable, "-c", program], os.environ, tmp_path / "log", exact=False)
    assert (spent.code, spent.is_exact, spent.output) == (3, False, "done\n")
    assert spent.cpu_seconds >= EACH
    assert spent.wall_seconds >= 0.5
