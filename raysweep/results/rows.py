"""The rows of a trial's result tables: see `tables` for their columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from raysweep.measures.scores import Score, whole_task
from raysweep.plan import versions
from raysweep.plan.trials import Measurement
from raysweep.results.records import TrialRecords
from raysweep.statistics.unevenness import Maximum, Unevenness
from raysweep.tasks.task import OVERALL

Row = dict[str, Any]


def table_rows(records: TrialRecords, last_stage: int) -> dict[str, list[Row]]:
    """The rows of all tables, up to and including a stage.

    Raises:
        DamagedEntryError: an entry is missing or damaged.
    """
    made = _Rows(records, last_stage)
    return {
        "evaluations": list(made.evaluations()),
        "predictions": list(made.predictions()),
        "forgetting": list(made.forgetting()),
        "unevenness": list(made.unevenness()),
        "curvature": list(made.curvature()),
        "changes": list(made.changes()),
        "validation": list(made.validation()),
        "steps": list(made.steps()),
        **({"measurements": list(made.custom())} if records.trial.custom else {}),
    }


def uneven_row(found: Unevenness) -> Row:
    """The columns that the tables `unevenness` and `chain_unevenness` have in common."""
    biased, standardised = found.biased, found.standardised
    return {
        "num_examples": found.num_rows,
        "num_groups": found.num_groups,
        "num_clusters": found.num_clusters,
        "worst_group": biased.group,
        "worst_num_examples": biased.num_rows,
        "max_biased_forgetting": biased.value,
        "expected_maximum": biased.expected,
        "maximum_limit": biased.limit,
        "excess_biased_forgetting": biased.excess,
        "biased_forgetting_p": biased.p,
        "standardised_worst_group": standardised.group,
        "max_standardised": standardised.value,
        "standardised_expected_maximum": standardised.expected,
        "standardised_p": standardised.p,
        "unevenness_p": found.p,
        "num_permutations": found.num_permutations,
    }


def maximum_of(row: Mapping[str, Any]) -> Maximum:
    """The largest biased forgetting that a row of those tables tells of."""
    return Maximum(
        row["worst_group"],
        row["worst_num_examples"],
        row["max_biased_forgetting"],
        row["expected_maximum"],
        row["maximum_limit"],
        row["biased_forgetting_p"],
    )


class _Rows:
    def __init__(self, records: TrialRecords, last_stage: int) -> None:
        self._records, self._trial, self._last = records, records.trial, last_stage

    def evaluations(self) -> Iterator[Row]:
        for one in self._until(self._trial.evaluations):
            common = self._scored(one)
            for score in self._records.scores(one.task, one.stage_number):
                yield {
                    **common,
                    "group": score.group,
                    "subset": score.subset,
                    "num_examples": score.accuracy.num_examples,
                    "num_correct": score.accuracy.num_correct,
                    "accuracy": score.accuracy.value,
                    "chance": self._records.tasks[one.task].chance,
                    "constant_prediction": score.constant_prediction,
                    "bias_score": score.bias_score,
                    "loss_format": score.loss_format,
                    "loss_content": score.loss_content,
                    "valid_answer_rate": score.valid_answer_rate,
                }

    def predictions(self) -> Iterator[Row]:
        for one in self._until(self._trial.evaluations):
            common = self._scored(one)
            for prediction in self._records.predictions(one):
                yield {**common, **vars(prediction)}

    def forgetting(self) -> Iterator[Row]:
        for one in self._until(self._trial.evaluations):
            overall, groups = self._records.forgetting(one.task, one.stage_number)
            before, after = self._validity(one) if overall else ({}, {})
            common = self._scored(one)
            for group, forgetting in {OVERALL: overall, **groups}.items():
                if forgetting:
                    yield {
                        **common,
                        "group": group,
                        "learned_at": self._trial.learned_at(one.task),
                        "num_examples": forgetting.after.num_examples,
                        "accuracy_before": forgetting.before.value,
                        "accuracy_after": forgetting.after.value,
                        "forgetting": forgetting.forgetting,
                        "relative_forgetting": forgetting.relative,
                        "biased_forgetting": forgetting.biased,
                        "valid_before": before[group].valid_answer_rate,
                        "valid_after": after[group].valid_answer_rate,
                        "accuracy_among_valid_before": before[group].accuracy_among_valid,
                        "accuracy_among_valid_after": after[group].accuracy_among_valid,
                    }

    def unevenness(self) -> Iterator[Row]:
        for one in self._until(self._trial.evaluations):
            if found := self._records.unevenness(one.task, one.stage_number):
                learned_at = self._trial.learned_at(one.task)
                yield {**self._scored(one), "learned_at": learned_at, **uneven_row(found)}

    def _validity(self, one: Measurement) -> tuple[dict[str, Score], dict[str, Score]]:
        """By group, right after the task's first full stage and after this one."""
        learned_at = self._trial.learned_at(one.task)
        assert learned_at is not None, "else nothing is forgotten"
        stages = (learned_at, one.stage_number)
        before, after = (whole_task(self._records.scores(one.task, stage)) for stage in stages)
        return before, after

    def curvature(self) -> Iterator[Row]:
        for one in self._until(self._trial.curvatures):
            yield {**self._measured(one), "part": one.part, **self._records.curvature(one)}

    def changes(self) -> Iterator[Row]:
        for one in self._until(self._trial.changes):
            content = self._records.change(one)
            before = self._trial.curvature_before(one)
            radius = self._records.curvature(before)["spectral_radius"]
            bound = 0.5 * radius * content["change_norm"] ** 2
            yield {**self._measured(one), **content, "spectral_radius": radius, "bound": bound}

    def validation(self) -> Iterator[Row]:
        one, score = self._trial.validation, self._records.validation() if self._last else None
        if one and score:
            yield {
                **self._scored(one),
                "num_examples": score.accuracy.num_examples,
                "num_correct": score.accuracy.num_correct,
                "accuracy": score.accuracy.value,
            }

    def custom(self) -> Iterator[Row]:
        for one in self._until(self._trial.custom):
            content = self._records.custom(one)
            seconds = content.pop("provenance_seconds")
            for quantity, value in content.items():
                yield {
                    **self._measured(one),
                    "measurement": one.name,
                    "quantity": quantity,
                    "value": value,
                    "provenance_seconds": seconds,
                }

    def steps(self) -> Iterator[Row]:
        for stage in self._trial.stages[: self._last]:
            common = self._common(stage.number, stage.key)
            for step in self._records.steps(stage):
                yield {**common, **step}

    def _until(self, measurements: tuple[Measurement, ...]) -> Iterator[Measurement]:
        return (one for one in measurements if one.stage_number <= self._last)

    def _scored(self, one: Measurement) -> Row:
        return {**self._measured(one), "scoring": versions.EVALUATION}

    def _measured(self, one: Measurement) -> Row:
        task = self._records.tasks[one.task]
        common = self._common(one.stage_number, one.stage_key)
        return {**common, "task": one.task, "title": task.title, "kind": str(task.kind)}

    def _common(self, stage_number: int, stage_key: str) -> Row:
        trial = self._trial
        settings = [
            {"stage": stage.label, **stage.hyperparameters.model_dump()} for stage in trial.stages
        ]
        return {
            "sweep": self._records.sweep,
            "trial": trial.id,
            "chain": str(trial.chain),
            "seed": trial.seed,
            "data_seed": trial.data_seed,
            "settings": json.dumps(settings),
            "learning_rates": [stage.hyperparameters.learning_rate for stage in trial.stages],
            "stage": stage_number,
            "stage_task": trial.stages[stage_number - 1].label if stage_number else None,
            "stage_key": stage_key,
        }
