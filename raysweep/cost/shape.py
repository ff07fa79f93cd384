"""The shape of a sweep: workers of a trial, their ZeRO stage, and trials at the same time.

Of what a search space leaves open (`WorkerSettings.shape`) the plan and the hosts decide:

- A model of fewer than 10 million parameters is trained on CPU cores, as is any model where there
  are no GPUs. A trial has one worker there, so that as many trials run at once as there are cores
  and room in memory: two workers share the memory of one host and gain nothing over two threads of
  one. Cores that are left over are threads, of models that are large enough to use them.
- With GPUs it is as many GPUs a trial as take the fewest hours of the clock, of those numbers with
  which everything fits: a power of two, or all of a host's; several hosts a trial only if one does
  not do. Stages take max(longest chain, stages / trials at once) rounds, and twice as many GPUs are
  taken to train a stage 1.8 times as fast. Of GPUs whose memory is unknown a trial has a host's.
- One worker has nothing to share: ZeRO 0, or 1 with bfloat16, for which DeepSpeed has no stage 0.
  Several have the lower one of 2 and 3 with which everything fits. Where a replica's curvature does
  not fit, or the model is too large for it (`max_parameters`), it is 3, with which curvature is
  measured layer by layer.

What does not fit into the GPUs is refused. Of hosts' memory, which is what happens to be free,
one trial at a time is the least, and the reason tells what it lacks. Numbers that are given are
kept, whatever follows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from raysweep.cost.forecast import ACCELERATORS, DEFAULTS, Assumptions
from raysweep.cost.hosts import Host, this_host
from raysweep.cost.memory import SWEEP_GIB, PeakMemory, as_size, host_memory, peaks
from raysweep.cost.tokens import token_counts
from raysweep.errors import InputError
from raysweep.plan.plan import Plan
from raysweep.training.settings import WorkerSettings

SMALL = 10_000_000  # parameters of a model that gains nothing from a GPU or from threads
MAX_CORES = 8  # of one worker; more threads than this wait for each other
SPEED_OF_TWICE = 1.8  # a stage's with twice as many GPUs
GPU_SHARE, GPU_CONTEXT_GIB = 0.9, 2.0  # what of a GPU is used; CUDA's context: see `memory`
ASSUMED_HOST = Host(96, 1024.0, 8)  # where a plan is for GPUs that are not at hand
REMEDIES = {
    "training": "lower workers.micro_batch_size",
    "evaluation": "lower workers.evaluation_batch_size",
    "curvature": "set curvature.enabled: false or lower workers.micro_batch_size",
}
AnyPlan = TypeVar("AnyPlan", bound=Plan)


@dataclass(frozen=True)
class Shape:
    """What was decided.

    Attributes:
        workers: all of their settings, none open.
        num_at_once: trials that have workers at the same time, at most; None for as many as there
            are resources for.
        reason: in one line; empty where nothing was open.
    """

    workers: WorkerSettings
    num_at_once: int | None = None
    reason: str = ""

    def applied(self, plan: AnyPlan) -> AnyPlan:
        """The plan with these workers."""
        return replace(plan, space=plan.space.model_copy(update={"workers": self.workers}))


@dataclass(frozen=True)
class _Candidate:
    """Workers with which it could be done.

    Attributes:
        by_cores: trials that run at once by the hosts' cores and GPUs.
        by_memory: by the hosts' memory.
        at_once: by these, and by the number of trials; one at least.
    """

    workers: WorkerSettings
    memory: PeakMemory
    by_cores: int
    by_memory: int
    at_once: int


def choose_shape(plan: Plan, hosts: Sequence[Host]) -> Shape:
    """The shape of a sweep on these hosts.

    Raises:
        InputError: it does not fit into the GPUs.
    """
    if plan.space.workers.shape == "given":
        return Shape(plan.space.workers)
    chooser = _Chooser(plan, hosts)
    best = chooser.best()
    return Shape(best.workers, best.at_once, chooser.reason(best))


def planned_shape(plan: Plan, gpu: str | None = None) -> Shape:
    """The shape on this machine; for GPUs that are not here, on a host of eight.

    Args:
        gpu: the accelerator, if one is named.

    Raises:
        InputError: the accelerator is unknown, or it does not fit.
    """
    workers, here = plan.space.workers, this_host()
    needs_gpus = gpu is not None or (workers.use_gpu and not workers.is_open("use_gpu"))
    if workers.shape == "given" or not needs_gpus or (here.num_gpus and gpu is None):
        shape, where = choose_shape(plan, [here]), "this machine"
    else:
        kind = gpu or DEFAULTS.accelerator or ""
        Assumptions(kind)  # is known
        host = replace(ASSUMED_HOST, gpu_gib=ACCELERATORS[kind].memory_gib)
        plan = Shape(_given(workers, use_gpu=True)).applied(plan)
        shape, where = choose_shape(plan, [host]), f"a host of {host.num_gpus} {kind}"
    return replace(shape, reason=shape.reason and f"{shape.reason}, on {where}")


def _given(workers: WorkerSettings, **settings: object) -> WorkerSettings:
    """Workers with settings that are not open any more."""
    return WorkerSettings.model_validate(workers.model_dump() | settings)


class _Chooser:
    """Candidates of one plan on given hosts."""

    def __init__(self, plan: Plan, hosts: Sequence[Host]) -> None:
        self._space, self._open = plan.space, plan.space.workers
        self._peak = peaks(plan, token_counts(plan))
        self._size = plan.checkpoint.num_parameters
        self._num_trials = max(1, len(plan.trials), len(plan.scouts))
        self._num_stages = plan.num_stages_distinct
        settings = [s.hyperparameters for trial in plan.all_trials for s in trial.stages]
        self._longest = max((len(trial.stages) for trial in plan.all_trials), default=1)
        self._batch = min((one.global_batch_size for one in settings), default=1)
        self._has_bfloat16 = any(one.dtype == "bfloat16" for one in settings)
        self._uses_gpu = self._takes_gpus(hosts)
        self._hosts = [one for one in hosts if one.num_gpus or not self._uses_gpu]
        self._num_gpus = max((one.num_gpus for one in self._hosts), default=0)
        sizes = [one.gpu_gib for one in self._hosts]
        self._gpu_gib = None if None in sizes else min(filter(None, sizes), default=None)

    def best(self) -> _Candidate:
        """The one to take.

        Raises:
            InputError: none fits.
        """
        if not self._uses_gpu:
            return self._with_threads(self._lowest_zero(self._numbers()[0]))
        if not self._hosts:
            remedy = "leave workers.use_gpu out, or give --cpus"
            raise InputError("workers.use_gpu = True", "no GPU is there", remedy)
        found = [self._lowest_zero(number) for number in self._numbers()]
        if fitting := [one for one in found if self._fits(one)]:
            return min(fitting, key=self._rounds)
        if not self._open.is_open("num_workers"):
            return found[0]
        for number in self._numbers_of_hosts():
            found.append(self._lowest_zero(number))
            if self._fits(found[-1]):
                return found[-1]
        raise self._refusal(found[-1])

    def reason(self, best: _Candidate) -> str:
        """Why, in one line."""
        workers = best.workers
        number, cores = workers.num_workers, workers.cpus_per_worker
        unit = "GPU" if workers.use_gpu else "core"
        total = sum(one.num_gpus if workers.use_gpu else one.num_cores for one in self._hosts)
        used = best.at_once * number * (1 if workers.use_gpu else cores)
        whose = ""
        if workers.use_gpu:
            memory = f"{self._gpu_gib:,.3g} GiB" if self._gpu_gib else "unknown memory"
            whose = f" of its GPU's {memory}"
        return (
            f"{_counted(number, 'worker')} a trial of {'1 GPU and ' if workers.use_gpu else ''}"
            f"{_counted(cores, 'core')}, {_counted(best.at_once, 'trial')} at once ({used} of "
            f"{_counted(total, unit)}{self._bound(best, used, total)}), ZeRO {workers.zero_stage}; "
            f"a worker needs {as_size(best.memory.peak_gib)}{whose}"
        )

    def _bound(self, best: _Candidate, used: int, total: int) -> str:
        """Why trials do not take all that there is."""
        if best.by_memory < 1:
            room = max(one.memory_gib for one in self._hosts)
            need = host_memory(best.memory, best.workers, 1).total_gib
            return f"; with {as_size(need)} of memory, of which {as_size(room)} are free"
        if used == total:
            return ""
        if best.at_once == best.workers.max_concurrent_trials:
            return "; max_concurrent_trials"
        if best.at_once == self._num_trials:
            return "; there are no more trials"
        if best.at_once == best.by_memory < best.by_cores:
            room = sum(one.memory_gib for one in self._hosts)
            return f"; no more fit into {as_size(room)} of memory"
        return ""

    def _takes_gpus(self, hosts: Sequence[Host]) -> bool:
        if not self._open.is_open("use_gpu"):
            return self._open.use_gpu
        least = 1 if self._open.is_open("num_workers") else self._open.num_workers
        return self._size >= SMALL and sum(one.num_gpus for one in hosts) >= least

    def _numbers(self) -> list[int]:
        """Of workers of a trial, within a host if they are not given."""
        if not self._open.is_open("num_workers"):
            return [self._open.num_workers]
        if not self._uses_gpu:
            return [1]
        most = max(1, min(self._num_gpus, self._batch))
        if self._gpu_gib is None:
            return [most]
        return [*(2**power for power in range(most.bit_length()) if 2**power < most), most]

    def _numbers_of_hosts(self) -> Iterator[int]:
        """All GPUs of two hosts, of three, ..."""
        alike = sum(one.num_gpus == self._num_gpus for one in self._hosts)
        numbers = (number * self._num_gpus for number in range(2, alike + 1))
        return (number for number in numbers if number <= self._batch)

    def _zeros(self, num_workers: int) -> list[int]:
        """ZeRO stages that come into question, in the order in which they are tried."""
        if not self._open.is_open("zero_stage"):
            return [self._open.zero_stage]
        curvature = self._space.curvature
        is_too_large = self._size > curvature.max_parameters
        if curvature.enabled and curvature.operator == "auto" and is_too_large:
            return [3]
        if num_workers > 1:
            return [2, 3]
        whole = 1 if self._has_bfloat16 else 0
        return [whole] if self._size < SMALL else [whole, 3]

    def _lowest_zero(self, num_workers: int) -> _Candidate:
        """With the lowest ZeRO stage that fits, else with the one that needs least."""
        found = [self._candidate(num_workers, zero) for zero in self._zeros(num_workers)]
        fitting = (one for one in found if self._fits(one))
        return next(fitting, min(found, key=lambda one: one.memory.peak_gib))

    def _candidate(self, num_workers: int, zero_stage: int) -> _Candidate:
        workers = _given(
            self._open,
            shape="given",
            num_workers=num_workers,
            use_gpu=self._uses_gpu,
            cpus_per_worker=self._cores(),
            zero_stage=zero_stage,
        )
        memory = self._peak(workers)
        by_cores = self._by_cores(workers)
        by_memory = self._by_memory(workers, memory)
        most = min(self._num_trials, workers.max_concurrent_trials or self._num_trials)
        at_once = max(1, min(by_cores, by_memory, most))
        return _Candidate(workers, memory, by_cores, by_memory, at_once)

    def _cores(self) -> int:
        """Of a worker: those of a GPU; else one, to begin with."""
        if not self._open.is_open("cpus_per_worker"):
            return self._open.cpus_per_worker
        if not self._uses_gpu:
            return 1
        each = min((one.num_cores // one.num_gpus for one in self._hosts), default=1)
        return max(1, min(MAX_CORES, each))

    def _by_cores(self, workers: WorkerSettings) -> int:
        """Trials on the hosts' cores and GPUs; one that is larger than a host spans several."""
        cores, gpus = workers.num_workers * workers.cpus_per_worker, workers.num_workers
        within = sum(_held(one, cores, gpus, workers) for one in self._hosts)
        if within:
            return within
        total_cores = sum(one.num_cores for one in self._hosts)
        total_gpus = sum(one.num_gpus for one in self._hosts)
        return _held(Host(total_cores, 0.0, total_gpus), cores, gpus, workers)

    def _by_memory(self, workers: WorkerSettings, memory: PeakMemory) -> int:
        """Trials in the hosts' memory, of which the command and Ray take some on the first."""
        each = host_memory(memory, workers, 1).total_gib - SWEEP_GIB
        rooms = [one.memory_gib - (SWEEP_GIB if n == 0 else 0) for n, one in enumerate(self._hosts)]
        within = sum(max(0, int(room / each)) for room in rooms)
        return within if workers.num_workers == 1 else within or int(sum(rooms) / each)

    def _with_threads(self, found: _Candidate) -> _Candidate:
        """The cores that trials leave over as threads of their workers."""
        workers = found.workers
        if not self._open.is_open("cpus_per_worker") or self._size < SMALL:
            return found
        for cores in range(MAX_CORES, 1, -1):
            more = _given(workers, cpus_per_worker=cores)
            if (by_cores := self._by_cores(more)) >= found.at_once:
                return replace(found, workers=more, by_cores=by_cores)
        return found

    def _fits(self, candidate: _Candidate) -> bool:
        if not self._uses_gpu:
            return candidate.by_memory > 0
        if candidate.by_cores < 1:
            return False
        return self._gpu_gib is None or candidate.memory.peak_gib <= usable_gib(self._gpu_gib)

    def _rounds(self, candidate: _Candidate) -> float:
        """How long it takes, in stages of one worker."""
        rounds = max(self._longest, math.ceil(self._num_stages / candidate.at_once))
        return float(rounds / SPEED_OF_TWICE ** math.log2(candidate.workers.num_workers))

    def _refusal(self, largest: _Candidate) -> InputError:
        place, number = f"model of {self._size:,} parameters", largest.workers.num_workers
        name, need = largest.memory.highest, as_size(largest.memory.peak_gib)
        if largest.by_cores < 1 or self._gpu_gib is None:
            cores = _counted(number * largest.workers.cpus_per_worker, "core")
            problem = f"{_counted(number, 'GPU')} of a trial need {cores}, which no host has"
            return InputError(place, problem, "lower workers.cpus_per_worker")
        return InputError(
            place,
            f"{name} needs {need} on each of {_counted(number, 'GPU')}, of which "
            f"{as_size(usable_gib(self._gpu_gib))} of {as_size(self._gpu_gib)} can be used",
            f"{REMEDIES[name]}, take more or larger GPUs, or --cpus",
        )


def usable_gib(gpu_gib: float) -> float:
    """What of a GPU's memory is for that which `peak_memory` counts."""
    return GPU_SHARE * gpu_gib - GPU_CONTEXT_GIB


def _held(host: Host, cores: int, gpus: int, workers: WorkerSettings) -> int:
    """Trials that a host has cores and GPUs for."""
    by_cores = host.num_cores // cores
    return min(by_cores, host.num_gpus // gpus) if workers.use_gpu else by_cores


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
