"""A whole sweep: raysweep, the script one would write instead, and a plain Ray Tune function.

    python -m benchmarks.end_to_end [lr] [replay] [--workers YAML ...] [--repeats 3]

The packaged space without curvature. The script (`plain_trial`) is started per trial by a shell
loop, two at a time on one core each, the function (`tune_trials`) by Ray Tune, which keeps its two
processes; both train every stage of every trial. The script runs once more with raysweep's scoring.
raysweep runs by its command, in a store of its own. The contestants take turns, and all accuracies
are compared.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich import box
from rich.table import Table

from benchmarks.cpu_time import Spent, measure
from benchmarks.plain_trial import Accuracies
from raysweep.cli.console import console, run_command
from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import Plan, make_plan
from raysweep.plan.trials import Trial
from raysweep.results.tables import read_table
from raysweep.space.packaged import packaged_space
from raysweep.space.space import check_space
from raysweep.store.storage import Storage
from raysweep.tasks.task import ALL, OVERALL

COMMANDS = {"lr": "raysweep.lr_sweep", "replay": "raysweep.replay_sweep"}
SCRIPT, TUNE = "shell script", "Ray Tune function"
FAST_SCRIPT = "shell script, raysweep's scoring"
PLAIN = (SCRIPT, TUNE, FAST_SCRIPT)
ONE_WORKER = "{num_workers: 1, zero_stage: 0, micro_batch_size: 32}"
PYTHON = [sys.executable, "-m"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "RAYSWEEP_DASHBOARD": "no"}


@dataclass(frozen=True)
class Run:
    """What one contestant took, and the accuracies of every trial by its id."""

    spent: Spent
    accuracies: dict[str, Accuracies]


def space_of(name: str, num_steps: int | None, num_test: int | None) -> dict[str, Any]:
    """The content of a packaged space, without curvature."""
    space: dict[str, Any] = yaml.safe_load(packaged_space(name).read_text())
    space["curvature"] = {"enabled": False}
    if num_steps:
        space["stage"]["num_steps"] = num_steps
    if num_test:
        space["data"]["num_test"] = num_test
    return space


def described(plan: Plan, trial: Trial, *, is_scored_by_raysweep: bool) -> dict[str, Any]:
    """A trial in plain words."""
    space = plan.space
    return {
        "tasks": trial.tasks,
        "seed": trial.seed,
        "data": space.data.drawn(trial.data_seed).model_dump(),
        "is_scored_by_raysweep": is_scored_by_raysweep,
        "rows_at_once": space.workers.evaluation_batch_size,
        "sequence_limit": trial.stages[0].hyperparameters.sequence_limit,
        "stages": [
            {
                "parts": [(part.task, part.fraction) for part in stage.mixture],
                "hyperparameters": stage.hyperparameters.model_dump(),
            }
            for stage in trial.stages
        ],
    }


def run_plain(contestant: str, plan: Plan, folder: Path) -> Run:
    """Runs all trials without raysweep's sweep.

    Raises:
        RuntimeError: a trial failed.
    """
    for trial in plan.trials:
        words = described(plan, trial, is_scored_by_raysweep=contestant == FAST_SCRIPT)
        (folder / f"{trial.id}.json").write_text(json.dumps(words))
    loop = f'ls "{folder}"/*.json | xargs -P 2 -n 1 {sys.executable} -m benchmarks.plain_trial'
    by_tune = [*PYTHON, "benchmarks.tune_trials", str(folder)]
    command = by_tune if contestant == TUNE else ["sh", "-c", loop]
    spent = _finished(measure(command, ENVIRONMENT, folder / "output.txt"))
    written = {trial.id: folder / f"{trial.id}.accuracies" for trial in plan.trials}
    return Run(spent, {name: json.loads(path.read_text()) for name, path in written.items()})


def run_raysweep(
    workers: str, plan: Plan, space: Mapping[str, Any], module: str, folder: Path
) -> Run:
    """Runs the sweep by its command.

    Args:
        workers: what the space says of its workers, as YAML.

    Raises:
        RuntimeError: the sweep failed.
    """
    file, storage = folder / "space.yaml", folder / "storage"
    file.write_text(yaml.safe_dump({**space, "workers": yaml.safe_load(workers)}))
    command = [*PYTHON, module, str(file), "--storage", str(storage), "--no-dashboard"]
    spent = _finished(measure(command, ENVIRONMENT, folder / "output.txt"))
    return Run(spent, dict(_scored(Storage.open(storage).sub("sweeps", plan.sweep), plan)))


def _scored(sweep: Storage, plan: Plan) -> Iterator[tuple[str, Accuracies]]:
    rows = read_table(sweep, "evaluations").to_pylist()
    for trial in plan.trials:
        accuracies: Accuracies = [{} for _ in range(len(trial.stages) + 1)]
        for row in rows:
            if row["trial"] == trial.id and row["group"] == OVERALL and row["subset"] == ALL:
                accuracies[row["stage"]][row["task"]] = row["num_correct"] / row["num_examples"]
        yield trial.id, accuracies


def _finished(spent: Spent) -> Spent:
    if spent.code:
        raise RuntimeError(f"exit code {spent.code}: {spent.output[-2000:]}")
    return spent


def largest_difference(one: Mapping[str, Accuracies], other: Mapping[str, Accuracies]) -> float:
    """Of all accuracies of all trials; both must have the same ones.

    Raises:
        ValueError: one has accuracies that the other lacks.
    """
    flat = [
        {
            (name, number, task): accuracy
            for name, stages in run.items()
            for number, scored in enumerate(stages)
            for task, accuracy in scored.items()
        }
        for run in (one, other)
    ]
    if flat[0].keys() != flat[1].keys():
        raise ValueError(f"accuracies of one alone: {flat[0].keys() ^ flat[1].keys()}")
    return max(abs(accuracy - flat[1][key]) for key, accuracy in flat[0].items())


def compare(
    name: str, space: Mapping[str, Any], shapes: Sequence[str], repeats: int
) -> dict[str, list[Run]]:
    """Runs the contestants turn by turn; the one who begins changes from turn to turn."""
    plan = make_plan(check_space(dict(space), "benchmark"), find_checkpoint("tiny"))
    names = [*PLAIN, *shapes]
    runs: dict[str, list[Run]] = {one: [] for one in names}
    for turn in range(repeats):
        first = turn % len(names)
        for one in (*names[first:], *names[:first]):
            with tempfile.TemporaryDirectory() as folder:
                if one in shapes:
                    run = run_raysweep(one, plan, space, COMMANDS[name], Path(folder))
                else:
                    run = run_plain(one, plan, Path(folder))
            runs[one].append(run)
            told = {key: value for key, value in asdict(run.spent).items() if key != "output"}
            console().print(f"{name}, turn {turn + 1}, {_title(one)}: {told}", markup=False)
    return runs


def _title(contestant: str) -> str:
    return contestant if contestant in PLAIN else f"raysweep, workers: {contestant}"


def table_of(title: str, runs: Mapping[str, Sequence[Run]]) -> Table:
    """Medians over the turns, their ranges, and the ratios to the script."""
    table = Table(title=title, box=box.MARKDOWN)
    for column in ("", "wall (s)", "CPU (s)", "wall ratio", "CPU ratio", "largest difference"):
        table.add_column(column, justify="right" if column else "left")
    script = runs[SCRIPT]
    for name, own in runs.items():
        cells, ratios = [], []
        for field in ("wall_seconds", "cpu_seconds"):
            values, theirs = ([getattr(run.spent, field) for run in all_] for all_ in (own, script))
            cells.append(
                f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"
            )
            ratios.append(f"{statistics.median(values) / statistics.median(theirs):.2f}")
        difference = max(
            largest_difference(run.accuracies, other.accuracies)
            for run, other in itertools.product(own, script)
        )
        table.add_row(_title(name), *cells, *ratios, f"{100 * difference:.2f} points")
    return table


def main(
    names: Annotated[list[str] | None, typer.Argument(help=", ".join(COMMANDS))] = None,
    workers: Annotated[
        list[str] | None, typer.Option(help=f"of raysweep, as YAML; default {ONE_WORKER}")
    ] = None,
    num_steps: Annotated[int | None, typer.Option(help="of every stage", min=1)] = None,
    num_test: Annotated[int | None, typer.Option(help="rows per task", min=26)] = None,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Runs the contestants and prints a table per space."""
    for name in names or COMMANDS:
        if name not in COMMANDS:
            raise typer.BadParameter(f"{name}: no such space; there are {', '.join(COMMANDS)}")
    for name in names or COMMANDS:
        space = space_of(name, num_steps, num_test)
        runs = compare(name, space, workers or [ONE_WORKER], repeats)
        title = f"{name}: {len(runs[SCRIPT][0].accuracies)} trials, medians of {repeats} turns"
        console().print(table_of(title, runs))


if __name__ == "__main__":
    run_command(main)
