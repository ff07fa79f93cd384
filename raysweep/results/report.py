"""What a trial reports to Tune: its metrics, and what belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raysweep.plan.metrics import METRICS, Known, metrics_of
from raysweep.plan.trials import Stage, Trial
from raysweep.results.records import TrialRecords
from raysweep.tasks.task import OVERALL

SECONDS = "provenance_seconds"


def report(records: TrialRecords, stage_number: int) -> dict[str, Any]:
    """All metrics after a stage, None where one is not defined (yet), and what belongs to them.

    A scout, which is not evaluated, has none of single tasks.

    Raises:
        DamagedEntryError: an entry is missing or damaged.
    """
    trial = records.trial
    metrics = metrics_of(trial.tasks) if trial.evaluations else METRICS
    last = records.steps(trial.stages[stage_number - 1])[-1] if stage_number else {}
    known = _known(records, stage_number, last.get("loss"))
    validation = records.validation() if stage_number else None
    return {
        "stage": stage_number,
        "steps_trained": steps_trained(trial, stage_number),
        **{name: metric.value(known) for name, metric in metrics.items()},
        "worst_group": known.worst_group,
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


def _known(records: TrialRecords, stage_number: int, loss: float | None) -> Known:
    trial, one = records.trial, records.trial.curvature
    is_measured = one is not None and one.stage_number <= stage_number
    tasks = trial.tasks if trial.evaluations else ()
    forgetting = {task: records.forgetting(task, stage_number) for task in tasks}
    overall, groups = forgetting.get(trial.first_task, (None, {}))
    return Known(
        overall,
        groups,
        records.unevenness(trial.first_task, stage_number) if tasks else None,
        records.curvature(one)["spectral_radius"] if one and is_measured else None,
        loss,
        {task: records.tasks[task].kind for task in trial.tasks},
        {task: records.scores(task, stage_number)[0].accuracy.value for task in tasks},
        {task: one.forgetting for task, (one, _) in forgetting.items() if one},
    )
