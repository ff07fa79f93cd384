"""A stage on a worker: trained where need be, its weights and step log published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from raysweep.model.encoding import encode_rows
from raysweep.model.llama import load_model, save_model
from raysweep.plan.remaining import remaining
from raysweep.plan.trials import Stage
from raysweep.results.records import STEPS, TrialRecords, write_records
from raysweep.results.report import report_within
from raysweep.store.store import EntryKind
from raysweep.training.stage import train_stage
from raysweep.worker.collective import decided, found, is_first
from raysweep.worker.equipment import Equipment
from raysweep.worker.surroundings import Doing, Work


class StageTraining:
    """Trains the stages of a trial, and reports inside them where trials are compared there."""

    def __init__(self, equipment: Equipment, records: TrialRecords) -> None:
        self._have, self._records = equipment, records
        stopping = equipment.job.space.stopping
        self._every_steps = stopping.every_steps if stopping else None
        self._losses: list[float] = []

    def train(self, stage: Stage) -> None:
        """Makes a stage; one that is there is only reported again, step by step."""
        job = self._have.job
        if not decided(lambda: stage.number in remaining(job.store, job.trial).train):
            self._report_again(stage)
            return
        with self._have.timed(Work.TRAINING, stage.key) as seconds:
            self._have.tell(Doing.TRAINING, stage.label, stage.number)
            folder = self._have.weights.folder(stage.parent)
            model = self._have.watched(load_model(folder, stage.hyperparameters.dtype))
            trained, steps = self._trained(model, stage)

            def write(attempt: Path) -> None:
                save_model(model, trained, attempt, self._have.base, self._have.encoder)
                num_bytes = sum(file.stat().st_size for file in attempt.iterdir())
                self._have.around.make_room(stage.key, num_bytes)

            # Weights first: a stage without them is trained again, weights without a log are not.
            self._have.publish((EntryKind.WEIGHTS, stage.key), seconds, write)
            self._have.publish(
                stage.entry, seconds, lambda attempt: write_records(attempt / STEPS, steps)
            )

    def _trained(self, model: Any, stage: Stage) -> Any:
        seed = stage.seed if self._have.job.space.data.shares == "trial" else None
        rows = [
            example
            for part in stage.mixture
            for example in self._have.splits[part.task].train_part(part.fraction, seed)
        ]
        return train_stage(
            model,
            encode_rows(rows, self._have.encoder, stage.hyperparameters.sequence_limit),
            stage.hyperparameters,
            stage.seed,
            self._have.workers,
            pad_token_id=self._have.encoder.pad,
            on_step=lambda step: self._see_step(stage, step.step, step.loss),
        )

    def _see_step(self, stage: Stage, step: int, loss: float) -> None:
        num_steps = stage.hyperparameters.num_steps
        self._have.tell(Doing.TRAINING, stage.label, stage.number, step / num_steps)
        self._losses = [loss] if step == 1 else [*self._losses, loss]
        every = self._every_steps
        if every and step % every == 0 and step < num_steps:
            metrics = report_within(self._have.job.trial, stage, step, self._losses[-every:])
            self._have.around.report(metrics if is_first() else {})

    def _report_again(self, stage: Stage) -> None:
        """Reports what was reported while a finished stage was trained."""
        if self._every_steps:
            log = found(lambda: self._records.losses(stage))
            for step, loss in enumerate(decided(lambda: log or []), start=1):
                self._see_step(stage, step, loss)
