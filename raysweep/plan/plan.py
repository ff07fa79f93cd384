"""The plan of a sweep: from a search space to its trials."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from raysweep.digest import digest_json
from raysweep.errors import InputError
from raysweep.measures.judge_files import find_judge
from raysweep.model.checkpoint import Checkpoint
from raysweep.model.encoding import Encoder
from raysweep.model.tokenizer import TOKENIZER, load_encoder
from raysweep.plan import versions
from raysweep.plan.lengths import check_answers, check_rows_fit
from raysweep.plan.metrics import check_metrics
from raysweep.plan.planner import Planner
from raysweep.plan.points import axes_of
from raysweep.plan.recipes import Recipes
from raysweep.plan.scouts import Findings
from raysweep.plan.trials import Trial
from raysweep.settings.identity import Key, decisive
from raysweep.space.axes import as_axis
from raysweep.space.space import SearchSpace
from raysweep.tasks.splits import Splits, load_splits
from raysweep.training.settings import Hyperparameters


@dataclass(frozen=True)
class Plan:
    """All trials of a sweep.

    Attributes:
        sweep: name of the sweep with a digest of what decides its results.
        trials: where scouts or Optuna decide which ones follow, stand-ins for the purpose of
            counting.
        scouts: single stages that are trained first, to decide by them which trials follow.
        encoder: of all texts; None for a plan that is only looked at, without a tokenizer.
    """

    sweep: str
    space: SearchSpace
    checkpoint: Checkpoint
    trials: tuple[Trial, ...]
    splits: Mapping[str, Splits] = field(repr=False)
    planner: Planner = field(repr=False, compare=False)
    scouts: tuple[Trial, ...] = ()
    encoder: Encoder | None = field(default=None, repr=False, compare=False)

    @property
    def all_trials(self) -> tuple[Trial, ...]:
        """Scouts and trials."""
        return (*self.scouts, *self.trials)

    @property
    def num_stages_asked(self) -> int:
        """Stages of all trials."""
        return sum(len(trial.stages) for trial in self.all_trials)

    @property
    def num_stages_distinct(self) -> int:
        """Stages that have to be trained, each once."""
        return len({stage.key for trial in self.all_trials for stage in trial.stages})

    @property
    def recipes(self) -> Recipes:
        """What the keys are digests of."""
        return self.planner.recipes

    def decided(self, findings: Findings) -> Plan:
        """The plan with the trials that follow from what the scouts have found."""
        return replace(self, trials=tuple(self.planner.trials(findings)), scouts=())


def make_plan(
    space: SearchSpace, checkpoint: Checkpoint, splits: Mapping[str, Splits] | None = None
) -> Plan:
    """Expands a search space.

    Args:
        splits: stand-ins for the tasks' rows, for a plan that is only looked at.

    Raises:
        InputError: the data is missing, or the model cannot be measured as asked.
    """
    curvature = space.curvature
    needs_replica = curvature.enabled and not curvature.is_layerwise(space.workers.zero_stage)
    if needs_replica and checkpoint.num_parameters > curvature.max_parameters:
        raise InputError(
            "curvature.max_parameters",
            f"{curvature.max_parameters:,} is less than the model's "
            f"{checkpoint.num_parameters:,} parameters",
            "set curvature.enabled: false, or curvature.operator: layerwise, which keeps the "
            "weights sharded; or raise it if each worker can hold a replica of about 28 bytes a "
            "parameter",
        )
    check_metrics(space)
    tasks, judges, is_outline = space.find_tasks(), dict[str, str](), splits is not None
    if splits is None:
        judges = {name: _judge(space, name) for name, task in tasks.items() if task.is_generative}
        splits = {name: load_splits(task, space.data) for name, task in tasks.items()}
    encoder = _encoder(space, checkpoint, is_optional=is_outline)
    _check_sequence_limits(space, checkpoint, splits, encoder)
    if encoder and not is_outline:
        _check_validation(space, splits)
        for one in splits.values():
            check_answers(one, encoder)
    encoding = encoder.marks if encoder else {}
    rows = {name: one.digests for name, one in splits.items()}
    recipes = Recipes(rows, judges, space.curvature, encoding, checkpoint.was_misread)
    planner = Planner(space, checkpoint.digest, recipes)
    trials, scouts = tuple(planner.trials()), tuple(planner.scouts())
    if scouts or space.search.method == "optuna":
        digest = _sweep_digest(space, checkpoint.digest, recipes)
    else:
        digest = digest_json([[one.id, [m.key for m in one.measurements]] for one in trials])
    name = f"{space.name}-{digest[:8]}"
    return Plan(name, space, checkpoint, trials, splits, planner, scouts, encoder)


def _encoder(space: SearchSpace, checkpoint: Checkpoint, *, is_optional: bool) -> Encoder | None:
    """The encoder of all texts; None where the tokenizer is optional and not there."""
    if is_optional and not (checkpoint.folder / TOKENIZER).is_file():
        return None
    size = checkpoint.architecture.vocabulary_size
    return load_encoder(checkpoint.folder, size, space.beginning_mark)


def _sweep_digest(space: SearchSpace, base: str, recipes: Recipes) -> str:
    """A digest of what decides the results of a sweep whose trials are not known beforehand."""
    made = [versions.TRAINING, versions.EVALUATION, versions.CURVATURE, dict(recipes.encoding)]
    rows, judges = dict(recipes.rows), dict(recipes.judges)
    return digest_json([decisive(space, Key.SWEEP), base, rows, judges, made])


def _check_validation(space: SearchSpace, splits: Mapping[str, Splits]) -> None:
    for chain in space.chains if space.search.first_stage == "best" else ():
        if not splits[chain.first_task].validation:
            raise InputError(
                "search.first_stage = best",
                f"task {chain.first_task!r} has no validation rows to choose by",
                "raise data.num_validation, or lower data.num_train",
            )


def _judge(space: SearchSpace, task: str) -> str:
    """A digest of who judges a task's responses."""
    judge = space.judge_of(task)
    if judge is None:
        raise InputError(
            "judge",
            f"none is given, and the responses of task {task!r} need one",
            "convert the paper's once, raysweep judge tomh/toxigen_roberta --out FOLDER, "
            "and set judge: FOLDER",
        )
    return find_judge(judge, space.toxic_class)


