"""How much time a sweep still takes, from the seconds that its work has taken so far.

The work that is missing is counted piece by piece; what the store holds already costs nothing. Of
each kind of work the measured seconds per unit are multiplied with the units still missing, and
each trial whose work is missing starts workers once. Until every kind that is missing was measured
nothing is said.

The time shown never rises. Where the estimate is lower than what is shown, the shown one falls
faster than the clock; where it is higher, the shown one falls slower, so that both reach zero
together, and is called a lower bound while it is far below.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from raysweep.plan.trials import Trial
from raysweep.store.store import EntryKind, EntryName
from raysweep.worker.surroundings import Work

CATCHING_UP_SECONDS = 20.0  # in which most of what is shown too much is taken away
FAR_BELOW = 1.25  # times the time shown, from which on it is called a lower bound


class Piece(NamedTuple):
    """One entry of the store as work: examples, evaluations or products."""

    entry: EntryName
    stage: int
    kind: Work
    size: float


SIZES = {
    EntryKind.EVALUATION: (Work.EVALUATING, 1.0),
    EntryKind.CUSTOM: (Work.EVALUATING, 1.0),
    EntryKind.CURVATURE: (Work.CURVATURE, 20.0),
    EntryKind.CHANGE: (Work.CURVATURE, 3.0),
}
"""Of measurements: evaluations, or Hessian-vector products and what takes as long."""


def pieces(trial: Trial) -> Iterator[Piece]:
    """All work of a trial."""
    for stage in trial.stages:
        settings = stage.hyperparameters
        size = settings.num_steps * settings.global_batch_size
        yield Piece(stage.entry, stage.number, Work.TRAINING, size)
    for one in trial.measurements:
        yield Piece(one.entry, one.stage_number, *SIZES[one.kind])


@dataclass(frozen=True)
class Left:
    """Time that is left; ``is_lower_bound`` if it is likely to be a good deal more."""

    seconds: float
    is_lower_bound: bool = False


class Estimator:
    """The work of a sweep that is missing, and how long such work has taken.

    Args:
        num_slots: trials that have workers at the same time.
        num_workers: of each.
        num_trials: how many there will be; those not planned yet count as the mean of the others.

    Attributes:
        planned: trials that are known.
        ended: trials that need no more work.
    """

    def __init__(self, num_slots: int, num_trials: int, num_workers: int = 1) -> None:
        self._num_slots, self._num_trials = num_slots, num_trials
        self._num_workers = num_workers
        self.planned: set[str] = set()
        self.ended: set[str] = set()
        self._started: set[str] = set()
        self._missing: dict[EntryName, Piece] = {}
        self._left: Counter[Work] = Counter()  # pieces that are missing
        self._sizes: defaultdict[Work, float] = defaultdict(float)  # of them together
        self._found: defaultdict[Work, float] = defaultdict(float)  # of what was missing at first
        self._made: dict[Work, float] = {}
        self._startups: list[float] = []

    def plan(self, trial: str, missing: Collection[Piece]) -> None:
        """A trial is known, with what the store lacks of it."""
        self.planned.add(trial)
        for piece in missing:
            if piece.entry not in self._missing:
                self._missing[piece.entry] = piece
                self._left[piece.kind] += 1
                self._sizes[piece.kind] += piece.size
                self._found[piece.kind] += piece.size
        if not missing:
            self.ended.add(trial)

    def begin_start(self, trial: str) -> None:
        """A trial's workers start, perhaps not for the first time: that time is still to come."""
        self._started.discard(trial)

    def start(self, trial: str, seconds: float) -> None:
        """A trial's workers have begun to work after so many seconds of start-up."""
        self._startups.append(seconds)
        self._started.add(trial)

    def finish(self, done: Collection[Piece]) -> None:
        """Work is in the store now, whoever did it."""
        for piece in done:
            if self._drop(piece):
                self._made[piece.kind] = self._made.get(piece.kind, 0.0) + piece.size

    def end(self, trial: str, rest: Collection[Piece] = ()) -> None:
        """A trial needs no more work; what it still lacked nobody will do."""
        self.ended.add(trial)
        for piece in rest:
            self._drop(piece)

    def _drop(self, piece: Piece) -> bool:
        """A piece is missing no longer; whether it was."""
        found = self._missing.pop(piece.entry, None)
        if found:
            self._left[found.kind] -= 1
            self._sizes[found.kind] -= found.size
        return found is not None

    def seconds_left(
        self, spent: Mapping[Work, float], begun: Mapping[EntryName, float]
    ) -> float | None:
        """The estimate; None as long as some kind of missing work was not measured.

        Args:
            spent: worker-seconds by kind, of finished work.
            begun: the share that is done of entries that are being made.
        """
        pace = {kind: spent[kind] / made for kind, made in self._made.items() if kind in spent}
        missing = [kind for kind, number in self._left.items() if number]
        if any(kind not in pace for kind in missing):
            return None
        work = sum(self._sizes[kind] * pace[kind] for kind in missing)
        for entry, share in begun.items():
            if piece := self._missing.get(entry):
                work -= piece.size * share * pace[piece.kind]
        waiting = len(self.planned - self._started - self.ended)
        unknown = max(self._num_trials - len(self.planned), 0)
        if unknown and self.planned:
            known = sum(size * pace.get(kind, 0.0) for kind, size in self._found.items())
            work += unknown * known / len(self.planned)
        if (waiting + unknown) and not self._startups:
            return None
        startup = sum(self._startups) / len(self._startups) if self._startups else 0.0
        open_trials = max(1, self._num_trials - len(self.ended))
        seconds = work / self._num_workers + (waiting + unknown) * startup
        return seconds / min(self._num_slots, open_trials)


class Countdown:
    """The time shown, which never rises."""

    def __init__(self) -> None:
        self._shown: float | None = None
        self._at = 0.0

    def show(self, now: float, estimate: float | None) -> Left | None:
        """What to show of an estimate; None as long as there was none."""
        if estimate is None and self._shown is None:
            return None
        passed, self._at = now - self._at, now
        if self._shown is None:
            self._shown = estimate
        elif estimate is None or estimate <= 0:
            self._shown = max(self._shown - passed, 0.0)
        elif estimate > self._shown:
            self._shown = max(self._shown * (1.0 - passed / (estimate + passed)), 0.0)
        else:
            surplus = self._shown - passed - estimate
            share = min(passed / CATCHING_UP_SECONDS, 1.0)
            self._shown = max(self._shown - passed - max(surplus, 0.0) * share, 0.0)
        shown = self._shown or 0.0
        return Left(shown, estimate is not None and estimate > FAR_BELOW * shown + 1.0)
