"""One Tune trial = one chain, worked on by one lane's workers at a time.

The trial driver holds no core. It looks into the store first: when everything is there already, the
results are written without any worker. Otherwise it gives a lane the order to make all that is
missing; each stage's metrics travel from rank 0 through the lane to Tune, one result a stage.

No stage is made by two trials at once: who is making one holds its lease, others wait for it.
Workers that come to a stage that another trial is making leave the trial, and take another.

While workers are at it the driver looks at what they have done. If they make no progress, for
whatever reason, their lane is ended, and the trial starts again as after a death.
"""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import ray
import ray.tune

from raysweep.plan.remaining import remaining
from raysweep.process.notes import speak_through
from raysweep.store.store import DamagedEntryError
from raysweep.sweep.coordinator_client import CoordinatorClient
from raysweep.sweep.lane_state import Loss, Sight
from raysweep.sweep.leases import RENEWAL_SECONDS, new_holder, trial_of
from raysweep.sweep.stall import StallWatch
from raysweep.sweep.worker_groups import is_waiting_for_workers
from raysweep.worker.job import Job, publish_results
from raysweep.worker.lasting import lasting
from raysweep.worker.surroundings import Activity, Doing

DRIVER_RESOURCES = {"CPU": 0, "memory": 100 * 2**20}  # {"CPU": 0} alone is refused
MAX_ORDERS = 50  # that a trial may give, one after the other
MAX_DAMAGES = 5  # store entries that one trial finds damaged and makes again
POLL_SECONDS = 1.0
LANE_PAUSE_SECONDS = 0.2  # before a lane that was not idle, or is gone, is asked again
ANSWER_SECONDS = 30.0  # most that a lane is waited for
STALL_POLL_SECONDS = 5.0
LOG = logging.getLogger(__name__)
Answer = TypeVar("Answer")


NamedLane = tuple[str, Any]
"""A lane's name, and the actor."""


@dataclass(frozen=True)
class Assignment:
    """What one attempt at a trial works on.

    Attributes:
        holder: the attempt's name, under which it and its workers hold leases.
        lanes: those of the sweep, each with its name.
    """

    job: Job
    coordinator: CoordinatorClient
    holder: str
    lanes: Sequence[NamedLane]

    @property
    def trial(self) -> str:
        """The trial's id."""
        return self.job.trial.id

    def tell(self, activity: Activity) -> None:
        """Says what the trial does now."""
        self.coordinator.update(self.trial, activity)


def run_trial(
    config: Mapping[str, Any],
    find: Callable[[Mapping[str, Any]], Job],
    coordinator: CoordinatorClient,
    lanes: Sequence[NamedLane],
) -> None:
    """The Tune function trainable.

    Gives back what a dead attempt held. Then, until nothing remains: waits for other trials that
    make what comes next, reports what the store has, or gives a lane an order.
    Where another attempt would end the same way, the failure is reported as a result with its
    reason; what is raised lets Tune start the trial again, as after the death of this process.

    Args:
        config: the trial's settings, as Tune shows them: see `tune_settings`.
        find: the job of a trial, by its settings.
        lanes: as many as trials may have workers at the same time.

    Raises:
        OSError: another attempt may end otherwise.
    """
    speak_through(coordinator.note)
    try:
        job = find(config)
        failure = _finish(Assignment(job, coordinator, new_holder(job.trial.id), lanes))
    except OSError as error:
        failure = lasting(error)
        if not failure:
            raise
    if failure:
        ray.tune.report({"failure": failure})


def _finish(mine: Assignment) -> str | None:
    """Does what is missing of a trial; why it cannot be done, if so."""
    job, coordinator = mine.job, mine.coordinator
    for _, lane in mine.lanes:
        lane.drop.remote(mine.trial)  # of an attempt whose driver died
    losses: list[Loss] = []
    with held_leases(mine):
        coordinator.attend(
            mine.trial, ray.cloudpickle.dumps(ray.get_runtime_context().current_actor)
        )
        for _ in range(MAX_ORDERS):
            _wait_for_others(mine)
            if not remaining(job.store, job.trial):
                if _report_from_store(mine):
                    return None
            else:
                if loss := _order(mine):
                    losses.append(loss)
                if failure := coordinator.failure(mine.trial) or _given_up(mine, losses):
                    return failure
                if not loss and not remaining(job.store, job.trial):
                    return None  # and all is reported; after a loss some may not be
            damages = coordinator.damages(mine.trial)
            if len(damages) > MAX_DAMAGES:
                return (
                    f"store entries were damaged {len(damages)} times and made again in vain; "
                    f"last: {damages[-1]} (look at the disk of the storage)"
                )
    return f"is unfinished after {MAX_ORDERS} orders to workers"


