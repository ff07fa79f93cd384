"""Makes trials of chains, points and seeds; equal stages and measurements are made once."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
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
from raysweep.space.space import SearchSpace
from raysweep.store.store import EntryKind
from raysweep.training.settings import Hyperparameters

MAX_NAME = 100  # letters of the tasks in a trial's name; a file's name has room for 255 bytes
NUM_DIGITS = 8  # of a key in it

Placed = tuple[Chain, Point, int]
"""A chain at a point of the search, with a seed."""


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
        self._evaluated: dict[tuple[Any, ...], tuple[Measurement, ...]] = {}
        self._evaluation_keys: dict[tuple[Any, ...], str] = {}
        self._scorings: dict[Hyperparameters, dict[str, Any]] = {}
        self._loss_keys: dict[tuple[str, ...], str] = {}
        self._points: dict[int, list[Point]] = {}
        self._made: dict[tuple[Any, ...], Any] = {}
        self._names: dict[str, str] = {}

    def trials(self, findings: Findings | None = None) -> Iterator[Trial]:
        """All trials of the space, no two alike.

        Args:
            findings: what the scouts have found. Without them the trials of a space that has
                scouts are stand-ins for the purpose of counting, as are those of an Optuna search.
        """
        search = self._space.search
        if search.method == "optuna":
            yield from self._drawn()
        elif search.has_scouts and findings is None:
            yield from self._distinct(self._stand_ins())
        elif findings is not None:
            yield from self._distinct(self._following(findings))
        else:
            yield from self._distinct(self._grid())

    def _grid(self) -> Iterator[Placed]:
        """Every chain at every point, with every seed."""
        for chain, seed in itertools.product(self._space.chains, self._space.seeds):
            for point in self._points_of(len(chain)):
                yield chain, point, seed

    def _following(self, findings: Findings) -> Iterator[Placed]:
        """What follows from the scouts: chains in the wanted orders, from the best first stages.

        A chain of which a scout has failed is left out: nothing is known of where it may start.
        """
        is_choosy = self._space.search.first_stage == "best"
        for chain, point, seed in self._grid():
            for order in self._space.search.orders:
                ordered = findings.ordered(chain, point[0], seed, order)
                if ordered and not (is_choosy and findings.best(ordered[0], seed) != point[0]):
                    yield ordered, point, seed

    def _stand_ins(self) -> Iterator[Placed]:
        """About as many as will follow: from the first point of each first stage where one is
        chosen, in the listed order, or for sharpest_first in its reverse.
        """
        is_choosy = self._space.search.first_stage == "best"
        for chain, point, seed in self._grid():
            if not is_choosy or point[0] == self._points_of(len(chain))[0][0]:
                for order in self._space.search.orders:
                    reverse = Chain(chain[::-1])
                    yield reverse if order == "sharpest_first" else chain, point, seed

    def _distinct(self, placed: Iterator[Placed]) -> Iterator[Trial]:
        seen = set()
        for chain, point, seed in placed:
            stages = self._chain(chain, point, seed)
            if stages[-1].key not in seen:
                seen.add(stages[-1].key)
                yield self._trial(stages)

    def _drawn(self) -> Iterator[Trial]:
        """Stand-ins for what Optuna will propose: as many trials, drawn at random."""
        search = self._space.search
        source = random.Random(search.seed)
        drawn: dict[str, Trial] = {}
        for _ in range(search.num_samples or 0):
            chain = source.choice(self._space.chains)
            axes = axes_of(self._space, len(chain))
            values = {name: axis.draw(source) for name, axis in axes.items()}
            trial = self.trial(chain, values, self._space.seeds[0])
            drawn.setdefault(trial.id, trial)
        yield from drawn.values()

    def scouts(self) -> Iterator[Trial]:
        """Single stages by which it is decided which trials follow; none if nothing is."""
        search, seen = self._space.search, set()
        if not search.has_scouts:
            return
        for chain, seed in itertools.product(self._space.chains, self._space.seeds):
            firsts = chain if search.orders != ("listed",) else chain[:1]
            for mixture, point in itertools.product(firsts, self._points_of(len(chain))):
                (stage,) = self._chain(Chain([mixture]), point[:1], seed)
                if stage.key not in seen:
                    seen.add(stage.key)
                    yield self._scout(stage)

    def trial(self, chain: Chain, values: Mapping[str, Any], seed: int) -> Trial:
        """The trial of one chain at the point at which the axes have these values."""
        return self._trial(self._chain(chain, as_point(values, len(chain), self._made), seed))

    def _points_of(self, length: int) -> list[Point]:
        if length not in self._points:
            self._points[length] = list(points(self._space, length))
        return self._points[length]

    def _chain(self, chain: Chain, point: Point, seed: int) -> tuple[Stage, ...]:
        """The stages of a trial; those of 0 steps are left out."""
        stages: list[Stage] = []
        for mixture, hyperparameters in zip(chain, point, strict=True):
            if hyperparameters.num_steps:
                parent = stages[-1].key if stages else self._base
                known = (len(stages) + 1, parent, mixture, hyperparameters, seed)
                if known not in self._stages:
                    key = digest_json(self.recipes.stage(parent, mixture, hyperparameters, seed))
                    self._stages[known] = Stage(
                        len(stages) + 1, mixture, hyperparameters, seed, parent, key
                    )
                stages.append(self._stages[known])
        if not stages:
            raise InputError("num_steps", "every stage of a chain has 0 steps", "give it some")
        return tuple(stages)

    def _trial(self, stages: tuple[Stage, ...]) -> Trial:
        tasks = tuple(dict.fromkeys(part.task for stage in stages for part in stage.mixture))
        models = [(0, self._base, stages[0]), *((s.number, s.key, s) for s in stages)]
        evaluations = tuple(
            one
            for number, key, stage in models
            for one in self._evaluations(number, key, stage, tasks)
        )
        curvatures, changes = self._curvatures(stages, tasks)
        custom = tuple(
            self._custom(one, number, key, task, stage)
            for one in self._space.find_measurements()
            for number, key, stage in models
            for task in tasks
        )
        return Trial(
            self._name_of(stages),
            stages[0].seed,
            stages,
            evaluations,
            curvatures,
            changes,
            custom=custom,
        )

    def _name_of(self, stages: tuple[Stage, ...]) -> str:
        """A trial's name; of two whose short digests are the same the second has a longer one."""
        name, key = _name(stages), stages[-1].key
        return name if self._names.setdefault(name, key) == key else _name(stages, 2 * NUM_DIGITS)

    def _scout(self, stage: Stage) -> Trial:
        search, task = self._space.search, stage.mixture[0].task
        curvatures = (self._curvature(stage, task),) if search.orders != ("listed",) else ()
        validation = None
        if search.first_stage == "best":
            key = digest_json(self.recipes.validation(stage.key, task, stage))
            validation = Measurement(stage.number, stage.key, task, key, EntryKind.EVALUATION)
        name = f"scout-{_name((stage,))}"
        return Trial(name, stage.seed, (stage,), (), curvatures, validation=validation)

    def _evaluations(
        self, number: int, model: str, stage: Stage, tasks: tuple[str, ...]
    ) -> tuple[Measurement, ...]:
        """Those of one model; the trials that share the model share them, too."""
        known = (number, model, *self._scoring(stage).values(), tasks)
        if known not in self._evaluated:
            self._evaluated[known] = tuple(
                Measurement(
                    number,
                    model,
                    task,
                    self._evaluation_key(model, task, stage),
                    EntryKind.EVALUATION,
                )
                for task in tasks
            )
        return self._evaluated[known]

    def _evaluation_key(self, model: str, task: str, stage: Stage) -> str:
        known = (model, task, *self._scoring(stage).values())
        if known not in self._evaluation_keys:
            made = self.recipes.evaluation(model, task, stage)
            self._evaluation_keys[known] = digest_json(made)
        return self._evaluation_keys[known]

    def _scoring(self, stage: Stage) -> dict[str, Any]:
        """What of a stage's hyperparameters decides how its model is scored."""
        settings = stage.hyperparameters
        if settings not in self._scorings:
            self._scorings[settings] = decisive(settings, Key.EVALUATION)
        return self._scorings[settings]

    def _custom(
        self, one: CustomMeasurement, number: int, model: str, task: str, stage: Stage
    ) -> Measurement:
        key = digest_json(self.recipes.custom(model, task, stage, one))
        return Measurement(number, model, task, key, EntryKind.CUSTOM, one.name)

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
        known = (stage.key, task, part)
        if known not in self._loss_keys:
            self._loss_keys[known] = digest_json(self.recipes.spectral_radius(stage, task, part))
        key = self._loss_keys[known]
        return Measurement(stage.number, stage.key, task, key, EntryKind.CURVATURE, part=part)

    def _change(self, stage: Stage, following: Stage, task: str) -> Measurement:
        """From one stage to the next."""
        known = (stage.key, task, following.key)
        if known not in self._loss_keys:
            self._loss_keys[known] = digest_json(self.recipes.change(stage, following, task))
        key = self._loss_keys[known]
        return Measurement(following.number, following.key, task, key, EntryKind.CHANGE)


def _name(stages: Sequence[Stage], num_digits: int = NUM_DIGITS) -> str:
    """The first tasks and a digest of all that was done: short enough for a file's name."""
    tasks = "-".join(stage.mixture[0].task for stage in stages)
    if len(tasks) > MAX_NAME:
        tasks = f"{tasks[:MAX_NAME].rstrip('-')}-{len(stages)}-stages"
    return f"{tasks}-{stages[-1].key[:num_digits]}"
