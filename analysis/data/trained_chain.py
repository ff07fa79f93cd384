"""Chains of any length as figures show them: their titles, their order, and which to show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raysweep.results.query import query
from raysweep.space.chains import AND, Chain
from raysweep.store.storage import Storage

from .load import KEYS, TASK_ORDER
from .setting import Setting, titles


@dataclass(frozen=True)
class ShownTask:
    """A task as its result rows tell of it.

    Attributes:
        chance: accuracy of random answers, a fraction; None for a generative task.
    """

    name: str
    title: str
    chance: float | None


@dataclass(frozen=True)
class TrainedChain:
    """A chain at one point of the search space, over all its seeds.

    Attributes:
        stage_titles: what each stage is trained on, in short, such as ``TQA@5%``.
    """

    chain: Chain
    stage_titles: tuple[str, ...]
    setting: Setting

    @classmethod
    def from_row(cls, row: Mapping[str, Any], tasks: Mapping[str, ShownTask]) -> TrainedChain:
        """From the columns that all of its result rows have in common."""
        chain = Chain.parse(row["chain"])
        named = [
            AND.join(str(part).replace(part.task, _title(part.task, tasks), 1) for part in mixture)
            for mixture in chain
        ]
        setting = Setting.from_row(row["sweep"], row["settings"], row["learning_rates"])
        return cls(chain, tuple(named), setting)

    @property
    def title(self) -> str:
        """The paper's way of writing it, such as ``TQA → ARC → TQA@5%``."""
        return " → ".join(self.stage_titles)

    @property
    def position(self) -> tuple[object, ...]:
        """For sorting: by setting, then by tasks in the paper's order and their shares."""
        number = len(TASK_ORDER)
        places = tuple(
            tuple((TASK_ORDER.get(part.task, number), part.task, part.fraction) for part in mixture)
            for mixture in self.chain
        )
        return self.setting.position, places


def shown_tasks(results: Storage) -> dict[str, ShownTask]:
    """All that are measured, by name."""
    sql = "SELECT task, any_value(title) AS title, any_value(chance) AS chance FROM evaluations"
    rows = query(results, f"{sql} GROUP BY task").to_pylist()
    return {row["task"]: ShownTask(row["task"], row["title"], row["chance"]) for row in rows}


def chains_of_trials(results: Storage) -> dict[str, TrainedChain]:
    """The chain of each trial."""
    tasks = shown_tasks(results)
    rows = query(results, f"SELECT DISTINCT trial, {KEYS} FROM evaluations").to_pylist()
    return {row["trial"]: TrainedChain.from_row(row, tasks) for row in rows}


def labels(chains: Sequence[TrainedChain]) -> list[str]:
    """Titles, with as much of the setting as tells it from others of as many stages."""
    settings = list(dict.fromkeys(chain.setting for chain in chains))
    more: dict[Setting, str] = {}
    for length in {len(setting.learning_rates) for setting in settings}:
        alike = [setting for setting in settings if len(setting.learning_rates) == length]
        more |= dict(zip(alike, titles(alike), strict=True))
    return [chain.title + more[chain.setting] for chain in chains]


def without(num_trials: int, lacking: str) -> tuple[str, ...]:
    """That so many trials are left out, and what they lack; nothing for none."""
    trials = "1 trial" if num_trials == 1 else f"{num_trials} trials"
    return (f"left out {trials} without {lacking}",) if num_trials else ()


def is_wanted(chain: TrainedChain, rates: Sequence[tuple[float, ...]]) -> bool:
    """Whether its first stages have one of these lists of learning rates; any, without a list."""
    own = chain.setting.learning_rates
    return not rates or any(
        len(one) <= len(own) and all(map(math.isclose, one, own)) for one in rates
    )


def _title(task: str, tasks: Mapping[str, ShownTask]) -> str:
    return tasks[task].title if task in tasks else task
