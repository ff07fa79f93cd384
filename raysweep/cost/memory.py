"""The memory that one worker needs at its peak, whatever it is doing then.

Model states take, a parameter: weights and gradients 2 bytes each in bfloat16 (4 in float32), and
optimizer states 12 (8); ZeRO divides them among the workers stage by stage. An evaluation holds the
whole model. A Hessian-vector product holds seven vectors of the parameters' size in float32: the
weights, two vectors of Lanczos, the sum over batches, the gradient with its graph, the product, and
the one before it or the product in one piece. Layer by layer, weights and three vectors are cut
into shards, and four whole blocks are held beside them: weights, tangents, gradients and their sum.
Activations come on top: see `activations`.

Not counted: what ZeRO-3 gathers of the layers at work, DeepSpeed's buffers, and the allocator's
slack. On a GPU CUDA's context comes on top, and on its host CUDA's libraries, some GiB together.

Processes take memory before any of this: see `HostMemory`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from raysweep.cost.activations import (
    BatchShape,
    curvature_bytes,
    evaluation_bytes,
    layer_product_bytes,
    training_bytes,
    weight_bytes,
)
from raysweep.cost.tokens import TokenCounts
from raysweep.plan.plan import Plan
from raysweep.space.chains import Mixture
from raysweep.training.settings import Hyperparameters, WorkerSettings, layerwise_rows

GIB = 2**30
PRODUCT_VECTORS = 7  # of the parameters' size, in a Hessian-vector product by double backward
SHARDED_VECTORS, WHOLE_BLOCKS = 3, 4  # beside the weights, in one layer by layer

# Proportional set sizes, measured on 2026-11-28: Linux, Python 3.11, Ray 2.60.0 with its dashboard,
# torch 2.13.0 without CUDA, two workers.
WORKER_GIB = 0.4  # Python, torch, transformers, DeepSpeed and Ray in a worker
TRIAL_GIB = 0.45  # a trial's driver, Train's controller, queue and barrier
SWEEP_GIB = 1.1  # the command 0.4, Ray's services and dashboard 0.4, the board and idle processes


@dataclass(frozen=True)
class Need:
    """The memory of one worker during one activity.

    Attributes:
        states_gib: weights, and what is held per parameter beside them.
        activations_gib: what is held per token of ``batch``.
    """

    states_gib: float
    activations_gib: float
    batch: BatchShape

    @property
    def total_gib(self) -> float:
        """All that is counted."""
        return self.states_gib + self.activations_gib


@dataclass(frozen=True)
class PeakMemory:
    """The largest need of each activity over a plan; ``curvature`` is None if not measured."""

    training: Need
    evaluation: Need
    curvature: Need | None

    @property
    def needs(self) -> dict[str, Need]:
        """What each activity needs, by its name."""
        needs = {"training": self.training, "evaluation": self.evaluation}
        return needs | ({"curvature": self.curvature} if self.curvature else {})

    @property
    def highest(self) -> str:
        """The activity that needs most."""
        return max(self.needs, key=lambda name: self.needs[name].total_gib)

    @property
    def peak_gib(self) -> float:
        """What a worker has to hold."""
        return self.needs[self.highest].total_gib


@dataclass(frozen=True)
class HostMemory:
    """What all processes of a sweep take on one host that runs all of them, in GiB.

    Attributes:
        num_workers: of all trials that run at the same time.
        worker_gib: the libraries of each.
        data_gib: what each worker holds at its peak; where that is a GPU, the weights that pass
            through the host's memory when they are loaded.
        trials_gib: the trials' drivers and controllers.
        sweep_gib: the command and Ray itself.
    """

    num_workers: int
    worker_gib: float
    data_gib: float
    trials_gib: float
    sweep_gib: float

    @property
    def total_gib(self) -> float:
        """All processes together, when all workers are at their peak."""
        workers = self.num_workers * (self.worker_gib + self.data_gib)
        return workers + self.trials_gib + self.sweep_gib


def host_memory(memory: PeakMemory, workers: WorkerSettings, slots: int) -> HostMemory:
    """What a host needs for that many trials at the same time, and the command itself."""
    return HostMemory(
        num_workers=slots * workers.num_workers,
        worker_gib=WORKER_GIB,
        data_gib=memory.evaluation.states_gib if workers.use_gpu else memory.peak_gib,
        trials_gib=slots * TRIAL_GIB,
        sweep_gib=SWEEP_GIB,
    )


def peak_memory(plan: Plan, counts: Mapping[str, TokenCounts]) -> PeakMemory:
    """The largest needs of a plan's stages, evaluations and curvature measurements.

    Args:
        counts: lengths of each task's rows.
    """
    return peaks(plan, counts)(plan.space.workers)


def peaks(plan: Plan, counts: Mapping[str, TokenCounts]) -> Callable[[WorkerSettings], PeakMemory]:
    """The largest needs of a plan, by the workers that do it: see `peak_memory`."""
    # By identity, which is cheap: a plan has few settings, and they are its own.
    trained = dict[tuple[int, int], tuple[Mixture, Hyperparameters]]()
    evaluated = dict[tuple[str, int], tuple[str, Hyperparameters]]()
    curved = dict[tuple[str, int], tuple[str, Hyperparameters]]()
    for trial in plan.all_trials:
        validation = (trial.validation,) if trial.validation else ()
        settings = [stage.hyperparameters for stage in trial.stages]
        for stage in trial.stages:
            pair = stage.mixture, stage.hyperparameters
            trained.setdefault((id(pair[0]), id(pair[1])), pair)
        for found, measurements in (
            (evaluated, (*trial.evaluations, *validation, *trial.custom)),
            (curved, trial.curvatures),
        ):
            for one in measurements:
                own = settings[max(one.stage_number - 1, 0)]
                found.setdefault((one.task, id(own)), (one.task, own))

    def peak(workers: WorkerSettings) -> PeakMemory:
        measuring = _Measuring(plan, counts, workers)
        return PeakMemory(
            _largest(measuring.training(*one) for one in trained.values()),
            _largest(measuring.evaluation(*one) for one in evaluated.values()),
            _largest(measuring.curvature(*one) for one in curved.values()) if curved else None,
        )

    return peak


def state_bytes(num_parameters: int, dtype: str, workers: WorkerSettings) -> float:
    """Weights, gradients and optimizer states of one worker."""
    weights = gradients = weight_bytes(dtype)
    optimizer = 12 if weights == 2 else 8
    shares = [workers.num_workers if workers.zero_stage >= stage else 1 for stage in (3, 2, 1)]
    per_parameter = weights / shares[0] + gradients / shares[1] + optimizer / shares[2]
    return num_parameters * per_parameter


class _Measuring:
    """The needs of a plan's work, piece by piece."""

    def __init__(
        self, plan: Plan, counts: Mapping[str, TokenCounts], workers: WorkerSettings
    ) -> None:
        self._counts, self._workers = counts, workers
        self._size, self._model = plan.checkpoint.num_parameters, plan.checkpoint.architecture
        self._num_samples = plan.space.curvature.num_samples
        self._is_layerwise = plan.space.curvature.is_layerwise(self._workers.zero_stage)

    def training(self, mixture: Mixture, settings: Hyperparameters) -> Need:
        """A stage's; its rows are spread evenly over workers and micro-batches."""
        workers = self._workers
        own = _shared(settings.global_batch_size, workers.num_workers)
        num_rows = _shared(own, _shared(own, workers.micro_batch_size))
        parts = [self._counts[part.task] for part in mixture]
        longest = max(one.train_longest for one in parts)
        batch = _batch(num_rows, longest, max(one.train_answer for one in parts), settings)
        states = state_bytes(self._size, settings.dtype, workers)
        return _need(states, training_bytes(self._model, batch, settings.dtype), batch)

    def evaluation(self, task: str, settings: Hyperparameters) -> Need:
        """An evaluation's, on a replica of the model."""
        counts = self._counts[task]
        own = _shared(counts.num_test, self._workers.num_workers)
        num_rows = min(own, self._workers.evaluation_batch_size)
        batch = _batch(num_rows, counts.test_longest, counts.test_answer, settings)
        weights = self._size * weight_bytes(settings.dtype)
        return _need(weights, evaluation_bytes(self._model, batch, settings.dtype), batch)

    def curvature(self, task: str, settings: Hyperparameters) -> Need:
        """Of the Hessian-vector products after a stage."""
        counts, workers = self._counts[task], self._workers
        own = _shared(self._num_samples, workers.num_workers)
        rows, size = workers.micro_batch_size, weight_bytes("float32")
        if self._is_layerwise:
            rows = layerwise_rows(rows, self._model.num_layers)
        batch = _batch(min(own, rows), counts.train_longest, counts.train_answer, settings)
        if not self._is_layerwise:
            vectors = PRODUCT_VECTORS * size * self._size
            return _need(vectors, curvature_bytes(self._model, batch), batch)
        shards = (weight_bytes(settings.dtype) + SHARDED_VECTORS * size) * self._size
        states = shards / workers.num_workers + WHOLE_BLOCKS * self._model.largest_block * size
        return _need(states, layer_product_bytes(self._model, batch, own), batch)


def _batch(
    num_rows: int, row_tokens: float, answer_tokens: float, settings: Hyperparameters
) -> BatchShape:
    limit = settings.sequence_limit
    return BatchShape(num_rows, min(row_tokens, limit), min(answer_tokens, limit))


def _need(states: float, activations: float, batch: BatchShape) -> Need:
    return Need(states / GIB, activations / GIB, batch)


def _shared(number: int, shares: int) -> int:
    """The largest of so many nearly equal shares."""
    return -(-number // shares)


def _largest(needs: Iterable[Need]) -> Need:
    return max(needs, key=lambda need: need.total_gib)


def as_size(gib: float) -> str:
    """In words, of what is below a GiB in MiB."""
    return f"{gib:,.1f} GiB" if gib >= 1 else f"{gib * 1024:,.0f} MiB"
