"""The measurements of one stage's model on a worker: those that the store lacks, each published."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch

from raysweep.errors import InputError
from raysweep.measures.answers import Judge, evaluate
from raysweep.measures.custom import Subject, known_measurements
from raysweep.measures.judge import load_judge
from raysweep.measures.loss_curvature import Sample, load_hessian, measure_change, measure_curvature
from raysweep.model.encoding import encode_rows
from raysweep.model.llama import load_model
from raysweep.plan.trials import Measurement, Stage
from raysweep.results.records import CHANGE, CURVATURE, CUSTOM, PREDICTIONS, write_records
from raysweep.store.store import EntryKind
from raysweep.tasks.sampling import stratified_order
from raysweep.worker.equipment import Equipment
from raysweep.worker.surroundings import Doing, Work

ON_REPLICA = (EntryKind.EVALUATION, EntryKind.CUSTOM)


class Measuring:
    """Evaluates models, and looks at the curvature of losses at them."""

    def __init__(self, equipment: Equipment) -> None:
        self._have, self._trial = equipment, equipment.job.trial

    def measure(self, number: int) -> None:
        """All that is wanted of one stage's model, or of the base model, and is not there."""
        wanted = [one for one in self._trial.measurements if one.stage_number == number]
        todo = [one for one in wanted if self._have.is_missing(one.entry)]
        on_replica = [one for one in todo if one.kind in ON_REPLICA]
        if on_replica:
            stage = self._trial.stages[max(number - 1, 0)]
            folder = self._have.weights.folder(on_replica[0].stage_key)
            loaded = load_model(folder, stage.hyperparameters.dtype).to(self._have.device)
            model = self._have.watched(loaded)
            for one in on_replica:
                make = self._evaluate if one.kind == EntryKind.EVALUATION else self._measure_custom
                make(one, model, stage)
            del model, loaded  # a Hessian needs the memory
        for one in todo:
            if one.kind == EntryKind.CURVATURE:
                self._measure_curvature(one)
            elif one.kind == EntryKind.CHANGE:
                self._measure_change(one)

    def _evaluate(self, one: Measurement, model: Any, stage: Stage) -> None:
        splits = self._have.splits[one.task]
        rows = splits.validation if one == self._trial.validation else splits.test
        self._have.tell(Doing.EVALUATING, one.task, one.stage_number)
        with self._have.timed(Work.EVALUATING, one.stage_key) as seconds:
            predictions = evaluate(
                model,
                self._have.encoder,
                splits.task,
                rows,
                sequence_limit=stage.hyperparameters.sequence_limit,
                batch_size=self._have.workers.evaluation_batch_size,
                judge=self._judge(one.task) if splits.task.is_generative else None,
            )
            self._have.publish(
                one.entry, seconds, lambda folder: write_records(folder / PREDICTIONS, predictions)
            )

    def _measure_custom(self, one: Measurement, model: Any, stage: Stage) -> None:
        """What a measurement of one's own gives."""
        splits, own = self._have.splits[one.task], known_measurements()[one.name]
        subject = Subject(
            model,
            self._have.encoder,
            splits.task,
            splits.test,
            stage.hyperparameters.sequence_limit,
            self._have.workers.evaluation_batch_size,
        )

        def measure() -> dict[str, Any]:
            found = own.measure(subject)
            if found.keys() != own.quantities.keys():
                problem = f"gives {sorted(found)} instead of {sorted(own.quantities)}"
                raise InputError(f"measurement {one.name!r}", problem, "correct its package")
            return {name: None if value is None else float(value) for name, value in found.items()}

        self._have.tell(Doing.EVALUATING, f"{one.name} of {one.task}", one.stage_number)
        self._publish(one, CUSTOM, measure, Work.EVALUATING)

    def _measure_curvature(self, one: Measurement) -> None:
        """The spectral radius of a task's training loss, or of its answers' content alone."""
        settings = self._have.job.space.curvature
        stage = self._trial.stages[one.stage_number - 1]
        what = one.task if one.part == "whole" else f"{one.part} of {one.task}"

        def on_product(number: int) -> None:
            done = number / settings.max_products
            self._have.tell(Doing.CURVATURE, what, one.stage_number, done)

        def measure() -> dict[str, Any]:
            sample, folder = self._sample(one.task, stage), self._have.weights.folder(stage.key)
            hessian = load_hessian(folder, sample, *self._operator(), part=one.part)
            found = measure_curvature(hessian, settings, stage.seed, on_product)
            return {**found, "weight_dtype": stage.hyperparameters.dtype}

        on_product(0)
        self._publish(one, CURVATURE, measure)

    def _measure_change(self, one: Measurement) -> None:
        """What the stage did to a loss whose curvature was measured before it."""
        before, after = self._trial.stages[one.stage_number - 2 : one.stage_number]

        def measure() -> dict[str, Any]:
            folders = self._have.weights.folder(before.key), self._have.weights.folder(after.key)
            return measure_change(
                *folders,
                self._sample(one.task, before),
                *self._operator(),
                self._have.job.space.curvature.path_points,
                self._have.around.advance,
            )

        self._have.tell(Doing.CHANGE, one.task, one.stage_number)
        self._publish(one, CHANGE, measure)

    def _publish(
        self,
        one: Measurement,
        name: str,
        measure: Callable[[], dict[str, Any]],
        work: Work = Work.CURVATURE,
    ) -> None:
        with self._have.timed(work, one.stage_key) as seconds:
            content = measure()
            text = json.dumps({**content, "provenance_seconds": seconds()})
            self._have.publish(one.entry, seconds, lambda folder: (folder / name).write_text(text))

    def _sample(self, task: str, stage: Stage) -> Sample:
        """Training rows of a task, drawn with the trial's seed."""
        settings, encoder = self._have.job.space.curvature, self._have.encoder
        drawn = stratified_order(self._have.splits[task].train, stage.seed)[: settings.num_samples]
        return Sample(
            encode_rows(drawn, encoder, stage.hyperparameters.sequence_limit),
            settings.reduction,
            self._have.workers.micro_batch_size,
            encoder.pad,
        )

    def _operator(self) -> tuple[bool, torch.device]:
        """Whether the weights stay sharded, and the device."""
        curvature = self._have.job.space.curvature
        return curvature.is_layerwise(self._have.workers.zero_stage), self._have.device

    def _judge(self, task: str) -> Judge:
        space = self._have.job.space
        judge = space.judge_of(task)
        assert judge, "the plan refuses a generative task without a judge"
        batch_size = self._have.workers.evaluation_batch_size
        return load_judge(judge, self._have.device, batch_size, space.toxic_class)
