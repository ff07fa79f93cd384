"""The campaign: a sweep is told to end at seeded moments, and a report.

    python -m tests.endings --out docs/evidence/endings.md [--work FOLDER] [--number 30] [--seed 0]

The same command goes on where it was; a case that is done is not run again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tests.endings.cases import Campaign
from tests.endings.report import report


def main(
    out: Annotated[Path, typer.Option(help="The report, as Markdown.")],
    work: Annotated[Path, typer.Option(help="For outcomes and stores.")] = Path("endings-work"),
    number: Annotated[int, typer.Option(help="Of cases.", min=1)] = 30,
    seed: Annotated[int, typer.Option(help="Draws the moments.")] = 0,
) -> None:
    """Tells sweeps to end, and checks that they do so in order."""
    campaign = Campaign(work.resolve() / f"seed-{seed}", seed)
    campaign.work.mkdir(parents=True, exist_ok=True)
    done = []
    for case in range(number):
        done.append(campaign.run(case))
        one = done[-1]
        how = "; ".join(one.problems) or "passed"
        typer.echo(f"[{case + 1}/{number}] {one.moment}: {one.way}: {one.code}; {how}")
        out.write_text(report(done, number, seed))  # after each: what is known so far
    if any(one.problems for one in done):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
