"""When workers stand still: a count of what they have done that does not grow.

What is watched is progress and not life: a process that was stopped, or waits in a collective for
one that was, lives and does nothing. Times are those of the one who watches, so that no clocks of
two hosts are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable

MOST_SECONDS = 30.0  # between two looks; a watcher that was stopped itself has seen no more of it


class StallWatch:
    """Adds up for how long a count has not changed.

    Args:
        minutes: after which it is a stall.
    """

    def __init__(self, minutes: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.minutes, self._clock = minutes, clock
        self._count: int | None = None
        self._seconds, self._looked = 0.0, clock()

    def is_stall(self, count: int | None, is_waiting: Callable[[], bool] = lambda: False) -> bool:
        """Whether the count has stood still for too long; called every few seconds.

        Args:
            count: of what has been done; None where it cannot be known, which is not counted.
            is_waiting: whether the workers have still to be given processors; asked where the
                count has not changed. That may take as long as other trials take.
        """
        now = self._clock()
        passed, self._looked = min(now - self._looked, MOST_SECONDS), now
        if count is None:
            return False
        if count != self._count or is_waiting():
            self._count, self._seconds = count, 0.0
        else:
            self._seconds += passed
        return self._seconds >= 60 * self.minutes
