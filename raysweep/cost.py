"""What a plan will cost: work, time, memory, storage and money, from stated assumptions. Pure.

With N parameters, training takes 6 N floating-point operations a token (Kaplan et al., 2020), an
evaluation 2 N, and a Hessian-vector product by double backward 12 N. An accelerator does a stated
share of its peak. Model states take, a parameter: weights and gradients 2 bytes each in bfloat16 (4
in float32), and optimizer states 12 (8); ZeRO divides them among the workers stage by stage.
Activations are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raysweep.config import Hyperparameters, WorkerSettings
from raysweep.errors import InputError
from raysweep.plan import Plan
from raysweep.tasks import Example

CHARACTERS_PER_TOKEN = 4.0
PRODUCTS = 20  # Hessian-vector products of a typical measurement
GIB, GB = 2**30, 1e9


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
        utilisation: share of the peak that is reached.
        tokens_per_second: of training, per worker, if it was measured; replaces the peak.
        startup_seconds: of a trial's worker group.
        price: of an accelerator and hour.
    """

    accelerator: str = "A100-80GB"
    utilisation: float = 0.35
    tokens_per_second: float | None = None
    startup_seconds: float = 60.0
    price: float = 2.0

    def __post_init__(self) -> None:
        if self.accelerator not in ACCELERATORS:
            known = ", ".join(ACCELERATORS)
            raise InputError(f"--gpu {self.accelerator}", "unknown", f"use one of {known}")


@dataclass(frozen=True)
class Cost:
    """A forecast.

    Attributes:
        num_examples_evaluated: test rows scored, over all distinct evaluations.
        num_tokens_trained: over all distinct stages.
        gpu_hours_unshared: the same work with every trial on its own.
        state_gib: model states per worker while training; without activations.
        replica_gib: the whole model on one worker, as for an evaluation.
        storage_gb: weights of all distinct stages.
    """

    num_trials: int
    num_stages_asked: int
    num_stages_distinct: int
    num_evaluations: int
    num_examples_evaluated: int
    num_tokens_trained: float
    gpu_hours: float
    gpu_hours_unshared: float
    money: float
    state_gib: float
    replica_gib: float
    storage_gb: float


def forecast(plan: Plan, assumptions: Assumptions) -> Cost:
    """What the plan's distinct work takes, and what it would take unshared."""
    lengths = {
        name: (_mean_tokens(splits.train), _mean_tokens(splits.test), len(splits.test))
        for name, splits in plan.splits.items()
    }
    stages, evaluations, curvatures = {}, {}, {}
    shared = unshared = tokens_trained = 0.0
    num_examples = 0
    size, workers = plan.checkpoint.num_parameters, plan.space.workers
    for trial in plan.trials:
        for stage in trial.stages:
            rows = stage.hyperparameters.num_steps * stage.hyperparameters.global_batch_size
            tasks = [part.task for part in stage.mixture]
            tokens = rows * sum(lengths[task][0] for task in tasks) / len(tasks)
            unshared += 6 * size * tokens
            if stage.key not in stages:
                stages[stage.key] = stage
                tokens_trained += tokens
                shared += 6 * size * tokens
        for one in trial.evaluations:
            _, length, rows = lengths[one.task]
            unshared += 2 * size * length * rows
            if one.key not in evaluations:
                evaluations[one.key] = one
                num_examples += rows
                shared += 2 * size * length * rows
        if trial.curvature:
            samples = plan.space.curvature.num_samples
            work = 12 * size * PRODUCTS * samples * lengths[trial.curvature.task][0]
            unshared += work
            if trial.curvature.key not in curvatures:
                curvatures[trial.curvature.key] = trial.curvature
                shared += work
    rate = _rate(size, assumptions)
    startup = len(plan.trials) * assumptions.startup_seconds * workers.num_workers / 3600
    hours = shared / rate / 3600 + startup
    return Cost(
        num_trials=len(plan.trials),
        num_stages_asked=plan.num_stages_asked,
        num_stages_distinct=len(stages),
        num_evaluations=len(evaluations),
        num_examples_evaluated=num_examples,
        num_tokens_trained=tokens_trained,
        gpu_hours=hours,
        gpu_hours_unshared=unshared / rate / 3600 + startup,
        money=hours * assumptions.price,
        state_gib=max(_state_gib(size, s.hyperparameters, workers) for s in stages.values()),
        replica_gib=max(size * _weight_bytes(s.hyperparameters) for s in stages.values()) / GIB,
        storage_gb=sum(size * _weight_bytes(s.hyperparameters) for s in stages.values()) / GB,
    )


def _rate(num_parameters: int, assumptions: Assumptions) -> float:
    """Floating-point operations a second of one accelerator."""
    if assumptions.tokens_per_second:
        return 6 * num_parameters * assumptions.tokens_per_second
    return ACCELERATORS[assumptions.accelerator].peak_tflops * 1e12 * assumptions.utilisation


def _mean_tokens(examples: Sequence[Example]) -> float:
    characters = sum(len(example.prompt) + len(example.target) for example in examples)
    return characters / CHARACTERS_PER_TOKEN / len(examples)


def _weight_bytes(hyperparameters: Hyperparameters) -> int:
    return 2 if hyperparameters.dtype == "bfloat16" else 4


def _state_gib(
    num_parameters: int, hyperparameters: Hyperparameters, workers: WorkerSettings
) -> float:
    """Weights, gradients and optimizer states of one worker."""
    weights = gradients = _weight_bytes(hyperparameters)
    optimizer = 12 if weights == 2 else 8
    shares = [workers.num_workers if workers.zero_stage >= stage else 1 for stage in (3, 2, 1)]
    per_parameter = weights / shares[0] + gradients / shares[1] + optimizer / shares[2]
    return num_parameters * per_parameter / GIB
