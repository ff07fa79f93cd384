"""What a trial reports to Tune: its metrics, and what belongs to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raysweep.measures.forgetting import Forgetting, worst_group
from raysweep.plan.metrics import METRICS, metrics_of
from raysweep.plan.trials import Stage, Trial
from raysweep.results.records import TrialRecords
from raysweep.tasks.task import OVERALL, Kind

SECONDS = "provenance_seconds"


def report(records: TrialRecords, stage_number: int) -> dict[str, Any]:
    """All metrics after a stage, None where one is not defined (yet), and what belongs to them.

    A scout, which is not evaluated, has none of single tasks.

    Raises:
        DamagedEntryError: an entry is missing or damaged.
    """
    trial, known = records.trial, _AfterStage(records, stage_number)
    metrics = metrics_of(trial.tasks) if trial.evaluations else METRICS
    last = records.steps(trial.stages[stage_number - 1])[-1] if stage_number else {}
    validation = records.validation() if stage_number else None
    return {
        "stage": stage_number,
        "steps_trained": steps_trained(trial, stage_number),
        **{name: metric.value(known) for name, metric in metrics.items()},
        "worst_group": worst_group(known.first_groups()),
        "gradient_norm": last.get("gradient_norm"),
        "update_norm": last.get("update_norm"),
        "tokens_per_second": last.get("provenance_tokens_per_second"),
        **({"validation_accuracy": validation.accuracy.value} if validation else {}),
        **_details(records, stage_number),
    }


def report_within(trial: Trial, stage: Stage, step: int, losses: Sequence[float]) -> dict[str, Any]:
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


def _details(records: TrialRecords, stage_number: int) -> dict[str, Any]:
    """Of each task whether all rows got the same answer, its bias scores, what else is measured."""
    found: dict[str, Any] = {}
    for task in records.trial.tasks if records.trial.evaluations else ():
        scores = records.scores(task, stage_number)
        found[f"constant_prediction_{task}"] = scores[0].constant_prediction
        for score in scores:
            if score.group == OVERALL and score.bias_score is not None:
                found[f"bias_score_{task}_{score.subset}"] = score.bias_score
    for one in records.trial.custom:
        if one.stage_number == stage_number:
            numbers = records.custom(one).items()
            found |= {f"{one.name}_{name}_{one.task}": n for name, n in numbers if name != SECONDS}
    return found


class _AfterStage:
    """What is known after a stage: see `raysweep.plan.metrics.Known`."""

    def __init__(self, records: TrialRecords, stage_number: int) -> None:
        self._records, self._trial, self._stage = records, records.trial, stage_number

    def first_forgetting(self) -> Forgetting | None:
        return self._forgetting(self._trial.first_task)[0]

    def first_groups(self) -> Mapping[str, Forgetting]:
        return self._forgetting(self._trial.first_task)[1]

    def spectral_radius(self) -> float | None:
        one = self._trial.curvature
        if one is None or one.stage_number > self._stage:
            return None
        radius: float = self._records.curvature(one)["spectral_radius"]
        return radius

    def last_loss(self) -> float | None:
        if not self._stage:
            return None
        return self._records.losses(self._trial.stages[self._stage - 1])[-1]

    def accuracy(self, task: str) -> float | None:
        if not self._trial.evaluations:
            return None
        return self._records.scores(task, self._stage)[0].accuracy.value

    def accuracies(self, kind: Kind) -> list[float | None]:
        return [self.accuracy(task) for task in self._of(kind)]

    def losses_of(self, kind: Kind | None) -> list[float | None]:
        overall = (self._forgetting(task)[0] for task in self._of(kind))
        return [one.forgetting for one in overall if one]

    def _of(self, kind: Kind | None) -> list[str]:
        tasks = self._records.tasks
        return [task for task in self._trial.tasks if kind in (None, tasks[task].kind)]

    def _forgetting(self, task: str) -> tuple[Forgetting | None, Mapping[str, Forgetting]]:
        if not self._trial.evaluations:
            return None, {}
        return self._records.forgetting(task, self._stage)
