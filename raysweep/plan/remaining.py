"""What the store lacks of a trial."""

from __future__ import annotations

from dataclasses import dataclass

from raysweep.plan.trials import Trial
from raysweep.store.snapshot import Snapshot
from raysweep.store.store import EntryKind, Store


@dataclass(frozen=True)
class Remaining:
    """What of a trial is still to be done, by the number of the stage; 0 is the base model.

    Attributes:
        train: stages whose step log is missing, or whose weights are, where somebody needs them: a
            later stage that is to be trained, or a measurement.
        measure: models of which a measurement is missing.
    """

    train: frozenset[int]
    measure: frozenset[int]

    def __bool__(self) -> bool:
        return bool(self.train or self.measure)

    def __contains__(self, number: int) -> bool:
        return number in self.train or number in self.measure


def remaining(store: Store | Snapshot, trial: Trial) -> Remaining:
    """What the store lacks of a trial; weights that nobody needs any more are not missed.

    A stage's weights are needed by a missing measurement of its model, by a missing change from or
    to it, and by the next stage if that is to be trained: so the last stage is looked at first.
    """
    missing = [one for one in trial.measurements if not store.has(*one.entry)]
    measured = {one.stage_number for one in missing}
    wanted = measured | {m.stage_number - 1 for m in missing if m.kind == EntryKind.CHANGE}
    train = set[int]()
    for stage in reversed(trial.stages):
        needs_weights = stage.number in wanted or stage.number + 1 in train
        has_weights = needs_weights and store.has(EntryKind.WEIGHTS, stage.key)
        if not store.has(*stage.entry) or (needs_weights and not has_weights):
            train.add(stage.number)
    return Remaining(frozenset(train), frozenset(measured))
