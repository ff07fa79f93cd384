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
import functools
import logging
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray
import ray.train
import ray.tune
from ray.tune.integration.ray_train import TuneReportCallback

from raysweep.errors import InputError
from raysweep.plan.remaining import remaining
from raysweep.store.store import DamagedEntryError
from raysweep.store.weights_budget import NoRoomError
from raysweep.sweep.leases import RENEWAL_SECONDS, new_holder, trial_of
from raysweep.sweep.process_group import GroupConfig
from raysweep.sweep.stall import Pace, StallWatch
from raysweep.sweep.worker_groups import Trainer, is_waiting_for_workers, remove_worker_groups
from raysweep.worker.job import Job, publish_results

DRIVER_RESOURCES = {"CPU": 0, "memory": 100 * 2**20}  # {"CPU": 0} alone is refused
MAX_GROUPS = 50  # worker groups that a trial may start, one after the other
MAX_DAMAGES = 5  # store entries that one trial finds damaged and makes again
POLL_SECONDS, SLOT_POLL_SECONDS = 1.0, 0.25
CALL_SECONDS, ROOM_SECONDS = 30.0, 600.0  # to wait for the board; while it deletes weights


def run_trial(config: Mapping[str, Any]) -> None:
    """The Tune function trainable.

    While another trial makes the stage that comes next, this one waits, and holds no worker.
    Where another attempt would end the same way, the failure is reported as a result with its
    reason; what is raised lets Tune start the trial again, as after the death of this process.

    Args:
        config: "trial" (the id), "jobs" (an object reference to all jobs by trial id), "board"
            (the actor by which the sweep's processes tell each other what they do) and "num_slots"
            (trials that may have workers at the same time).
    """
    try:
        failure = _finish(ray.get(config["jobs"])[config["trial"]], config)
    except OSError as error:
        failure = _lasting(error)
        if not failure:
            raise
    if failure:
        ray.tune.report({"failure": failure})


def _finish(job: Job, config: Mapping[str, Any]) -> str | None:
    """Does what is missing of a trial; why it cannot be done, if so."""
    remove_worker_groups(job.run_name)  # of an attempt whose driver died
    holder = new_holder(job.trial.id)
    with Leases(config["board"], holder) as leases:
        ask(config["board"], "attend", job.trial.id, ray.get_runtime_context().current_actor)
        for _ in range(MAX_GROUPS):
            _wait_for_others(job, leases, config["board"])
            if not remaining(job.store, job.trial):
                if _report_from_store(job, config["board"]):
                    return None
            else:
                _tell(job, config["board"], "waiting for a slot")
                with leases.slot(config["num_slots"]):
                    _tell(job, config["board"], "start-up")
                    failure = _run_group(job, {**config, "job": job, "holder": holder})
                if failure or not remaining(job.store, job.trial):
                    return failure
            damages = ask(config["board"], "damages", job.trial.id, otherwise=())
            if len(damages) > MAX_DAMAGES:
                return (
                    f"store entries were damaged {len(damages)} times and made again in vain; "
                    f"last: {damages[-1]} (look at the disk of the storage)"
                )
    return f"is unfinished after {MAX_GROUPS} worker groups"


def _report_from_store(job: Job, board: Any) -> bool:
    """Reports a trial that the store has whole; False if something in it proves to be damaged."""
    records = job.records()
    try:
        for number in range(len(job.trial.stages) + 1):
            ray.tune.report(publish_results(job, records, number))
    except DamagedEntryError as error:
        ask(board, "damage", job.trial.id, str(error))
        return False
    return True


def _wait_for_others(job: Job, leases: Leases, board: Any) -> None:
    """Returns when nobody else is making the first stage that is still missing."""
    for stage in job.trial.stages:
        if stage.number in remaining(job.store, job.trial):
            while other := leases.wait_for(stage.key):
                board.update.remote(
                    job.trial.id, stage.number, f"waiting for {trial_of(other)}", 0.0
                )
                time.sleep(POLL_SECONDS)
            if stage.number in remaining(job.store, job.trial):
                return


def _tell(job: Job, board: Any, activity: str) -> None:
    """Says what the trial does about the first stage that is missing."""
    missing = remaining(job.store, job.trial)
    number = min(missing.train | missing.measure, default=0)
    board.update.remote(job.trial.id, number, activity, 0.0)


def _run_group(job: Job, config: dict[str, Any]) -> str | None:
    """Runs one worker group; why it has failed, if it has."""
    board = config["board"]
    ask(board, "begin", job.trial.id, [stage.key for stage in job.trial.stages])
    try:
        _trainer(job, config).fit()
    except Exception:  # whatever ended the workers; they may have said what another try would meet
        if failure := ask(board, "failure", job.trial.id):
            return failure
        raise
    return ask(board, "failure", job.trial.id)


