"""Follows a running sweep for the estimate of the time that is left.

What the monitor sees of trials (activities, finished stages) becomes what `eta` counts: pieces of
work that are done or begun, and seconds of start-up.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from raysweep.plan.remaining import remaining
from raysweep.plan.trials import Trial
from raysweep.store.store import EntryKind, Store
from raysweep.sweep.eta import Countdown, Estimator, Left, Piece, pieces
from raysweep.worker.surroundings import Activity, Doing, Work

NOT_WORKING = (Doing.WAITING, Doing.STARTING)


class WorkClock:
    """The time that a sweep still takes; called by Tune's thread and by the monitor's.

    Args:
        trials: by id; others may be added while the sweep runs.
    """

    def __init__(self, trials: Mapping[str, Trial], work: Estimator, store: Store) -> None:
        self._trials, self._work, self._store = trials, work, store
        self._countdown = Countdown()
        self._starting: dict[str, float] = {}
        self._lock = threading.Lock()

    def finish(self, trial: Trial, stage: int) -> None:
        """All of a trial up to a stage is in the store."""
        with self._lock:
            self._plan(trial)
            self._work.finish([one for one in pieces(trial) if one.stage <= stage])

    def end(self, trial: Trial) -> None:
        """A trial needs no more work; what others do not need of its rest is not made."""
        with self._lock:
            self._plan(trial)
            needed = {
                one.entry
                for other in list(self._trials.values())
                if other.id != trial.id and other.id not in self._work.ended
                for one in pieces(other)
            }
            self._work.end(trial.id, [one for one in pieces(trial) if one.entry not in needed])

    def left(
        self, activities: Mapping[str, Activity], spent: Mapping[Work, float], now: float
    ) -> Left | None:
        """What to show of the time left.

        Args:
            spent: worker-seconds by kind of work.
        """
        with self._lock:
            for trial in list(self._trials.values()):
                self._plan(trial)
            self._see_starts(activities, now)
            begun = {}
            for name, activity in activities.items():
                if name in self._trials and (one := _worked_on(self._trials[name], activity)):
                    begun[one.entry] = activity.fraction
            return self._countdown.show(now, self._work.seconds_left(spent, begun))

    def _plan(self, trial: Trial) -> None:
        """Looks up what the store lacks of a trial, once."""
        if trial.id in self._work.planned:
            return
        train = remaining(self._store, trial).train

        def is_missing(one: Piece) -> bool:
            if one.kind == Work.TRAINING:
                return one.stage in train
            return self._store.find(*one.entry) is None

        missing = [one for one in pieces(trial) if is_missing(one)]
        self._work.plan(trial.id, missing)

    def _see_starts(self, activities: Mapping[str, Activity], now: float) -> None:
        for name, activity in activities.items():
            if activity.doing == Doing.STARTING:
                self._starting.setdefault(name, now)
                self._work.begin_start(name)
            elif name in self._starting and activity.doing not in NOT_WORKING:
                self._work.start(name, now - self._starting.pop(name))


def _worked_on(trial: Trial, activity: Activity) -> Piece | None:
    """The piece of which the activity tells how far it is."""
    kinds = {Doing.TRAINING: EntryKind.STAGE, Doing.CURVATURE: EntryKind.CURVATURE}
    wanted = activity.stage, kinds.get(activity.doing)
    return next((one for one in pieces(trial) if (one.stage, one.entry[0]) == wanted), None)


def shown_left(left: Left | None) -> str:
    """In words."""
    if left is None:
        return "estimating the time left"
    return f"left {'over' if left.is_lower_bound else 'about'} {as_clock(left.seconds)}"


def as_clock(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
