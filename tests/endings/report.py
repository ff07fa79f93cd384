"""The campaign's report, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tests.endings.cases import Outcome
from tests.faults.report import machine

HEAD = """# Endings

A real sweep of two trials is told to end at seeded moments: some seconds after its start, or after
something that it prints. Each time its exit code must be that of the first signal (130 SIGINT, 143
SIGTERM, 129 SIGHUP), its output must have no traceback, the line that tells what to do, and the
table as soon as a trial has results; no process may be left five seconds after its end, which must
come within half a minute, and within five seconds of another signal (and eight more, because the
machine is busy). Every eighth is run again: all rows must equal those of an undisturbed run.
A sweep that was over already, while Ray ends, may end by its own code or by the signal itself.

    python -m tests.endings --out docs/evidence/endings.md --number 30 --seed 0
"""


def report(outcomes: Sequence[Outcome], number: int, seed: int) -> str:
    """The report on the cases that have been run, of so many."""
    days = sorted({one.day for one in outcomes}) or [date.today().isoformat()]
    passed = sum(not one.problems for one in outcomes)
    lines = [HEAD, f"{' to '.join(dict.fromkeys((days[0], days[-1])))}; seed {seed}; {machine()}."]
    lines += ["", f"**{passed} of {number} passed**, {len(outcomes)} were run.", ""]
    lines += ["| | moment | signals | exit code | seconds | table | run again | verdict |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for one in outcomes:
        verdict = "; ".join(" ".join(p.split())[:300] for p in one.problems) or "passed"
        cells = [one.number, one.moment, one.way, one.code, f"{one.seconds:.1f}"]
        cells += ["yes" if one.has_table else "-", one.finished or "-", verdict.replace("|", "\\|")]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"
