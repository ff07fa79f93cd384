"""The tables at the end of a sweep, from its result files."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

import pyarrow.compute as pc
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from raysweep.plan.names import learning_rates, short_id
from raysweep.plan.trials import Trial
from raysweep.results.columns import SCHEMAS
from raysweep.results.effects import cell_of, predicted
from raysweep.results.rows import maximum_of
from raysweep.results.tables import read_table
from raysweep.space.chains import Chain
from raysweep.statistics.unevenness import Maximum
from raysweep.store.storage import Storage
from raysweep.tasks.task import ALL, OVERALL

Row = Mapping[str, Any]
SHOWN_MISSING = 8  # trials that are named
NOTE = (
    "Accuracies in %: right after the task's own stage -> after the last stage, with chance in "
    "brackets; '!' marks a model that gives every row the same answer. Forgetting and biased "
    "forgetting of the first task, in points (larger is worse). Of the groups with at least 10 "
    "rows the one that forgets most, with its rows n; beside its biased forgetting what the "
    "largest is by chance if groups make no difference, and the probability p of one as large: "
    "'?' marks a group that is within chance (p > .05). '~' marks a spectral radius that has not "
    "converged. The short id of a trial is the end of its name in the column 'trial' of the "
    "results."
)
NEEDED = {
    "evaluations": [
        *("trial", "stage", "task", "group", "subset"),
        *("title", "accuracy", "chance", "constant_prediction"),
    ],
    "forgetting": ["trial", "stage", "task", "group", "forgetting"],
    "unevenness": SCHEMAS["unevenness"].names,
    "curvature": ["trial", "stage", "task", "part", "spectral_radius", "converged"],
}
"""Columns: of thousands of trials no more than these become Python's objects."""
WITHIN_CHANCE = 0.05
OVER_SEEDS = " Over several seeds: mean ± sample standard deviation."


def summary_table(
    sweep: str, trials: Sequence[Trial], folder: Storage, width: int | None = None
) -> Table:
    """One row per chain and settings, over the seeds of which the trial has finished.

    Args:
        width: of the terminal; where rows of one line do not fit, a row has a line per stage.
    """
    whole = _Summary(sweep, trials, folder)
    table = whole.wide()
    if width is not None and Console(width=10_000).measure(table).maximum > width:
        return whole.narrow()
    return table


