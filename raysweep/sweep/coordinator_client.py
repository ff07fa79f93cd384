"""The one way to speak to a sweep's coordinator: its own methods, with what silence means.

A coordinator that is gone, or silent for as long as a call waits, answers nothing. Then every lease
is free, nothing has failed, and no progress is known: the sweep goes on without it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import ray

from raysweep.sweep.coordinator import Coordinator

P = ParamSpec("P")
Answer = TypeVar("Answer")
Actor = Any
"""A handle of Ray's, which has no type that knows the actor's methods."""
CALL_SECONDS, GLANCE_SECONDS = 30.0, 5.0
ROOM_SECONDS = 600.0  # while weights are deleted
LOG = logging.getLogger(__name__)


class SilentError(Exception):
    """The coordinator has not answered in time; it may only be busy."""


class GoneError(Exception):
    """The coordinator is not there any more."""


def _tell(
    method: Callable[Concatenate[Coordinator, P], None],
) -> Callable[Concatenate[CoordinatorClient, P], None]:
    """A method that is called without waiting for its end."""

    @functools.wraps(method)
    def tell(self: CoordinatorClient, /, *arguments: P.args, **keywords: P.kwargs) -> None:
        getattr(self.actor, method.__name__).remote(*arguments, **keywords)

    return tell


def _ask(
    method: Callable[Concatenate[Coordinator, P], Answer],
    otherwise: Answer,
    seconds: float = CALL_SECONDS,
) -> Callable[Concatenate[CoordinatorClient, P], Answer]:
    """A method that is waited for; what its answer is when there is none."""

    @functools.wraps(method)
    def ask(self: CoordinatorClient, /, *arguments: P.args, **keywords: P.kwargs) -> Answer:
        reference = getattr(self.actor, method.__name__).remote(*arguments, **keywords)
        try:
            answer: Answer = ray.get(reference, timeout=seconds)
        except ray.exceptions.RayError:
            return otherwise
        return answer

    return ask


@dataclass(frozen=True)
class CoordinatorClient:
    """Speaks to the coordinator of a sweep; travels to every process of it.

    Each method is that of `Coordinator`. Those that hand over to another process, such as `attend`
    and `fail`, have arrived when they return; what is only looked at is not waited for.
    """

    actor: Actor

    @classmethod
    def start(
        cls, storage: str, budget_gb: float | None, needed: Mapping[str, Sequence[str]]
    ) -> CoordinatorClient:
        """Starts the coordinator: see `Coordinator` for the arguments."""
        return cls(ray.remote(num_cpus=0)(Coordinator).remote(storage, budget_gb, needed))

    def stop(self) -> None:
        """Ends it: of one that is gone everybody knows at once, a silent one is waited for."""
        ray.kill(self.actor)

    update = _tell(Coordinator.update)
    advance = _tell(Coordinator.advance)
    spend = _tell(Coordinator.spend)
    end = _tell(Coordinator.end)
    note = _tell(Coordinator.note)

    attend = _ask(Coordinator.attend, None)
    begin = _ask(Coordinator.begin, None)
    fail = _ask(Coordinator.fail, None)
    damage = _ask(Coordinator.damage, None)
    failure = _ask(Coordinator.failure, None)
    damages = _ask(Coordinator.damages, [])
    progress = _ask(Coordinator.progress, (None, ""))
    glance = _ask(Coordinator.glance, ([], {}, {}), GLANCE_SECONDS)
    seconds = _ask(Coordinator.seconds, {}, GLANCE_SECONDS)
    stage_seconds = _ask(Coordinator.stage_seconds, {}, GLANCE_SECONDS)
    take_notes = _ask(Coordinator.take_notes, [], GLANCE_SECONDS)
    is_awaited = _ask(Coordinator.is_awaited, False, GLANCE_SECONDS)

    claim = _ask(Coordinator.claim, True)
    wait_for = _ask(Coordinator.wait_for, None)
    release = _ask(Coordinator.release, None)
    release_all = _ask(Coordinator.release_all, None)
    release_trial = _ask(Coordinator.release_trial, None)
    renew = _ask(Coordinator.renew, None)

    def make_room(self, key: str, num_bytes: int) -> None:
        """Drops weights, where there is a budget, until there is room for some more.

        Raises:
            NoRoomError: there is none.
        """
        try:
            ray.get(self.actor.make_room.remote(key, num_bytes), timeout=ROOM_SECONDS)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            LOG.warning("the budget of weights is not kept: %s", error)

    def drivers(self) -> Mapping[str, tuple[int, bytes]]:
        """By trial: how often its driver has given a sign, and the driver, pickled.

        Raises:
            SilentError: it has not answered in time.
            GoneError: it is not there any more.
        """
        try:
            drivers: Mapping[str, tuple[int, bytes]] = ray.get(
                self.actor.drivers.remote(), timeout=CALL_SECONDS
            )
        except ray.exceptions.GetTimeoutError:
            raise SilentError from None
        except ray.exceptions.RayError:
            raise GoneError from None
        return drivers