def _check_sequence_limits(
    space: SearchSpace,
    checkpoint: Checkpoint,
    splits: Mapping[str, Splits],
    encoder: Encoder | None,
) -> None:
    """Under each stage's own limit: what it trains on, and all tasks of its chain, tested after it.

    A stage that may take several limits is checked under the smallest.

    Raises:
        InputError: a limit is more than the model's positions, or a row is longer than its limit.
    """
    for length in {len(chain) for chain in space.chains}:
        for key, limits in _limits(space, length):
            if max(limits) > checkpoint.max_positions:
                raise InputError(
                    key,
                    f"{max(limits)} is more than the model's {checkpoint.max_positions} positions",
                    f"set it to at most {checkpoint.max_positions}",
                )
    smallest: dict[tuple[str, str], int] = {}
    for chain in space.chains:
        limits_of = [min(limits) for _, limits in _limits(space, len(chain))]
        trains_anywhere = space.search.orders != ("listed",) or space.curvature.tasks == "all"
        for stage, mixture in zip(limits_of, chain, strict=True):
            wanted = {"test": min(limits_of), "validation": limits_of[0]}
            wanted["train"] = min(limits_of) if trains_anywhere else stage
            for part, (kind, limit) in itertools.product(mixture, wanted.items()):
                smallest[part.task, kind] = min(smallest.get((part.task, kind), limit), limit)
    for (task, kind), limit in smallest.items():
        others: dict[str, Any] = dict.fromkeys({"train", "validation", "test"} - {kind}, ())
        check_rows_fit(replace(splits[task], **others), limit, encoder)


def _limits(space: SearchSpace, length: int) -> list[tuple[str, tuple[int, ...]]]:
    """The key that decides each stage's limit, and the values that it may have."""
    default = as_axis(Hyperparameters().sequence_limit)
    axes, found = {"sequence_limit": default, **axes_of(space, length)}, []
    for number in range(1, length + 1):
        keys = (f"stages.{number}.sequence_limit", "stage.sequence_limit", "sequence_limit")
        key = next(one for one in keys if one in axes)
        found.append((key, tuple(map(int, axes[key].examples))))
    return found
