"""A trial's work, as every process of its worker group does it: train, measure, publish."""

from __future__ import annotations

import socket
from pathlib import Path

import torch

from raysweep.model.architecture import read_architecture
from raysweep.model.checkpoint import locate, read_config
from raysweep.model.tokenizer import load_encoder
from raysweep.plan.remaining import remaining
from raysweep.plan.trials import Stage
from raysweep.tasks.splits import Splits
from raysweep.worker.collective import decided, found, is_first
from raysweep.worker.equipment import Equipment
from raysweep.worker.job import Job, publish_results
from raysweep.worker.measure import Measuring
from raysweep.worker.rows import find_splits
from raysweep.worker.surroundings import Surroundings
from raysweep.worker.train import StageTraining
from raysweep.worker.weights import Weights, host_folder


def work(job: Job, around: Surroundings) -> None:
    """Does what the store lacks of a trial, and reports after each stage.

    First the base model is measured. Then each stage: if another trial is making it, this group
    leaves; else it is trained if it is missing, measured, released and reported. Called by every
    process of the group; torch.distributed is initialised.

    Raises:
        DamagedEntryError: on every rank, when one of them has found an entry damaged. It is set
            aside, and the next group makes it again.
    """
    with host_folder() as cache:
        equipment, records = _equip(job, around, cache), job.records()
        training, measuring = StageTraining(equipment, records), Measuring(equipment)

        def report(number: int) -> None:
            around.report(found(lambda: publish_results(job, records, number)) or {})

        measuring.measure(0)
        report(0)
        for stage in job.trial.stages:
            if not _is_ours(stage, job, around):
                return
            training.train(stage)
            measuring.measure(stage.number)
            if is_first():
                around.release(stage.key)
            report(stage.number)


def _is_ours(stage: Stage, job: Job, around: Surroundings) -> bool:
    """Whether the stage is complete, or this trial's to make."""
    return decided(
        lambda: stage.number not in remaining(job.store, job.trial) or around.claim(stage.key)
    )


def _equip(job: Job, around: Surroundings, cache: Path) -> Equipment:
    workers = job.space.workers
    if not workers.use_gpu:
        torch.set_num_threads(workers.cpus_per_worker)
    base = locate(job.space.model)
    sizes = read_architecture(read_config(base), base / "config.json")
    digest = job.trial.stages[0].parent
    return Equipment(
        job=job,
        around=around,
        device=torch.device("cuda" if workers.use_gpu else "cpu"),
        base=base,
        encoder=load_encoder(base, sizes.vocabulary_size, job.space.beginning_mark),
        splits={task: _splits(job, task) for task in job.trial.tasks},
        weights=Weights(job.store, (base, digest), cache, around.advance),
    )


def _splits(job: Job, task: str) -> Splits:
    data_seed = job.trial.data_seed
    splits = find_splits(job.space.find_tasks()[task], job.space.data.drawn(data_seed))
    if splits.digests != job.recipes.rows[data_seed][task]:
        raise RuntimeError(
            f"the rows of {task!r} in {job.space.data.source!r} on {socket.gethostname()} "
            "differ from those of the plan; give every host the same files"
        )
    return splits
