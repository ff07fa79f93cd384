"""What a plan will cost: work, time, memory, storage and money, from stated assumptions.

With N parameters, training takes 6 N floating-point operations a token (Kaplan et al., 2020), an
evaluation 2 N, and a Hessian-vector product 18 N by double backward and 22 N layer by layer. An
accelerator does a stated share of its peak. Without one nothing is known of a worker's speed until
it is measured: a measured number of training tokens a second stands for 6 N times as many
operations. `memory` tells what a worker holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from raysweep.cost.activations import weight_bytes
from raysweep.cost.memory import PeakMemory, peak_memory
from raysweep.cost.tokens import TokenCounts, token_counts
from raysweep.errors import InputError
from raysweep.plan.plan import Plan
from raysweep.plan.trials import Measurement, Stage
from raysweep.store.store import EntryKind, EntryName
from raysweep.store.weights_budget import GB

PRODUCTS = 20  # Hessian-vector products of a typical measurement
PRODUCTS_OF_CHANGE = 2  # one, and two gradients
GRADIENTS_OF_PRODUCT = 3
Entries = Collection[EntryName]


@dataclass(frozen=True)
class Accelerator:
    """A device: its peak in TFLOP/s (dense bfloat16) and its memory in GiB."""

    peak_tflops: float
    memory_gib: float


ACCELERATORS: Mapping[str, Accelerator] = {
    "A10G": Accelerator(70, 24),
    "A100-40GB": Accelerator(312, 40),
    "A100-80GB": Accelerator(312, 80),
    "H100": Accelerator(989, 80),
    "H200": Accelerator(989, 141),
    "L4": Accelerator(121, 24),
    "L40S": Accelerator(362, 48),
}


@dataclass(frozen=True)
class Assumptions:
    """What a forecast rests on.

    Attributes:
        accelerator: of each worker; None for workers without one.
        utilisation: share of the peak that is reached.
        tokens_per_second: of training, per worker, if it was measured; replaces the peak.
        startup_seconds: of a trial's worker group.
        price: of a worker and hour; None if money is no matter.
    """

    accelerator: str | None = "A100-80GB"
    utilisation: float = 0.35
    tokens_per_second: float | None = None
    startup_seconds: float = 60.0
    price: float | None = 2.0

    def __post_init__(self) -> None:
        if self.accelerator is not None and self.accelerator not in ACCELERATORS:
            known = ", ".join(ACCELERATORS)
            raise InputError(f"--gpu {self.accelerator}", "unknown", f"use one of {known}")


DEFAULTS = Assumptions()


def assumptions_for(
    plan: Plan,
    *,
    gpu: str | None = None,
    utilisation: float = DEFAULTS.utilisation,
    tokens_per_second: float | None = None,
    startup_seconds: float = DEFAULTS.startup_seconds,
    price: float | None = None,
) -> Assumptions:
    """Those of a plan: workers without a GPU have neither an accelerator nor a usual price.

    Raises:
        InputError: the accelerator is unknown.
    """
    uses_gpu = gpu is not None or plan.space.workers.use_gpu
    return Assumptions(
        (gpu or DEFAULTS.accelerator) if uses_gpu else None,
        utilisation,
        tokens_per_second,
        startup_seconds,
        DEFAULTS.price if price is None and uses_gpu else price,
    )


@dataclass(frozen=True)
class Cost:
    """A forecast. Hours are None where no speed is known, and money where no price is.

    Attributes:
        num_stages_left, num_evaluations_left: those not finished yet.
        num_examples_evaluated: test rows scored, over all distinct evaluations.
        num_tokens_trained: over all distinct stages.
        tokens_are_counted: by the model's tokenizer; else estimated at four characters a token.
        worker_hours: hours of all workers together.
        worker_hours_unshared: the same work with every trial on its own.
        worker_hours_left: of what is not finished yet.
        critical_hours, critical_hours_left: of the clock: the longest work that one trial depends
            on, with the start of its workers. However many trials run at once, it takes no less.
        gpu_hours, gpu_hours_unshared: the same, None where workers have no accelerator.
        money: for all distinct work.
        state_gib: model states per worker while training; without activations.
        replica_gib: the whole model on one worker, as for an evaluation.
        peak_gib: the largest need of ``memory``, model states and activations.
        storage_gb: weights of all distinct stages.
    """

    num_trials: int
    num_stages_asked: int
    num_stages_distinct: int
    num_stages_left: int
    num_evaluations: int
    num_evaluations_left: int
    num_examples_evaluated: int
    num_tokens_trained: float
    tokens_are_counted: bool
    worker_hours: float | None
    worker_hours_unshared: float | None
    worker_hours_left: float | None
    critical_hours: float | None
    critical_hours_left: float | None
    gpu_hours: float | None
    gpu_hours_unshared: float | None
    money: float | None
    state_gib: float
    replica_gib: float
    peak_gib: float
    memory: PeakMemory
    storage_gb: float


class _Work(NamedTuple):
    """What one entry of the store takes: floating-point operations, tokens or rows."""

    operations: float
    num_tokens: float = 0.0
    num_rows: int = 0


def _distinct_work(plan: Plan, counts: Mapping[str, TokenCounts]) -> dict[EntryName, _Work]:
    """The work of a plan's trials; what several of them ask for is one and the same."""
    size, curvature = plan.checkpoint.num_parameters, plan.space.curvature
    per_product = 22 if curvature.is_layerwise(plan.space.workers.zero_stage) else 18
    num_gradients = curvature.path_points + 1 if curvature.path_points else 0
    per_change = PRODUCTS_OF_CHANGE + num_gradients / GRADIENTS_OF_PRODUCT

    trained: dict[tuple[int, int], _Work] = {}  # by identity: settings are few, and the plan's own
    measured: dict[tuple[EntryKind, str], _Work] = {}

    def training(stage: Stage) -> _Work:
        num_rows = stage.hyperparameters.num_steps * stage.hyperparameters.global_batch_size
        means = [counts[part.task].train_mean for part in stage.mixture]
        tokens = num_rows * sum(means) / len(means)
        return _Work(6 * size * tokens, num_tokens=tokens)

    def measuring(one: Measurement) -> _Work:
        count = counts[one.task]
        if one.kind in (EntryKind.EVALUATION, EntryKind.CUSTOM):
            return _Work(2 * size * count.test_mean * count.num_test, num_rows=count.num_test)
        products = PRODUCTS if one.kind == EntryKind.CURVATURE else per_change
        return _Work(per_product * size * (products * curvature.num_samples * count.train_mean))

    made: dict[EntryName, _Work] = {}
    for trial in plan.all_trials:
        for stage in trial.stages:
            if (entry := stage.entry) not in made:
                alike = id(stage.mixture), id(stage.hyperparameters)
                made[entry] = trained.get(alike) or trained.setdefault(alike, training(stage))
        for one in trial.measurements:
            if (entry := one.entry) not in made:
                kind = one.kind, one.task
                made[entry] = measured.get(kind) or measured.setdefault(kind, measuring(one))
    return made