class _Summary:
    """The cells of a summary, for tables of two forms."""

    def __init__(self, sweep: str, trials: Sequence[Trial], folder: Storage) -> None:
        self._all, self._sweep, self._folder = trials, sweep, folder
        self._scores = _overall(folder, trials)
        self._forgotten = _by_trial(folder, "forgetting", trials)
        self._uneven = _by_trial(folder, "unevenness", trials)
        self._predicted = predicted(folder)
        self._curvatures = _by_trial(folder, "curvature", trials)
        described = settings_of(trials)
        self._cells: dict[tuple[Chain, str], list[Trial]] = defaultdict(list)
        for trial in trials:
            if self._is_finished(trial):
                self._cells[trial.chain, described[trial.id]].append(trial)
        self._has_seeds = any(len(cell) > 1 for cell in self._cells.values())

    def wide(self) -> Table:
        """One line per row."""
        many = "s" * self._has_seeds
        columns = (f"trial{many}", "chain", "learning rates", f"seed{many}", "accuracies")
        table = self._table(*columns)
        for column in ("forgetting", "worst group", "biased", "spectral radius"):
            is_text = column in ("worst group", "biased")
            table.add_column(column, justify="left" if is_text else "right")
        for (chain, settings), cell in self._cells.items():
            table.add_row(
                ", ".join(short_id(trial.id) for trial in cell),
                str(chain),
                settings,
                self._seeds(cell),
                "  ".join(self._accuracies(cell)),
                self._overall(cell),
                *self._worst_cells(cell),
                self._radius(cell),
            )
        return table

    def narrow(self) -> Table:
        """A line per stage, for 80 columns."""
        columns = ("trial", "stages and rates", "accuracies", "forgetting", "radius")
        style = {"box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0), "pad_edge": False, "leading": 1}
        table = self._table(*columns, **style)
        for (_, settings), cell in self._cells.items():
            rates, _, others = settings.partition("; ")
            stages = zip(cell[0].stages, rates.split(", "), strict=True)
            table.add_row(
                "\n".join(short_id(trial.id) for trial in cell),
                "\n".join(
                    [*(f"{stage.label} {rate}" for stage, rate in stages), *filter(None, [others])]
                ),
                "\n".join(self._accuracies(cell)),
                "\n".join([self._overall(cell), *self._worst_lines(cell)]),
                self._radius(cell),
            )
        return table

    def _table(self, *columns: str, **style: Any) -> Table:
        style |= {"title": f"Sweep {self._sweep}", "caption_justify": "left"}
        note = self._missing() + NOTE + (OVER_SEEDS if self._has_seeds else "")
        return Table(*columns, caption=note, **style)

    def _missing(self) -> str:
        """What the table and all figures of the sweep lack; nothing if all is there."""
        missing = [short_id(trial.id) for trial in self._all if not self._is_finished(trial)]
        if not missing:
            return ""
        listed = ", ".join(missing[:SHOWN_MISSING])
        more = f" and {len(missing) - SHOWN_MISSING} more" if missing[SHOWN_MISSING:] else ""
        num_done = len(self._all) - len(missing)
        return f"{num_done} of {len(self._all)} trials finished; missing: {listed}{more}. "

    def _is_finished(self, trial: Trial) -> bool:
        return any(stage == len(trial.stages) for _, stage in self._scores[trial.id])

    def _seeds(self, cell: Sequence[Trial]) -> str:
        return f"{len(cell)}" if self._has_seeds else f"{cell[0].seed}"

    def _accuracies(self, cell: Sequence[Trial]) -> Iterator[str]:
        """Each task's accuracy over the trials: learned, and kept."""
        first = cell[0]
        for task in first.tasks:
            learned_at, last = first.learned_at(task), len(first.stages)
            kept = self._scored(cell, task, last)
            if not kept:
                continue
            shown = _accuracy(kept)
            if learned_at is not None and learned_at < last:
                shown = f"{_accuracy(self._scored(cell, task, learned_at))} -> {shown}"
            chance = kept[0]["chance"]
            bracket = "" if chance is None else f" ({100 * chance:.0f})"
            yield f"{escape(kept[0]['title'])} {shown}{bracket}"

    def _scored(self, cell: Sequence[Trial], task: str, stage: int) -> list[Row]:
        """A task's scores after a stage, of the trials that have one."""
        found = (self._scores[trial.id].get((task, stage)) for trial in cell)
        return [row for row in found if row]

    def _overall(self, cell: Sequence[Trial]) -> str:
        """Forgetting of the first task."""
        rows = _of_first_task(self._forgotten, cell)
        return _percent([row for row in rows if row["group"] == OVERALL], "forgetting")

    def _worst_cells(self, cell: Sequence[Trial]) -> tuple[str, str]:
        """The group that forgets most, and how far beyond the overall, beside what chance gives."""
        found = self._worst(cell)
        if not found:
            return "-", "-"
        chance = f"{100 * found.expected:.1f} by chance, p {_probability(found.p)}"
        return f"{_marked(found)} (n {found.num_rows:,})", f"{100 * found.value:.1f}; {chance}"

    def _worst_lines(self, cell: Sequence[Trial]) -> list[str]:
        """The same for a narrow column."""
        found = self._worst(cell)
        if not found:
            return []
        chance = [f"chance {100 * found.expected:.1f}", f"p {_probability(found.p)}"]
        return [_marked(found), f"{100 * found.value:.1f} (n {found.num_rows:,})", *chance]

    def _worst(self, cell: Sequence[Trial]) -> Maximum | None:
        """Over the seeds; None where the first task has no groups with rows enough."""
        first, last = cell[0], len(cell[0].stages)
        if len(cell) == 1 and (rows := _of_first_task(self._uneven, cell)):
            return maximum_of(rows[0])
        if all(row["group"] == OVERALL for row in _of_first_task(self._forgotten, cell)):
            return None
        learned_at = first.learned_at(first.first_task) or last
        trials = [trial.id for trial in cell if trial.id in self._predicted]
        of_cell = cell_of(trials, first.first_task, learned_at, last)
        found = of_cell.unevenness(self._folder)
        return found.biased if found else None

    def _radius(self, cell: Sequence[Trial]) -> str:
        rows = _of_first_task(self._curvatures, cell)
        flag = "" if all(row["converged"] for row in rows) else " ~"
        return _spread([row["spectral_radius"] for row in rows], "{:.4g}") + flag


def study_table(rows: Sequence[Row]) -> Table:
    """The best trial of an Optuna study, or its Pareto front, from the rows of its table."""
    modes = {row["objective"]: row["mode"] for row in rows}
    states = Counter({row["number"]: row["state"] for row in rows}.values())
    told = ", ".join(f"{count} {state}" for state, count in states.items())
    title = "Pareto front" if len(modes) > 1 else "Best trial"
    table = Table(title=title, caption=f"Trials: {told}.", caption_justify="left")
    table.add_column("trial")
    for name, mode in modes.items():
        table.add_column(f"{name} ({mode})", justify="right")
    table.add_column("settings")
    best = [row for row in rows if row["is_best"]]
    params = {row["trial"]: json.loads(row["params"]) for row in best}
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for row in best:
        values[row["trial"]][row["objective"]] = row["value"]
    for trial, found in sorted(values.items(), key=lambda one: tuple(one[1].values())):
        settings = ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in params[trial].items()
        )
        table.add_row(trial, *(f"{value:.4g}" for value in found.values()), settings)
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
    shown = learning_rates(trial)
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
    found = read_table(folder, name, NEEDED[name])
    is_last = pc.field("stage").isin(sorted(set(last.values())))
    for row in found.filter(is_last).to_pylist():
        if row["stage"] == last.get(row["trial"]) and row.get("part") in (None, "whole"):
            rows[row["trial"]].append(row)
    return rows


