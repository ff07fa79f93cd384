"""Ends trial drivers that stand still, so that Tune starts their trials again.

A driver watches its workers; the process of the sweep watches the drivers. A driver renews its
leases every few seconds as long as it lives and is not stopped.

The board by which all this is known may stand still as well. It is ended then: of a board that is
gone everybody knows at once, and for an answer of a silent one everybody waits.
"""

from __future__ import annotations

import threading
from typing import Any

import ray

from raysweep.sweep.leases import RENEWAL_SECONDS
from raysweep.sweep.stall import StalledError, StallWatch

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
        self._silence: StallWatch | None = StallWatch(self._minutes)  # None: the board is ended
        self._num_answers = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> DriverWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        while self._silence and not self._stopped.wait(RENEWAL_SECONDS / 2):
            try:
                drivers = ray.get(self._board.drivers.remote(), timeout=ANSWER_SECONDS)
            except ray.exceptions.GetTimeoutError:
                self._end_silent_board(self._silence)
                continue
            except ray.exceptions.RayError:
                return  # the board is gone: nothing is known any more, nothing is ended
            self._num_answers += 1
            self._silence.look(self._num_answers, "answering", lambda: False)
            for trial in self.stalled(drivers):
                ray.kill(drivers[trial][1])

    def _end_silent_board(self, silence: StallWatch) -> None:
        """Ends the board if it has been silent for too long; it may only be busy."""
        try:
            silence.look(self._num_answers, "answering", lambda: False)
        except StalledError:
            self._silence = None
            ray.kill(self._board)

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
