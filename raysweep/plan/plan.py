"""The plan of a sweep: from a search space to its trials."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from raysweep.digest import digest_json, digest_list
from raysweep.errors import InputError
from raysweep.measures.judge_files import find_judge
from raysweep.model.checkpoint import Checkpoint
from raysweep.model.encoding import Encoder
from raysweep.model.tokenizer import TOKENIZER, load_encoder
from raysweep.plan import versions
from raysweep.plan.limits import smallest_limits
from raysweep.plan.metrics import check_metrics
from raysweep.plan.planner import Planner
from raysweep.plan.recipes import Recipes
from raysweep.plan.rows import RowChecks, drawn_rows, outlined_rows
from raysweep.plan.scouts import Findings
from raysweep.plan.trials import Trial
from raysweep.settings.identity import Key, decisive
from raysweep.space.space import SearchSpace
from raysweep.tasks.splits import Splits


@dataclass(frozen=True)
class Plan:
    """All trials of a sweep.

    Attributes:
        sweep: name of the sweep with a digest of what decides its results.
        trials: where scouts or Optuna decide which ones follow, stand-ins for the purpose of
            counting.
        scouts: single stages that are trained first, to decide by them which trials follow.
        splits: rows of each task, as the first data seed draws them: by these is reckoned what a
            plan takes.
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
    # Of workers that take any shape ZeRO 3 is one: see `cost.shape`.
    zero_stage = 3 if space.workers.is_open("zero_stage") else space.workers.zero_stage
    needs_replica = curvature.enabled and not curvature.is_layerwise(zero_stage)
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
    tasks, is_outline = space.find_tasks(), splits is not None
    generative = [name for name in tasks if tasks[name].is_generative and not is_outline]
    judges = {name: _judge(space, name) for name in generative}
    encoder = _encoder(space, checkpoint, is_optional=is_outline)
    check = RowChecks(space, smallest_limits(space, checkpoint), encoder)
    splits, rows = drawn_rows(check) if splits is None else outlined_rows(check, splits)
    encoding = encoder.marks if encoder else {}
    recipes = Recipes(rows, space.data, judges, space.curvature, encoding, checkpoint.was_misread)
    planner = Planner(space, checkpoint.digest, recipes)
    with _uncollected():
        trials, scouts = tuple(planner.trials()), tuple(planner.scouts())
    if scouts or space.search.method == "optuna":
        digest = _sweep_digest(space, checkpoint.digest, recipes)
    else:
        digest = digest_list([one.id, [m.key for m in one.measurements]] for one in trials)
    name = f"{space.name}-{digest[:8]}"
    return Plan(name, space, checkpoint, trials, splits, planner, scouts, encoder)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Spares the search for circles among millions of new objects: there are none, and all stay."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _encoder(space: SearchSpace, checkpoint: Checkpoint, *, is_optional: bool) -> Encoder | None:
    """The encoder of all texts; None where the tokenizer is optional and not there."""
    if is_optional and not (checkpoint.folder / TOKENIZER).is_file():
        return None
    size = checkpoint.architecture.vocabulary_size
    return load_encoder(checkpoint.folder, size, space.beginning_mark)


def _sweep_digest(space: SearchSpace, base: str, recipes: Recipes) -> str:
    """A digest of what decides the results of a sweep whose trials are not known beforehand."""
    made = [versions.TRAINING, versions.EVALUATION, versions.CURVATURE, dict(recipes.encoding)]
    rows, *others = map(dict, recipes.rows.values())
    several = [list(space.replicates), others] if others else []
    later = [one for one in (several, decisive(space.data, Key.SWEEP)) if one]
    judges = dict(recipes.judges)
    return digest_json([decisive(space, Key.SWEEP), base, rows, judges, made, *later])


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
