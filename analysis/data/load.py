"""What the tables and figures are made of: pairs of tasks, measured after both stages.

Only chains of exactly two full stages count, one on a capability and one on a safety task (the
paper's section 4.1); chains with replay or mixtures have tables of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from raysweep.results.query import query
from raysweep.space.chains import Chain
from raysweep.statistics.between import Replicate
from raysweep.statistics.grouped_losses import FEW_ROWS
from raysweep.store.storage import Storage
from raysweep.tasks.registry import TASKS
from raysweep.tasks.task import OVERALL, Kind

from .mean import Mean
from .setting import Setting

KEYS = "chain, sweep, settings, learning_rates"
LEVEL = 0.05
NO_PAIR = (
    "no trial has finished a chain of two full stages, one on a capability and one on a safety task"
)
EFFECTS = f"""
    SELECT {KEYS}, "group", 100 * biased_low AS low, 100 * biased_high AS high, p_holm,
           100 * standardised AS value, 100 * standardised_low AS standardised_low,
           100 * standardised_high AS standardised_high, 100 * shrunken AS shrunken
    FROM group_effects WHERE stage = 2 AND learned_at = 1
"""
TASK_ORDER = {name: position for position, name in enumerate(TASKS)}


@dataclass(frozen=True)
class MeasuredTask:
    """A task as its result rows tell of it."""

    name: str
    title: str
    kind: Kind


@dataclass(frozen=True)
class Pair:
    """Two full stages at one point of the search space, over all its seeds and data seeds."""

    first: MeasuredTask
    second: MeasuredTask
    setting: Setting

    @property
    def capability(self) -> MeasuredTask:
        """The capability task, whichever comes first."""
        return self.first if self.first.kind is Kind.CAPABILITY else self.second

    @property
    def safety(self) -> MeasuredTask:
        """The safety task, whichever comes first."""
        return self.second if self.first.kind is Kind.CAPABILITY else self.first

    @property
    def swapped(self) -> Pair:
        """The other order, at the same setting."""
        return Pair(self.second, self.first, self.setting)

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

    chain: Pair
    task: MeasuredTask
    percent: Mean
    chance: float | None
    is_constant: bool


@dataclass(frozen=True)
class Standardised:
    """Biased forgetting if all groups had the same mix of answers, in points.

    Attributes:
        low, high: 95 % interval over test rows and seeds.
        shrunken: the value drawn towards 0 by the share of it that is noise; None where groups
            differ by nothing at all.
    """

    value: float
    low: float
    high: float
    shrunken: float | None


@dataclass(frozen=True)
class FirstTaskForgetting:
    """How much of the first task the second stage cost (equations 1 and 2); larger is worse.

    Attributes:
        group: demographic group, or "overall".
        points: forgetting in percentage points; None without test rows.
        biased: forgetting minus the overall one, in points; None for the overall row.
        num_examples: test rows scored.
        interval: 95 % interval of ``biased`` over test rows and seeds, in points; None for the
            overall row, for few rows and where there are no predictions.
        p: of no difference from the task overall with the same mix of answers, corrected for all
            groups and chains of the sweep (Holm).
        standardised: None where there is no interval.
    """

    chain: Pair
    group: str
    points: Mean | None
    biased: Mean | None
    num_examples: int
    interval: tuple[float, float] | None = None
    p: float | None = None
    standardised: Standardised | None = None

    @property
    def is_distinct(self) -> bool:
        """Whether the group forgets other than the task overall.

        After correction, and by an interval that excludes 0: a mix of answers may hide or make a
        difference.
        """
        if self.interval is None or self.p is None or self.interval[0] <= 0 <= self.interval[1]:
            return False
        return self.p <= LEVEL

    @property
    def is_small(self) -> bool:
        """Whether the group has few test rows."""
        return self.num_examples < FEW_ROWS


@dataclass(frozen=True)
class Chance:
    """What a pair's largest biased forgetting is to be compared with, in points.

    Attributes:
        group: that has it, of those with rows enough.
        expected: the largest if groups make no difference.
        p: of one as large then.
    """

    group: str
    value: float
    expected: float
    p: float

    @property
    def is_beyond(self) -> bool:
        """Whether a group may be called worst."""
        return self.p <= LEVEL


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
            chain.first if row["task"] == chain.first.name else chain.second,
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
        FROM forgetting WHERE stage = 2 AND learned_at = 1
        GROUP BY {KEYS}, "group"
    """
    effects = {(chain, row["group"]): row for chain, row in _rows(results, EFFECTS)}
    return [
        FirstTaskForgetting(
            chain,
            row["group"],
            _optional(row["forgetting"]),
            _optional(row["biased_forgetting"]),
            row["num_examples"],
            *_effect(effects.get((chain, row["group"]), {})),
        )
        for chain, row in _rows(results, sql)
    ]


