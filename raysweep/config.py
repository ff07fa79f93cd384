"""Groups of settings: how a stage is trained, on what data, measured how, and by which workers.

Each is a frozen model that refuses unknown keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from raysweep.bounds import (
    BatchSize,
    Beta,
    Clipping,
    Epsilon,
    Failures,
    Flag,
    Gigabytes,
    LearningRate,
    Minutes,
    Parameters,
    PositiveRows,
    Processes,
    Products,
    Rows,
    Seed,
    SequenceLimit,
    Steps,
    Tolerance,
    WeightDecay,
)
from raysweep.identity import NO_KEY, Key, part_of
from raysweep.paths import expanded
from raysweep.settings import HUB, TINY, Settings

OF_LOSS = part_of(Key.LOSS, Key.SWEEP)
OF_SOLVER = part_of(Key.SOLVER, Key.SWEEP)


class Hyperparameters(Settings):
    """How one stage is trained: with the data and the seed, all that decides its result.

    The defaults are the paper's (section 3.1) where it states them; clipping to a norm of 1 and
    float32 are ours.

    Attributes:
        learning_rate: at the first step; falls linearly to zero over ``num_steps``, no warm-up.
        num_steps: optimizer steps; a stage of 0 steps is no stage.
        global_batch_size: examples per step over all workers.
        gradient_clipping: largest norm of the global gradient; 0 switches clipping off.
        sequence_limit: longest row in tokens; longer rows lose context.
        dtype: of weights and activations ("float32", "bfloat16"); optimizer states are float32.
    """

    all_settings: ClassVar = part_of(Key.STAGE)

    learning_rate: LearningRate = 1e-5
    num_steps: Steps = 100
    global_batch_size: BatchSize = 16
    weight_decay: WeightDecay = 0.1
    beta1: Beta = 0.9
    beta2: Beta = 0.95
    epsilon: Epsilon = 1e-8
    gradient_clipping: Clipping = 1.0
    sequence_limit: Annotated[SequenceLimit, part_of(Key.STAGE, Key.EVALUATION, Key.LOSS)] = 2048
    dtype: Annotated[Literal["float32", "bfloat16"], part_of(Key.STAGE, Key.EVALUATION)] = "float32"


class DataSettings(Settings):
    """Where the tasks' rows come from and how many are used.

    Attributes:
        source: "tiny" for the embedded closed world, "hub" for the Hugging Face hub, or a folder
            of the authors' raw files.
        sources: of single tasks, over ``source``; of SaFeRDialogues also its archive.
        num_train: size of each task's training set (stratified); null takes the paper's, or for
            another task 2,241, and of a pool at most two thirds of each cell.
        num_validation: size of each task's validation set (stratified), as far as rows reach.
        num_test: size of each task's test set (stratified); null takes all there is.
        paper_sizes: whether the sets have the paper's sizes at the price of an overlap, which BBQ
            and ToxiGen then have; without it no text is in two sets.
        seed: of the split and the subsets; the training seed is a trial's own.
    """

    all_settings: ClassVar = NO_KEY  # the rows themselves are

    source: str = TINY
    sources: Mapping[str, str] = {}
    num_train: PositiveRows | None = None
    num_validation: Rows = 500
    num_test: PositiveRows | None = None
    paper_sizes: Flag = False
    seed: Seed = 0

    @field_validator("source")
    @classmethod
    def _absolute_source(cls, source: str) -> str:
        return absolute(source)

    @field_validator("sources")
    @classmethod
    def _absolute_sources(cls, sources: Mapping[str, str]) -> Mapping[str, str]:
        return {task: absolute(source) for task, source in sources.items()}

    def source_of(self, task: str) -> str:
        """Where a task's rows come from."""
        return self.sources.get(task, self.source)


