"""One Tune trial = one chain = one Ray Train worker group.

The trial driver holds no core. It looks into the store first: when everything is there already, the
results are written without any worker. Otherwise it starts one worker group, which runs all that
is missing; each stage's metrics travel from rank 0 through the group to Tune, one result a stage.

No stage is made by two trials at once: who is making one holds its lease, others wait for it. A
group that comes to a stage that another trial is making ends, and gives its workers back.

While a group runs the driver looks at what it has done. One that makes no progress, for whatever
reason, is ended, and the trial starts again as after a death.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray
import ray.train
import ray.tune
from ray.tune.integration.ray_train import TuneReportCallback

from raysweep.errors import InputError
from raysweep.plan.remaining import remaining
from raysweep.store.store import DamagedEntryError
from raysweep.store.weights_budget import NoRoomError
from raysweep.sweep.coordinator_client import CoordinatorClient
from raysweep.sweep.leases import RENEWAL_SECONDS, new_holder, trial_of
from raysweep.sweep.process_group import GroupConfig
from raysweep.sweep.stall import Pace, StalledError, StallWatch
from raysweep.sweep.voice import Note, speak_through
from raysweep.sweep.worker_groups import Trainer, is_waiting_for_workers, remove_worker_groups
from raysweep.worker.job import Job, publish_results
from raysweep.worker.surroundings import Activity, Doing, Work

DRIVER_RESOURCES = {"CPU": 0, "memory": 100 * 2**20}  # {"CPU": 0} alone is refused
MAX_GROUPS = 50  # worker groups that a trial may start, one after the other
MAX_DAMAGES = 5  # store entries that one trial finds damaged and makes again
POLL_SECONDS, SLOT_POLL_SECONDS = 1.0, 0.25


@dataclass(frozen=True)
class Assignment:
    """What one attempt at a trial works on, its driver and its workers alike.

    Attributes:
        holder: the attempt's name, under which it holds leases.
    """

    job: Job
    coordinator: CoordinatorClient
    holder: str

    @property
    def trial(self) -> str:
        """The trial's id."""
        return self.job.trial.id

    def tell(self, activity: Activity) -> None:
        """Says what the trial does now."""
        self.coordinator.update(self.trial, activity)

    def advance(self) -> None:
        """Says that the trial gets on."""
        self.coordinator.advance(self.trial)


def run_trial(
    config: Mapping[str, Any],
    find: Callable[[Mapping[str, Any]], Job],
    coordinator: CoordinatorClient,
    num_slots: int,
) -> None:
    """The Tune function trainable.

    Gives back what a dead attempt held. Then, until nothing remains: waits for other trials that
    make what comes next, reports what the store has, or takes a slot and runs a worker group.
    Where another attempt would end the same way, the failure is reported as a result with its
    reason; what is raised lets Tune start the trial again, as after the death of this process.

    Args:
        config: the trial's settings, as Tune shows them: see `tune_settings`.
        find: the job of a trial, by its settings.
        num_slots: trials that may have workers at the same time.

    Raises:
        OSError: another attempt may end otherwise.
    """
    speak_through(coordinator.note)
    try:
        job = find(config)
        failure = _finish(Assignment(job, coordinator, new_holder(job.trial.id)), num_slots)
    except OSError as error:
        failure = _lasting(error)
        if not failure:
            raise
    if failure:
        ray.tune.report({"failure": failure})


def _finish(mine: Assignment, num_slots: int) -> str | None:
    """Does what is missing of a trial; why it cannot be done, if so."""
    job, coordinator = mine.job, mine.coordinator
    remove_worker_groups(job.run_name)  # of an attempt whose driver died
    with held_leases(mine):
        coordinator.attend(mine.trial, ray.get_runtime_context().current_actor)
        for _ in range(MAX_GROUPS):
            _wait_for_others(mine)
            if not remaining(job.store, job.trial):
                if _report_from_store(mine):
                    return None
            else:
                _tell(mine, Doing.WAITING, "a slot")
                with slot(mine, num_slots):
                    _tell(mine, Doing.STARTING)
                    failure = _run_group(mine)
                if failure or not remaining(job.store, job.trial):
                    return failure
            damages = coordinator.damages(mine.trial)
            if len(damages) > MAX_DAMAGES:
                return (
                    f"store entries were damaged {len(damages)} times and made again in vain; "
                    f"last: {damages[-1]} (look at the disk of the storage)"
                )
    return f"is unfinished after {MAX_GROUPS} worker groups"


def _report_from_store(mine: Assignment) -> bool:
    """Reports a trial that the store has whole; False if something in it proves to be damaged."""
    records = mine.job.records()
    try:
        for number in range(len(mine.job.trial.stages) + 1):
            ray.tune.report(publish_results(mine.job, records, number))
    except DamagedEntryError as error:
        mine.coordinator.damage(mine.trial, str(error))
        return False
    return True


def _wait_for_others(mine: Assignment) -> None:
    """Returns when nobody else is making the first stage that is still missing."""
    job = mine.job
    for stage in job.trial.stages:
        if stage.number in remaining(job.store, job.trial):
            while other := mine.coordinator.wait_for(stage.key, mine.holder):
                mine.tell(Activity(Doing.WAITING, trial_of(other), stage.number))
                time.sleep(POLL_SECONDS)
            if stage.number in remaining(job.store, job.trial):
                return


def _tell(mine: Assignment, doing: Doing, what: str = "") -> None:
    """Says what the trial does about the first stage that is missing."""
    missing = remaining(mine.job.store, mine.job.trial)
    mine.tell(Activity(doing, what, min(missing.train | missing.measure, default=0)))


