"""A trial's work, as every process of its worker group does it: train, publish, measure. Ray-free.

Rank 0 alone looks into the store and writes to it; the others follow its word, so that all agree
on what is missing.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
import torch.distributed as dist

from raysweep.errors import InputError
from raysweep.measures.answers import Judge, evaluate
from raysweep.measures.loss_curvature import Sample, load_hessian, measure_change, measure_curvature
from raysweep.model.architecture import read_architecture
from raysweep.model.checkpoint import locate, read_config
from raysweep.model.encoding import encode_rows
from raysweep.model.llama import load_model, save_model
from raysweep.model.tokenizer import load_encoder
from raysweep.model.weight_files import weight_files
from raysweep.plan.remaining import remaining
from raysweep.plan.trials import Measurement, Stage
from raysweep.results.records import (
    CHANGE,
    CURVATURE,
    PREDICTIONS,
    STEPS,
    within_stage,
    write_records,
)
from raysweep.settings.base import TINY
from raysweep.store.host_folder import scratch_folder, scratch_path
from raysweep.store.store import DamagedEntryError, Entry, EntryKind
from raysweep.tasks.sampling import stratified_order
from raysweep.tasks.splits import Splits, load_splits
from raysweep.tasks.task import Example
from raysweep.worker.job import Job, publish_results

Found = TypeVar("Found")


class Surroundings(Protocol):
    """What a worker has dealings with beside the store.

    All but `report` and `advance` are for rank 0 alone.
    """

    def advance(self, *_: object) -> None:
        """After every piece of work, by all: one that lives and does not advance is replaced."""

    def report(self, metrics: dict[str, Any]) -> None:
        """After each stage, and within one if trials are compared there; called by all.

        The metrics are those of rank 0, the others report nothing; the results hold them already.
        """

    def progress(self, stage: int, activity: str, fraction: float) -> None:
        """Now and then: the number of the stage, what is done, and how far it is."""

    def claim(self, key: str) -> bool:
        """Before anything of a stage is made: whether it is this trial's to make."""

    def release(self, key: str) -> None:
        """When all of a stage is made."""

    def make_room(self, key: str, num_bytes: int) -> None:
        """Before the weights of a stage are published."""

    def spent(self, activity: str, seconds: float) -> None:
        """After training, evaluating and measuring curvature: how long it took."""


