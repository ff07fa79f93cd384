"""Ends trial drivers that stand still, so that Tune starts their trials again.

A driver watches its workers; the process of the sweep watches the drivers. A driver renews its
leases every few seconds as long as it lives and is not stopped.
"""

from __future__ import annotations

import threading
from typing import Any

import ray

from raysweep.leases import RENEWAL_SECONDS
from raysweep.stall import StalledError, StallWatch

LEAST_MINUTES = 6 * RENEWAL_SECONDS / 60  # a driver that is only slow renews in time
ANSWER_SECONDS = 30.0


class DriverWatch:
    """While the context is open: looks after the drivers of all trials.

    Args:
        board: counts how often each has renewed its leases.
        minutes: after which one that does not is ended; at least one.
    """

    def __init__(self, board: Any, minutes: float) -> None:
        self._board, self._minutes = board, max(minutes, LEAST_MINUTES)
        self._watches: dict[str, StallWatch] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> DriverWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(RENEWAL_SECONDS / 2):
            try:
                drivers = ray.get(self._board.drivers.remote(), timeout=ANSWER_SECONDS)
            except ray.exceptions.RayError:
                drivers = {}  # the board is silent or gone: nothing is known, nothing is ended
            for trial in self.stalled(drivers):
                ray.kill(drivers[trial][1])

    def stalled(self, drivers: dict[str, tuple[int, Any]]) -> list[str]:
        """The trials whose drivers have stood still for too long; looked at every few seconds."""
        ended = []
        watches = {
            trial: self._watches.get(trial) or StallWatch(self._minutes) for trial in drivers
        }
        for trial, (count, _) in drivers.items():
            try:
                watches[trial].look(count, "driving", lambda: False)
            except StalledError:
                ended.append(trial)
                del watches[trial]
        self._watches = watches
        return ended
