"""Makes trials of chains, points and seeds; equal stages and measurements are made once."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from raysweep.digest import digest_json
from raysweep.errors import InputError
from raysweep.measures.custom import CustomMeasurement
from raysweep.model.parts import Part
from raysweep.plan.points import Point, as_point, axes_of, points
from raysweep.plan.recipes import Recipes
from raysweep.plan.scouts import Findings
from raysweep.plan.trials import Measurement, Stage, Trial
from raysweep.settings.identity import Key, decisive
from raysweep.space.chains import Chain
from raysweep.space.data import Replicate
from raysweep.space.space import SearchSpace
from raysweep.store.store import EntryKind
from raysweep.training.settings import Hyperparameters

MAX_NAME = 100  # letters of the tasks in a trial's name; a file's name has room for 255 bytes
NUM_DIGITS = 8  # of a key in it

Placed = tuple[Chain, Point, Replicate]
"""A chain at a point of the search, with its seeds."""


class Planner:
    """Makes trials of a search space.

    Args:
        base: digest of the base model.
        recipes: what keys are digests of.
    """

    def __init__(self, space: SearchSpace, base: str, recipes: Recipes) -> None:
        self._space, self._base, self.recipes = space, base, recipes
        tasks = space.find_tasks().values() if space.curvature.content else ()
        self._generative = {task.name for task in tasks if task.is_generative}
        self._stages: dict[tuple[Any, ...], Stage] = {}
        self._measured: dict[tuple[Any, ...], Measurement] = {}
        self._scorings: dict[Hyperparameters, tuple[Any, ...]] = {}
        self._points: dict[int, list[Point]] = {}
        self._made: dict[tuple[Any, ...], Any] = {}
        self._names: dict[str, tuple[str, int]] = {}

    def trials(self, findings: Findings | None = None) -> Iterator[Trial]:
        """All trials of the space, no two alike.

        Args:
            findings: what the scouts have found. Without them the trials of a space that has
                scouts are stand-ins for the purpose of counting, as are those of an Optuna search.
        """
        search = self._space.search
        if search.method == "optuna":
            placed = self._drawn()
        elif findings is not None:
            placed = self._following(findings)
        else:
            placed = self._stand_ins() if search.has_scouts else self._grid()
        chains: dict[tuple[str, int], tuple[Stage, ...]] = {}
        for stages in itertools.starmap(self._chain, placed):
            chains.setdefault(_identity(stages), stages)
        yield from map(self._trial, chains.values())

    def _grid(self) -> Iterator[Placed]:
        """Every chain at every point, with every seed and data seed."""
        for chain, replicate in itertools.product(self._space.chains, self._space.replicates):
            for point in self._points_of(len(chain)):
                yield chain, point, replicate

    def _following(self, findings: Findings) -> Iterator[Placed]:
        """What follows from the scouts: chains in the wanted orders, from the best first stages.

        A chain of which a scout has failed is left out: nothing is known of where it may start.
        """
        is_choosy = self._space.search.first_stage == "best"
        for chain, point, replicate in self._grid():
            for order in self._space.search.orders:
                ordered = findings.ordered(chain, point[0], replicate, order)
                if ordered and not (is_choosy and findings.best(ordered[0], replicate) != point[0]):
                    yield ordered, point, replicate

    def _stand_ins(self) -> Iterator[Placed]:
        """About as many as will follow: from the first point of each first stage where one is
        chosen, in the listed order, or for sharpest_first in its reverse.
        """
        is_choosy = self._space.search.first_stage == "best"
        for chain, point, replicate in self._grid():
            if not is_choosy or point[0] == self._points_of(len(chain))[0][0]:
                for order in self._space.search.orders:
                    reverse = Chain(chain[::-1])
                    yield reverse if order == "sharpest_first" else chain, point, replicate

    def _drawn(self) -> Iterator[Placed]:
        """Stand-ins for what Optuna will propose: as many trials, drawn at random."""
        search = self._space.search
        source = random.Random(search.seed)
        for _ in range(search.num_samples or 0):
            chain = source.choice(self._space.chains)
            axes = axes_of(self._space, len(chain))
            values = {name: axis.draw(source) for name, axis in axes.items()}
            yield chain, as_point(values, len(chain), self._made), self._space.replicates[0]

    def scouts(self) -> Iterator[Trial]:
        """Single stages by which it is decided which trials follow; none if nothing is."""
        search = self._space.search
        if not search.has_scouts:
            return
        stages: dict[tuple[str, int], Stage] = {}
        for chain, replicate in itertools.product(self._space.chains, self._space.replicates):
            firsts = chain if search.orders != ("listed",) else chain[:1]
            for mixture, point in itertools.product(firsts, self._points_of(len(chain))):
                (stage,) = self._chain(Chain([mixture]), point[:1], replicate)
                stages.setdefault(_identity((stage,)), stage)
        yield from map(self._scout, stages.values())

    def trial(self, chain: Chain, values: Mapping[str, Any], replicate: Replicate) -> Trial:
        """The trial of one chain at the point at which the axes have these values."""
        point = as_point(values, len(chain), self._made)
        return self._trial(self._chain(chain, point, replicate))

    def _points_of(self, length: int) -> list[Point]:
        if length not in self._points:
            self._points[length] = list(points(self._space, length))
        return self._points[length]

    def _chain(self, chain: Chain, point: Point, replicate: Replicate) -> tuple[Stage, ...]:
        """The stages of a trial; those of 0 steps are left out."""
        stages: list[Stage] = []
        for mixture, hyperparameters in zip(chain, point, strict=True):
            if hyperparameters.num_steps:
                parent = stages[-1].key if stages else self._base
                known = (mixture, hyperparameters, *replicate, parent)
                if known not in self._stages:
                    stage = Stage(len(stages) + 1, *known, key="")
                    key = digest_json(self.recipes.of_stage(stage))
                    self._stages[known] = replace(stage, key=key)
                stages.append(self._stages[known])
        if not stages:
            raise InputError("num_steps", "every stage of a chain has 0 steps", "give it some")
        return tuple(stages)

    def _trial(self, stages: tuple[Stage, ...]) -> Trial:
        tasks = Chain(stage.mixture for stage in stages).tasks
        models = [(0, self._base, stages[0]), *((s.number, s.key, s) for s in stages)]
        scored = [(*model, task) for model in models for task in tasks]
        evaluations = tuple(self._evaluation(*one) for one in scored)
        curvatures, changes = self._curvatures(stages, tasks)
        own = self._space.find_measurements()
        custom = tuple(self._custom(one, *place) for one in own for place in scored)
        name, seed = self._name_of(stages), stages[0].seed
        return Trial(name, seed, stages, evaluations, curvatures, changes, custom=custom)

    def _name_of(self, stages: tuple[Stage, ...]) -> str:
        """A trial's name; of two whose short digests are the same the second has a longer one."""
        identity, key = _identity(stages), stages[-1].key
        name = _name(stages, key[:NUM_DIGITS])
        first = self._names.setdefault(name, identity)
        if first == identity:
            return name
        digits = digest_json(identity) if first[0] == key else key
        return _name(stages, digits[: 2 * NUM_DIGITS])

    def _scout(self, stage: Stage) -> Trial:
        search, task = self._space.search, stage.mixture[0].task
        curvatures = (self._curvature(stage, task),) if search.orders != ("listed",) else ()
        validation = None
        if search.first_stage == "best":
            key = digest_json(self.recipes.validation(stage.key, task, stage))
            validation = Measurement(stage.number, stage.key, task, key, EntryKind.EVALUATION)
        name = f"scout-{self._name_of((stage,))}"
        return Trial(name, stage.seed, (stage,), (), curvatures, validation=validation)

    def _evaluation(self, number: int, model: str, stage: Stage, task: str) -> Measurement:
        known = (model, task, stage.data_seed, *self._scoring(stage))
        if known not in self._measured:
            key = digest_json(self.recipes.evaluation(model, task, stage))
            self._measured[known] = Measurement(number, model, task, key, EntryKind.EVALUATION)
        return self._measured[known]

    def _scoring(self, stage: Stage) -> tuple[Any, ...]:
        """What of a stage's hyperparameters decides how its model is scored."""
        settings = stage.hyperparameters
        if settings not in self._scorings:
            self._scorings[settings] = tuple(decisive(settings, Key.EVALUATION).values())
        return self._scorings[settings]

    def _custom(
        self, own: CustomMeasurement, number: int, model: str, stage: Stage, task: str
    ) -> Measurement:
        key = digest_json(self.recipes.custom(model, task, stage, own))
        return Measurement(number, model, task, key, EntryKind.CUSTOM, own.name)

    def _curvatures(
        self, stages: tuple[Stage, ...], tasks: tuple[str, ...]
    ) -> tuple[tuple[Measurement, ...], tuple[Measurement, ...]]:
        """The curvatures of a trial, and what the stages after them do to the same losses."""
        settings = self._space.curvature
        if not settings.enabled:
            return (), ()
        curvatures, changes = [], []
        for stage in stages if settings.stages == "all" else stages[:1]:
            for task in tasks if settings.tasks == "all" else [stage.mixture[0].task]:
                curvatures.append(self._curvature(stage, task))
                if settings.content and task not in self._generative:
                    curvatures.append(self._curvature(stage, task, "content"))
                if settings.changes and stage.number < len(stages):
                    changes.append(self._change(stage, stages[stage.number], task))
        return tuple(curvatures), tuple(changes)

    def _curvature(self, stage: Stage, task: str, part: Part = "whole") -> Measurement:
        known = (EntryKind.CURVATURE, stage.key, stage.data_seed, task, part)
        if known not in self._measured:
            key = digest_json(self.recipes.spectral_radius(stage, task, part))
            self._measured[known] = Measurement(
                stage.number, stage.key, task, key, EntryKind.CURVATURE, part=part
            )
        return self._measured[known]

    def _change(self, stage: Stage, following: Stage, task: str) -> Measurement:
        """From one stage to the next."""
        known = (EntryKind.CHANGE, stage.key, following.key, stage.data_seed, task)
        if known not in self._measured:
            key = digest_json(self.recipes.change(stage, following, task))
            self._measured[known] = Measurement(
                following.number, following.key, task, key, known[0]
            )
        return self._measured[known]


def _identity(stages: Sequence[Stage]) -> tuple[str, int]:
    """What tells a trial from others: of few rows two draws may have the same order."""
    return stages[-1].key, stages[-1].data_seed


def _name(stages: Sequence[Stage], digits: str) -> str:
    """The first tasks and digits that tell of all that was done: short enough for a file's name."""
    tasks = "-".join(stage.mixture[0].task for stage in stages)
    if len(tasks) > MAX_NAME:
        tasks = f"{tasks[:MAX_NAME].rstrip('-')}-{len(stages)}-stages"
    return f"{tasks}-{digits}"
