"""A worker of a lane: takes orders, and has each carried out by a new process.

The worker itself, a process of Ray's, imports nothing heavy and holds no state of a trial. Beside
it runs a fork server that has imported all that a trial needs; see `process.fork_server`. The
process that works on an order speaks to the sweep through this one.
"""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any

import ray
import ray.train

from raysweep.process.fork_server import ForkServer
from raysweep.process.notes import Note, speak_through
from raysweep.sweep.coordinator_client import CoordinatorClient
from raysweep.sweep.fork_servers import fork_server
from raysweep.sweep.lane_state import Leave, Loss, Order
from raysweep.training.settings import WorkerSettings
from raysweep.worker.line import answer
from raysweep.worker.seat import Seat
from raysweep.worker.surroundings import Activity, Work

ATTEMPT = "raysweep.worker.attempt:attempt"
LOOK_SECONDS = 1.0


def work_on_orders(lane: Any, settings: Any, group: str) -> None:
    """Works until it is told to leave.

    Args:
        lane: the actor.
        settings: with which it was started.
        group: this worker's and its fellows', by which the lane knows them.
    """
    speak_through(settings.coordinator.note)
    seat = _seat(settings.workers)
    server = fork_server(settings.workers)
    try:
        while not isinstance(order := ray.get(lane.await_order.remote(seat.rank, group)), Leave):
            if order is None:
                continue
            loss = _carry_out(order, server, seat, _Calls(order, lane, settings.coordinator, seat))
            ray.get(lane.end.remote(order.number, seat.rank, loss))
    finally:
        server.close()


def _carry_out(order: Order, server: ForkServer, seat: Seat, calls: _Calls) -> Loss | None:
    """One order, in a process of its own; why that was lost, if it was."""
    child = server.start(ATTEMPT, order.job, seat)
    looked = time.monotonic()
    try:
        while True:
            if child.channel.poll(LOOK_SECONDS):
                answer(child.channel, calls)
            if time.monotonic() - looked > LOOK_SECONDS:
                looked = time.monotonic()
                if not calls.is_wanted():
                    child.kill()
    except (EOFError, OSError):  # the end of the channel is that of the process
        code = child.exit_code()
    if code and not calls.loss:
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        return Loss(f"the worker of rank {seat.rank} has ended {how}")
    return calls.loss


class _Calls:
    """What the process that works on an order may call: see `worker.line`."""

    def __init__(self, order: Order, lane: Any, coordinator: CoordinatorClient, seat: Seat) -> None:
        trial, holder = order.trial, order.holder
        self._order, self._lane, self._seat = order, lane, seat
        self._coordinator = coordinator
        self.loss: Loss | None = None
        self.advance = partial(coordinator.advance, trial)
        self.claim = partial(coordinator.claim, holder=holder)
        self.release = partial(coordinator.release, holder=holder)
        self.make_room = coordinator.make_room
        self.fail = partial(coordinator.fail, trial)
        self.damage = partial(coordinator.damage, trial)

    def tell(self, activity: Activity) -> None:
        """Says what the trial does."""
        self._coordinator.update(self._order.trial, activity)

    def note(self, note: Note) -> None:
        """Hands on what was said."""
        self._coordinator.note(note)

    def spend(self, work: Work, seconds: float, stage_key: str) -> None:
        """Adds the time of all workers."""
        self._coordinator.spend(work, seconds, stage_key, self._seat.world)

    def report(self, metrics: dict[str, Any]) -> None:
        """Hands metrics to the lane, where the trial's driver finds them."""
        ray.get(self._lane.report.remote(self._order.number, metrics))

    def announce(self, address: tuple[str, int]) -> None:
        """Tells the other ranks where this one listens."""
        ray.get(self._lane.announce.remote(self._order.number, address))

    def find(self) -> tuple[str, int] | None:
        """Where rank 0 listens, once it does."""
        address: tuple[str, int] | None = ray.get(self._lane.find.remote(self._order.number))
        return address

    def is_wanted(self) -> bool:
        """Whether the order is to be gone on with."""
        return bool(ray.get(self._lane.is_wanted.remote(self._order.number)))

    def lose(self, reason: str, trace: str) -> None:
        """The process ends before its time."""
        self.loss = Loss(reason, trace)


def _seat(workers: WorkerSettings) -> Seat:
    """This worker's place, as Ray has given it."""
    context = ray.train.get_context()
    return Seat(
        rank=context.get_world_rank(),
        world=context.get_world_size(),
        local_rank=context.get_local_rank(),
        local_world=context.get_local_world_size(),
        host=ray.util.get_node_ip_address(),
        device=_device() if workers.use_gpu else None,
        stall_minutes=workers.stall_minutes,
    )


def _device() -> int:
    """The index of this worker's GPU among those that it sees."""
    (own,) = map(str, ray.get_gpu_ids())
    return os.environ["CUDA_VISIBLE_DEVICES"].split(",").index(own)