def _overall(folder: Storage, trials: Sequence[Trial]) -> Mapping[str, dict[tuple[str, int], Row]]:
    """Of each trial the evaluations of all rows of a task, by task and stage."""
    rows: dict[str, dict[tuple[str, int], Row]] = {trial.id: {} for trial in trials}
    is_overall = (pc.field("group") == OVERALL) & (pc.field("subset") == ALL)
    found = read_table(folder, "evaluations", NEEDED["evaluations"])
    for row in found.filter(is_overall).to_pylist():
        if row["trial"] in rows:
            rows[row["trial"]][row["task"], row["stage"]] = row
    return rows


def _of_first_task(rows: Mapping[str, list[Row]], cell: Sequence[Trial]) -> list[Row]:
    return [row for trial in cell for row in rows[trial.id] if row["task"] == trial.first_task]


def _accuracy(rows: Sequence[Row]) -> str:
    flag = "!" if any(row["constant_prediction"] for row in rows) else ""
    return _percent(rows, "accuracy") + flag


def _percent(rows: Sequence[Row], column: str) -> str:
    return _spread([100 * row[column] for row in rows if row[column] is not None], "{:.1f}")


def _marked(found: Maximum) -> str:
    return escape(found.group) + ("?" if found.p > WITHIN_CHANCE else "")


def _probability(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def _spread(values: Sequence[float], form: str) -> str:
    """The mean, with the deviation of several; a dash for none."""
    if not values:
        return "-"
    shown = form.format(mean(values))
    return f"{shown} ± {form.format(stdev(values))}" if len(values) > 1 else shown
