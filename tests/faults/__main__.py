"""The whole campaign: every case, one after the other, and a report.

    python -m tests.faults --out docs/evidence/faults.md [--work FOLDER] [--seed 0] [--only NAME]

Each case leaves its outcome in the working folder, so that the same command goes on where it was; a
case that is done is not run again.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Annotated

import typer

from tests.faults.campaign import Campaign
from tests.faults.cases import CASES
from tests.faults.report import report, verdict

GUESS_SECONDS = 180.0  # for a case, until one has been run


def main(
    out: Annotated[Path, typer.Option(help="The report, as Markdown.")],
    work: Annotated[Path, typer.Option(help="For outcomes and stores.")] = Path("faults-work"),
    seed: Annotated[int, typer.Option(help="Draws the exact calls.")] = 0,
    only: Annotated[list[str] | None, typer.Option(help="A case; may be repeated.")] = None,
) -> None:
    """Disturbs sweeps in every way that is known here and checks that nothing is lost."""
    if unknown := set(only or ()) - set(CASES):
        raise typer.BadParameter(
            f"{', '.join(unknown)}: no such case; there are {', '.join(CASES)}"
        )
    campaign = Campaign(work.resolve() / f"seed-{seed}", seed)
    campaign.work.mkdir(parents=True, exist_ok=True)
    names = [name for name in CASES if not only or name in only]
    _run_all(campaign, names)
    done = [campaign.run(name, CASES[name]) for name in CASES if campaign.is_done(name)]
    out.parent.mkdir(parents=True, exist_ok=True)
    earlier = out.read_text() if out.exists() else ""
    out.write_text(report(done, list(CASES), seed, earlier))
    typer.echo(f"Report: {out}")
    if any(one.problems for one in done):
        raise typer.Exit(1)


def _run_all(campaign: Campaign, names: list[str]) -> None:
    todo = [name for name in names if not campaign.is_done(name)]
    typer.echo(f"{len(names)} cases, {len(names) - len(todo)} of them done")
    started = time.monotonic()
    for number, name in enumerate(todo):
        pace = (time.monotonic() - started) / number if number else GUESS_SECONDS
        left = pace * (len(todo) - number) / 60
        typer.echo(f"[{number + 1}/{len(todo)}] {name}; about {left:.0f} minutes left")
        outcome = campaign.run(name, CASES[name])
        typer.echo(f"  {outcome.moment}; exit codes {outcome.codes}; {verdict(outcome)}")
        if not outcome.problems:  # else it stays to be looked at
            shutil.rmtree(campaign.work / name, ignore_errors=True)


if __name__ == "__main__":
    typer.run(main)