def _given_up(mine: Assignment, losses: Sequence[Loss]) -> str | None:
    """Why a trial is not begun again, if it has lost its workers too often; keeps all reasons."""
    if not losses:
        return None
    text = "\n\n".join(loss.trace.strip() or loss.reason for loss in losses)
    place = f"errors/{mine.trial}.txt"
    mine.job.sweep_folder.write(place, f"{text}\n".encode())
    if len(losses) <= mine.job.space.workers.max_failures:
        return None
    return f"{losses[-1].reason} (whole error: {mine.job.sweep_folder.uri}/{place})"


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


def _order(mine: Assignment) -> Loss | None:
    """Gives a lane the order to do what is missing; why its workers were lost, if they were."""
    coordinator = mine.coordinator
    _tell(mine, Doing.WAITING, "workers")
    name, lane = _take_lane(mine)
    _tell(mine, Doing.STARTING)
    coordinator.begin(mine.trial, [stage.key for stage in mine.job.trial.stages])
    loss = _follow(mine, name, lane)
    if loss:
        LOG.warning("the workers of %s have ended: %s", mine.trial, loss.reason)
    return loss


def _take_lane(mine: Assignment) -> NamedLane:
    """Waits for a lane that takes the order."""
    job, asked = ray.put(pickle.dumps(mine.job)), dict[Any, NamedLane]()
    while True:
        for named in mine.lanes:
            if named not in asked.values():
                asked[named[1].await_idle.remote()] = named
        for answered in ray.wait(list(asked), num_returns=1, timeout=ANSWER_SECONDS)[0]:
            name, lane = asked.pop(answered)
            if _answer(answered, otherwise=False) and _answer(
                lane.offer.remote(mine.trial, mine.holder, job), otherwise=False
            ):
                return name, lane
            time.sleep(LANE_PAUSE_SECONDS)


def _follow(mine: Assignment, name: str, lane: Any) -> Loss | None:
    """Reports what the workers report until the order is over, and ends a lane that stalls."""
    watch = StallWatch(mine.job.space.workers.stall_minutes)
    looked, num_seen = time.monotonic(), 0
    gone = Sight(is_over=True, loss=Loss("its lane was lost"))
    while True:
        news = lane.await_news.remote(mine.holder, num_seen)
        sight = _answer(news, otherwise=gone, silent=Sight())
        for metrics in sight.reports:
            ray.tune.report(metrics)
        num_seen += len(sight.reports)
        if sight.is_over:
            return sight.loss
        if time.monotonic() - looked >= STALL_POLL_SECONDS:
            looked = time.monotonic()
            if stall := _stall(mine, watch, name):
                ray.kill(lane, no_restart=False)
                return stall


def _stall(mine: Assignment, watch: StallWatch, name: str) -> Loss | None:
    """Why the workers are to be ended, if they stand still; looked at every few seconds."""
    count, activity = mine.coordinator.progress(mine.trial)
    if not watch.is_stall(count, lambda: is_waiting_for_workers(name)):
        return None
    return Loss(
        f"its workers have made no progress for {watch.minutes:g} minutes ({activity}); "
        "raise workers.stall_minutes if they only need longer"
    )


def _answer(reference: Any, *, otherwise: Answer, silent: Answer | None = None) -> Answer:
    """What a lane answers, or what counts instead: if it is gone, and if it only is silent."""
    try:
        answer: Answer = ray.get(reference, timeout=ANSWER_SECONDS)
    except ray.exceptions.GetTimeoutError:
        return otherwise if silent is None else silent
    except ray.exceptions.RayError:
        return otherwise
    return answer


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
