"""Groups of settings: how a stage is trained, on what data, measured how, and by which workers.

Each is a frozen model that refuses unknown keys.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from raysweep.settings.base import Settings
from raysweep.settings.bounds import (
    BatchSize,
    Beta,
    Clipping,
    Epsilon,
    Failures,
    Flag,
    LearningRate,
    Minutes,
    Processes,
    SequenceLimit,
    Steps,
    WeightDecay,
)
from raysweep.settings.identity import NO_KEY, Key, part_of


class Hyperparameters(Settings):
    """How one stage is trained: with the data and the seed, all that decides its result.

    The defaults are the paper's (section 3.1) where it states them; clipping to a norm of 1 and
    float32 are ours.

    Attributes:
        learning_rate: at the first step; falls linearly to zero over ``num_steps``, no warm-up.
        num_steps: optimizer steps; a stage of 0 steps is no stage.
        global_batch_size: examples per step over all workers.
        weight_decay, beta1, beta2, epsilon: of AdamW.
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


def layerwise_rows(micro_batch_size: int, num_layers: int) -> int:
    """Rows that a layer-wise Hessian-vector product takes at once.

    It holds the graph of one layer, which is some four times a layer's share of the graph that a
    training step keeps of all layers: so it takes as much memory as a micro-batch in training.
    """
    return micro_batch_size * max(1, num_layers // 4)


OPEN = ("num_workers", "use_gpu", "cpus_per_worker", "zero_stage")
"""Settings of workers that ``shape: auto`` decides where they are not given."""


class WorkerSettings(Settings):
    """The worker group of a trial; none of it changes a result beyond rounding.

    ``workers: auto`` is short for ``workers: {shape: auto}``, and for nothing at all.

    Attributes:
        shape: "auto": those of ``num_workers``, ``use_gpu``, ``cpus_per_worker`` and ``zero_stage``
            that are not given, and how many trials run at once, follow from the model's size and
            the hosts' cores, GPUs and memory when the sweep starts. "given": they have their
            defaults.
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

    shape: Literal["auto", "given"] = "auto"
    num_workers: Processes = 2
    use_gpu: Flag = False
    cpus_per_worker: Processes = 1
    zero_stage: Literal[0, 1, 2, 3] = 3
    micro_batch_size: BatchSize = 16
    evaluation_batch_size: BatchSize = 64
    max_concurrent_trials: Processes | None = None
    max_failures: Failures = 2
    stall_minutes: Minutes = 30.0

    def is_open(self, name: str) -> bool:
        """Whether a setting is still to be decided; until then its value means nothing."""
        return self.shape == "auto" and name in OPEN and name not in self.model_fields_set

    @model_serializer(mode="wrap")
    def _without_the_open(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is open stays so when it is read again."""
        written: dict[str, Any] = write(self)
        return {name: value for name, value in written.items() if not self.is_open(name)}
