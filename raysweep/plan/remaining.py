"""What the store lacks of a trial."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from raysweep.plan.trials import Measurement, Trial
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


def remaining(store: Store, trial: Trial) -> Remaining:
    """What the store lacks of a trial; weights that nobody needs any more are not missed."""

    def missing(kind: EntryKind, wanted: Iterable[Measurement]) -> set[int]:
        return {one.stage_number for one in wanted if not store.find(kind, one.key)}

    changes = missing(EntryKind.CHANGE, trial.changes)
    measure = missing(EntryKind.EVALUATION, trial.all_evaluations)
    measure |= missing(EntryKind.CURVATURE, trial.curvatures) | changes
    train, needs_weights = set(), False
    for stage in reversed(trial.stages):
        needs_weights = needs_weights or bool({stage.number, stage.number + 1} & changes)
        needs_weights = needs_weights or stage.number in measure
        if not store.find(EntryKind.STAGE, stage.key) or (
            needs_weights and not store.find(EntryKind.WEIGHTS, stage.key)
        ):
            train.add(stage.number)
        needs_weights = stage.number in train
    return Remaining(frozenset(train), frozenset(measure))