def _run_group(mine: Assignment) -> str | None:
    """Runs one worker group; why it has failed, if it has."""
    coordinator = mine.coordinator
    coordinator.begin(mine.trial, [stage.key for stage in mine.job.trial.stages])
    try:
        _trainer(mine).fit()
    except Exception:  # whatever ended the workers; they may have said what another try would meet
        if failure := coordinator.failure(mine.trial):
            return failure
        raise
    return coordinator.failure(mine.trial)


def _watch(mine: Assignment) -> Callable[[], None]:
    """What to call every few seconds while a group runs; raises StalledError if it stands still."""
    minutes = mine.job.space.workers.stall_minutes
    watch = StallWatch(minutes)

    def look() -> None:
        count, activity = mine.coordinator.progress(mine.trial)
        if watch.is_stall(count, lambda: is_waiting_for_workers(mine.job.run_name)):
            raise StalledError(
                f"its workers have made no progress for {minutes:g} minutes ({activity}); "
                "raise workers.stall_minutes if they only need longer"
            )

    return look


@contextmanager
def held_leases(mine: Assignment) -> Iterator[None]:
    """While the block runs this attempt's leases are renewed; at its end they are given up."""
    coordinator, over = mine.coordinator, threading.Event()

    def renew() -> None:
        while not over.wait(RENEWAL_SECONDS):
            coordinator.renew(mine.holder)

    coordinator.release_trial(mine.trial)  # what an attempt that died had
    threading.Thread(target=renew, daemon=True).start()
    try:
        yield
    finally:
        over.set()
        coordinator.release_all(mine.holder)


@contextmanager
def slot(mine: Assignment, number: int) -> Iterator[None]:
    """One of so many turns to have workers, for which it waits.

    Workers are asked for when there is room for them: Train would give up waiting every half a
    minute, and ask again.
    """
    keys = [f"slot {index}" for index in range(number)]

    def claimed() -> str | None:
        return next((key for key in keys if mine.coordinator.claim(key, mine.holder)), None)

    while (key := claimed()) is None:
        time.sleep(SLOT_POLL_SECONDS)
    try:
        yield
    finally:
        mine.coordinator.release(key, mine.holder)


class RaySurroundings:
    """A worker's way to the sweep through Ray: see `worker.surroundings`."""

    def __init__(self, mine: Assignment) -> None:
        self._mine, coordinator = mine, mine.coordinator
        self.advance = Pace(mine.advance).advance
        self.tell, self.make_room = mine.tell, coordinator.make_room
        self.claim = partial(coordinator.claim, holder=mine.holder)
        self.release = partial(coordinator.release, holder=mine.holder)

    def report(self, metrics: dict[str, Any]) -> None:
        """Hands the metrics of rank 0 to Train, and by it to Tune."""
        ray.train.report(metrics)
        self.advance()

    def spend(self, work: Work, seconds: float) -> None:
        """Adds the time of all workers."""
        self._mine.coordinator.spend(work, seconds * self._mine.job.space.workers.num_workers)


class _Loss(ray.train.UserCallback):
    """Says why a worker group has ended; Train may start another. Runs in Train's controller."""

    def __init__(self, mine: Assignment) -> None:
        self._mine = mine

    def after_exception(
        self, run_context: object, worker_exceptions: Mapping[int, BaseException]
    ) -> None:
        """Called by Train when workers have died or raised something."""
        for rank, error in sorted(worker_exceptions.items())[:1]:
            reason = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
            text = f"the workers of {self._mine.trial} have ended at rank {rank}: {reason}"
            self._mine.coordinator.note(Note(logging.WARNING, __name__, text))


def _trainer(mine: Assignment) -> Trainer:
    job, workers = mine.job, mine.job.space.workers
    resources = {"CPU": workers.cpus_per_worker, **({"GPU": 1} if workers.use_gpu else {})}
    return Trainer(
        _train_loop,
        look=_watch(mine),
        backend_config=GroupConfig(workers.stall_minutes, mine.advance),
        train_loop_config={"assignment": mine},
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers.num_workers,
            use_gpu=workers.use_gpu,
            resources_per_worker=resources,
        ),
        run_config=ray.train.RunConfig(
            name=job.run_name,
            storage_path=f"{job.storage}/ray",
            failure_config=ray.train.FailureConfig(max_failures=workers.max_failures),
            callbacks=[TuneReportCallback(), _Loss(mine)],
        ),
    )


def _train_loop(config: Mapping[str, Assignment]) -> None:
    """What each worker process runs."""
    import torch

    from raysweep.worker.run import work  # imports transformers: seconds that the driver is spared

    _quieten()
    mine = config["assignment"]
    speak_through(mine.coordinator.note)
    if mine.coordinator.failure(mine.trial):
        return
    mine.advance()
    try:
        work(mine.job, RaySurroundings(mine))
    except (InputError, FloatingPointError) as error:
        # All workers meet these together. Another group would too: say why, and end in peace.
        mine.coordinator.fail(mine.trial, str(error))
    except DamagedEntryError as error:
        # Raised by all workers at once. The next group makes the entry again.
        mine.coordinator.damage(mine.trial, str(error))
    except (torch.OutOfMemoryError, NoRoomError, OSError) as error:
        # One worker alone may meet these, and the others wait for it: end the group.
        if reason := _lasting(error):
            mine.coordinator.fail(mine.trial, reason)
        raise


def _lasting(error: BaseException) -> str:
    """The reason and the remedy of what another attempt would meet again; empty for the rest."""
    reason, remedy = " ".join(str(error).split()), ""
    if isinstance(error, NoRoomError):
        return reason
    if not isinstance(error, OSError):
        remedy = "lower workers.micro_batch_size, take more workers, or ZeRO 3"
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "make room, or set weights.budget_gb; then run the same command again"
    return remedy and f"{reason} ({remedy})"


def _quieten() -> None:
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
