"""Follows a running sweep for the estimate of the time that is left.

What the monitor sees of trials (activities, finished stages) becomes what `eta` counts: pieces of
work that are done or begun, and seconds of start-up.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from raysweep.plan.remaining import remaining
from raysweep.plan.trials import Trial
from raysweep.store.snapshot import Snapshot
from raysweep.store.store import EntryKind, EntryName, Store
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
        self._num_seen = 0
        self._needed: Counter[EntryName] = Counter()  # by how many trials that have not ended
        self._unneeding: set[str] = set()
        self._starting: dict[str, float] = {}
        self._lock = threading.Lock()

    def finish(self, trial: Trial, stage: int) -> None:
        """All of a trial up to a stage is in the store."""
        with self._lock:
            self._see_trials()
            self._plan(trial, self._store)
            self._work.finish([one for one in pieces(trial) if one.stage <= stage])

    def end(self, trial: Trial) -> None:
        """A trial needs no more work; what others do not need of its rest is not made."""
        with self._lock:
            self._see_trials()
            self._plan(trial, self._store)
            self._unneed(trial)
            rest = [one for one in pieces(trial) if not self._needed[one.entry]]
            self._work.end(trial.id, rest)

    def left(
        self, activities: Mapping[str, Activity], spent: Mapping[Work, float], now: float
    ) -> Left | None:
        """What to show of the time left.

        Args:
            spent: worker-seconds by kind of work.
        """
        with self._lock:
            self._see_trials()
            self._see_starts(activities, now)
            begun = {}
            for name, activity in activities.items():
                if name in self._trials and (one := _worked_on(self._trials[name], activity)):
                    begun[one.entry] = activity.fraction
            return self._countdown.show(now, self._work.seconds_left(spent, begun))

    def _see_trials(self) -> None:
        """Plans trials that are new."""
        if len(self._trials) == self._num_seen:
            return
        new = list(self._trials.values())[self._num_seen :]
        self._num_seen += len(new)
        for trial in new:
            self._needed.update(one.entry for one in pieces(trial))
        now = Snapshot(self._store)
        for trial in new:
            self._plan(trial, now)

    def _unneed(self, trial: Trial) -> None:
        """A trial that has ended needs nothing, once."""
        if trial.id not in self._unneeding:
            self._unneeding.add(trial.id)
            self._needed.subtract(one.entry for one in pieces(trial))

    def _plan(self, trial: Trial, store: Store | Snapshot) -> None:
        """Looks up what the store lacks of a trial, once."""
        if trial.id in self._work.planned:
            return
        train = remaining(store, trial).train

        def is_missing(one: Piece) -> bool:
            if one.kind == Work.TRAINING:
                return one.stage in train
            return not store.has(*one.entry)

        missing = [one for one in pieces(trial) if is_missing(one)]
        self._work.plan(trial.id, missing)
        if not missing:
            self._unneed(trial)

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
