"""Table 3: accuracy of the first task after the first stage, by learning rate (section 9.1).

A first stage is one whole task from the base model, whatever follows. Stages that several chains
share count once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from raysweep.results.query import query
from raysweep.space.chains import Chain
from raysweep.store.storage import Storage
from raysweep.tasks.task import ALL, OVERALL, Kind

from ..data.load import TASK_ORDER, MeasuredTask
from ..data.mean import MISSING, Mean, fixed, mean_of, shown
from ..data.published import TABLE_3
from ..data.setting import Setting, varying
from ..drawing.booktabs import Booktabs, Column
from ..exhibit import Exhibit, Missing, Reading

SQL = f"""
    SELECT stage_key, min(chain) AS chain, min(settings) AS settings, any_value(sweep) AS sweep,
           task, title, kind, any_value(accuracy) AS accuracy, any_value(chance) AS chance
    FROM evaluations
    WHERE stage = 1 AND stage_task = task AND "group" = '{OVERALL}' AND subset = '{ALL}'
          AND accuracy IS NOT NULL
    GROUP BY stage_key, task, title, kind ORDER BY stage_key
"""


@dataclass(frozen=True)
class Row:
    """A task trained first at one learning rate.

    Attributes:
        setting: of the first stage alone.
        accuracy: in percent; None at a rate of the paper's that was not trained here.
        published: the paper's accuracy at that rate, in percent.
    """

    task: MeasuredTask
    chance: float | None
    setting: Setting
    accuracy: Mean | None
    published: float | None

    @property
    def rate(self) -> float:
        """The first stage's."""
        return self.setting.learning_rates[0]


def table3(results: Storage) -> tuple[Row, ...]:
    """Safety tasks first, then by learning rate; the paper's rates stand among them."""
    found: dict[tuple[MeasuredTask, float | None, Setting], list[float]] = {}
    for row in query(results, SQL).to_pylist():
        if Chain.parse(row["chain"])[0].full_tasks == (row["task"],):
            task = MeasuredTask(row["task"], row["title"], Kind(row["kind"]))
            first = json.loads(row["settings"])[:1]
            rates = [first[0]["learning_rate"]]
            setting = Setting.from_row(row["sweep"], json.dumps(first), rates)
            found.setdefault((task, row["chance"], setting), []).append(100 * row["accuracy"])
    rows = [
        Row(task, chance, setting, mean_of(seeds), _published(task, setting.learning_rates[0]))
        for (task, chance, setting), seeds in found.items()
    ]
    return tuple(sorted([*rows, *_untrained(rows)], key=_position))


def exhibit(reading: Reading) -> Exhibit | Missing:
    """The table, for any chain whose first stage is one whole task."""
    rows = reading.of(table3)
    if not rows:
        return Missing("no first stage on one whole task was evaluated")
    table = display(rows)
    return Exhibit(table, table.picture, table.texts())


def display(rows: Sequence[Row]) -> Booktabs:
    """The table, with columns for what else differs between first stages."""
    varied = varying({row.setting for row in rows if row.accuracy})
    columns = [Column("Task"), Column("learning rate", is_number=True)]
    columns += [Column(name, is_number=True) for name in (*varied, "seeds", "accuracy", "paper")]
    sections = tuple(
        tuple(_cells(row, varied) for row in section)
        for _, section in groupby(rows, lambda row: row.task)
    )
    title = "Table 3: accuracy (%) of the first task after the first stage"
    return Booktabs(title, tuple(columns), sections, _notes(rows))


def _published(task: MeasuredTask, rate: float) -> float | None:
    found = TABLE_3.get(task.name, {})
    return next((value for one, value in found.items() if math.isclose(one, rate)), None)


def _untrained(rows: Sequence[Row]) -> list[Row]:
    """Rates of the paper's at which a task was not trained here."""
    tasks = {row.task: row.chance for row in rows}
    return [
        Row(task, chance, Setting((rate,)), None, value)
        for task, chance in tasks.items()
        for rate, value in TABLE_3.get(task.name, {}).items()
        if not any(row.task == task and math.isclose(row.rate, rate) for row in rows)
    ]


def _position(row: Row) -> tuple[object, ...]:
    place = TASK_ORDER.get(row.task.name, len(TASK_ORDER))
    return row.task.kind is not Kind.SAFETY, place, row.task.name, row.setting.position


def _cells(row: Row, varied: Sequence[str]) -> tuple[str, ...]:
    chance = "" if row.chance is None else f" ({fixed(100 * row.chance)})"
    seeds = str(row.accuracy.num_seeds) if row.accuracy else MISSING
    paper = MISSING if row.published is None else f"{row.published:.2f}"
    others = (row.setting.other(name) for name in varied)
    return f"{row.task.title}{chance}", f"{row.rate:g}", *others, seeds, shown(row.accuracy), paper


def _notes(rows: Sequence[Row]) -> tuple[str, ...]:
    notes = ["In brackets the accuracy of random answers. Paper: LLaMA-2 7B, three seeds."]
    if any(row.accuracy and row.accuracy.deviation is not None for row in rows):
        notes.append("Mean ± sample standard deviation over seeds.")
    if any(row.accuracy is None for row in rows):
        notes.append(f"{MISSING} in seeds and accuracy: a rate of the paper's, not trained here.")
    return tuple(notes)
