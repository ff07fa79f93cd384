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
from typing import Any

import torch
import torch.distributed as dist

from raysweep.checkpoint import locate
from raysweep.data import encode_rows
from raysweep.evaluate import Judge, evaluate
from raysweep.job import Job, publish_results
from raysweep.loss_curvature import measure_curvature
from raysweep.model import load_model, load_tokenizer, save_model
from raysweep.plan import Measurement, Stage
from raysweep.records import CURVATURE, PREDICTIONS, STEPS, stage_missing, write_records
from raysweep.scratch import scratch_folder, scratch_path
from raysweep.settings import TINY
from raysweep.store import Entry, EntryKind, Store
from raysweep.tasks import Example
from raysweep.tasks.sampling import stratified_order
from raysweep.tasks.splits import Splits, load_splits

Report = Callable[[dict[str, Any]], None]
Claim = Callable[[str], bool]  # of a stage's key: whether it is this trial's to make
Release = Callable[[str], None]
Progress = Callable[[int, str, float], None]  # stage number, activity, fraction done


class Worker:
    """One process of a trial's worker group; torch.distributed is initialised.

    Args:
        report: called by all after each stage, with the metrics on rank 0 and nothing elsewhere;
            the results hold them already.
        progress: called on rank 0 now and then.
        claim: called on rank 0 before anything of a stage is made.
        release: called on rank 0 when all of a stage is made.
    """

    def __init__(
        self, job: Job, report: Report, progress: Progress, claim: Claim, release: Release
    ) -> None:
        self._job, self._report, self._progress = job, report, progress
        self._claim, self._release = claim, release
        self._space, self._workers = job.space, job.space.workers
        self._is_first = dist.get_rank() == 0
        self._device = torch.device("cuda" if self._workers.use_gpu else "cpu")
        if not self._workers.use_gpu:
            torch.set_num_threads(self._workers.cpus_per_worker)
        self._base = locate(job.space.model)
        self._tokenizer = load_tokenizer(self._base)
        self._splits = {task: self._load_splits(task) for task in job.trial.tasks}
        self._records = job.records()

    def run(self) -> None:
        """Does what the store lacks, stage by stage, and reports after each.

        Ends early, before a stage that another trial is making.
        """
        with _host_folder() as folder:
            weights = _Weights(self._job.store, self._base, folder)
            for number in range(len(self._job.trial.stages) + 1):
                stage = self._job.trial.stages[number - 1] if number else None
                if stage and not self._is_ours(stage):
                    return
                if stage:
                    self._train(stage, weights)
                self._measure(number, weights)
                if stage and self._is_first:
                    self._release(stage.key)
                metrics = {}
                if self._is_first:
                    metrics = publish_results(self._job, self._records, number)
                self._report(metrics)

    def _is_ours(self, stage: Stage) -> bool:
        """Whether the stage is complete, or this trial's to make; rank 0 knows."""
        answer = [False]
        if self._is_first:
            done = not stage_missing(self._job.store, self._job.trial, stage)
            answer = [done or self._claim(stage.key)]
        dist.broadcast_object_list(answer)
        return answer[0]

    def _train(self, stage: Stage, weights: _Weights) -> None:
        """Trains a stage unless the store has it, and publishes its weights and step log."""
        if not self._is_missing(EntryKind.STAGE, stage.key):
            return
        started, settings = time.time(), stage.hyperparameters
        self._progress(stage.number, f"training {stage.label}", 0.0)
        examples = [
            e for part in stage.mixture for e in self._splits[part.task].train_part(part.fraction)
        ]
        model = load_model(weights.folder(stage.parent), settings.dtype)
        trained, steps = self._call_train(model, examples, stage)
        if self._is_first:
            with tempfile.TemporaryDirectory(dir=weights.cache) as attempt:
                save_model(model, trained, self._tokenizer, Path(attempt))
                write_records(Path(attempt) / STEPS, steps)
                self._publish(EntryKind.STAGE, stage.key, attempt, time.time() - started)

    def _call_train(self, model: Any, examples: list[Example], stage: Stage) -> Any:
        from raysweep.train import train_stage  # imports DeepSpeed, which takes seconds

        num_steps = stage.hyperparameters.num_steps
        return train_stage(
            model,
            encode_rows(examples, self._tokenizer, stage.hyperparameters.sequence_limit),
            stage.hyperparameters,
            stage.seed,
            self._workers,
            pad_token_id=self._tokenizer.pad_token_id,
            on_step=lambda step: self._progress(
                stage.number, f"training {stage.label}", step.step / num_steps
            ),
        )

    def _measure(self, number: int, weights: _Weights) -> None:
        """Evaluates every task of the chain on one stage's model, then measures its curvature."""
        trial = self._job.trial
        wanted = [one for one in trial.evaluations if one.stage_number == number]
        stage = trial.stages[max(number - 1, 0)]
        todo = [one for one in wanted if self._is_missing(EntryKind.EVALUATION, one.key)]
        if todo:
            folder = weights.folder(wanted[0].stage_key)
            model = load_model(folder, stage.hyperparameters.dtype).to(self._device)
            for one in todo:
                self._evaluate(one, model, stage)
        curvature = trial.curvature
        if (
            curvature
            and curvature.stage_number == number
            and self._is_missing(EntryKind.CURVATURE, curvature.key)
        ):
            self._measure_curvature(curvature, stage, weights)

    def _evaluate(self, one: Measurement, model: Any, stage: Stage) -> None:
        started, splits = time.time(), self._splits[one.task]
        self._progress(one.stage_number, f"evaluating {one.task}", 0.0)
        predictions = evaluate(
            model,
            self._tokenizer,
            splits.task,
            splits.test,
            sequence_limit=stage.hyperparameters.sequence_limit,
            batch_size=self._workers.evaluation_batch_size,
            judge=self._judge(one.task) if splits.task.is_generative else None,
        )
        if self._is_first:
            with tempfile.TemporaryDirectory() as attempt:
                write_records(Path(attempt) / PREDICTIONS, predictions)
                self._publish(EntryKind.EVALUATION, one.key, attempt, time.time() - started)

    def _measure_curvature(self, one: Measurement, stage: Stage, weights: _Weights) -> None:
        """Of the task's training loss over a seeded sample, in float32."""
        started, settings = time.time(), self._space.curvature
        self._progress(one.stage_number, f"measuring curvature of {one.task}", 0.0)
        drawn = stratified_order(self._splits[one.task].train, stage.seed)[: settings.num_samples]
        folder = weights.folder(one.stage_key)
        content = measure_curvature(
            load_model(folder, "float32", attention="eager").to(self._device),
            encode_rows(drawn, self._tokenizer, stage.hyperparameters.sequence_limit),
            settings,
            seed=stage.seed,
            batch_size=self._workers.micro_batch_size,
            pad_token_id=self._tokenizer.pad_token_id,
        )
        seconds = time.time() - started
        if self._is_first:
            with tempfile.TemporaryDirectory() as attempt:
                text = json.dumps({**content, "provenance_seconds": seconds})
                (Path(attempt) / CURVATURE).write_text(text)
                self._publish(EntryKind.CURVATURE, one.key, attempt, seconds)

    def _publish(self, kind: EntryKind, key: str, folder: str, seconds: float) -> Entry:
        provenance = {
            "trial": self._job.trial.id,
            "host": socket.gethostname(),
            "num_workers": dist.get_world_size(),
            "zero_stage": self._workers.zero_stage,
            "seconds": seconds,
        }
        return self._job.store.publish(kind, key, Path(folder), provenance)

    def _is_missing(self, kind: EntryKind, key: str) -> bool:
        """What rank 0 sees in the store; a barrier for the others."""
        answer = [self._is_first and self._job.store.find(kind, key) is None]
        dist.broadcast_object_list(answer)
        return answer[0]

    def _judge(self, task: str) -> Judge:
        judge = self._space.judge_of(task)
        assert judge, "the plan refuses a generative task without a judge"
        if judge == TINY:
            from raysweep.tiny.judge import judge_safe

            return judge_safe
        from raysweep.judge import ToxicityJudge

        return ToxicityJudge(locate(judge), self._device, self._workers.evaluation_batch_size)

    def _load_splits(self, task: str) -> Splits:
        splits = load_splits(self._space.find_tasks()[task], self._space.data)
        if (splits.train_digest, splits.test_digest) != self._job.split_digests[task]:
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

    def __init__(self, store: Store, base: Path, cache: Path) -> None:
        self._store, self._base, self.cache = store, base, cache

    def folder(self, key: str) -> Path:
        """A local folder with the model of that stage, or the base model; a collective call."""
        entry = self._store.find(EntryKind.STAGE, key)
        if entry is None:
            return self._base
        folder = self.cache / key
        if is_first_on_host() and not folder.is_dir():
            names = tuple(file.name for file in entry.files if file.name != STEPS)
            self._store.fetch(entry, folder, names)
        dist.barrier()
        return folder


def is_first_on_host() -> bool:
    """Whether this is the first worker on its host."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0
