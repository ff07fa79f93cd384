"""The campaign's report, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from tests.faults.report import machine
from tests.mutations.outcome import GOOD, Outcome

VERDICTS = (*GOOD, "wrong", "traceback", "hang", "crash")
HEAD = """# Mutations

Good search spaces, command lines, task files with their rows and model folders are mutated at
random, each from a seed of its own. What must come is a clear error (an `InputError`, which the
commands print as one line with exit code 2) or something right: a search space accepted says value
by value what another YAML reader finds in the file, and plans no more trials than counted one by
one; a command comes to the moment before something would start; a task gives every row the answer
that stands in its file; a model folder has the ids of its tokenizer's file, as many parameters as
told, and scores two answers as one forward pass of plain transformers does. A case hangs
when it computes for longer than its time (a search space 20 seconds, most of which only a plan
takes) or waits for 30.

    python -m tests.mutations --out docs/evidence/mutations.md
"""


def report(outcomes: Sequence[Outcome], first_seed: int) -> str:
    """The counts, and every case that was neither a clear error nor right."""
    good = sum(one.verdict in GOOD for one in outcomes)
    lines = [HEAD, f"{date.today().isoformat()}; seeds from {first_seed}; {machine()}.", ""]
    lines += [f"**{good} of {len(outcomes)} cases were a clear error or right.**", ""]
    lines += [_row(["kind", "cases", *VERDICTS]), _row(["---"] * (2 + len(VERDICTS)))]
    for kind in dict.fromkeys(one.kind for one in outcomes):
        counts = Counter(one.verdict for one in outcomes if one.kind == kind)
        cells = [kind, str(counts.total()), *(str(counts[verdict]) for verdict in VERDICTS)]
        lines.append(_row(cells))
    bad = [one for one in outcomes if one.verdict not in GOOD]
    if bad:
        lines += ["", _row(["kind", "seed", "mutation", "verdict", "what"]), _row(["---"] * 5)]
        lines += [_row([o.kind, str(o.seed), o.what, o.verdict, o.detail]) for o in bad]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    plain = (" ".join(cell.split()).replace("|", "\\|")[:240] for cell in cells)
    printable = ("".join(c if c.isprintable() else "?" for c in cell) for cell in plain)
    return "| " + " | ".join(printable) + " |"