def forgetting_by_seed(results: Storage) -> dict[Pair, dict[Replicate, float]]:
    """Overall forgetting of the first task, in points, of every pair, seed and data seed."""
    return _by_seed(results, "forgetting")


def relative_by_seed(results: Storage) -> dict[Pair, dict[Replicate, float]]:
    """The same over the accuracy before, in percent (section 3); none where that is 0."""
    return _by_seed(results, "relative_forgetting")


def _by_seed(results: Storage, column: str) -> dict[Pair, dict[Replicate, float]]:
    sql = f"""
        SELECT {KEYS}, seed, data_seed, 100 * {column} AS points FROM forgetting
        WHERE stage = 2 AND learned_at = 1 AND "group" = '{OVERALL}' AND {column} IS NOT NULL
        ORDER BY seed, data_seed
    """
    found: dict[Pair, dict[Replicate, float]] = {}
    for chain, row in _rows(results, sql):
        found.setdefault(chain, {})[row["seed"], row["data_seed"]] = row["points"]
    return found


def chances(results: Storage) -> dict[Pair, Chance]:
    """Of every pair whose first task has groups with rows enough."""
    sql = f"""
        SELECT {KEYS}, worst_group, 100 * max_biased_forgetting AS value,
               100 * expected_maximum AS expected, biased_forgetting_p AS p
        FROM chain_unevenness WHERE stage = 2 AND learned_at = 1
    """
    return {
        chain: Chance(row["worst_group"], row["value"], row["expected"], row["p"])
        for chain, row in _rows(results, sql)
    }


def _effect(
    effect: Mapping[str, Any],
) -> tuple[tuple[float, float] | None, float | None, Standardised | None]:
    """Interval, p-value and standardised effect, where there are any."""
    if effect.get("low") is None:
        return None, None, None
    names = ("value", "standardised_low", "standardised_high", "shrunken")
    alike = Standardised(*(effect[name] for name in names))
    return (effect["low"], effect["high"]), effect["p_holm"], alike


def num_unfinished(results: Storage) -> int:
    """Trials of a pair that have rows, but none from after the second stage."""
    sql = f"""
        SELECT trial, {KEYS} FROM evaluations GROUP BY trial, {KEYS} HAVING max(stage) < 2
    """
    return sum(1 for _ in _rows(results, sql))


def without_first_task(results: Storage) -> list[str]:
    """Chains that are in no table or figure, because their first stage is not one whole task.

    Those of two stages are told of as shares and mixtures.
    """
    rows = query(results, "SELECT DISTINCT chain FROM evaluations ORDER BY chain").to_pylist()
    chains = (Chain.parse(row["chain"]) for row in rows)
    longer = (chain for chain in chains if len(chain) != 2)
    return [str(chain) for chain in longer if chain[0].full_tasks != (str(chain[0]),)]


def sort_key(chain: Pair) -> tuple[tuple[int, str], tuple[int, str]]:
    """Table 1's order of tasks; other tasks follow by name."""
    return task_position(chain.capability), task_position(chain.safety)


def task_position(task: MeasuredTask) -> tuple[int, str]:
    """The registry's order; other tasks follow by name."""
    return TASK_ORDER.get(task.name, len(TASK_ORDER)), task.name


def _mean(column: str) -> str:
    """SQL for a `Mean` in percent, over the rows of one group, that is over seeds."""
    return (
        f"{{'value': 100 * avg({column}), 'deviation': 100 * stddev_samp({column}), "
        f"'num_seeds': count({column})}} AS {column}"
    )


def _optional(mean: dict[str, Any]) -> Mean | None:
    return Mean(**mean) if mean["num_seeds"] else None


def _rows(results: Storage, sql: str) -> Iterator[tuple[Pair, dict[str, Any]]]:
    tasks = _measured_tasks(results)
    for row in query(results, sql).to_pylist():
        pair = _pair(Chain.parse(row["chain"]), tasks)
        if pair:
            setting = Setting.from_row(row["sweep"], row["settings"], row["learning_rates"])
            yield Pair(*pair, setting), row


def _measured_tasks(results: Storage) -> dict[str, MeasuredTask]:
    rows = query(results, "SELECT DISTINCT task, title, kind FROM evaluations").to_pylist()
    return {row["task"]: MeasuredTask(row["task"], row["title"], Kind(row["kind"])) for row in rows}


def _pair(
    chain: Chain, tasks: Mapping[str, MeasuredTask]
) -> tuple[MeasuredTask, MeasuredTask] | None:
    """The chain's two tasks; None for shares (``bbq@5%``), mixtures and any other length."""
    pair = [tasks.get(str(mixture)) for mixture in chain]
    if len(pair) != 2 or pair[0] is None or pair[1] is None or pair[0].kind == pair[1].kind:
        return None
    return pair[0], pair[1]
