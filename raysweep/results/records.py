"""What the store's entries hold of a trial, and what follows from them by arithmetic.

All of it is always assembled from the store, whether its stages were trained a moment ago, by
another trial, or last week.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from raysweep.measures.forgetting import Forgetting, group_forgetting, overall_forgetting
from raysweep.measures.losses import grouped_losses
from raysweep.measures.scores import Prediction, Score, by_group, tally
from raysweep.plan.scouts import Finding
from raysweep.plan.trials import Measurement, Stage, Trial
from raysweep.results.tables import from_bytes, to_bytes
from raysweep.statistics.unevenness import Unevenness, unevenness
from raysweep.store.store import EntryName, Store
from raysweep.tasks.task import OVERALL, Task

STEPS, PREDICTIONS = "steps.arrow", "predictions.arrow"
CURVATURE, CHANGE, CUSTOM = "curvature.json", "change.json", "custom.json"


def write_records(path: Path, records: Sequence[Any]) -> None:
    """Writes frozen records, none of which has another in it, as an Arrow file."""
    path.write_bytes(to_bytes(pa.Table.from_pylist([vars(record) for record in records])))


@dataclass
class TrialRecords:
    """Everything that is known of a trial after each of its stages.

    Its methods raise DamagedEntryError where an entry is missing or damaged.
    """

    store: Store
    sweep: str
    trial: Trial
    tasks: Mapping[str, Task]
    _predictions: dict[str, list[Prediction]] = field(default_factory=dict, init=False, repr=False)
    _uneven: dict[tuple[str, int], Unevenness | None] = field(
        default_factory=dict, init=False, repr=False
    )

    def predictions(self, one: Measurement) -> list[Prediction]:
        """Of an evaluation, row by row; read once."""
        if one.key not in self._predictions:
            table = from_bytes(self._read(one.entry, PREDICTIONS))
            self._predictions[one.key] = [_prediction(row) for row in table.to_pylist()]
        return self._predictions[one.key]

    def scores(self, task: str, stage_number: int) -> list[Score]:
        """Of a task's test rows after a stage: see `tally`."""
        return tally(self.tasks[task], self._scored(task, stage_number))

    def forgetting(
        self, task: str, stage_number: int
    ) -> tuple[Forgetting | None, dict[str, Forgetting]]:
        """Of a task after a stage later than its first full one; else None and nothing."""
        learned_at = self.trial.learned_at(task)
        if learned_at is None or stage_number <= learned_at:
            return None, {}
        before = by_group(self.scores(task, learned_at))
        after = by_group(self.scores(task, stage_number))
        overall = overall_forgetting(before.pop(OVERALL), after.pop(OVERALL))
        return overall, group_forgetting(before, after, overall)

    def unevenness(self, task: str, stage_number: int) -> Unevenness | None:
        """Of a task's forgetting by group, against what chance gives; None where it has none."""
        learned_at = self.trial.learned_at(task)
        if learned_at is None or stage_number <= learned_at:
            return None
        if (task, stage_number) not in self._uneven:
            pair = self._scored(task, learned_at), self._scored(task, stage_number)
            self._uneven[task, stage_number] = unevenness(grouped_losses([pair]))
        return self._uneven[task, stage_number]

    def validation(self) -> Score | None:
        """Of the first task's validation rows after the first stage, where they are scored."""
        one = self.trial.validation
        return tally(self.tasks[one.task], self.predictions(one))[0] if one else None

    def curvature(self, one: Measurement) -> dict[str, Any]:
        """What was measured of a task's loss."""
        return self._json(one, CURVATURE)

    def change(self, one: Measurement) -> dict[str, Any]:
        """What a stage did to a loss."""
        return self._json(one, CHANGE)

    def custom(self, one: Measurement) -> dict[str, Any]:
        """What a measurement of one's own has given."""
        return self._json(one, CUSTOM)

    def steps(self, stage: Stage) -> list[dict[str, Any]]:
        """The step log of a stage."""
        steps: list[dict[str, Any]] = from_bytes(self._read(stage.entry, STEPS)).to_pylist()
        return steps

    def losses(self, stage: Stage) -> list[float]:
        """The loss of each step of a stage."""
        return [step["loss"] for step in self.steps(stage)]

    def finding(self) -> Finding:
        """What a scout has found."""
        validation, curvature = self.validation(), self.trial.curvature
        return Finding(
            self.trial.stages[0],
            validation.accuracy.value if validation else None,
            self.curvature(curvature)["spectral_radius"] if curvature else None,
        )

    def _scored(self, task: str, stage_number: int) -> list[Prediction]:
        wanted = task, stage_number
        found = (one for one in self.trial.evaluations if (one.task, one.stage_number) == wanted)
        return self.predictions(next(found))

    def _json(self, one: Measurement, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._read(one.entry, name))
        return content

    def _read(self, entry: EntryName, name: str) -> bytes:
        return self.store.read(self.store.demand(*entry), name)


def _prediction(row: Mapping[str, Any]) -> Prediction:
    lists = ("groups", "log_probabilities")
    return Prediction(**{**row, **{name: tuple(row[name]) for name in lists}})
