"""Ends trial drivers that stand still, so that Tune starts their trials again.

A driver watches its workers; the process of the sweep watches the drivers. A driver renews its
leases every few seconds as long as it lives and is not stopped.

The coordinator by which all this is known may stand still as well. It is ended then: of one that is
gone everybody knows at once, and for an answer of a silent one everybody waits.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import ray

from raysweep.sweep.coordinator_client import CoordinatorClient, GoneError, SilentError
from raysweep.sweep.leases import RENEWAL_SECONDS
from raysweep.sweep.stall import StallWatch

LEAST_MINUTES = 6 * RENEWAL_SECONDS / 60  # a driver that is only slow renews in time


class DriverWatch:
    """While the context is open: looks after the drivers of all trials.

    Args:
        coordinator: counts how often each has renewed its leases.
        minutes: after which one that does not is ended; at least one.
    """

    def __init__(self, coordinator: CoordinatorClient, minutes: float) -> None:
        self._coordinator, self._minutes = coordinator, max(minutes, LEAST_MINUTES)
        self._watches: dict[str, StallWatch] = {}
        self._silence = StallWatch(self._minutes)
        self._num_answers = 0
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
                drivers = self._coordinator.drivers()
            except SilentError:  # it may only be busy
                if self._silence.is_stall(self._num_answers):
                    self._coordinator.stop()
                    return
                continue
            except GoneError:
                return  # nothing is known any more, nothing is ended
            self._num_answers += 1
            self._silence.is_stall(self._num_answers)  # its time begins anew
            for trial in self.stalled(drivers):
                ray.kill(ray.cloudpickle.loads(drivers[trial][1]))

    def stalled(self, drivers: Mapping[str, tuple[int, object]]) -> list[str]:
        """The trials whose drivers have stood still for too long; looked at every few seconds."""
        watches = {
            trial: self._watches.get(trial) or StallWatch(self._minutes) for trial in drivers
        }
        ended = [trial for trial, (count, _) in drivers.items() if watches[trial].is_stall(count)]
        self._watches = {trial: one for trial, one in watches.items() if trial not in ended}
        return ended
