"""Who trains what: so that a trial waits for a stage that another one is making.

Leases are an optimisation. Every one expires unless its holder renews it, so that a holder that is
gone blocks nobody for long; and where no coordinator answers, everything is free. The worst that
can come of a lost lease, or of two sweeps that share a store, is a stage trained twice, of which
the store keeps one.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

LEASE_SECONDS = 60.0
RENEWAL_SECONDS = 10.0
PATIENCE_SECONDS = 10.0  # a waiter that has not asked for so long has gone


@dataclass
class _Lease:
    holder: str
    expires: float
    last_asked: float = -math.inf  # when somebody else last waited for it


def new_holder(trial: str) -> str:
    """A name for one attempt at a trial."""
    return f"{trial}@{uuid.uuid4().hex[:8]}"


def trial_of(holder: str) -> str:
    """The trial that a holder works on."""
    return holder.partition("@")[0]


class Leases:
    """Leases by key; runs as an actor, so that its calls come one after the other."""

    def __init__(
        self, seconds: float = LEASE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._clock = seconds, clock
        self._leases: dict[str, _Lease] = {}

    def wait_for(self, key: str, waiter: str) -> str | None:
        """Who else has the lease of a key, if anybody; notes that somebody waits for it."""
        holder = self.holder_of(key)
        if holder in (None, waiter):
            return None
        self._leases[key].last_asked = self._clock()
        return holder

    def is_awaited(self, trial: str) -> bool:
        """Whether somebody waits for a stage that a trial is making."""
        since = self._clock() - PATIENCE_SECONDS
        return any(
            trial_of(lease.holder) == trial and lease.last_asked >= since
            for lease in self._leases.values()
        )

    def release_trial(self, trial: str) -> None:
        """Gives up everything that any holder of a trial has, because it is known to be gone."""
        self._leases = {
            key: lease for key, lease in self._leases.items() if trial_of(lease.holder) != trial
        }

    def claim(self, key: str, holder: str) -> bool:
        """Takes the lease of a key if nobody else has it; whether the holder has it now."""
        if self.holder_of(key) not in (None, holder):
            return False
        self._leases[key] = _Lease(holder, self._clock() + self._seconds)
        return True

    def holder_of(self, key: str) -> str | None:
        """Who has the lease of a key, if anybody."""
        lease = self._leases.get(key)
        return lease.holder if lease and lease.expires > self._clock() else None

    def expired_holder_of(self, key: str) -> str | None:
        """Who had the lease of a key and has neither renewed it nor given it up."""
        lease = self._leases.get(key)
        return lease.holder if lease and lease.expires <= self._clock() else None

    def renew(self, holder: str) -> None:
        """Prolongs the leases that a holder still has; one that has expired is lost."""
        now = self._clock()
        for lease in self._leases.values():
            if lease.holder == holder and lease.expires > now:
                lease.expires = now + self._seconds

    def release(self, key: str, holder: str) -> None:
        """Gives up the lease of a key, if the holder has it."""
        if self.holder_of(key) == holder:
            del self._leases[key]

    def release_all(self, holder: str) -> None:
        """Gives up everything that a holder has."""
        self._leases = {key: lease for key, lease in self._leases.items() if lease.holder != holder}
