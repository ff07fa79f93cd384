"""The paper's claims with their verdicts, as a list for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..data.mean import MISSING
from .claim import Claim
from .verdicts import Judgement, Verdict

EXPLANATION = (
    "Not reproduced: the criterion does not hold, be it for want of evidence. A claim about "
    "several chains or settings holds if it holds in each; of Table 1 and Figure 3 those settings "
    "count that have one learning rate in both stages, if any has."
)
STYLES = {
    Verdict.REPRODUCED: "green",
    Verdict.NOT_REPRODUCED: "red",
    Verdict.NOT_TESTABLE: "dim",
}


def display(found: Sequence[tuple[Claim, Judgement]]) -> Group:
    """The list, for a rich console: a criterion above the claims that it is for.

    Where none of these is testable, their reasons stand below, a line each.
    """
    parts: list[RenderableType] = [Text("The paper's claims", "bold"), Text(EXPLANATION, "dim")]
    untested: list[tuple[Claim, Judgement]] = []
    for (place, criterion), same in groupby(found, lambda one: (one[0].place, one[0].criterion)):
        claims = list(same)
        if all(one.verdict is Verdict.NOT_TESTABLE for _, one in claims):
            untested += claims
            continue
        parts.append(Text.assemble("\n", (place, "bold"), f": reproduced if {criterion}"))
        parts.append(_table(claims))
    if untested:
        parts.append(Text("\nNot testable with these results", "bold"))
        parts += [
            Text.assemble(f"{claim.text} ({claim.place}): ", (one.reason, "dim"))
            for claim, one in untested
        ]
    number = Counter(one.verdict for _, one in found)
    counts = ", ".join(f"{number[verdict]} {verdict}" for verdict in Verdict)
    return Group(*parts, Text(f"\n{len(found)} claims: {counts}"))


def _table(found: Sequence[tuple[Claim, Judgement]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for name in ("claim", "paper", "ours (95 % interval)", "verdict"):
        table.add_column(name, overflow="fold")
    for claim, one in found:
        verdict = Text.assemble((one.verdict.value, STYLES[one.verdict]))
        verdict.append(f": {one.reason}" if one.reason else "", "dim")
        table.add_row(Text(claim.text), Text(claim.paper), Text(one.ours or MISSING), verdict)
    return table
