"""The budget of weights: which trained weights are dropped so that others have room.

Weights are a cache: what is dropped and needed again is trained again, and results stay for ever.
Dropped are first weights that no trial of the sweep needs, then those that are needed last. Weights
of a trial that is running stay.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from raysweep.store.store import EntryKind, Store

LOG = logging.getLogger(__name__)
GB = 10**9


class NoRoomError(RuntimeError):
    """The budget has no room, because running trials need all that is there."""


class WeightsBudget:
    """Keeps the weights of a store within a number of bytes.

    Args:
        needed: the keys of the stages of each trial that is to come, in the order of their start.
    """

    def __init__(self, store: Store, num_bytes: float, needed: Mapping[str, Sequence[str]]) -> None:
        self._store, self._num_bytes = store, num_bytes
        self._needed = {trial: tuple(keys) for trial, keys in needed.items()}
        self._running: set[str] = set()
        self._sizes: dict[str, int] = {}

    def begin(self, trial: str, keys: Sequence[str]) -> None:
        """A trial starts to run; until its end its weights stay."""
        self._needed[trial] = tuple(keys)
        self._running.add(trial)

    def end(self, trial: str) -> None:
        """A trial has finished, failed, or was stopped."""
        self._needed.pop(trial, None)
        self._running.discard(trial)

    def make_room(self, key: str, num_bytes: int) -> list[str]:
        """Drops weights until so many bytes more are within the budget.

        Args:
            key: of the stage whose weights are to come.

        Returns:
            The keys of the stages whose weights were dropped.

        Raises:
            NoRoomError: there is none, because running trials need all that is left.
        """
        self._look()
        excess = sum(self._sizes.values()) - self._sizes.get(key, 0) + num_bytes - self._num_bytes
        dropped = []
        for victim in self._victims():
            if excess <= 0:
                break
            if victim != key:
                self._store.drop(EntryKind.WEIGHTS, victim)
                excess -= self._sizes.pop(victim)
                dropped.append(victim)
                LOG.info("the weights of %s give way to those of %s", victim[:12], key[:12])
        if excess > 0:
            raise NoRoomError(
                f"weights.budget_gb = {self._num_bytes / GB:g} has no room for the weights of the "
                f"running trials: raise it by {excess / GB:.3g}, or lower "
                "workers.max_concurrent_trials"
            )
        return dropped

    def _look(self) -> None:
        """Finds what is in the store; others may write to it, too."""
        keys = set(self._store.keys(EntryKind.WEIGHTS))
        self._sizes = {key: size for key, size in self._sizes.items() if key in keys}
        for new in keys - self._sizes.keys():
            if entry := self._store.find(EntryKind.WEIGHTS, new):
                self._sizes[new] = entry.num_bytes

    def _victims(self) -> list[str]:
        """What may be dropped, the most dispensable first."""
        # Of several turns that need the same weights the first counts, which comes last here.
        backwards = reversed(list(enumerate(self._needed.values())))
        turns = {key: turn for turn, keys in backwards for key in keys}
        kept = {key for trial in self._running for key in self._needed[trial]}
        free = [key for key in self._sizes if key not in kept]
        return sorted(free, key=lambda key: turns.get(key, len(self._needed)), reverse=True)
