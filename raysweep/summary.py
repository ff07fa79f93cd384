"""The tables at the end of a sweep, from its result files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from raysweep.results import read_table
from raysweep.stages import Trial
from raysweep.storage import Storage
from raysweep.tasks import ALL, OVERALL

if TYPE_CHECKING:
    from raysweep.study import Study

Row = Mapping[str, Any]
NOTE = (
    "Accuracies after the last stage, in %, with chance in brackets; '!' marks a model that gives "
    "every row the same answer. Forgetting and biased forgetting of the first task, in points "
    "(larger is worse). '~' marks a spectral radius that has not converged."
)
OVER_SEEDS = " Over several seeds: mean ± sample standard deviation."


def summary_table(sweep: str, trials: Sequence[Trial], folder: Storage) -> Table:
    """One row per chain and settings, over the seeds of which the trial has finished."""
    final = _by_trial(folder, "evaluations", trials)
    forgotten = _by_trial(folder, "forgetting", trials)
    curvatures = _by_trial(folder, "curvature", trials)
    finished = [trial for trial in trials if _overall(final[trial.id])]
    described = settings_of(trials)
    cells: dict[tuple[str, str], list[Trial]] = defaultdict(list)
    for trial in finished:
        cells[trial.chain, described[trial.id]].append(trial)
    is_over_seeds = any(len(cell) > 1 for cell in cells.values())
    note = NOTE + (OVER_SEEDS if is_over_seeds else "")
    table = Table(title=f"Sweep {sweep}", caption=note, caption_justify="left")
    for column in ("chain", "learning rates", "seed" + "s" * is_over_seeds, "accuracies"):
        table.add_column(column)
    for column in ("forgetting", "worst group", "biased", "spectral radius"):
        table.add_column(column, justify="right" if column != "worst group" else "left")
    for (chain, settings), cell in cells.items():
        seeds = [trial.seed for trial in cell]
        table.add_row(
            chain,
            settings,
            f"{len(seeds)}" if is_over_seeds else f"{seeds[0]}",
            "  ".join(_accuracies([_overall(final[trial.id]) for trial in cell])),
            *_forgetting([forgotten[trial.id] for trial in cell], cell[0].first_task),
            _radius([row for t in cell for row in curvatures[t.id] if row["task"] == t.first_task]),
        )
    return table


def study_table(study: Study) -> Table:
    """The best trial of an Optuna study, or its Pareto front."""
    objectives = study.objectives
    states = ", ".join(f"{count} {state.lower()}" for state, count in study.states().items())
    title = "Pareto front" if len(objectives) > 1 else "Best trial"
    table = Table(title=title, caption=f"Trials: {states}.", caption_justify="left")
    table.add_column("trial")
    for name, mode in objectives.items():
        table.add_column(f"{name} ({mode})", justify="right")
    table.add_column("settings")
    for best in study.best():
        settings = ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in best.params.items()
        )
        table.add_row(best.trial, *(f"{value:.4g}" for value in best.values), settings)
    return table


def settings_of(trials: Sequence[Trial]) -> dict[str, str]:
    """Each trial's learning rates, and of its other settings those in which the trials differ."""
    values: dict[str, set[Any]] = defaultdict(set)
    for trial in trials:
        for stage in trial.stages:
            for name, value in stage.hyperparameters.model_dump().items():
                values[name].add(value)
    names = [name for name, found in values.items() if len(found) > 1 and name != "learning_rate"]
    return {trial.id: _settings(trial, names) for trial in trials}


def _settings(trial: Trial, names: Iterable[str]) -> str:
    shown = ", ".join(f"{stage.hyperparameters.learning_rate:g}" for stage in trial.stages)
    for name in names:
        swept = [getattr(stage.hyperparameters, name) for stage in trial.stages]
        shown += f"; {name} " + ", ".join(
            f"{value:g}" if isinstance(value, float) else str(value) for value in swept
        )
    return shown


def _by_trial(folder: Storage, name: str, trials: Sequence[Trial]) -> Mapping[str, list[Row]]:
    """The rows of a table after each trial's last stage; those of curvature after its first."""
    last = {t.id: 1 if name == "curvature" else len(t.stages) for t in trials}
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in read_table(folder, name).to_pylist():
        if row["stage"] == last.get(row["trial"]):
            rows[row["trial"]].append(row)
    return rows


def _overall(rows: Sequence[Row]) -> list[Row]:
    """Of a trial's evaluations those of all rows of each task."""
    return [row for row in rows if row["group"] == OVERALL and row["subset"] == ALL]


def _accuracies(trials: Sequence[Sequence[Row]]) -> Iterable[str]:
    """Each task's accuracy over the trials."""
    by_task = sorted((row for rows in trials for row in rows), key=_place(trials[0]))
    for title, group in groupby(by_task, key=lambda row: row["title"]):
        rows = list(group)
        chance = rows[0]["chance"]
        flag = "!" if any(row["constant_prediction"] for row in rows) else ""
        bracket = "" if chance is None else f" ({100 * chance:.0f})"
        yield f"{escape(title)} {_percent([row['accuracy'] for row in rows])}{flag}{bracket}"


def _place(rows: Sequence[Row]) -> Any:
    """Sorts rows by the order in which the tasks occur."""
    order = {row["task"]: place for place, row in enumerate(rows)}
    return lambda row: order[row["task"]]


def _forgetting(trials: Sequence[Sequence[Row]], task: str) -> tuple[str, str, str]:
    """Overall forgetting, the group with the largest, and how far that is above the overall."""
    drops: dict[str, list[float]] = defaultdict(list)
    biased: dict[str, list[float]] = defaultdict(list)
    for rows in trials:
        for row in rows:
            if row["task"] == task and row["forgetting"] is not None:
                drops[row["group"]].append(row["forgetting"])
                if row["group"] != OVERALL:
                    biased[row["group"]].append(row["biased_forgetting"])
    overall = drops.pop(OVERALL, [])
    worst = max(drops, key=lambda group: mean(drops[group]), default=None)
    if worst is None:
        return _percent(overall), "-", "-"
    return _percent(overall), escape(worst), _percent(biased[worst])


def _radius(rows: Sequence[Row]) -> str:
    values = [row["spectral_radius"] for row in rows]
    flag = "" if all(row["converged"] for row in rows) else " ~"
    return _spread(values, "{:.4g}") + flag


def _percent(values: Sequence[float | None]) -> str:
    return _spread([100 * value for value in values if value is not None], "{:.1f}")


def _spread(values: Sequence[float], form: str) -> str:
    """The mean, with the deviation of several; a dash for none."""
    if not values:
        return "-"
    shown = form.format(mean(values))
    return f"{shown} ± {form.format(stdev(values))}" if len(values) > 1 else shown
