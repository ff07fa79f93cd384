"""The plan: from a search space to trials, their stages and their keys. Pure.

A stage's key is a digest of all that decides its result: the parent's key (at the root, the base
model's digest), the mixture's rows, the hyperparameters, the seed and the format version. Where it
runs (workers, ZeRO stage, micro-batch) is not part of it. Equal keys mean equal work, done once.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from raysweep.axes import Axis, as_axis
from raysweep.checkpoint import Checkpoint, find_judge
from raysweep.config import Hyperparameters
from raysweep.digest import digest_json
from raysweep.errors import InputError
from raysweep.lengths import check_rows_fit
from raysweep.space import Part, SearchSettings, SearchSpace
from raysweep.tasks.splits import Splits, load_splits

Mixture = tuple[Part, ...]
FORMAT_VERSION = 1  # raise it when training, scoring or curvature change their results


@dataclass(frozen=True)
class Stage:
    """One finetune on a mixture of tasks, as a position in a trial.

    Attributes:
        number: position in the chain, from 1.
        parent: key of the stage before, or the base model's digest.
    """

    number: int
    mixture: tuple[Part, ...]
    hyperparameters: Hyperparameters
    seed: int
    parent: str
    key: str

    @property
    def label(self) -> str:
        """What the stage is trained on, such as ``toxigen`` or ``arc_easy + toxigen@5%``."""
        return " + ".join(map(str, self.mixture))

    @property
    def full_tasks(self) -> tuple[str, ...]:
        """The tasks of the mixture whose whole training set is used."""
        return tuple(part.task for part in self.mixture if part.fraction == 1)


@dataclass(frozen=True)
class Measurement:
    """An evaluation or curvature of one stage's model on one task, and its key in the store."""

    stage_number: int
    stage_key: str
    task: str
    key: str


@dataclass(frozen=True)
class Trial:
    """One chain with one set of hyperparameters and one seed.

    Attributes:
        evaluations: every task of the chain after every stage, the base model's as stage 0.
        curvature: that of the first task after the first stage, if it is measured.
    """

    id: str
    seed: int
    stages: tuple[Stage, ...]
    evaluations: tuple[Measurement, ...]
    curvature: Measurement | None

    @property
    def chain(self) -> str:
        """The stages' labels, in order."""
        return " -> ".join(stage.label for stage in self.stages)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The chain's tasks, each once, in the order of their first stage."""
        parts = (part.task for stage in self.stages for part in stage.mixture)
        return tuple(dict.fromkeys(parts))

    @property
    def first_task(self) -> str:
        """The task whose forgetting the trial is about."""
        return self.stages[0].mixture[0].task

    def learned_at(self, task: str) -> int | None:
        """The number of the task's first full stage."""
        return next((stage.number for stage in self.stages if task in stage.full_tasks), None)


@dataclass(frozen=True)
class Plan:
    """All trials of a sweep.

    Attributes:
        sweep: name of the sweep with a digest of what decides its results.
    """

    sweep: str
    space: SearchSpace
    checkpoint: Checkpoint
    trials: tuple[Trial, ...]
    splits: Mapping[str, Splits] = field(repr=False)

    @property
    def num_stages_asked(self) -> int:
        """Stages of all trials."""
        return sum(len(trial.stages) for trial in self.trials)

    @property
    def num_stages_distinct(self) -> int:
        """Stages that have to be trained, each once."""
        return len({stage.key for trial in self.trials for stage in trial.stages})


def make_plan(
    space: SearchSpace, checkpoint: Checkpoint, splits: Mapping[str, Splits] | None = None
) -> Plan:
    """Expands a search space.

    Args:
        splits: stand-ins for the tasks' rows, for a plan that is only looked at.

    Raises:
        InputError: the data is missing, or the model cannot be measured as asked.
    """
    if space.curvature.enabled and checkpoint.num_parameters > space.curvature.max_parameters:
        raise InputError(
            "curvature.max_parameters",
            f"{space.curvature.max_parameters:,} is less than the model's "
            f"{checkpoint.num_parameters:,} parameters",
            "set curvature.enabled: false, or raise it if each worker can hold a replica "
            "of about 28 bytes a parameter",
        )
    tasks, judges = space.find_tasks(), dict[str, str]()
    if splits is None:
        judges = {name: _judge(space, name) for name, task in tasks.items() if task.is_generative}
        splits = {name: load_splits(task, space.data) for name, task in tasks.items()}
    trials = tuple(_Planner(space, checkpoint, splits, judges).trials())
    _check_sequence_limits(trials, checkpoint, splits)
    digest = digest_json([[trial.id, _measurement_keys(trial)] for trial in trials])
    return Plan(f"{space.name}-{digest[:8]}", space, checkpoint, trials, splits)


