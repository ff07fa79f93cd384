"""The one way to speak to a sweep's coordinator: each call with its types and what silence means.

A coordinator that is gone, or silent for as long as a call waits, answers nothing. Then every lease
is free, nothing has failed, and no progress is known: the sweep goes on without it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import ray

from raysweep.sweep.coordinator import Coordinator
from raysweep.sweep.voice import Note
from raysweep.worker.surroundings import Activity, Work

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


@dataclass(frozen=True)
class CoordinatorClient:
    """Speaks to the coordinator of a sweep; travels to every process of it."""

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

    # What is told, without waiting.

    def update(self, trial: str, activity: Activity) -> None:
        """What a trial does now."""
        self.actor.update.remote(trial, activity)

    def advance(self, trial: str) -> None:
        """One of a trial's workers has done something, whatever it is."""
        self.actor.advance.remote(trial)

    def spend(self, work: Work, seconds: float) -> None:
        """Adds worker-seconds to a kind of work."""
        self.actor.spend.remote(work, seconds)

    def end(self, trial: str) -> None:
        """A trial has ended, one way or the other."""
        self.actor.end.remote(trial)

    def note(self, note: Note) -> None:
        """Says something to the sweep's own process."""
        self.actor.note.remote(note)

    # What is told, and has arrived when the call returns.

    def attend(self, trial: str, driver: Actor) -> None:
        """A trial's driver, an actor, has begun; it renews its leases until its end."""
        self._answer(self.actor.attend.remote(trial, driver), None)

    def begin(self, trial: str, keys: Sequence[str]) -> None:
        """A trial's workers are to start, and need the weights of these stages."""
        self._answer(self.actor.begin.remote(trial, keys), None)

    def fail(self, trial: str, reason: str) -> None:
        """A trial has met what another attempt would meet again; the first reason counts."""
        self._answer(self.actor.fail.remote(trial, reason), None)

    def damage(self, trial: str, problem: str) -> None:
        """A trial has found an entry of the store damaged, which is set aside."""
        self._answer(self.actor.damage.remote(trial, problem), None)

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

    # What is asked.

    def failure(self, trial: str) -> str | None:
        """Why a trial has failed, if it has."""
        return self._answer(self.actor.failure.remote(trial), None)

    def damages(self, trial: str) -> Sequence[str]:
        """What a trial has found damaged so far."""
        return self._answer(self.actor.damages.remote(trial), ())

    def progress(self, trial: str) -> tuple[int | None, str]:
        """A count of what a trial's workers have done, None if unknown, and what they do."""
        return self._answer(self.actor.progress.remote(trial), (None, ""))

    def activities(self) -> Mapping[str, Activity]:
        """The last word of each trial."""
        return self._answer(self.actor.activities.remote(), {}, GLANCE_SECONDS)

    def take_notes(self) -> Sequence[Note]:
        """What other processes have said since this was asked last."""
        return self._answer(self.actor.take_notes.remote(), (), GLANCE_SECONDS)

    def seconds(self) -> Mapping[Work, float]:
        """Worker-seconds by kind of work."""
        return self._answer(self.actor.seconds.remote(), {}, GLANCE_SECONDS)

    def drivers(self) -> Mapping[str, tuple[int, Actor]]:
        """By trial: how often its driver has given a sign, and the driver.

        Raises:
            SilentError: it has not answered in time.
            GoneError: it is not there any more.
        """
        try:
            return dict(ray.get(self.actor.drivers.remote(), timeout=CALL_SECONDS))
        except ray.exceptions.GetTimeoutError:
            raise SilentError from None
        except ray.exceptions.RayError:
            raise GoneError from None

    def is_awaited(self, trial: str) -> bool:
        """Whether somebody waits for a stage that a trial is making."""
        return self._answer(self.actor.is_awaited.remote(trial), False, GLANCE_SECONDS)

    # Leases: see `leases`.

    def claim(self, key: str, holder: str) -> bool:
        """Takes a lease if nobody else has it; whether the holder has it now."""
        return self._answer(self.actor.claim.remote(key, holder), True)

    def wait_for(self, key: str, waiter: str) -> str | None:
        """Who else has a lease, if anybody; notes that somebody waits for it."""
        return self._answer(self.actor.wait_for.remote(key, waiter), None)

    def release(self, key: str, holder: str) -> None:
        """Gives up a lease."""
        self._answer(self.actor.release.remote(key, holder), None)

    def release_all(self, holder: str) -> None:
        """Gives up everything that a holder has, whose driver ends."""
        self._answer(self.actor.release_all.remote(holder), None)

    def release_trial(self, trial: str) -> None:
        """Gives up everything that any holder of a trial has, because it is known to be gone."""
        self._answer(self.actor.release_trial.remote(trial), None)

    def renew(self, holder: str) -> None:
        """Prolongs the leases that a holder still has, and counts it as a sign of its driver."""
        self._answer(self.actor.renew.remote(holder), None)

    def _answer(self, reference: Any, otherwise: Answer, seconds: float = CALL_SECONDS) -> Answer:
        try:
            answer: Answer = ray.get(reference, timeout=seconds)
        except ray.exceptions.RayError:
            return otherwise
        return answer
