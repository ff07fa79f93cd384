"""Recipes: all that decides what is in an entry of the store, whose key is their digest.

They are plain JSON. Where something runs (workers, ZeRO stage, micro-batch) is in none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from raysweep.measures.custom import CustomMeasurement, known_measurements
from raysweep.measures.settings import CurvatureSettings
from raysweep.model.parts import Part
from raysweep.plan import versions
from raysweep.plan.trials import Stage, Trial
from raysweep.settings.identity import Decisive, Key
from raysweep.space.chains import Mixture
from raysweep.space.data import Replicate, SweepData
from raysweep.store.store import EntryKind, EntryName
from raysweep.training.settings import Hyperparameters

Recipe = dict[str, Any]
Digests = tuple[str, str, str]
"""Of a task's training, validation and test set."""


@dataclass(frozen=True)
class Recipes:
    """What recipes take from a plan beside a trial's own settings.

    Attributes:
        rows: digests of each task's sets, by data seed.
        data: which rows shares take.
        judges: digests of who judges the responses to generative tasks.
        curvature: how curvatures are measured.
        encoding: what of the encoding is part of the keys (see `encoding.Encoder`).
        was_misread: whether layer-wise curvature took the model for another one in earlier keys.
    """

    rows: Mapping[int, Mapping[str, Digests]]
    data: SweepData
    judges: Mapping[str, str]
    curvature: CurvatureSettings
    encoding: Mapping[str, Any]
    was_misread: bool
    _decisive: Decisive = field(default_factory=Decisive, init=False, repr=False, compare=False)

    def of(self, trial: Trial, entry: EntryName) -> Recipe:
        """Of an entry that a trial asks for; a stage's weights have the recipe of its step log."""
        kind, key = entry
        if kind in (EntryKind.WEIGHTS, EntryKind.STAGE):
            return self.of_stage(next(stage for stage in trial.stages if stage.key == key))
        one = next(one for one in trial.measurements if one.entry == entry)
        stage = trial.stages[max(one.stage_number - 1, 0)]
        if kind == EntryKind.CURVATURE:
            return self.spectral_radius(stage, one.task, one.part)
        if kind == EntryKind.CHANGE:
            return self.change(trial.stages[one.stage_number - 2], stage, one.task)
        if kind == EntryKind.CUSTOM:
            own = known_measurements()[one.name]
            return self.custom(one.stage_key, one.task, stage, own)
        scored = self.validation if one == trial.validation else self.evaluation
        return scored(one.stage_key, one.task, stage)

    def of_stage(self, stage: Stage) -> Recipe:
        """Of the weights and the step log of a stage, from its parent's key."""
        replicate = Replicate(stage.seed, stage.data_seed)
        return self.training(stage.parent, stage.mixture, stage.hyperparameters, replicate)

    def training(
        self, parent: str, mixture: Mixture, settings: Hyperparameters, replicate: Replicate
    ) -> Recipe:
        """The same, of a stage that has no key yet."""
        rows = self.rows[replicate.data_seed]
        parts = [[part.task, part.fraction, rows[part.task][0]] for part in mixture]
        has_shares = any(part.fraction < 1 for part in mixture)
        return {
            "format": versions.TRAINING,
            "parent": parent,
            "mixture": parts,
            "hyperparameters": self._decisive(settings, Key.STAGE),
            "seed": replicate.seed,
            **(self._decisive(self.data, Key.STAGE) if has_shares else {}),
            **self._encoded(),
        }

    def evaluation(self, model: str, task: str, stage: Stage) -> Recipe:
        """Of a task's test rows under a model, with the settings of a stage."""
        return self._scored(model, task, stage, {"test": self.rows[stage.data_seed][task][2]})

    def validation(self, model: str, task: str, stage: Stage) -> Recipe:
        """Of a task's validation rows."""
        rows = self.rows[stage.data_seed][task]
        return self._scored(model, task, stage, {"validation": rows[1]})

    def custom(self, model: str, task: str, stage: Stage, measurement: CustomMeasurement) -> Recipe:
        """Of a measurement of one's own, with the settings of a stage."""
        scored = self.evaluation(model, task, stage)
        return scored | {"measurement": measurement.name, "version": measurement.version}

    def spectral_radius(self, stage: Stage, task: str, part: Part = "whole") -> Recipe:
        """Of the curvature of a task's training loss at a stage's model, or of a part of it."""
        solver = self._decisive(self.curvature, Key.SOLVER)
        made = self._loss(stage, task) | {"format": versions.CURVATURE, "solver": solver}
        return made if part == "whole" else made | {"part": part}

    def change(self, stage: Stage, following: Stage, task: str) -> Recipe:
        """Of what the following stage does to a task's training loss at a stage's model."""
        changed = {"format": versions.CHANGE, "changed": following.key}
        return self._loss(stage, task) | changed | {**self._decisive(self.curvature, Key.CHANGE)}

    def _scored(self, model: str, task: str, stage: Stage, rows: Mapping[str, str]) -> Recipe:
        return {
            "format": versions.EVALUATION,
            "model": model,
            "task": task,
            **rows,
            **self._decisive(stage.hyperparameters, Key.EVALUATION),
            "judge": self.judges.get(task),
            **self._encoded(),
        }

    def _loss(self, stage: Stage, task: str) -> Recipe:
        return {
            "model": stage.key,
            "task": task,
            "train": self.rows[stage.data_seed][task][0],
            **self._decisive(stage.hyperparameters, Key.LOSS),
            "sample": self._decisive(self.curvature, Key.LOSS),
            "seed": stage.seed,
            **({"model_is_as_in_its_files": True} if self.was_misread else {}),
        }

    def _encoded(self) -> Recipe:
        return {"encoding": dict(self.encoding)} if self.encoding else {}
