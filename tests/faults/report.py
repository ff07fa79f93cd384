"""The campaign's report, as Markdown."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version

from tests.faults.outcome import Outcome

PACKAGES = ("raysweep", "ray", "torch", "deepspeed", "transformers", "pyarrow")
HEAD = """# Faults

Real processes and real kills: a sweep of two trials with two stages each, the first of them shared,
on two workers with ZeRO-3. Each case stops it at an exact call, does damage there, and runs the
same command again until it exits with 0. Then all rows of all tables must be those of an
undisturbed run in a store of its own: none lost, none twice, equal to the last bit, without the
`provenance_` columns. What was published before the fault must be as it was, and every process must
be gone a minute and a half after its command (a module of Ray's dashboard may take a minute).

A process that is killed or stopped (SIGSTOP: it lives, and does nothing) while the command goes on
is to be replaced by the command itself, which then exits with 0; a stopped one after
`workers.stall_minutes`, which these cases set to 45 seconds. When a process of Ray itself is killed
the command ends and is run again.

    python -m tests.faults --out docs/evidence/faults.md

Each case has its own day: cases that were not run again keep the result of an earlier one.

Not covered: a raylet or a control service that is stopped and not killed (Ray's own matter), the
command itself when it is stopped, and a trial driver that lives and hangs while it reads the
storage. A coordinator that is stopped is ended after `workers.stall_minutes`; the sweep goes on
without leases, and hangs of its workers are then left to the collectives' own time limit, four
times that.
"""
FOOT = """
Exit codes are those of the runs in order; `-` is a run that was killed. Trained twice: stages of
which more than one attempt has left files in the store; an attempt whose files were uploaded and
not yet published is lost by a kill.
"""


def report(outcomes: Sequence[Outcome], names: Sequence[str], seed: int, earlier: str = "") -> str:
    """The report on the cases that have been run.

    Args:
        names: of all cases.
        earlier: a report whose rows stay for cases that have not been run again.
    """
    rows = {**_rows(earlier), **{one.name: _row(_cells(one)) for one in outcomes}}
    listed = [rows[name] for name in names if name in rows]
    num_passed = sum(row.endswith(" passed |") for row in listed)
    lines = [HEAD, _circumstances(outcomes, seed), ""]
    lines += [f"**{num_passed} of {len(listed)} cases passed.**", ""]
    if not_run := [name for name in names if name not in rows]:
        lines += [f"Not run: {', '.join(not_run)}.", ""]
    columns = ("case", "moment", "what happened", "exit codes", "trained twice", "rows compared")
    lines += [_row([*columns, "seconds", "day", "verdict"]), _row(["---"] * 9)]
    return "\n".join([*lines, *listed, FOOT])


def _rows(text: str) -> dict[str, str]:
    """The rows of a report, by the name of the case."""
    found = (line for line in text.splitlines() if re.match(r"\| [a-z0-9-]+ \| .* \|$", line))
    return {line.split(" ", 2)[1]: line for line in found if not line.startswith("| case ")}


def verdict(outcome: Outcome) -> str:
    """In words."""
    if outcome.skipped:
        return f"skipped: {outcome.skipped}"
    if outcome.problems:
        return "**failed**: " + "; ".join(outcome.problems)
    return "passed"


def machine() -> str:
    """In words."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} CPU cores, {gib:.0f} GiB of memory, {platform.system()}, no GPU used"


def _circumstances(outcomes: Sequence[Outcome], seed: int) -> str:
    days = sorted({one.day for one in outcomes}) or [date.today().isoformat()]
    run = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{run}; seed {seed}; {machine()}; Python {platform.python_version()}, {versions}."


def _cells(one: Outcome) -> list[str]:
    codes = " ".join("-" if code is None else str(code) for code in one.codes)
    counts = [codes, str(one.num_again), str(one.num_rows), f"{one.seconds:.0f}", one.day]
    return [one.name, one.moment, one.disturbance, *counts, verdict(one)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
