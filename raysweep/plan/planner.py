"""Makes trials of chains, points and seeds; equal stages and measurements are made once."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, TypeVar

from raysweep.digest import BLANKS, Form, digest_json
from raysweep.errors import InputError
from raysweep.measures.custom import CustomMeasurement
from raysweep.model.parts import Part
from raysweep.plan.points import Point, as_point, axes_of, points
from raysweep.plan.recipes import Recipe, Recipes
from raysweep.plan.scouts import Findings
from raysweep.plan.trials import Measurement, Stage, Trial
from raysweep.settings.identity import Key, decisive
from raysweep.space.chains import Chain, Mixture
from raysweep.space.data import Replicate
from raysweep.space.space import SearchSpace
from raysweep.store.store import EntryKind
from raysweep.training.settings import Hyperparameters

MAX_NAME = 100  # letters of the tasks in a trial's name; a file's name has room for 255 bytes
NUM_DIGITS = 8  # of a key in it

Placed = tuple[Chain, Point, Replicate]
"""A chain at a point of the search, with its seeds."""


Made = TypeVar("Made", Stage, Measurement)


@dataclass(frozen=True)
class _Alike(Generic[Made]):
    """What has recipes that differ only in the models that they name.

    Attributes:
        made: by the last of these models.
    """

    form: Form
    made: dict[str, Made] = field(default_factory=dict)


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
        alike: dict[Mixture, Mixture] = {}  # of equal mixtures all chains have the same one
        self._chains = [Chain(alike.setdefault(one, one) for one in c) for c in space.chains]
        self._own = space.find_measurements()
        self._stages: dict[tuple[Any, ...], _Alike[Stage]] = {}
        self._measured: dict[EntryKind, dict[tuple[Any, ...], _Alike[Measurement]]] = {
            kind: {} for kind in EntryKind
        }
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
        known = set[tuple[str, int]]()
        for stages in itertools.starmap(self._chain, placed):
            if (identity := _identity(stages)) not in known:
                known.add(identity)
                yield self._trial(stages)
        self._forget()

    def _grid(self) -> Iterator[Placed]:
        """Every chain at every point, with every seed and data seed."""
        for chain, replicate in itertools.product(self._chains, self._space.replicates):
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
            chain = source.choice(self._chains)
            axes = axes_of(self._space, len(chain))
            values = {name: axis.draw(source) for name, axis in axes.items()}
            yield chain, as_point(values, len(chain), self._made), self._space.replicates[0]

    def scouts(self) -> Iterator[Trial]:
        """Single stages by which it is decided which trials follow; none if nothing is."""
        search = self._space.search
        if not search.has_scouts:
            return
        stages: dict[tuple[str, int], Stage] = {}
        for chain, replicate in itertools.product(self._chains, self._space.replicates):
            firsts = chain if search.orders != ("listed",) else chain[:1]
            for mixture, point in itertools.product(firsts, self._points_of(len(chain))):
                (stage,) = self._chain(Chain([mixture]), point[:1], replicate)
                stages.setdefault(_identity((stage,)), stage)
        yield from map(self._scout, stages.values())

    def trial(self, chain: Chain, values: Mapping[str, Any], replicate: Replicate) -> Trial:
        """The trial of one chain at the point at which the axes have these values."""
        point = as_point(values, len(chain), self._made)
        return self._trial(self._chain(chain, point, replicate))

    def _forget(self) -> None:
        """Drops what is kept so that nothing is made twice: the trials have it now."""
        self._stages.clear()
        for alike in self._measured.values():
            alike.clear()

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
                known = (id(mixture), id(hyperparameters), replicate)  # a stage keeps both
                alike = self._stages.get(known)
                if alike is None:
                    recipe = self.recipes.training(BLANKS[0], mixture, hyperparameters, replicate)
                    alike = self._stages[known] = _Alike(Form(recipe))
                if parent not in alike.made:
                    key = alike.form.digest(parent)
                    alike.made[parent] = Stage(
                        len(stages) + 1, mixture, hyperparameters, *replicate, parent, key
                    )
                stages.append(alike.made[parent])
        if not stages:
            raise InputError("num_steps", "every stage of a chain has 0 steps", "give it some")
        return tuple(stages)

    def _trial(self, stages: tuple[Stage, ...]) -> Trial:
        tasks = Chain(stage.mixture for stage in stages).tasks
        models = [(0, self._base, stages[0]), *((s.number, s.key, s) for s in stages)]
        evaluations = tuple(one for model in models for one in self._evaluations(*model, tasks))
        curvatures, changes = self._curvatures(stages, tasks)
        places = [(*model, task) for model in models for task in tasks] if self._own else ()
        custom = tuple(self._custom(one, *place) for one in self._own for place in places)
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

    def _evaluations(
        self, number: int, model: str, stage: Stage, tasks: Sequence[str]
    ) -> Iterator[Measurement]:
        """Of a model on each of the tasks, with the settings of a stage."""
        scoring = self._scoring(stage)
        for task in tasks:
            known = (task, stage.data_seed, scoring)
            recipe = partial(self.recipes.evaluation, BLANKS[0], task, stage)
            yield self._measurement(known, recipe, (model,), number, task, EntryKind.EVALUATION)

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
        known = (task, part, stage.seed, stage.data_seed, stage.hyperparameters)

        def recipe() -> Recipe:
            return self.recipes.spectral_radius(replace(stage, key=BLANKS[0]), task, part)

        kind, models = EntryKind.CURVATURE, (stage.key,)
        return self._measurement(known, recipe, models, stage.number, task, kind, part)

    def _change(self, stage: Stage, following: Stage, task: str) -> Measurement:
        """From one stage to the next."""
        known = (task, stage.seed, stage.data_seed, stage.hyperparameters)

        def recipe() -> Recipe:
            before, after = replace(stage, key=BLANKS[0]), replace(following, key=BLANKS[1])
            return self.recipes.change(before, after, task)

        models, kind = (stage.key, following.key), EntryKind.CHANGE
        return self._measurement(known, recipe, models, following.number, task, kind)

    def _measurement(
        self,
        known: tuple[Any, ...],
        recipe: Callable[[], Recipe],
        models: tuple[str, ...],
        number: int,
        task: str,
        kind: EntryKind,
        part: Part = "whole",
    ) -> Measurement:
        """The one of these models.

        Args:
            known: what the recipe is made of, the models aside.
            recipe: makes it, with blanks for the models.
            number: of the stage whose model is the last of them.
        """
        alike = self._measured[kind].get(known)
        if alike is None:
            alike = self._measured[kind][known] = _Alike(Form(recipe()))
        model = models[-1]
        if model not in alike.made:
            key = alike.form.digest(*models)
            alike.made[model] = Measurement(number, model, task, key, kind, part=part)
        return alike.made[model]


def _identity(stages: Sequence[Stage]) -> tuple[str, int]:
    """What tells a trial from others: of few rows two draws may have the same order."""
    return stages[-1].key, stages[-1].data_seed


def _name(stages: Sequence[Stage], digits: str) -> str:
    """The first tasks and digits that tell of all that was done: short enough for a file's name."""
    tasks = "-".join(stage.mixture[0].task for stage in stages)
    if len(tasks) > MAX_NAME:
        tasks = f"{tasks[:MAX_NAME].rstrip('-')}-{len(stages)}-stages"
    return f"{tasks}-{digits}"
