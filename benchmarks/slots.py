"""The sweep's processes at 64 slots: 1,000 trials with simulated stages.

    python -m benchmarks.slots [--trials 1000] [--slots 64]

What is real: the coordinator, an actor, and all that is said to it; the drivers' code, from the
look into the store to the last report; leases; the orders of lanes; the store, on disk. What is
not: stages sleep for some seconds instead of training, saying each second what they do, and publish
a few bytes; lanes share one process, drivers another, workers two, instead of one each.

The makespan is compared with what no schedule can beat (see `schedule`). What the coordinator takes
is its process's CPU time, and how long it lets somebody wait, asked once a second.
"""

from __future__ import annotations

import os
import pickle
import queue
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import ray
import ray.tune
import typer
from rich import box
from rich.table import Table

from benchmarks.scale import space_of
from raysweep.cli.console import console, run_command
from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import make_plan
from raysweep.plan.remaining import remaining
from raysweep.plan.start_order import schedule
from raysweep.plan.trials import Stage, Trial
from raysweep.store.storage import Storage
from raysweep.store.store import EntryKind, EntryName
from raysweep.sweep import driver
from raysweep.sweep.coordinator_client import CoordinatorClient
from raysweep.sweep.driver import Assignment
from raysweep.sweep.lane_state import LaneState, Order
from raysweep.sweep.lane_worker import _Calls
from raysweep.sweep.leases import new_holder
from raysweep.sweep.patience import Patience
from raysweep.worker.job import Job, jobs_of
from raysweep.worker.seat import Seat
from raysweep.worker.surroundings import Activity, Doing, Work

SHORTEST, LONGEST = 4.0, 8.0  # seconds of a stage
NUM_WORKER_PROCESSES = 2
GROUP = "group"
SEAT = Seat(0, 1, 0, 1, "127.0.0.1", None, 10.0)


def seconds_of(stage: Stage) -> float:
    """How long a stage takes: the same in every run."""
    return random.Random(stage.key).uniform(SHORTEST, LONGEST)


class Lanes:
    """An actor: all lanes, whose waits are those of `sweep.lane.Lane`."""

    def __init__(self, number: int) -> None:
        self._patience = [Patience() for _ in range(number)]
        self._lanes = [LaneState(1, changed=patience.tell) for patience in self._patience]
        for lane in self._lanes:
            lane.enter(GROUP)

    async def call(self, index: int, method: str, *arguments: Any) -> Any:
        """One method of one lane."""
        lane, patience = self._lanes[index], self._patience[index]
        if method == "await_idle":
            return await patience.see(lane.is_idle, bool)
        if method == "await_news":
            return await patience.see(
                lambda: lane.look(*arguments), lambda sight: bool(sight.reports) or sight.is_over
            )
        if method == "await_order":
            return await patience.see(lambda: lane.order(*arguments), lambda one: one is not None)
        return getattr(lane, method)(*arguments)


@dataclass(frozen=True)
class LaneHandle:
    """Looks like a lane's own handle."""

    host: Any
    index: int

    def __getattr__(self, method: str) -> _Method:
        if method.startswith("_"):
            raise AttributeError(method)
        return _Method(self.host, self.index, method)


@dataclass(frozen=True)
class _Method:
    host: Any
    index: int
    name: str

    def remote(self, *arguments: Any) -> Any:
        """Calls it."""
        return self.host.call.remote(self.index, self.name, *arguments)


class Drivers:
    """An actor: as many drivers as a sweep would have, each a thread."""

    def run(
        self,
        jobs: Sequence[Job],
        number: int,
        coordinator: CoordinatorClient,
        lanes: Sequence[tuple[str, LaneHandle]],
    ) -> tuple[int, list[str]]:
        """Works on all trials; the number of reports, and the failures."""
        reports, failures = list[Any](), list[str]()
        ray.tune.report = reports.append
        waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            waiting.put(job)

        def drive() -> None:
            while not waiting.empty():
                try:
                    job = waiting.get(block=False)
                except queue.Empty:
                    return
                mine = Assignment(job, coordinator, new_holder(job.trial.id), lanes)
                try:
                    failure = driver._finish(mine)
                except Exception as error:  # what Tune would start again is a failure here
                    failure = repr(error)
                if failure:
                    failures.append(failure)
                coordinator.end(job.trial.id)

        threads = [threading.Thread(target=drive) for _ in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(reports), failures


class Workers:
    """An actor: workers of some lanes, each a thread that sleeps instead of training."""

    def run(self, coordinator: CoordinatorClient, lanes: Sequence[LaneHandle]) -> None:
        """Works until its process is ended."""
        for lane in lanes:
            threading.Thread(target=_work, args=(lane, coordinator), daemon=True).start()


def _work(lane: LaneHandle, coordinator: CoordinatorClient) -> None:
    while True:
        order = ray.get(lane.await_order.remote(0, GROUP))
        if isinstance(order, Order):
            _carry_out(pickle.loads(order.job), _Calls(order, lane, coordinator, SEAT))
            ray.get(lane.end.remote(order.number, 0, None))


def _carry_out(job: Job, calls: _Calls) -> None:
    """What `worker.run` does, with sleep for work."""
    for stage in (None, *job.trial.stages):
        number = stage.number if stage else 0
        if stage and number in remaining(job.store, job.trial):
            if not calls.claim(stage.key):
                return
            if number in remaining(job.store, job.trial).train:
                _train(job, stage, calls)
        for one in job.trial.measurements:
            if one.stage_number == number and not job.store.has(*one.entry):
                _publish(job, one.entry)
                calls.spend(Work.EVALUATING, 0.0, one.stage_key)
        if stage:
            calls.release(stage.key)
        calls.report({"stage": number})


def _train(job: Job, stage: Stage, calls: _Calls) -> None:
    seconds, started = seconds_of(stage), time.monotonic()
    while (left := seconds - (time.monotonic() - started)) > 0:
        activity = Activity(Doing.TRAINING, stage.label, stage.number, 1 - left / seconds)
        calls.tell(activity)
        time.sleep(min(1.0, left))
    _publish(job, (EntryKind.WEIGHTS, stage.key))
    _publish(job, stage.entry)
    calls.spend(Work.TRAINING, seconds, stage.key)


def _publish(job: Job, entry: EntryName) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "simulated").write_bytes(b"nothing")
        job.store.publish(*entry, Path(folder), {"trial": job.trial.id})


