"""One Tune trial = one chain = one Ray Train worker group.

The trial driver holds no core. It looks into the store first: when everything is there already, the
results are written without any worker. Otherwise it starts one worker group, which runs all that
is missing; each stage's metrics travel from rank 0 through the group to Tune, one result a stage.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import ray
import ray.train
import ray.tune
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
from ray.tune.integration.ray_train import TuneReportCallback

from raysweep.errors import InputError
from raysweep.group import GroupConfig
from raysweep.job import Job, publish_results
from raysweep.records import missing

DRIVER_RESOURCES = {"CPU": 0, "memory": 100 * 2**20}  # {"CPU": 0} alone is refused


class TrialFailedError(RuntimeError):
    """A trial ended without its results."""


def run_trial(config: Mapping[str, Any]) -> None:
    """The Tune function trainable.

    Args:
        config: "trial" (the id), "jobs" (an object reference to all jobs by trial id) and
            "monitor" (the progress actor).

    Raises:
        TrialFailedError: the worker group failed, with the reason.
    """
    job: Job = ray.get(config["jobs"])[config["trial"]]
    if not missing(job.store, job.trial):
        records = job.records()
        for number in range(len(job.trial.stages) + 1):
            ray.tune.report(publish_results(job, records, number))
        return
    note = _failure_note(job)
    job.sweep_folder.delete(note)
    result = _trainer(job, config["monitor"]).fit()
    if job.sweep_folder.exists(note):
        raise TrialFailedError(job.sweep_folder.read(note).decode())
    if result.error:
        raise TrialFailedError(str(result.error))


def _trainer(job: Job, monitor: Any) -> DataParallelTrainer:
    workers = job.space.workers
    resources = {"CPU": workers.cpus_per_worker, **({"GPU": 1} if workers.use_gpu else {})}
    return DataParallelTrainer(
        _train_loop,
        backend_config=GroupConfig(),
        train_loop_config={"job": job, "monitor": monitor},
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers.num_workers,
            use_gpu=workers.use_gpu,
            resources_per_worker=resources,
        ),
        run_config=ray.train.RunConfig(
            name=f"{job.sweep}-{job.trial.id}",  # no timestamp: a second run finds the first
            storage_path=f"{job.storage}/ray",
            failure_config=ray.train.FailureConfig(max_failures=workers.max_failures),
            callbacks=[TuneReportCallback()],
        ),
    )


def _train_loop(config: Mapping[str, Any]) -> None:
    """What each worker process runs."""
    from raysweep.worker import Worker  # imports transformers: seconds that the driver is spared

    _quieten()
    job, monitor = config["job"], config["monitor"]
    is_first = ray.train.get_context().get_world_rank() == 0

    def progress(stage: int, activity: str, fraction: float) -> None:
        if is_first:
            monitor.update.remote(job.trial.id, stage, activity, fraction)

    try:
        Worker(job, ray.train.report, progress).run()
    except (InputError, FloatingPointError) as error:
        # Starting the worker group again would end the same way: leave a note and end in peace.
        if is_first:
            job.sweep_folder.write(_failure_note(job), str(error).encode())


def _failure_note(job: Job) -> str:
    return f"failures/{job.trial.id}.txt"


def _quieten() -> None:
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