class Worker:
    """One process of a trial's worker group; torch.distributed is initialised."""

    def __init__(self, job: Job, surroundings: Surroundings) -> None:
        self._job, self._around = job, surroundings
        self._space, self._workers = job.space, job.space.workers
        self._is_first = dist.get_rank() == 0
        self._device = torch.device("cuda" if self._workers.use_gpu else "cpu")
        if not self._workers.use_gpu:
            torch.set_num_threads(self._workers.cpus_per_worker)
        self._base = locate(job.space.model)
        sizes = read_architecture(read_config(self._base), self._base / "config.json")
        self._encoder = load_encoder(self._base, sizes.vocabulary_size, job.space.beginning_mark)
        self._splits = {task: self._load_splits(task) for task in job.trial.tasks}
        self._records = job.records()
        self._losses: list[float] = []

    def run(self) -> None:
        """Does what the store lacks, stage by stage, and reports after each.

        Ends early, before a stage that another trial is making.

        Raises:
            DamagedEntryError: on every rank, when one of them has found an entry damaged. It is set
                aside, and the next group makes it again.
        """
        with _host_folder() as folder:
            weights = _Weights(self._job, self._base, folder, self._around.advance)
            for number in range(len(self._job.trial.stages) + 1):
                stage = self._job.trial.stages[number - 1] if number else None
                if stage and not self._is_ours(stage):
                    return
                if stage:
                    self._train(stage, weights)
                self._measure(number, weights)
                if stage and self._is_first:
                    self._around.release(stage.key)
                self._around.report(self._publish_results(number))

    def _publish_results(self, number: int) -> dict[str, Any]:
        return self._found(lambda: publish_results(self._job, self._records, number)) or {}

    def _is_ours(self, stage: Stage) -> bool:
        """Whether the stage is complete, or this trial's to make."""
        return self._told(
            lambda: (
                stage.number not in remaining(self._job.store, self._job.trial)
                or self._around.claim(stage.key)
            )
        )

    def _train(self, stage: Stage, weights: _Weights) -> None:
        """Trains a stage where need be, and publishes its weights and step log."""
        if not self._told(
            lambda: stage.number in remaining(self._job.store, self._job.trial).train
        ):
            self._repeat_reports(stage)
            return
        started, settings = time.time(), stage.hyperparameters
        self._progress(stage.number, f"training {stage.label}", 0.0)
        examples = [
            e for part in stage.mixture for e in self._splits[part.task].train_part(part.fraction)
        ]
        model = self._watched(load_model(weights.folder(stage.parent), settings.dtype))
        trained, steps = self._call_train(model, examples, stage)
        if self._is_first:
            with tempfile.TemporaryDirectory(dir=weights.cache) as attempt:
                save_model(model, trained, Path(attempt), self._base, self._encoder)
                num_bytes = sum(file.stat().st_size for file in Path(attempt).iterdir())
                self._around.make_room(stage.key, num_bytes)
                self._publish(EntryKind.WEIGHTS, stage.key, attempt, time.time() - started)
            with tempfile.TemporaryDirectory(dir=weights.cache) as attempt:
                write_records(Path(attempt) / STEPS, steps)
                self._publish(EntryKind.STAGE, stage.key, attempt, time.time() - started)
            self._around.spent("training", time.time() - started)

    def _call_train(self, model: Any, examples: list[Example], stage: Stage) -> Any:
        from raysweep.training.stage import train_stage  # imports DeepSpeed, which takes seconds

        return train_stage(
            model,
            encode_rows(examples, self._encoder, stage.hyperparameters.sequence_limit),
            stage.hyperparameters,
            stage.seed,
            self._workers,
            pad_token_id=self._encoder.pad,
            on_step=lambda step: self._on_step(stage, step.step, step.loss),
        )

    def _on_step(self, stage: Stage, step: int, loss: float) -> None:
        num_steps = stage.hyperparameters.num_steps
        self._progress(stage.number, f"training {stage.label}", step / num_steps)
        self._losses = [loss] if step == 1 else [*self._losses, loss]
        every = self._space.stopping and self._space.stopping.every_steps
        if every and step % every == 0 and step < num_steps:
            metrics = within_stage(self._job.trial, stage, step, self._losses[-every:])
            self._around.report(metrics if self._is_first else {})

    def _repeat_reports(self, stage: Stage) -> None:
        """Reports what was reported while a finished stage was trained."""
        if not (self._space.stopping and self._space.stopping.every_steps):
            return
        log = [self._found(lambda: self._records.losses(stage)) or []]
        dist.broadcast_object_list(log)
        for step, loss in enumerate(log[0], start=1):
            self._on_step(stage, step, loss)

    def _watched(self, model: Any) -> Any:
        """The model; each of its forward passes counts as progress, in training and evaluation."""
        self._around.advance()
        model.model.register_forward_hook(self._around.advance)
        return model

    def _progress(self, stage: int, activity: str, fraction: float) -> None:
        self._around.advance()
        if self._is_first:
            self._around.progress(stage, activity, fraction)

    def _measure(self, number: int, weights: _Weights) -> None:
        """Evaluates what is wanted of one stage's model, then looks at the losses' curvature."""
        trial = self._job.trial
        wanted = [one for one in trial.all_evaluations if one.stage_number == number]
        stage = trial.stages[max(number - 1, 0)]
        todo = [one for one in wanted if self._is_missing(EntryKind.EVALUATION, one.key)]
        if todo:
            folder = weights.folder(wanted[0].stage_key)
            model = self._watched(load_model(folder, stage.hyperparameters.dtype).to(self._device))
            for one in todo:
                self._evaluate(one, model, stage)
        for one in trial.curvatures:
            if one.stage_number == number and self._is_missing(EntryKind.CURVATURE, one.key):
                self._measure_curvature(one, weights)
        for one in trial.changes:
            if one.stage_number == number and self._is_missing(EntryKind.CHANGE, one.key):
                self._measure_change(one, weights)

    def _evaluate(self, one: Measurement, model: Any, stage: Stage) -> None:
        started, splits = time.time(), self._splits[one.task]
        rows = splits.validation if one == self._job.trial.validation else splits.test
        self._progress(one.stage_number, f"evaluating {one.task}", 0.0)
        predictions = evaluate(
            model,
            self._encoder,
            splits.task,
            rows,
            sequence_limit=stage.hyperparameters.sequence_limit,
            batch_size=self._workers.evaluation_batch_size,
            judge=self._judge(one.task) if splits.task.is_generative else None,
        )
        if self._is_first:
            with tempfile.TemporaryDirectory() as attempt:
                write_records(Path(attempt) / PREDICTIONS, predictions)
                self._publish(EntryKind.EVALUATION, one.key, attempt, time.time() - started)
            self._around.spent("evaluating", time.time() - started)

    def _measure_curvature(self, one: Measurement, weights: _Weights) -> None:
        """The spectral radius of a task's training loss."""
        settings = self._space.curvature
        doing = f"measuring curvature of {one.task}"

        def on_product(number: int) -> None:
            self._progress(one.stage_number, doing, number / settings.max_products)

        def measure() -> dict[str, Any]:
            stage = self._job.trial.stages[one.stage_number - 1]
            sample = self._sample(one.task, stage)
            hessian = load_hessian(weights.folder(stage.key), sample, *self._operator())
            found = measure_curvature(hessian, settings, stage.seed, on_product)
            return {**found, "weight_dtype": stage.hyperparameters.dtype}

        on_product(0)
        self._publish_measured(EntryKind.CURVATURE, one, CURVATURE, measure)

    def _measure_change(self, one: Measurement, weights: _Weights) -> None:
        """What the stage did to a loss whose curvature was measured before it."""
        self._progress(one.stage_number, f"measuring the change of {one.task}", 0.0)

        def measure() -> dict[str, Any]:
            before, after = self._job.trial.stages[one.stage_number - 2 : one.stage_number]
            folders = weights.folder(before.key), weights.folder(after.key)
            return measure_change(*folders, self._sample(one.task, before), *self._operator())

        self._publish_measured(EntryKind.CHANGE, one, CHANGE, measure)

    def _publish_measured(
        self, kind: EntryKind, one: Measurement, name: str, measure: Callable[[], dict[str, Any]]
    ) -> None:
        started = time.time()
        content = measure()
        seconds = time.time() - started
        if self._is_first:
            with tempfile.TemporaryDirectory() as attempt:
                text = json.dumps({**content, "provenance_seconds": seconds})
                (Path(attempt) / name).write_text(text)
                self._publish(kind, one.key, attempt, seconds)
            self._around.spent("measuring curvature", seconds)

    def _sample(self, task: str, stage: Stage) -> Sample:
        """Training rows of a task, drawn with the trial's seed."""
        settings = self._space.curvature
        drawn = stratified_order(self._splits[task].train, stage.seed)[: settings.num_samples]
        return Sample(
            encode_rows(drawn, self._encoder, stage.hyperparameters.sequence_limit),
            settings.reduction,
            self._workers.micro_batch_size,
            self._encoder.pad,
        )

    def _operator(self) -> tuple[bool, torch.device]:
        """Whether the weights stay sharded, and the device."""
        return self._space.curvature.is_layerwise(self._workers.zero_stage), self._device

    def _publish(self, kind: EntryKind, key: str, folder: str, seconds: float) -> Entry:
        provenance = {
            "trial": self._job.trial.id,
            "host": socket.gethostname(),
            "num_workers": dist.get_world_size(),
            "zero_stage": self._workers.zero_stage,
            "seconds": seconds,
        }
        return self._job.store.publish(kind, key, Path(folder), provenance, self._around.advance)

    def _is_missing(self, kind: EntryKind, key: str) -> bool:
        """What rank 0 sees in the store; a barrier for the others."""
        return self._told(lambda: self._job.store.find(kind, key) is None)

    def _told(self, ask: Callable[[], bool]) -> bool:
        """The answer that rank 0 finds, in all processes."""
        answer = [self._is_first and ask()]
        dist.broadcast_object_list(answer)
        return answer[0]

    def _found(self, look: Callable[[], Found]) -> Found | None:
        """What rank 0 reads in the store; None elsewhere. Damage is raised on every rank."""
        found, problem = None, ""
        if self._is_first:
            try:
                found = look()
            except DamagedEntryError as error:
                problem = str(error)
        raise_together(problem)
        return found

    def _judge(self, task: str) -> Judge:
        judge = self._space.judge_of(task)
        assert judge, "the plan refuses a generative task without a judge"
        if judge == TINY:
            from raysweep.tiny.judge import judge_safe

            return judge_safe
        from raysweep.measures.judge import ToxicityJudge

        return ToxicityJudge(
            locate(judge, "judge"),
            self._device,
            self._workers.evaluation_batch_size,
            self._space.toxic_class,
        )

    def _load_splits(self, task: str) -> Splits:
        splits = load_splits(self._space.find_tasks()[task], self._space.data)
        if splits.digests != self._job.split_digests[task]:
            raise RuntimeError(
                f"the rows of {task!r} in {self._space.data.source!r} on {socket.gethostname()} "
                "differ from those of the plan; give every host the same files"
            )
        return splits