def _judge(space: SearchSpace, task: str) -> str:
    """A digest of who judges a task's responses."""
    judge = space.judge_of(task)
    if judge is None:
        raise InputError(
            "judge",
            f"none is given, and the responses of task {task!r} need one",
            "convert the paper's once, python -m raysweep.judge tomh/toxigen_roberta --out FOLDER, "
            "and set judge: FOLDER",
        )
    return find_judge(judge)


def _check_sequence_limits(
    trials: Sequence[Trial], checkpoint: Checkpoint, splits: Mapping[str, Splits]
) -> None:
    limits = {stage.hyperparameters.sequence_limit for trial in trials for stage in trial.stages}
    if max(limits) > checkpoint.max_positions:
        raise InputError(
            "sequence_limit",
            f"{max(limits)} is more than the model's {checkpoint.max_positions} positions",
            f"set it to at most {checkpoint.max_positions}",
        )
    smallest: dict[str, int] = {}
    for trial in trials:
        limit = min(stage.hyperparameters.sequence_limit for stage in trial.stages)
        for task in trial.tasks:
            smallest[task] = min(limit, smallest.get(task, limit))
    for task, limit in smallest.items():
        check_rows_fit(splits[task], limit, checkpoint.folder)


class _Planner:
    """Makes trials; equal stages and measurements are made once and shared."""

    def __init__(
        self,
        space: SearchSpace,
        checkpoint: Checkpoint,
        splits: Mapping[str, Splits],
        judges: Mapping[str, str],
    ) -> None:
        self._space, self._base = space, checkpoint.digest
        self._splits, self._judges = splits, judges
        self._stages: dict[tuple[Any, ...], Stage] = {}
        self._evaluation_keys: dict[tuple[Any, ...], str] = {}

    def trials(self) -> Iterator[Trial]:
        """All trials of the space, no two alike."""
        points = {
            length: list(_points(self._space, length))
            for length in {len(chain) for chain in self._space.chains}
        }
        seen = set()
        for chain, seed in itertools.product(self._space.chains, self._space.seeds):
            for point in points[len(chain)]:
                stages = self._chain(chain, point, seed)
                if stages[-1].key not in seen:
                    seen.add(stages[-1].key)
                    yield self._trial(stages)

    def _chain(
        self, chain: Sequence[Mixture], point: Sequence[Hyperparameters], seed: int
    ) -> tuple[Stage, ...]:
        """The stages of a trial; those of 0 steps are left out."""
        stages: list[Stage] = []
        for mixture, hyperparameters in zip(chain, point, strict=True):
            if hyperparameters.num_steps:
                parent = stages[-1].key if stages else self._base
                stages.append(self._stage(len(stages) + 1, parent, mixture, hyperparameters, seed))
        if not stages:
            raise InputError("num_steps", "every stage of a chain has 0 steps", "give it some")
        return tuple(stages)

    def _stage(
        self,
        number: int,
        parent: str,
        mixture: Mixture,
        hyperparameters: Hyperparameters,
        seed: int,
    ) -> Stage:
        known = (number, parent, mixture, hyperparameters, seed)
        if known not in self._stages:
            parts = [
                [part.task, part.fraction, self._splits[part.task].train_digest] for part in mixture
            ]
            content = {
                "format": FORMAT_VERSION,
                "parent": parent,
                "mixture": parts,
                "hyperparameters": hyperparameters.model_dump(),
                "seed": seed,
            }
            key = digest_json(content)
            self._stages[known] = Stage(number, mixture, hyperparameters, seed, parent, key)
        return self._stages[known]

    def _trial(self, stages: tuple[Stage, ...]) -> Trial:
        tasks = tuple(dict.fromkeys(part.task for stage in stages for part in stage.mixture))
        models = [(0, self._base, stages[0]), *((s.number, s.key, s) for s in stages)]
        evaluations = tuple(
            Measurement(number, key, task, self._evaluation_key(key, task, stage.hyperparameters))
            for number, key, stage in models
            for task in tasks
        )
        first, task = stages[0], stages[0].mixture[0].task
        curvature = None
        if self._space.curvature.enabled:
            key = _curvature_key(first, self._splits[task], self._space)
            curvature = Measurement(1, first.key, task, key)
        name = "-".join(stage.mixture[0].task for stage in stages)
        return Trial(f"{name}-{stages[-1].key[:8]}", first.seed, stages, evaluations, curvature)

    def _evaluation_key(self, model: str, task: str, hyperparameters: Hyperparameters) -> str:
        known = (model, task, hyperparameters.sequence_limit, hyperparameters.dtype)
        if known not in self._evaluation_keys:
            self._evaluation_keys[known] = _evaluation_key(
                model, self._splits[task], hyperparameters, self._judges.get(task)
            )
        return self._evaluation_keys[known]


