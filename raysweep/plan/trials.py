"""What a sweep is made of: trials, their stages, and the measurements of each stage's model.

A stage's key is a digest of all that decides its result: the parent's key (at the root, the base
model's digest), the mixture's rows, the hyperparameters, the seed and the format version. Where it
runs (workers, ZeRO stage, micro-batch) is not part of it. Equal keys mean equal work, done once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from raysweep.model.parts import Part
from raysweep.space.chains import Chain, Mixture
from raysweep.store.store import EntryKind, EntryName
from raysweep.training.settings import Hyperparameters


@dataclass(frozen=True, slots=True)
class Stage:
    """One finetune on a mixture of tasks, as a position in a trial.

    Attributes:
        number: position in the chain, from 1.
        seed: of the training.
        data_seed: with which the tasks' rows are drawn.
        parent: key of the stage before, or the base model's digest.
    """

    number: int
    mixture: Mixture
    hyperparameters: Hyperparameters
    seed: int
    data_seed: int
    parent: str
    key: str

    @property
    def label(self) -> str:
        """What the stage is trained on, such as ``toxigen`` or ``arc_easy + toxigen@5%``."""
        return str(self.mixture)

    @property
    def entry(self) -> EntryName:
        """The name of its step log in the store."""
        return EntryKind.STAGE, self.key


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is measured of one stage's model on one task, and its key in the store.

    Attributes:
        name: of a measurement of one's own.
        part: of the answers whose loss it is of, where it is a curvature.
    """

    stage_number: int
    stage_key: str
    task: str
    key: str
    kind: EntryKind
    name: str = ""
    part: Part = "whole"

    @property
    def entry(self) -> EntryName:
        """Its name in the store."""
        return self.kind, self.key


@dataclass(frozen=True, slots=True)
class Trial:
    """One chain with one set of hyperparameters, one seed and one data seed.

    Attributes:
        evaluations: on test rows: every task of the chain after every stage, the base model's as
            stage 0.
        curvatures: that of the first task after the first stage first; none if it is not measured.
            One of an answer's content stands after that of the whole.
        changes: what a stage did to the loss whose curvature was measured before it.
        validation: of the first task after the first stage on validation rows, where the first
            stage's settings are chosen by it.
        custom: measurements of one's own, as the evaluations.
    """

    id: str
    seed: int
    stages: tuple[Stage, ...]
    evaluations: tuple[Measurement, ...]
    curvatures: tuple[Measurement, ...] = ()
    changes: tuple[Measurement, ...] = ()
    validation: Measurement | None = None
    custom: tuple[Measurement, ...] = ()

    @property
    def data_seed(self) -> int:
        """With which the tasks' rows are drawn."""
        return self.stages[0].data_seed

    @property
    def chain(self) -> Chain:
        """What the stages are trained on."""
        return Chain(stage.mixture for stage in self.stages)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The chain's tasks, each once, in the order of their first stage."""
        return self.chain.tasks

    @property
    def first_task(self) -> str:
        """The task whose forgetting the trial is about."""
        return self.chain.first_task

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """All that is measured, of whatever kind."""
        validation = (self.validation,) if self.validation else ()
        return (*self.evaluations, *validation, *self.curvatures, *self.changes, *self.custom)

    @property
    def entries(self) -> Iterator[EntryName]:
        """All that is needed of the store, its weights aside: see `remaining`."""
        yield from (stage.entry for stage in self.stages)
        yield from (one.entry for one in self.measurements)

    @property
    def curvature(self) -> Measurement | None:
        """That of the first task after the first stage, if it is measured."""
        return self.curvatures[0] if self.curvatures else None

    def curvature_before(self, change: Measurement) -> Measurement:
        """The curvature at the parameters that a change starts from."""
        place = change.stage_number - 1, change.task, "whole"
        return next(
            one for one in self.curvatures if (one.stage_number, one.task, one.part) == place
        )

    def learned_at(self, task: str) -> int | None:
        """The number of the task's first full stage."""
        return self.chain.learned_at(task)