def _watch(job: Job, board: Any) -> Callable[[], None]:
    """What to call every few seconds while a group runs; raises StalledError if it stands still."""
    watch = StallWatch(job.space.workers.stall_minutes)
    unknown = (None, "")  # of a board that does not answer: then nothing can be said

    def look() -> None:
        count, activity = ask(board, "progress", job.trial.id, otherwise=unknown)
        watch.look(count, activity, lambda: is_waiting_for_workers(job.run_name))

    return look


def _advance(board: Any, trial: str) -> None:
    board.advance.remote(trial)


def ask(board: Any, name: str, *arguments: Any, otherwise: Any = None) -> Any:
    """The board's answer; something else if it is gone, or silent for half a minute."""
    try:
        return ray.get(getattr(board, name).remote(*arguments), timeout=CALL_SECONDS)
    except ray.exceptions.RayError:
        return otherwise


class Leases:
    """One trial's dealings with the lease board; a board that is gone grants everything.

    As a context it renews the trial's leases, and gives them up at its end.
    """

    def __init__(self, board: Any, holder: str) -> None:
        self._board, self._holder = board, holder
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Leases:
        self._call("release_trial", trial_of(self._holder))  # what an attempt that died had
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

    def wait_for(self, key: str) -> str | None:
        """The holder of another trial that is making a stage, if one is."""
        return self._call("wait_for", key, self._holder)

    @contextmanager
    def slot(self, number: int) -> Iterator[None]:
        """One of so many turns to have workers, for which it waits.

        Workers are asked for when there is room for them: Train would give up waiting every half a
        minute, and ask again.
        """
        keys = [f"slot {index}" for index in range(number)]
        while (key := next(filter(self.claim, keys), None)) is None:
            time.sleep(SLOT_POLL_SECONDS)
        try:
            yield
        finally:
            self.release(key)

    def _renew(self) -> None:
        while not self._stopped.wait(RENEWAL_SECONDS):
            self._call("renew", self._holder)

    def _call(self, name: str, *arguments: str, otherwise: Any = None) -> Any:
        return ask(self._board, name, *arguments, otherwise=otherwise)


class _Surroundings:
    """A worker's dealings with Ray: see `worker.Surroundings`."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._job, self._board = config["job"], config["board"]
        self._leases = Leases(self._board, config["holder"])
        self.claim, self.release = self._leases.claim, self._leases.release
        self.advance = Pace(functools.partial(_advance, self._board, self._job.trial.id)).advance

    def report(self, metrics: dict[str, Any]) -> None:
        ray.train.report(metrics)
        self.advance()

    def progress(self, stage: int, activity: str, fraction: float) -> None:
        self._board.update.remote(self._job.trial.id, stage, activity, fraction)

    def make_room(self, key: str, num_bytes: int) -> None:
        try:
            ray.get(self._board.make_room.remote(key, num_bytes), timeout=ROOM_SECONDS)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            logging.getLogger(__name__).warning("the budget of weights is not kept: %s", error)

    def spent(self, activity: str, seconds: float) -> None:
        self._board.spend.remote(activity, seconds * self._job.space.workers.num_workers)


def _trainer(job: Job, config: dict[str, Any]) -> Trainer:
    workers = job.space.workers
    resources = {"CPU": workers.cpus_per_worker, **({"GPU": 1} if workers.use_gpu else {})}
    return Trainer(
        _train_loop,
        look=_watch(job, config["board"]),
        backend_config=GroupConfig(
            workers.stall_minutes, functools.partial(_advance, config["board"], job.trial.id)
        ),
        train_loop_config={name: config[name] for name in ("job", "board", "holder")},
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers.num_workers,
            use_gpu=workers.use_gpu,
            resources_per_worker=resources,
        ),
        run_config=ray.train.RunConfig(
            name=job.run_name,
            storage_path=f"{job.storage}/ray",
            failure_config=ray.train.FailureConfig(max_failures=workers.max_failures),
            callbacks=[TuneReportCallback()],
        ),
    )


def _train_loop(config: Mapping[str, Any]) -> None:
    """What each worker process runs."""
    import torch

    from raysweep.worker.run import (
        Worker,  # imports transformers: seconds that the driver is spared
    )

    _quieten()
    job, board = config["job"], config["board"]
    if ask(board, "failure", job.trial.id):
        return
    surroundings = _Surroundings(config)
    surroundings.advance()
    try:
        Worker(job, surroundings).run()
    except (InputError, FloatingPointError) as error:
        # All workers meet these together. Another group would too: say why, and end in peace.
        ask(board, "fail", job.trial.id, str(error))
    except DamagedEntryError as error:
        # Raised by all workers at once. The next group makes the entry again.
        ask(board, "damage", job.trial.id, str(error))
    except (torch.OutOfMemoryError, NoRoomError, OSError) as error:
        # One worker alone may meet these, and the others wait for it: end the group.
        if reason := _lasting(error):
            ask(board, "fail", job.trial.id, reason)
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