def _points(space: SearchSpace, length: int) -> Iterator[tuple[Hyperparameters, ...]]:
    """The hyperparameters of each stage, at every point of the search.

    An axis under ``stage`` moves all stages together, one under ``stages`` its own stage only.
    """
    axes: list[tuple[int, str, Axis]] = [
        (number, name, as_axis(value))
        for number, settings in _settings(space, length)
        for name, value in settings.items()
    ]
    made: dict[tuple[Any, ...], Hyperparameters] = {}
    for values in _combinations([axis for _, _, axis in axes], space.search):
        chosen = [(*axis[:2], value) for axis, value in zip(axes, values, strict=True)]
        yield tuple(_hyperparameters(number, chosen, made) for number in range(1, length + 1))


def _settings(space: SearchSpace, length: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Settings of all stages (0), then of each stage by its number."""
    yield 0, space.stage
    for number in range(1, length + 1):
        yield number, space.stages.get(number, {})


def _combinations(axes: Sequence[Axis], search: SearchSettings) -> Iterator[tuple[Any, ...]]:
    if search.num_samples is None:
        yield from itertools.product(*(axis.examples for axis in axes))
        return
    source = random.Random(search.seed)
    for _ in range(search.num_samples):
        yield tuple(axis.draw(source) for axis in axes)


def _hyperparameters(
    number: int,
    chosen: Sequence[tuple[int, str, Any]],
    made: dict[tuple[Any, ...], Hyperparameters],
) -> Hyperparameters:
    """Those of one stage: what holds for all stages, overridden by its own."""
    general = {name: value for owner, name, value in chosen if owner == 0}
    own = {name: value for owner, name, value in chosen if owner == number}
    settings = {**general, **own}
    known = tuple(settings.items())
    if known not in made:
        made[known] = Hyperparameters.model_validate(settings)
    return made[known]


def _evaluation_key(
    model: str, splits: Splits, hyperparameters: Hyperparameters, judge: str | None
) -> str:
    return digest_json(
        {
            "format": FORMAT_VERSION,
            "model": model,
            "task": splits.task.name,
            "test": splits.test_digest,
            "sequence_limit": hyperparameters.sequence_limit,
            "dtype": hyperparameters.dtype,
            "judge": judge,
        }
    )


def _curvature_key(stage: Stage, splits: Splits, space: SearchSpace) -> str:
    settings = space.curvature.model_dump(exclude={"enabled", "max_parameters"})
    return digest_json(
        {
            "format": FORMAT_VERSION,
            "model": stage.key,
            "task": splits.task.name,
            "train": splits.train_digest,
            "sequence_limit": stage.hyperparameters.sequence_limit,
            "settings": settings,
            "seed": stage.seed,
        }
    )


def _measurement_keys(trial: Trial) -> list[str]:
    keys = [measurement.key for measurement in trial.evaluations]
    return [*keys, *([trial.curvature.key] if trial.curvature else [])]


if __name__ == "__main__":
    from raysweep.plan_command import run

    run()
