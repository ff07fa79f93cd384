"""What the processes of a sweep tell each other beside the store; runs as one actor.

Nothing here outlives the sweep, and nothing depends on it but speed, progress and messages. It is
spoken to through `coordinator_client`.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from raysweep.process.notes import Note
from raysweep.store.storage import Storage
from raysweep.store.store import Store
from raysweep.store.weights_budget import GB, WeightsBudget
from raysweep.sweep.leases import Leases, trial_of
from raysweep.worker.surroundings import Activity, Doing, Work


class Coordinator(Leases):
    """Leases, progress, failures, times and the budget of weights.

    Args:
        storage: URI of the storage location, for the budget.
        budget_gb: of weights; None for no budget.
        needed: the keys of the stages of each trial that is planned, in the order of their start.
    """

    def __init__(
        self, storage: str, budget_gb: float | None, needed: Mapping[str, Sequence[str]]
    ) -> None:
        super().__init__()
        self._activities: dict[str, Activity] = {}
        self._counts: Counter[str] = Counter()
        self._renewals: Counter[str] = Counter()
        self._drivers: dict[str, bytes] = {}
        self._failures: dict[str, str] = {}
        self._damages: defaultdict[str, list[str]] = defaultdict(list)
        self._spent: defaultdict[Work, float] = defaultdict(float)
        self._of_stages: defaultdict[str, float] = defaultdict(float)
        self._notes: list[Note] = []
        self._budget = None
        if budget_gb is not None:
            store = Store(Storage.open(storage).sub("store"))
            self._budget = WeightsBudget(store, budget_gb * GB, needed)

    def note(self, note: Note) -> None:
        """One of the sweep's processes has something to say."""
        self._notes.append(note)

    def take_notes(self) -> list[Note]:
        """What has been said since it was asked last."""
        notes, self._notes = self._notes, []
        return notes

    def glance(self) -> tuple[list[Note], dict[str, Activity], dict[Work, float]]:
        """What is shown while the sweep runs: notes, the last word of each trial, and `seconds`."""
        return self.take_notes(), dict(self._activities), self.seconds()

    def claim(self, key: str, holder: str) -> bool:
        """Takes the lease of a key if nobody else has it; whether the holder has it now."""
        before = self.expired_holder_of(key)
        is_taken = super().claim(key, holder)
        if is_taken and before not in (None, holder):
            text = f"the lease of {key[:12]} is taken over by {holder}: {before} has not renewed it"
            self.note(Note(logging.WARNING, __name__, text))
        return is_taken

    def update(self, trial: str, activity: Activity) -> None:
        """What a trial does now."""
        self._activities[trial] = activity
        self.advance(trial)

    def advance(self, trial: str) -> None:
        """One of a trial's workers has done something, whatever it is."""
        self._counts[trial] += 1

    def progress(self, trial: str) -> tuple[int | None, str]:
        """A count of what a trial's workers have done, and what they do now; None if unknown."""
        return self._counts[trial], str(self._activities.get(trial, Activity(Doing.STARTING)))

    def attend(self, trial: str, driver: bytes) -> None:
        """A trial's driver has begun; it renews its leases until its end.

        Args:
            driver: the actor, pickled: to take a handle as such this process would import Tune.
        """
        self._drivers[trial] = driver

    def renew(self, holder: str) -> None:
        """Prolongs the leases that a holder still has, and counts it as a sign of its driver."""
        super().renew(holder)
        self._renewals[trial_of(holder)] += 1

    def release_all(self, holder: str) -> None:
        """Gives up everything that a holder has, whose driver ends."""
        super().release_all(holder)
        self._drivers.pop(trial_of(holder), None)

    def drivers(self) -> dict[str, tuple[int, bytes]]:
        """By trial: how often its driver has given a sign, and the driver, pickled."""
        return {trial: (self._renewals[trial], one) for trial, one in self._drivers.items()}

    def fail(self, trial: str, reason: str) -> None:
        """A trial has met what another attempt would meet again; the first reason counts."""
        self._failures.setdefault(trial, reason)

    def failure(self, trial: str) -> str | None:
        """Why a trial has failed, if it has."""
        return self._failures.get(trial)

    def damage(self, trial: str, problem: str) -> None:
        """A trial has found an entry of the store damaged, which is set aside."""
        self._damages[trial].append(problem)

    def damages(self, trial: str) -> list[str]:
        """What a trial has found damaged so far."""
        return list(self._damages[trial])

    def spend(self, work: Work, seconds: float, stage_key: str, num_workers: int) -> None:
        """So many workers have worked on a stage, each for so long."""
        self._spent[work] += seconds * num_workers
        self._of_stages[stage_key] += seconds

    def seconds(self) -> dict[Work, float]:
        """Worker-seconds by kind of work."""
        return dict(self._spent)

    def stage_seconds(self) -> dict[str, float]:
        """How long each stage has taken, its measurements included, by its key."""
        return dict(self._of_stages)

    def begin(self, trial: str, keys: Sequence[str]) -> None:
        """A trial's workers are to start, and need the weights of these stages."""
        if self._budget:
            self._budget.begin(trial, keys)

    def end(self, trial: str) -> None:
        """A trial has ended, one way or the other."""
        self._activities.pop(trial, None)
        self._drivers.pop(trial, None)
        self.release_trial(trial)
        if self._budget:
            self._budget.end(trial)

    def make_room(self, key: str, num_bytes: int) -> None:
        """Drops weights, where there is a budget, until there is room for some more.

        Raises:
            NoRoomError: there is none.
        """
        if self._budget:
            self._budget.make_room(key, num_bytes)
