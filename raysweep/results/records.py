"""What the store's entries hold, and how a trial's result rows and metrics come from them. Pure.

The rows of a trial are always assembled from the store, whether its stages were trained a moment
ago, by another trial, or last week.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from raysweep.measures.forgetting import (
    Forgetting,
    group_forgetting,
    overall_forgetting,
    worst_group,
)
from raysweep.measures.scores import Prediction, Score, by_group, tally
from raysweep.plan import versions
from raysweep.plan.scouts import Finding
from raysweep.plan.trials import Measurement, Stage, Trial
from raysweep.results.tables import from_bytes, to_bytes
from raysweep.store.store import EntryKind, Store
from raysweep.tasks.task import OVERALL, Kind, Task

STEPS, PREDICTIONS = "steps.arrow", "predictions.arrow"
CURVATURE, CHANGE = "curvature.json", "change.json"
Rows = dict[str, list[dict[str, Any]]]


def write_records(path: Path, records: Sequence[Any]) -> None:
    """Writes frozen records as an Arrow file."""
    path.write_bytes(to_bytes(pa.Table.from_pylist([asdict(record) for record in records])))


def within_stage(trial: Trial, stage: Stage, step: int, losses: Sequence[float]) -> dict[str, Any]:
    """The metrics inside a stage, after some of its steps.

    Args:
        losses: of the steps since the last report, over which the mean is taken.
    """
    return {
        "stage": stage.number - 1,
        "steps_trained": steps_trained(trial, stage.number - 1) + step,
        "loss": sum(losses) / len(losses),
    }


def steps_trained(trial: Trial, stage_number: int) -> int:
    """Optimizer steps of the whole chain up to the end of a stage."""
    return sum(stage.hyperparameters.num_steps for stage in trial.stages[:stage_number])


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
            "changes": list(self._change_rows(last_stage)),
            "validation": list(self._validation_rows(last_stage)),
            "steps": [
                row for stage in self.trial.stages[:last_stage] for row in self._step_rows(stage)
            ],
        }

    def metrics(self, stage_number: int) -> dict[str, Any]:
        """The trial's metrics after a stage; None where one is not defined (yet)."""
        first_task = self.trial.first_task
        if self.trial.evaluations:
            overall, groups = self._forgetting(first_task, stage_number)
        else:
            overall, groups = None, {}
        worst = worst_group(groups)
        curvature = next(self._curvature_rows(stage_number), None)
        last = None
        if stage_number:
            last = list(self._step_rows(self.trial.stages[stage_number - 1]))[-1]
        return {
            "stage": stage_number,
            "steps_trained": steps_trained(self.trial, stage_number),
            "forgetting": overall and overall.forgetting,
            "relative_forgetting": overall and overall.relative,
            "worst_group": worst,
            "worst_group_forgetting": groups[worst].forgetting if worst else None,
            "max_biased_forgetting": groups[worst].biased if worst else None,
            "spectral_radius": curvature and curvature["spectral_radius"],
            **self._validation_metrics(stage_number),
            "loss": last and last["loss"],
            "gradient_norm": last and last["gradient_norm"],
            "update_norm": last and last["update_norm"],
            "tokens_per_second": last and last["provenance_tokens_per_second"],
            **(self._task_metrics(stage_number) if self.trial.evaluations else {}),
        }

    def _validation_metrics(self, stage_number: int) -> dict[str, Any]:
        row = next(self._validation_rows(stage_number), None)
        return {"validation_accuracy": row["accuracy"]} if row else {}

    def finding(self) -> Finding:
        """What a scout has found."""
        validation = next(self._validation_rows(1), None)
        curvature = next(self._curvature_rows(1), None)
        return Finding(
            self.trial.stages[0],
            validation["accuracy"] if validation else None,
            curvature["spectral_radius"] if curvature else None,
        )

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
        lost = {task: self._forgetting(task, stage_number)[0] for task in self.trial.tasks}
        drops = {task: one.forgetting for task, one in lost.items() if one}
        for kind in Kind:
            mine = [task for task in self.trial.tasks if self.tasks[task].kind == kind]
            metrics[f"{kind}_accuracy"] = _mean(metrics[f"accuracy_{task}"] for task in mine)
            metrics[f"{kind}_forgetting"] = _mean(drops.get(task) for task in mine)
        return {**metrics, "mean_forgetting": _mean(drops.values())}

    def _common(self, stage_number: int, stage_key: str) -> dict[str, Any]:
        trial = self.trial
        settings = [
            {"stage": stage.label, **stage.hyperparameters.model_dump()} for stage in trial.stages
        ]
        label = trial.stages[stage_number - 1].label if stage_number else None
        return {
            "sweep": self.sweep,
            "trial": trial.id,
            "chain": str(trial.chain),
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

    def _scored(self, one: Measurement) -> dict[str, Any]:
        return {**self._measured(one), "scoring": versions.EVALUATION}

    def _evaluation_rows(self, one: Measurement) -> Iterator[dict[str, Any]]:
        for score in self._scores(one.task, one.stage_number):
            yield {
                **self._scored(one),
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
            yield {**self._scored(one), **asdict(prediction)}

    def _forgetting_rows(self, one: Measurement) -> Iterator[dict[str, Any]]:
        overall, groups = self._forgetting(one.task, one.stage_number)
        if overall is None:
            return
        for group, forgetting in {OVERALL: overall, **groups}.items():
            yield {
                **self._scored(one),
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
        for one in self.trial.curvatures:
            if one.stage_number <= last_stage:
                yield {**self._measured(one), **self._curvature(one)}

    def _curvature(self, one: Measurement) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._read(EntryKind.CURVATURE, one.key, CURVATURE))
        return found

    def _change_rows(self, last_stage: int) -> Iterator[dict[str, Any]]:
        for one in self.trial.changes:
            if one.stage_number <= last_stage:
                content = json.loads(self._read(EntryKind.CHANGE, one.key, CHANGE))
                radius = self._curvature(self.trial.curvature_before(one))["spectral_radius"]
                bound = 0.5 * radius * content["change_norm"] ** 2
                yield {
                    **self._measured(one),
                    **content,
                    "spectral_radius": radius,
                    "bound": bound,
                }

    def _validation_rows(self, last_stage: int) -> Iterator[dict[str, Any]]:
        one = self.trial.validation
        if one is not None and one.stage_number <= last_stage:
            score = tally(self.tasks[one.task], self._load_predictions(one))[0]
            yield {
                **self._scored(one),
                "num_examples": score.accuracy.num_examples,
                "num_correct": score.accuracy.num_correct,
                "accuracy": score.accuracy.value,
            }

    def losses(self, stage: Stage) -> list[float]:
        """The loss of each step of a finished stage."""
        return [row["loss"] for row in self._step_rows(stage)]

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
        return self.store.read(self.store.demand(kind, key), name)


def _mean(values: Iterable[float | None]) -> float | None:
    """Of those that are known; None if there are none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