@contextmanager
def _host_folder() -> Iterator[Path]:
    """A temporary folder shared by this trial's workers on one host."""
    token = [uuid.uuid4().hex]
    dist.broadcast_object_list(token)
    path = scratch_path(token[0])
    with scratch_folder(path) if is_first_on_host() else nullcontext():
        yield path


class _Weights:
    """Models as published: the base model's folder, or a stage's, fetched once per host."""

    def __init__(self, job: Job, base: Path, cache: Path, advance: Callable[[], object]) -> None:
        self._store, self._base, self.cache, self._advance = job.store, base, cache, advance
        self._base_key = job.trial.stages[0].parent

    def folder(self, key: str) -> Path:
        """A local folder with the model of that stage, or the base model; a collective call.

        Raises:
            DamagedEntryError: on every rank, when the weights are not in the store (any more) or
                are damaged.
        """
        if key == self._base_key:
            return self._base
        folder, problem = self.cache / key, ""
        if is_first_on_host() and not folder.is_dir():
            try:
                self._fetch(key, folder)
            except DamagedEntryError as error:
                problem = str(error)
        raise_together(problem)
        return folder

    def _fetch(self, key: str, folder: Path) -> None:
        entry = self._store.demand(EntryKind.WEIGHTS, key)
        self._store.fetch(entry, folder, on_file=self._advance)
        try:
            read_config(folder)
            weight_files(folder)
        except InputError as error:
            raise self._store.condemn(entry, str(error)) from None


def raise_together(problem: str) -> None:
    """Raises DamagedEntryError on every rank, if one has found a problem; a collective call."""
    problems = [""] * dist.get_world_size()
    dist.all_gather_object(problems, problem)
    if found := next(filter(None, problems), ""):
        raise DamagedEntryError(found)


def is_first_on_host() -> bool:
    """Whether this is the first worker on its host."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0
