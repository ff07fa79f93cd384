"""What the store's entries hold, and how a trial's result rows and metrics come from them. Pure.

The rows of a trial are always assembled from the store, whether its stages were trained a moment
ago, by another trial, or last week.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from raysweep.forgetting import Forgetting, group_forgetting, overall_forgetting, worst_group
from raysweep.plan import Measurement, Stage, Trial
from raysweep.results import from_bytes, to_bytes
from raysweep.scoring import Prediction, Score, by_group, tally
from raysweep.store import EntryKind, Store
from raysweep.tasks import OVERALL, Task

STEPS, PREDICTIONS, CURVATURE = "steps.arrow", "predictions.arrow", "curvature.json"
Rows = dict[str, list[dict[str, Any]]]


def write_records(path: Path, records: Sequence[Any]) -> None:
    """Writes frozen records as an Arrow file."""
    path.write_bytes(to_bytes(pa.Table.from_pylist([asdict(record) for record in records])))


def missing(store: Store, trial: Trial) -> bool:
    """Whether anything of the trial is still to be trained or measured."""
    return not (
        all(store.find(EntryKind.STAGE, stage.key) for stage in trial.stages)
        and all(store.find(EntryKind.EVALUATION, one.key) for one in trial.evaluations)
        and (trial.curvature is None or store.find(EntryKind.CURVATURE, trial.curvature.key))
    )


def stage_missing(store: Store, trial: Trial, stage: Stage) -> bool:
    """Whether anything of one of the trial's stages is still to be trained or measured."""
    measured = [one for one in trial.evaluations if one.stage_number == stage.number]
    curvature = trial.curvature
    return not (
        store.find(EntryKind.STAGE, stage.key)
        and all(store.find(EntryKind.EVALUATION, one.key) for one in measured)
        and (
            curvature is None
            or curvature.stage_number != stage.number
            or store.find(EntryKind.CURVATURE, curvature.key)
        )
    )


