"""What a space of up to 100,000 trials takes before, beside and after its trials.

    python -m benchmarks.scale

Each size runs in a process of its own, without Ray and without training: the plan, its forecast and
its stage tree as ``raysweep plan`` prints it, the order of the start, the look-up of the plan in a
store that holds 20,000 of its entries, the clock of the time left from the first to the end of the
last trial, and the table at the end from the trials' result files.
"""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from raysweep.cli.console import console, run_command
from raysweep.cost.forecast import assumptions_for, forecast
from raysweep.cost.measured import find_finished
from raysweep.cost.report import cost_lines, stage_tree
from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import Plan, make_plan
from raysweep.plan.start_order import schedule
from raysweep.plan.trials import Trial
from raysweep.results.summary import summary_table
from raysweep.results.tables import table, to_bytes
from raysweep.space.space import SearchSpace, check_space
from raysweep.store.storage import Storage
from raysweep.store.store import MANIFEST, Store
from raysweep.sweep.eta import Estimator
from raysweep.sweep.work_clock import WorkClock

SIZES = "1000,10000,100000"
NUM_ENTRIES = 20_000  # in the store
MOST_RESULTS = 10_000  # trials of which result files are written
NUM_GROUPS = 13


def space_of(num_trials: int) -> SearchSpace:
    """Four chains of two tasks at 5 x 5 points, as often as it takes with another seed."""
    rates = {"learning_rate": {"grid": [1e-4 * (number + 1) for number in range(5)]}}
    content = {
        "name": "scale",
        "chains": [["{toxigen,bbq}", "{arc_easy,csqa}"]],
        "stages": {1: rates, 2: rates},
        "seeds": list(range(num_trials // 100)),
    }
    return check_space(content, "benchmark")


@dataclass
class Phases:
    """CPU seconds by phase, and the peak of the process's memory after it."""

    seconds: dict[str, float] = field(default_factory=dict)
    peak_mib: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measures what is in the block."""
        started = time.process_time()
        yield
        self.seconds[name] = time.process_time() - started
        self.peak_mib[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(num_trials: int, folder: Path) -> Phases:
    """All phases of one size, in this process.

    Args:
        folder: an empty one, for the store and the results.
    """
    found, space = Phases(), space_of(num_trials)
    checkpoint = find_checkpoint(space.model)
    with found.phase("plan"):
        plan = make_plan(space, checkpoint)
    with found.phase("forecast"):
        assumptions = assumptions_for(plan, gpu="H100")
        cost = forecast(plan, assumptions)
    with found.phase("print"):
        output = Console(file=io.StringIO(), width=100)
        output.print(*cost_lines(plan, cost, assumptions, None))
        output.print(stage_tree(plan))
    with found.phase("start order"):
        schedule(plan.trials)
    storage = Storage.open(folder)
    fill(storage, plan)
    with found.phase("find in store"):
        find_finished(plan, storage.uri)
    known = {trial.id: trial for trial in plan.trials}
    clock = WorkClock(known, Estimator(2, len(known)), Store(storage.sub("store")))
    with found.phase("clock's start"):
        clock.left({}, {}, 0.0)
    with found.phase("all ends"):
        for now, trial in enumerate(plan.trials):
            clock.end(trial)
            if now % 100 == 0:
                clock.left({}, {}, float(now))
    if num_trials <= MOST_RESULTS:
        results = storage.sub("results")
        write_results(results, plan)
        with found.phase("table at the end"):
            summary_table(plan.sweep, plan.trials, results)
    return found


def fill(storage: Storage, plan: Plan) -> None:
    """Writes the manifests of some of the plan's measurements, without files."""
    measurements = {one.entry for trial in plan.trials for one in trial.measurements}
    manifest = json.dumps({"files": [], "provenance": {}}).encode()
    for kind, key in islice(sorted(measurements), NUM_ENTRIES):
        place = Path(storage.root) / "store" / kind / key
        place.mkdir(parents=True)
        (place / MANIFEST).write_bytes(manifest)


def write_results(results: Storage, plan: Plan) -> None:
    """The files of all trials, which a sweep writes one by one."""
    for trial in plan.trials:
        for name, rows in rows_of(trial).items():
            folder = Path(results.root) / "results" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{trial.id}.arrow").write_bytes(to_bytes(table(name, rows)))


def rows_of(trial: Trial) -> dict[str, list[dict[str, Any]]]:
    """As many rows as a trial on tasks of thirteen groups has, all with the same numbers."""
    groups = ["overall", *(f"group {number}" for number in range(NUM_GROUPS))]
    scored = {"subset": "all", "accuracy": 0.5, "chance": 0.5, "constant_prediction": False}
    place = {"trial": trial.id, "task": trial.first_task}
    radius = {"stage": 1, "spectral_radius": 1.0, "converged": True}
    return {
        "evaluations": [
            {"trial": trial.id, "task": one.task, "stage": one.stage_number, "title": one.task}
            | {"group": group, **scored}
            for one in trial.evaluations
            for group in groups
        ],
        "forgetting": [{**place, "stage": 2, "group": groups[0], "forgetting": 0.1}],
        "curvature": [{**place, **radius}],
    }


def exponent(sizes: list[int], values: list[float]) -> float:
    """Of the size in the power law through the last two: 1 is linear."""
    (small, large), (first, last) = sizes[-2:], values[-2:]
    return float(np.log(last / first) / np.log(large / small))


def per_trial(sizes: list[int], values: list[float]) -> tuple[float, float]:
    """Slope and constant of the line of least squares, errors relative to each size's value."""
    weights = 1 / np.maximum(values, 1e-9)
    slope, constant = np.polyfit(sizes, values, 1, w=weights)
    return float(slope), float(constant)


def main(
    sizes: Annotated[str, typer.Option(help="Numbers of trials, in hundreds.")] = SIZES,
    one: Annotated[int | None, typer.Option(help="This size alone, here, as JSON.")] = None,
) -> None:
    """Measures every size, and prints seconds, memory and how they grow."""
    if one is not None:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(vars(measured(one, Path(folder)))))
        return
    numbers = [int(size) for size in sizes.split(",")]
    command = [sys.executable, "-m", "benchmarks.scale", "--one"]
    found: dict[int, Mapping[str, Mapping[str, float]]] = {}
    for size in numbers:
        done = subprocess.run([*command, str(size)], check=True, capture_output=True, text=True)
        found[size] = json.loads(done.stdout)
    shown = Table(title="CPU seconds (peak MiB so far)")
    fits = ("exponent", "us a trial", "s in any case")
    for column in ("trials", *(f"{size:,}" for size in numbers), *fits):
        shown.add_column(column, justify="left" if column == "trials" else "right")
    for phase in found[numbers[0]]["seconds"]:
        had = [size for size in numbers if phase in found[size]["seconds"]]
        seconds = [found[size]["seconds"][phase] for size in had]
        cells = [
            f"{second:.2f} ({found[size]['peak_mib'][phase]:,.0f})"
            for size, second in zip(had, seconds, strict=True)
        ]
        cells += ["-"] * (len(numbers) - len(had))
        slope, constant = per_trial(had, seconds)
        fit = (f"{exponent(had, seconds):.2f}", f"{1e6 * slope:.0f}", f"{constant:.2f}")
        shown.add_row(phase, *cells, *fit)
    console().print(shown)


if __name__ == "__main__":
    run_command(main)