def least_seconds(trials: Sequence[Trial], num_slots: int) -> float:
    """What no schedule can beat."""
    distinct = {stage.key: seconds_of(stage) for trial in trials for stage in trial.stages}
    longest = max(sum(distinct[stage.key] for stage in trial.stages) for trial in trials)
    return max(longest, sum(distinct.values()) / num_slots)


def main(
    trials: Annotated[int, typer.Option(help="a multiple of 100", min=100)] = 1000,
    slots: Annotated[int, typer.Option(min=1)] = 64,
) -> None:
    """Plays a sweep and prints what it took."""
    plan = make_plan(space_of(trials), find_checkpoint("tiny"))
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage.open(folder)
        ray.init(address="local", include_dashboard=False, log_to_driver=False, num_cpus=8)
        coordinator = CoordinatorClient.start(storage.uri, None, {})
        pid = ray.get(coordinator.actor.__ray_call__.remote(lambda _: os.getpid()))
        host = ray.remote(num_cpus=0)(Lanes).remote(slots)
        lanes = [LaneHandle(host, index) for index in range(slots)]
        worker = ray.remote(num_cpus=0)(Workers)
        workers = [worker.remote() for _ in range(NUM_WORKER_PROCESSES)]
        for number, one in enumerate(workers):
            ray.get(one.run.remote(coordinator, lanes[number::NUM_WORKER_PROCESSES]))
        jobs = [jobs_of(plan, storage)(trial) for trial in schedule(plan.trials)]
        before, started = psutil.Process(pid).cpu_times(), time.monotonic()
        named = [(f"lane-{lane.index}", lane) for lane in lanes]
        drivers = ray.remote(num_cpus=0)(Drivers).remote()
        played = drivers.run.remote(jobs, slots + 1, coordinator, named)
        waits = list[float]()
        while not ray.wait([played], timeout=1.0)[0]:
            asked = time.monotonic()
            coordinator.glance()
            waits.append(time.monotonic() - asked)
        wall, after = time.monotonic() - started, psutil.Process(pid).cpu_times()
        num_reports, failures = ray.get(played)
        memory = psutil.Process(pid).memory_info().rss / 2**20
        ray.shutdown()
    # A trial that has waited for another's stage reports what there was before once more.
    if failures or num_reports < sum(len(trial.stages) + 1 for trial in plan.trials):
        raise RuntimeError(f"{num_reports} reports; failures: {failures[:3]}")
    least = least_seconds(plan.trials, slots)
    spent = after.user + after.system - before.user - before.system
    rows = [
        ("trials, slots, distinct stages", f"{trials}, {slots}, {plan.num_stages_distinct}"),
        ("seconds, and at least", f"{wall:.0f}, {least:.0f} ({wall / least:.2f})"),
        ("coordinator's CPU seconds, of a core", f"{spent:.1f}, {100 * spent / wall:.0f} %"),
        ("its memory", f"{memory:.0f} MiB"),
        ("wait for its answer: median", f"{1000 * statistics.median(waits):.1f} ms"),
        ("99 of 100 times at most", f"{1000 * statistics.quantiles(waits, n=100)[98]:.1f} ms"),
        ("at most", f"{1000 * max(waits):.1f} ms"),
    ]
    table = Table(box=box.MARKDOWN)
    table.add_column("")
    table.add_column("", justify="right")
    for row in rows:
        table.add_row(*row)
    console().print(table)


if __name__ == "__main__":
    run_command(main)