@dataclass
class TrialRecords:
    """Everything that is known of a trial after each of its stages."""

    store: Store
    sweep: str
    trial: Trial
    tasks: Mapping[str, Task]

    def __post_init__(self) -> None:
        self._predictions: dict[str, list[Prediction]] = {}

    def rows(self, last_stage: int) -> Rows:
        """The rows of all tables, up to and including a stage."""
        measured = [one for one in self.trial.evaluations if one.stage_number <= last_stage]
        return {
            "evaluations": [row for one in measured for row in self._evaluation_rows(one)],
            "predictions": [row for one in measured for row in self._prediction_rows(one)],
            "forgetting": [row for one in measured for row in self._forgetting_rows(one)],
            "curvature": list(self._curvature_rows(last_stage)),
            "steps": [
                row for stage in self.trial.stages[:last_stage] for row in self._step_rows(stage)
            ],
        }

    def metrics(self, stage_number: int) -> dict[str, Any]:
        """The trial's metrics after a stage; None where one is not defined (yet)."""
        first_task = self.trial.first_task
        overall, groups = self._forgetting(first_task, stage_number)
        worst = worst_group(groups)
        curvature = next(self._curvature_rows(stage_number), None)
        last = None
        if stage_number:
            last = list(self._step_rows(self.trial.stages[stage_number - 1]))[-1]
        return {
            "stage": stage_number,
            "forgetting": overall and overall.forgetting,
            "relative_forgetting": overall and overall.relative,
            "worst_group": worst,
            "worst_group_forgetting": groups[worst].forgetting if worst else None,
            "max_biased_forgetting": groups[worst].biased if worst else None,
            "spectral_radius": curvature and curvature["spectral_radius"],
            "loss": last and last["loss"],
            "gradient_norm": last and last["gradient_norm"],
            "update_norm": last and last["update_norm"],
            "tokens_per_second": last and last["provenance_tokens_per_second"],
            **self._task_metrics(stage_number),
        }

    def _task_metrics(self, stage_number: int) -> dict[str, Any]:
        metrics: dict[str, Any] = {}
        for task in self.trial.tasks:
            scores = self._scores(task, stage_number)
            overall = scores[0]
            metrics[f"accuracy_{task}"] = overall.accuracy.value
            metrics[f"constant_prediction_{task}"] = overall.constant_prediction
            for score in scores:
                if score.group == OVERALL and score.bias_score is not None:
                    metrics[f"bias_score_{task}_{score.subset}"] = score.bias_score
        return metrics

    def _common(self, stage_number: int, stage_key: str) -> dict[str, Any]:
        trial = self.trial
        settings = [
            {"stage": stage.label, **stage.hyperparameters.model_dump()} for stage in trial.stages
        ]
        label = trial.stages[stage_number - 1].label if stage_number else None
        return {
            "sweep": self.sweep,
            "trial": trial.id,
            "chain": trial.chain,
            "seed": trial.seed,
            "settings": json.dumps(settings),
            "learning_rates": [stage.hyperparameters.learning_rate for stage in trial.stages],
            "stage": stage_number,
            "stage_task": label,
            "stage_key": stage_key,
        }

    def _measured(self, one: Measurement) -> dict[str, Any]:
        return {
            **self._common(one.stage_number, one.stage_key),
            "task": one.task,
            "title": self.tasks[one.task].title,
            "kind": str(self.tasks[one.task].kind),
        }

    def _evaluation_rows(self, one: Measurement) -> Iterator[dict[str, Any]]:
        for score in self._scores(one.task, one.stage_number):
            yield {
                **self._measured(one),
                "group": score.group,
                "subset": score.subset,
                "num_examples": score.accuracy.num_examples,
                "num_correct": score.accuracy.num_correct,
                "accuracy": score.accuracy.value,
                "chance": self.tasks[one.task].chance,
                "constant_prediction": score.constant_prediction,
                "bias_score": score.bias_score,
            }

    def _prediction_rows(self, one: Measurement) -> Iterator[dict[str, Any]]:
        for prediction in self._load_predictions(one):
            yield {**self._measured(one), **asdict(prediction)}

    def _forgetting_rows(self, one: Measurement) -> Iterator[dict[str, Any]]:
        overall, groups = self._forgetting(one.task, one.stage_number)
        if overall is None:
            return
        for group, forgetting in {OVERALL: overall, **groups}.items():
            yield {
                **self._measured(one),
                "group": group,
                "learned_at": self.trial.learned_at(one.task),
                "num_examples": forgetting.after.num_examples,
                "accuracy_before": forgetting.before.value,
                "accuracy_after": forgetting.after.value,
                "forgetting": forgetting.forgetting,
                "relative_forgetting": forgetting.relative,
                "biased_forgetting": forgetting.biased,
            }

    def _curvature_rows(self, last_stage: int) -> Iterator[dict[str, Any]]:
        one = self.trial.curvature
        if one is not None and one.stage_number <= last_stage:
            content = json.loads(self._read(EntryKind.CURVATURE, one.key, CURVATURE))
            yield {**self._measured(one), **content}

    def _step_rows(self, stage: Stage) -> Iterator[dict[str, Any]]:
        table = from_bytes(self._read(EntryKind.STAGE, stage.key, STEPS))
        for row in table.to_pylist():
            yield {**self._common(stage.number, stage.key), **row}

    def _forgetting(
        self, task: str, stage_number: int
    ) -> tuple[Forgetting | None, dict[str, Forgetting]]:
        """Of a task after a stage later than its first full one; else None and nothing."""
        learned_at = self.trial.learned_at(task)
        if learned_at is None or stage_number <= learned_at:
            return None, {}
        before = by_group(self._scores(task, learned_at))
        after = by_group(self._scores(task, stage_number))
        overall = overall_forgetting(before.pop(OVERALL), after.pop(OVERALL))
        return overall, group_forgetting(before, after, overall)

    def _scores(self, task: str, stage_number: int) -> list[Score]:
        one = next(
            one
            for one in self.trial.evaluations
            if (one.task, one.stage_number) == (task, stage_number)
        )
        return tally(self.tasks[task], self._load_predictions(one))

    def _load_predictions(self, one: Measurement) -> list[Prediction]:
        if one.key not in self._predictions:
            table = from_bytes(self._read(EntryKind.EVALUATION, one.key, PREDICTIONS))
            self._predictions[one.key] = [
                Prediction(
                    **{
                        **row,
                        "groups": tuple(row["groups"]),
                        "log_probabilities": tuple(row["log_probabilities"]),
                    }
                )
                for row in table.to_pylist()
            ]
        return self._predictions[one.key]

    def _read(self, kind: EntryKind, key: str, name: str) -> bytes:
        entry = self.store.find(kind, key)
        if entry is None:
            raise LookupError(f"the store has no {kind}/{key} yet")
        with tempfile.TemporaryDirectory() as folder:
            return (self.store.fetch(entry, Path(folder), (name,)) / name).read_bytes()
