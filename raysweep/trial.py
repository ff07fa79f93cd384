"""One Tune trial = one chain = one Ray Train worker group.

The trial driver holds no core. It looks into the store first: when everything is there already, the
results are written without any worker. Otherwise it starts one worker group, which runs all that
is missing; each stage's metrics travel from rank 0 through the group to Tune, one result a stage.

No stage is made by two trials at once: who is making one holds its lease, others wait for it. A
group that comes to a stage that another trial is making ends, and gives its workers back.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
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
from raysweep.leases import RENEWAL_SECONDS
from raysweep.records import missing, stage_missing
from raysweep.store import DamagedEntryError

DRIVER_RESOURCES = {"CPU": 0, "memory": 100 * 2**20}  # {"CPU": 0} alone is refused


MAX_GROUPS = 50  # worker groups that a trial may start, one after the other
POLL_SECONDS, CALL_SECONDS = 1.0, 30.0


class TrialFailedError(RuntimeError):
    """A trial ended without its results."""


def run_trial(config: Mapping[str, Any]) -> None:
    """The Tune function trainable.

    While another trial makes the stage that comes next, this one waits, and holds no worker.

    Args:
        config: "trial" (the id), "jobs" (an object reference to all jobs by trial id) and "board"
            (the actor for progress and leases).

    Raises:
        TrialFailedError: the worker group failed, with the reason.
    """
    job: Job = ray.get(config["jobs"])[config["trial"]]
    holder = f"{job.trial.id}@{uuid.uuid4().hex[:8]}"
    with Leases(config["board"], holder) as leases:
        for _ in range(MAX_GROUPS):
            _wait_for_others(job, leases, config["board"])
            if not missing(job.store, job.trial):
                if _report_from_store(job):
                    return
            else:
                _run_group(job, {**config, "job": job, "holder": holder})
                if not missing(job.store, job.trial):
                    return
    raise TrialFailedError(f"is unfinished after {MAX_GROUPS} worker groups")


def _report_from_store(job: Job) -> bool:
    """Reports a trial that the store has whole; False if something in it proves to be damaged."""
    records = job.records()
    try:
        for number in range(len(job.trial.stages) + 1):
            ray.tune.report(publish_results(job, records, number))
    except DamagedEntryError:
        return False
    return True


def _wait_for_others(job: Job, leases: Leases, board: Any) -> None:
    """Returns when nobody else is making the first stage that is still missing."""
    for stage in job.trial.stages:
        if stage_missing(job.store, job.trial, stage):
            while other := leases.other_holder(stage.key):
                board.update.remote(
                    job.trial.id, stage.number, f"waiting for {other.partition('@')[0]}", 0.0
                )
                time.sleep(POLL_SECONDS)
            if stage_missing(job.store, job.trial, stage):
                return


def _run_group(job: Job, config: dict[str, Any]) -> None:
    note = _failure_note(job)
    job.sweep_folder.delete(note)
    result = _trainer(job, config).fit()
    if job.sweep_folder.exists(note):
        raise TrialFailedError(job.sweep_folder.read(note).decode())
    if result.error:
        raise TrialFailedError(str(result.error))


class Leases:
    """One trial's dealings with the lease board; a board that is gone grants everything.

    As a context it renews the trial's leases, and gives them up at its end.
    """

    def __init__(self, board: Any, holder: str) -> None:
        self._board, self._holder = board, holder
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Leases:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._call("release_all", self._holder)

    def claim(self, key: str) -> bool:
        """Whether the stage is this trial's to make."""
        return bool(self._call("claim", key, self._holder, otherwise=True))

    def release(self, key: str) -> None:
        """The stage is made."""
        self._call("release", key, self._holder)

    def other_holder(self, key: str) -> str | None:
        """The other trial that is making a stage, if one is."""
        holder = self._call("holder_of", key)
        return None if holder == self._holder else holder

    def _renew(self) -> None:
        while not self._stopped.wait(RENEWAL_SECONDS):
            self._call("renew", self._holder)

    def _call(self, name: str, *arguments: str, otherwise: Any = None) -> Any:
        try:
            return ray.get(getattr(self._board, name).remote(*arguments), timeout=CALL_SECONDS)
        except ray.exceptions.RayError:
            return otherwise


def _trainer(job: Job, config: dict[str, Any]) -> DataParallelTrainer:
    workers = job.space.workers
    resources = {"CPU": workers.cpus_per_worker, **({"GPU": 1} if workers.use_gpu else {})}
    return DataParallelTrainer(
        _train_loop,
        backend_config=GroupConfig(),
        train_loop_config={name: config[name] for name in ("job", "board", "holder")},
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
    job, board = config["job"], config["board"]
    is_first = ray.train.get_context().get_world_rank() == 0

    def progress(stage: int, activity: str, fraction: float) -> None:
        if is_first:
            board.update.remote(job.trial.id, stage, activity, fraction)

    leases = Leases(board, config["holder"])
    try:
        Worker(job, ray.train.report, progress, leases.claim, leases.release).run()
    except (InputError, FloatingPointError) as error:
        # Starting the worker group again would end the same way: leave a note and end in peace.
        if is_first:
            job.sweep_folder.write(_failure_note(job), str(error).encode())


def _failure_note(job: Job) -> str:
    return f"failures/{job.trial.id}.txt"


def _quieten() -> None:
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
