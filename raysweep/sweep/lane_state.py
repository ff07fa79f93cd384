"""What a lane works on: one trial's order at a time, and how far its ranks are.

An order is offered by the trial's driver, taken by each rank of the lane's workers, and over when
every rank has said so, or one has been lost. Its driver looks at it until it is over; then the lane
is idle, and another may be offered. Workers that have had nothing to do for a while are told to
leave, and give their processors back.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

IDLE_SECONDS = 20.0


@dataclass(frozen=True)
class Loss:
    """Why workers have ended before their time.

    Attributes:
        trace: of the exception, if there was one.
    """

    reason: str
    trace: str = ""


@dataclass(frozen=True)
class Order:
    """What the ranks of a lane are to work on.

    Attributes:
        number: no two orders of a lane have the same.
        holder: the attempt at the trial.
        job: pickled; a lane has no use for what is in it.
    """

    number: int
    trial: str
    holder: str
    job: bytes


@dataclass(frozen=True)
class Leave:
    """Tells a worker that there is nothing to do."""


@dataclass(frozen=True)
class Sight:
    """What a driver sees of its order.

    Attributes:
        reports: metrics that it has not seen yet.
        loss: why it is over, if not because it is done.
    """

    reports: tuple[dict[str, Any], ...] = ()
    is_over: bool = False
    loss: Loss | None = None


@dataclass
class _Current:
    order: Order
    reports: list[dict[str, Any]] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    over: set[int] = field(default_factory=set)
    address: tuple[str, int] | None = None
    loss: Loss | None = None
    is_dropped: bool = False
    is_seen: bool = False  # by its driver, to its end

    @property
    def is_wanted(self) -> bool:
        return self.loss is None and not self.is_dropped


class LaneState:
    """One lane's; runs as an actor, so that its calls come one after the other.

    Args:
        world: the number of its workers.
        changed: called whenever something is new for somebody who waits.
    """

    def __init__(
        self,
        world: int,
        clock: Callable[[], float] = time.monotonic,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self._world, self._clock, self._changed = world, clock, changed
        self._numbers = itertools.count(1)
        self._current: _Current | None = None
        self._idle_since = clock()
        self._group, self._is_leaving = "", False

    def is_idle(self) -> bool:
        """Whether an order may be offered."""
        return self._current is None and not self._is_leaving

    def offer(self, trial: str, holder: str, job: bytes) -> bool:
        """Gives it an order; whether it takes it."""
        if not self.is_idle():
            return False
        self._current = _Current(Order(next(self._numbers), trial, holder, job))
        self._changed()
        return True

    def look(self, holder: str, num_seen: int) -> Sight:
        """How far a holder's order is.

        Args:
            num_seen: reports that the driver has seen before.
        """
        current = self._current
        if current is None or current.order.holder != holder:
            return Sight(is_over=True, loss=Loss("its workers were replaced"))
        is_over = current.loss is not None or len(current.over) == self._world
        sight = Sight(tuple(current.reports[num_seen:]), is_over, current.loss)
        current.is_seen = is_over
        self._tidy()
        return sight

    def drop(self, trial: str) -> None:
        """Nobody wants a trial's order any more."""
        if self._current and self._current.order.trial == trial:
            self._current.is_dropped = True
            self._tidy()

    def enter(self, group: str) -> None:
        """A group of workers is about to come; orders are for it alone.

        One that was lost may have left a question behind, whose answer nobody would hear.
        """
        self._group = group

    def order(self, rank: int, group: str) -> Order | Leave | None:
        """What a rank of a group is to do now, if anything; it asks when it has nothing to do."""
        if group != self._group:
            return Leave()
        current = self._current
        if current and rank not in current.taken and current.is_wanted:
            current.taken.add(rank)
            return current.order
        if current is None and self._clock() - self._idle_since > IDLE_SECONDS:
            self._is_leaving = True
        return Leave() if self._is_leaving else None

    def is_wanted(self, number: int) -> bool:
        """Whether a rank is to go on with an order."""
        current = self._current
        return current is not None and current.order.number == number and current.is_wanted

    def announce(self, number: int, address: tuple[str, int]) -> None:
        """Rank 0 listens at an address."""
        if self._current and self._current.order.number == number:
            self._current.address = address

    def find(self, number: int) -> tuple[str, int] | None:
        """Where rank 0 listens, once it does."""
        current = self._current
        return current.address if current and current.order.number == number else None

    def report(self, number: int, metrics: dict[str, Any]) -> None:
        """Rank 0 has something to report of an order."""
        if self._current and self._current.order.number == number:
            self._current.reports.append(metrics)
            self._changed()

    def end(self, number: int, rank: int, loss: Loss | None) -> None:
        """A rank's process has ended; the first loss counts."""
        current = self._current
        if current and current.order.number == number:
            current.over.add(rank)
            current.loss = current.loss or loss
            self._changed()
            self._tidy()

    def empty(self, loss: Loss | None) -> None:
        """All workers are gone; why, if not because they were told to leave."""
        self._is_leaving, self._idle_since = False, self._clock()
        self._group, current = "", self._current
        if current:
            current.taken = current.over = set(range(self._world))
            current.loss = current.loss or loss or Loss("its workers have left")
            self._tidy()
        self._changed()

    def _tidy(self) -> None:
        """Forgets an order when no rank works on it and its driver knows its end."""
        current = self._current
        if not current or not (current.is_seen or current.is_dropped):
            return
        waiting = set() if current.is_wanted else set(range(self._world)) - current.taken
        if len(current.over | waiting) == self._world:
            self._current, self._idle_since = None, self._clock()
            self._changed()
