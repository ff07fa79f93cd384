"""A replay sweep with and without stage sharing, in one run: same rows, less time.

    python -m benchmarks.sharing

One chain of the embedded default with nine replay fractions has one distinct first stage and one
second. Without sharing every trial is on its own: its stages and measurements get keys that no
other trial has, and the same code trains them all.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer
from rich.table import Table

from raysweep.cli.console import console, run_command
from raysweep.digest import digest_json
from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import Plan, make_plan
from raysweep.plan.trials import Measurement, Trial
from raysweep.results.columns import SCHEMAS
from raysweep.results.tables import read_table
from raysweep.space.space import check_space
from raysweep.store.storage import Storage
from raysweep.store.store import EntryKind, Store
from raysweep.sweep import cluster, sweep

FRACTIONS = "0,1,5,10,20,40,60,80,100"
NOT_RESULTS = ("stage_key", "sweep")  # beside provenance


def replay_plan(num_steps: int, num_test: int, fractions: str = FRACTIONS) -> Plan:
    """The embedded replay sweep of one chain."""
    space = {
        "name": "sharing",
        "chains": [["toxigen", "csqa", f"stage1@{{{fractions}}}%"]],
        "data": {"num_test": num_test},
        "stage": {"num_steps": num_steps, "learning_rate": 1.0e-3},
        "stages": {2: {"learning_rate": 1.5e-3}},
        "curvature": {"enabled": False},
        "workers": {"num_workers": 2, "zero_stage": 3, "micro_batch_size": 32},
    }
    return make_plan(check_space(space, "benchmark"), find_checkpoint("tiny"))


def unshared(plan: Plan) -> Plan:
    """The same trials, none of which has a stage or a measurement in common with another."""
    trials = tuple(_alone(trial, plan.checkpoint.digest) for trial in plan.trials)
    return replace(plan, sweep=f"{plan.sweep}-unshared", trials=trials)


def _alone(trial: Trial, base: str) -> Trial:
    def own(key: str) -> str:
        return key if key == base else digest_json([trial.id, key])

    def measured(one: Measurement) -> Measurement:
        return replace(one, stage_key=own(one.stage_key), key=own(one.key))

    stages = (replace(s, parent=own(s.parent), key=own(s.key)) for s in trial.stages)
    evaluations = tuple(map(measured, trial.evaluations))
    return replace(trial, stages=tuple(stages), evaluations=evaluations)


@dataclasses.dataclass(frozen=True)
class Run:
    """One sweep: how long it took, what it trained, and its result rows."""

    seconds: float
    num_trained: int
    rows: dict[str, pa.Table]


def run(plan: Plan, folder: Path) -> Run:
    """Runs a plan in a store of its own.

    Raises:
        RuntimeError: a trial failed.
    """
    storage, started = Storage.open(folder), time.monotonic()
    outcome = sweep.run_sweep(plan, storage, console())
    seconds = time.monotonic() - started
    if outcome.failures or outcome.unfinished:
        raise RuntimeError(f"the sweep did not finish: {outcome.failures or outcome.unfinished}")
    rows = {name: _comparable(read_table(outcome.folder, name)) for name in SCHEMAS}
    return Run(seconds, len(Store(storage.sub("store")).keys(EntryKind.STAGE)), rows)


def _comparable(table: pa.Table) -> pa.Table:
    kept = [
        name
        for name in table.column_names
        if name not in NOT_RESULTS and not name.startswith("provenance_")
    ]
    return table.select(kept)


def main(
    num_steps: Annotated[int, typer.Option(help="Optimizer steps of every stage.", min=1)] = 100,
    num_test: Annotated[int, typer.Option(help="Test rows per task.", min=26)] = 390,
) -> None:
    """Runs the sweep both ways, compares all rows, and prints stages, times and their ratio."""
    plan = replay_plan(num_steps, num_test)
    plan = cluster.connect(plan, 0.0, console()).applied(plan)
    with tempfile.TemporaryDirectory() as folder:
        together = run(plan, Path(folder) / "shared")
        alone = run(unshared(plan), Path(folder) / "unshared")
    same = sum(together.rows[name].equals(alone.rows[name]) for name in SCHEMAS)
    table = Table(title=f"{len(plan.trials)} trials; {same} of {len(SCHEMAS)} tables are equal")
    for column in ("", "stages planned", "stages trained", "time", "ratio"):
        table.add_column(column, justify="left" if not column else "right")
    for name, planned, done in (
        ("shared", plan.num_stages_distinct, together),
        ("each trial on its own", plan.num_stages_asked, alone),
    ):
        ratio = done.seconds / together.seconds
        trained, seconds = str(done.num_trained), f"{done.seconds:.0f} s"
        table.add_row(name, str(planned), trained, seconds, f"{ratio:.2f}")
    console().print(table)
    raise typer.Exit(0 if same == len(SCHEMAS) else 1)


if __name__ == "__main__":
    run_command(main)
