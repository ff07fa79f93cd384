"""The campaign's report, as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version

from tests.faults.cases import Outcome

PACKAGES = ("raysweep", "ray", "torch", "deepspeed", "transformers", "pyarrow")
HEAD = """# Faults

Real processes and real kills: a sweep of two trials with two stages each, the first of them shared,
on two workers with ZeRO-3. Each case stops it at an exact call, does damage there, and runs the
same command again until it exits with 0. Then all rows of all tables must be those of an
undisturbed run in a store of its own: none lost, none twice, equal to the last bit, without the
`provenance_` columns. What was published before the fault must be as it was, and every process must
be gone a minute and a half after its command (a module of Ray's dashboard may take a minute).

    python -m tests.faults --out docs/faults.md
"""
FOOT = """
Exit codes are those of the runs in order; `-` is a run that was killed. Trained twice: stages of
which more than one attempt has left files in the store; an attempt whose files were uploaded and
not yet published is lost by a kill.
"""


def report(outcomes: Sequence[Outcome], num_cases: int, seed: int) -> str:
    """The report on the cases that have been run."""
    passed = sum(verdict(one) == "passed" for one in outcomes)
    lines = [HEAD, _circumstances(outcomes, seed), ""]
    lines += [f"**{passed} of {num_cases} cases passed.**", ""]
    columns = ("case", "moment", "what happened", "exit codes", "trained twice", "rows compared")
    lines += [_row([*columns, "seconds", "verdict"]), _row(["---"] * 8)]
    lines += [_row(_cells(one)) for one in outcomes]
    return "\n".join([*lines, FOOT])


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
    counts = [codes, str(one.num_again), str(one.num_rows), f"{one.seconds:.0f}"]
    return [one.name, one.moment, one.disturbance, *counts, verdict(one)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
