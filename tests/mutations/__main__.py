"""The whole campaign, each case in a process that may crash.

python -m tests.mutations --out docs/evidence/mutations.md [--number 1000] [--seed 0] [--only KIND]
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Annotated

import typer

from tests.mutations import KINDS, SHARES, run_case
from tests.mutations.outcome import GOOD, Outcome
from tests.mutations.report import report


def main(
    out: Annotated[Path, typer.Option(help="The report, as Markdown.")],
    number: Annotated[int, typer.Option(help="Cases of all kinds.", min=10)] = 1000,
    seed: Annotated[int, typer.Option(help="Of the first case of each kind.")] = 0,
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(KINDS)}.")] = None,
) -> None:
    """Mutates what people bring; exits with 1 where something is neither refused nor right."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    kinds = [kind for kind in KINDS if not only or kind in only]
    outcomes = []
    for kind in kinds:
        count = round(number * SHARES[kind])
        outcomes += run_all(kind, range(seed, seed + count))
    out.write_text(report(outcomes, seed))
    typer.echo(f"Report: {out}")
    if any(one.verdict not in GOOD for one in outcomes):
        raise typer.Exit(1)


def run_all(kind: str, seeds: range) -> list[Outcome]:
    """The cases of a kind; one that ends its process is a crash, and the next one has a new one."""
    outcomes = []
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, context)
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            try:
                outcome = pool.submit(run_case, kind, seed, Path(folder)).result()
            except BrokenProcessPool:
                outcome, pool = Outcome(kind, seed, "?", "crash"), ProcessPoolExecutor(1, context)
            outcomes.append(outcome)
            if outcome.verdict not in GOOD:
                typer.echo(f"{kind} {seed}: {outcome.what}: {outcome.verdict} {outcome.detail}")
    pool.shutdown()
    typer.echo(f"{kind}: {len(outcomes)} cases")
    return outcomes


if __name__ == "__main__":
    typer.run(main)