class CurvatureSettings(Settings):
    """The spectral radius of a task's training loss after a stage.

    Attributes:
        enabled: whether it is measured.
        stages: after the "first" stage (section 4.3), or after "all".
        tasks: of the stage's "own" (first) task, or of "all" tasks of the chain.
        changes: whether the terms of equations 3 and 4 are measured after the stage that follows.
        num_samples: training examples (the paper's 50), a stratified draw with the trial's seed.
        reduction: "token", the mean over all answer tokens, as in training; or "sample", the mean
            over rows of each row's mean.
        solver: "lanczos", or "power" iteration, which takes two to six times as many products.
        relative_tolerance: residual over value at which the solver has converged.
        min_products, max_products: bounds on the number of Hessian-vector products.
        operator: "replica": each worker holds the whole model in float32 and the graph of its
            gradient, about 28 bytes a parameter plus activations. "layerwise": weights and vectors
            stay sharded, one layer at a time is whole. "auto" takes layerwise with ZeRO 3.
        max_parameters: largest model of which each worker is to hold a replica.
    """

    all_settings: ClassVar = part_of(Key.SWEEP)

    enabled: Flag = True
    stages: Literal["first", "all"] = "first"
    tasks: Literal["own", "all"] = "own"
    changes: Flag = True
    num_samples: Annotated[PositiveRows, OF_LOSS] = 50
    reduction: Annotated[Literal["token", "sample"], OF_LOSS] = "token"
    solver: Annotated[Literal["lanczos", "power"], OF_SOLVER] = "lanczos"
    relative_tolerance: Annotated[Tolerance, OF_SOLVER] = 1e-3
    min_products: Annotated[Products, OF_SOLVER] = 12
    max_products: Annotated[Products, OF_SOLVER] = 60
    operator: Annotated[
        Literal["auto", "replica", "layerwise"], part_of(Key.SWEEP, written="auto")
    ] = "auto"
    max_parameters: Annotated[Parameters, part_of(Key.SWEEP, written=1_000_000_000)] = 1_000_000_000

    def is_layerwise(self, zero_stage: int) -> bool:
        """Whether the weights stay sharded, for workers with that ZeRO stage."""
        return self.operator == "layerwise" or (self.operator == "auto" and zero_stage == 3)

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.min_products > self.max_products:
            raise ValueError("min_products is larger than max_products")
        return self


def layerwise_rows(micro_batch_size: int, num_layers: int) -> int:
    """Rows that a layer-wise Hessian-vector product takes at once.

    It holds the graph of one layer, which is some four times a layer's share of the graph that a
    training step keeps of all layers: so it takes as much memory as a micro-batch in training.
    """
    return micro_batch_size * max(1, num_layers // 4)


class WeightsSettings(Settings):
    """The trained weights that are kept; results are kept for ever.

    Attributes:
        budget_gb: most gigabytes (10^9 bytes) of weights in the store, beyond which those are
            dropped that no trial of the sweep needs any more, then those that a later trial needs,
            which are trained again when it comes; null keeps all.
    """

    all_settings: ClassVar = NO_KEY

    budget_gb: Gigabytes | None = None


class WorkerSettings(Settings):
    """The worker group of a trial; none of it changes a result beyond rounding.

    Attributes:
        num_workers: processes per trial.
        use_gpu: one GPU per worker, with NCCL; else CPU cores, with gloo.
        cpus_per_worker: CPU cores reserved for each worker, and its number of threads.
        zero_stage: DeepSpeed ZeRO stage.
        micro_batch_size: examples of one forward pass on one worker.
        evaluation_batch_size: rows of one scoring pass on one worker.
        max_concurrent_trials: trials that hold workers at the same time; null lets as many run as
            there are resources for.
        max_failures: how often a trial is started again after its workers or its driver died, or
            its workers stood still.
        stall_minutes: after which workers that make no progress, though they may live, are ended
            and replaced. Longer than the longest batch, collective or loading of a model. Waiting
            for processors is not counted.
    """

    all_settings: ClassVar = NO_KEY

    num_workers: Processes = 2
    use_gpu: Flag = False
    cpus_per_worker: Processes = 1
    zero_stage: Literal[0, 1, 2, 3] = 3
    micro_batch_size: BatchSize = 16
    evaluation_batch_size: BatchSize = 64
    max_concurrent_trials: Processes | None = None
    max_failures: Failures = 2
    stall_minutes: Minutes = 30.0


def absolute(value: str) -> str:
    """A relative path of something that exists, made absolute: workers have folders of their own.

    Other values, and paths that begin with ``~``, mean the same on every host.

    Raises:
        ValueError: it can be no path.
    """
    if value in (TINY, HUB):
        return value
    is_path = expanded(value).exists() and not value.startswith("~")
    return str(Path(value).resolve()) if is_path else value
