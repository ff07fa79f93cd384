"""The table at the end of a sweep, from its result files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from raysweep.plan import Plan, Trial
from raysweep.results import read_table
from raysweep.storage import Storage
from raysweep.tasks import ALL, OVERALL

Row = Mapping[str, Any]
NOTE = (
    "Accuracies after the last stage, in %, with chance in brackets; '!' marks a model that gives "
    "every row the same answer. Forgetting and biased forgetting of the first task, in points "
    "(larger is worse). '~' marks a spectral radius that has not converged."
)


def summary_table(plan: Plan, folder: Storage) -> Table:
    """One row per trial that has finished all its stages."""
    final = [row for row in _rows(folder, "evaluations") if row["group"] == OVERALL]
    forgotten, curvatures = _rows(folder, "forgetting"), _rows(folder, "curvature")
    table = Table(title=f"Sweep {plan.sweep}", caption=NOTE, caption_justify="left")
    for column in ("chain", "learning rates", "seed", "accuracies"):
        table.add_column(column)
    for column in ("forgetting", "worst group", "biased", "spectral radius"):
        table.add_column(column, justify="right" if column != "worst group" else "left")
    for trial in plan.trials:
        last = len(trial.stages)
        scores = [row for row in _of(final, trial, last) if row["subset"] == ALL]
        if not scores:
            continue
        mine = [r for r in _of(forgotten, trial, last) if r["task"] == trial.first_task]
        curvature = next((row for row in curvatures if row["trial"] == trial.id), None)
        table.add_row(
            trial.chain,
            ", ".join(f"{stage.hyperparameters.learning_rate:g}" for stage in trial.stages),
            str(trial.seed),
            "  ".join(_accuracy(row) for row in scores),
            *_forgetting(mine),
            _radius(curvature),
        )
    return table


def _rows(folder: Storage, name: str) -> list[Row]:
    return read_table(folder, name).to_pylist()


def _of(rows: Sequence[Row], trial: Trial, stage: int) -> list[Row]:
    return [row for row in rows if row["trial"] == trial.id and row["stage"] == stage]


def _accuracy(row: Row) -> str:
    chance = "" if row["chance"] is None else f" ({100 * row['chance']:.0f})"
    flag = "!" if row["constant_prediction"] else ""
    return f"{row['title']} {_percent(row['accuracy'])}{flag}{chance}"


def _forgetting(rows: Sequence[Row]) -> tuple[str, str, str]:
    """Overall forgetting, the group with the largest, and how far that is above the overall."""
    overall = next((row for row in rows if row["group"] == OVERALL), None)
    if overall is None:
        return "-", "-", "-"
    groups = [r for r in rows if r["group"] != OVERALL and r["forgetting"] is not None]
    worst = max(groups, key=lambda row: row["forgetting"], default=None)
    if worst is None:
        return _percent(overall["forgetting"]), "-", "-"
    return (
        _percent(overall["forgetting"]),
        worst["group"],
        _percent(worst["biased_forgetting"]),
    )


def _radius(row: Row | None) -> str:
    if row is None:
        return "-"
    return f"{row['spectral_radius']:.4g}{'' if row['converged'] else ' ~'}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