def forecast(plan: Plan, assumptions: Assumptions, finished: Entries = ()) -> Cost:
    """What the plan's distinct work takes, and what it would take unshared.

    Args:
        finished: entries that are in the store already.
    """
    counts = token_counts(plan)
    distinct = _distinct_work(plan, counts)
    trials = plan.all_trials
    left = {entry: work for entry, work in distinct.items() if entry not in finished}
    num_unfinished = sum(any(entry in left for entry in trial.entries) for trial in trials)
    hours = _hours(distinct.values(), len(trials), plan, assumptions)
    works = (distinct[entry] for trial in trials for entry in trial.entries)
    unshared = _hours(works, len(trials), plan, assumptions)
    has_gpu, price = assumptions.accelerator is not None, assumptions.price
    memory = peak_memory(plan, counts)
    return Cost(
        num_trials=len(trials),
        num_stages_asked=plan.num_stages_asked,
        num_stages_distinct=plan.num_stages_distinct,
        num_stages_left=_number(left, EntryKind.STAGE),
        num_evaluations=_number(distinct, EntryKind.EVALUATION),
        num_evaluations_left=_number(left, EntryKind.EVALUATION),
        num_examples_evaluated=sum(work.num_rows for work in distinct.values()),
        num_tokens_trained=sum(work.num_tokens for work in distinct.values()),
        tokens_are_counted=plan.encoder is not None,
        worker_hours=hours,
        worker_hours_unshared=unshared,
        worker_hours_left=_hours(left.values(), num_unfinished, plan, assumptions),
        critical_hours=_critical_hours(distinct, plan, assumptions),
        critical_hours_left=_critical_hours(left, plan, assumptions),
        gpu_hours=hours if has_gpu else None,
        gpu_hours_unshared=unshared if has_gpu else None,
        money=None if hours is None or price is None else hours * price,
        state_gib=memory.training.states_gib,
        replica_gib=memory.evaluation.states_gib,
        peak_gib=memory.peak_gib,
        memory=memory,
        storage_gb=_storage_gb(plan),
    )


def _hours(
    works: Iterable[_Work], num_trials: int, plan: Plan, assumptions: Assumptions
) -> float | None:
    """Hours of all workers together, the start of the trials' workers included."""
    rate = _rate(plan.checkpoint.num_parameters, assumptions)
    if rate is None:
        return None
    startup = num_trials * assumptions.startup_seconds * plan.space.workers.num_workers
    return (sum(work.operations for work in works) / rate + startup) / 3600


def _critical_hours(
    works: Mapping[EntryName, _Work], plan: Plan, assumptions: Assumptions
) -> float | None:
    """Hours of the clock of the trial that has most to do, or to wait for."""
    rate = _rate(plan.checkpoint.num_parameters, assumptions)
    if rate is None:
        return None
    sums = (
        [works[entry].operations for entry in trial.entries if entry in works]
        for trial in plan.all_trials
    )
    most = max((sum(one) for one in sums if one), default=None)
    if most is None:
        return 0.0
    seconds = most / (rate * plan.space.workers.num_workers)
    return (seconds + assumptions.startup_seconds) / 3600


def _rate(num_parameters: int, assumptions: Assumptions) -> float | None:
    """Floating-point operations a second of one worker; None if nothing is known of it."""
    if assumptions.tokens_per_second:
        return 6 * num_parameters * assumptions.tokens_per_second
    if assumptions.accelerator is None:
        return None
    return ACCELERATORS[assumptions.accelerator].peak_tflops * 1e12 * assumptions.utilisation


def _number(entries: Entries, wanted: EntryKind) -> int:
    return sum(kind == wanted for kind, _ in entries)


def _storage_gb(plan: Plan) -> float:
    dtypes = {s.key: s.hyperparameters.dtype for trial in plan.all_trials for s in trial.stages}
    num_bytes = sum(weight_bytes(dtype) for dtype in dtypes.values())
    return plan.checkpoint.num_parameters * num_bytes / GB
