"""What the tables and figures are made of: pairs of tasks, measured after both stages.

Only chains of exactly two full stages count, one on a capability and one on a safety task (the
paper's section 4.1); chains with replay or mixtures have tables of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from analysis.mean import Mean
from analysis.setting import Setting
from raysweep.query import query
from raysweep.storage import Storage
from raysweep.tasks import OVERALL, TASKS, Kind, Task

KEYS = "chain, sweep, settings, learning_rates"
TASK_ORDER = {name: position for position, name in enumerate(TASKS)}


@dataclass(frozen=True)
class Chain:
    """Two full stages at one point of the search space, over all its seeds."""

    first: Task
    second: Task
    setting: Setting

    @property
    def capability(self) -> Task:
        """The capability task, whichever comes first."""
        return self.first if self.first.kind is Kind.CAPABILITY else self.second

    @property
    def safety(self) -> Task:
        """The safety task, whichever comes first."""
        return self.second if self.first.kind is Kind.CAPABILITY else self.first

    @property
    def title(self) -> str:
        """The paper's way of writing it, such as ``TQA → ARC``."""
        return f"{self.first.title} → {self.second.title}"


@dataclass(frozen=True)
class FinalAccuracy:
    """A task's accuracy after both stages.

    Attributes:
        percent: the accuracy in percent.
        chance: that of random answers, in percent; None for a generative task.
        is_constant: whether, for any seed, every test row got the same answer.
    """

    chain: Chain
    task: Task
    percent: Mean
    chance: float | None
    is_constant: bool


@dataclass(frozen=True)
class FirstTaskForgetting:
    """How much of the first task the second stage cost (equations 1 and 2); larger is worse.

    Attributes:
        group: demographic group, or "overall".
        points: forgetting in percentage points; None without test rows.
        biased: forgetting minus the overall one, in points; None for the overall row.
        num_examples: test rows scored.
    """

    chain: Chain
    group: str
    points: Mean | None
    biased: Mean | None
    num_examples: int


def final_accuracies(results: Storage) -> list[FinalAccuracy]:
    """Both tasks' accuracies after both stages, for every pair."""
    sql = f"""
        SELECT {KEYS}, task, {_mean("accuracy")},
               100 * any_value(chance) AS chance,
               coalesce(bool_or(constant_prediction), false) AS is_constant
        FROM evaluations
        WHERE stage = 2 AND "group" = '{OVERALL}' AND subset = 'all' AND accuracy IS NOT NULL
        GROUP BY {KEYS}, task
    """
    return [
        FinalAccuracy(
            chain,
            TASKS[row["task"]],
            Mean(**row["accuracy"]),
            row["chance"],
            row["is_constant"],
        )
        for chain, row in _rows(results, sql)
    ]


def first_task_forgetting(results: Storage) -> list[FirstTaskForgetting]:
    """Forgetting of the first task, overall and by group, for every pair."""
    sql = f"""
        SELECT {KEYS}, "group", {_mean("forgetting")}, {_mean("biased_forgetting")},
               max(num_examples) AS num_examples
        FROM forgetting
        WHERE stage = 2 AND learned_at = 1 AND task = str_split(chain, ' -> ')[1]
        GROUP BY {KEYS}, "group"
    """
    return [
        FirstTaskForgetting(
            chain,
            row["group"],
            _optional(row["forgetting"]),
            _optional(row["biased_forgetting"]),
            row["num_examples"],
        )
        for chain, row in _rows(results, sql)
    ]


def num_unfinished(results: Storage) -> int:
    """Trials of a pair that have rows, but none from after the second stage."""
    sql = f"""
        SELECT trial, {KEYS} FROM evaluations GROUP BY trial, {KEYS} HAVING max(stage) < 2
    """
    return sum(1 for _ in _rows(results, sql))


def sort_key(chain: Chain) -> tuple[int, int]:
    """Table 1's order of tasks."""
    return TASK_ORDER[chain.capability.name], TASK_ORDER[chain.safety.name]


def _mean(column: str) -> str:
    """SQL for a `Mean` in percent, over the rows of one group, that is over seeds."""
    return (
        f"{{'value': 100 * avg({column}), 'deviation': 100 * stddev_samp({column}), "
        f"'num_seeds': count({column})}} AS {column}"
    )


def _optional(mean: dict[str, Any]) -> Mean | None:
    return Mean(**mean) if mean["num_seeds"] else None


def _rows(results: Storage, sql: str) -> Iterator[tuple[Chain, dict[str, Any]]]:
    for row in query(results, sql).to_pylist():
        pair = _pair(row["chain"])
        if pair:
            setting = Setting.from_row(row["sweep"], row["settings"], row["learning_rates"])
            yield Chain(*pair, setting), row


def _pair(chain: str) -> tuple[Task, Task] | None:
    """The chain's two tasks; None for shares (``bbq@5%``), mixtures and any other length."""
    tasks = [TASKS.get(stage) for stage in chain.split(" -> ")]
    if len(tasks) != 2 or tasks[0] is None or tasks[1] is None or tasks[0].kind == tasks[1].kind:
        return None
    return tasks[0], tasks[1]
