"""A sweep: all trials of a plan through Ray Tune, on a running cluster or a local one."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray
import ray.tune
from ray._private import ray_constants
from ray._private.utils import read_ray_address
from rich.console import Console

from raysweep.board import Board
from raysweep.budget import check_budget
from raysweep.config import WorkerSettings
from raysweep.errors import InputError
from raysweep.halving import ChainHalving
from raysweep.job import Job
from raysweep.monitor import Monitor
from raysweep.plan import Plan
from raysweep.schedule import schedule
from raysweep.scouts import Findings
from raysweep.stages import Trial
from raysweep.storage import Storage
from raysweep.study import Study
from raysweep.trial import DRIVER_RESOURCES, run_trial


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended.

    Attributes:
        folder: the results.
        trials: those that there are results of, or may be; without the scouts.
        failures: the reason by trial, for those that failed.
        stopped: after how many stages, by trial, for those that were stopped early.
        unfinished: trials that were neither finished nor failed, after an interruption.
        seconds: worker-seconds by activity.
        capacity_seconds: worker-seconds that the sweep could have used.
        study: of an Optuna search.
    """

    folder: Storage
    trials: tuple[Trial, ...]
    failures: Mapping[str, str]
    stopped: Mapping[str, int]
    unfinished: tuple[str, ...]
    seconds: Mapping[str, float]
    capacity_seconds: float
    study: Study | None = None

    @property
    def is_unfinished(self) -> bool:
        """Whether the same command has something left to do."""
        is_study_open = self.study is not None and self.study.num_left > len(self.failures)
        return bool(self.unfinished) or is_study_open


def connect(
    workers: WorkerSettings, wait_minutes: float, console: Console, *, dashboard: bool = True
) -> None:
    """Joins the running Ray cluster, or starts one on this machine, and checks its size.

    Running is what RAY_ADDRESS names or `ray start` has started on this host; the private cluster
    of another program, which goes when that ends, does not count. A cluster that is started here
    listens on loopback only, with token authentication.

    Args:
        dashboard: whether a cluster that is started here has one. Train needs it to find out that
            a trial driver was killed, and to free its workers.

    Raises:
        InputError: the cluster has too few CPUs or GPUs for one trial, or cannot be joined.
    """
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")  # also the end's latency
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the monitor speaks; Tune keeps silent
    needed = {"CPU": workers.num_workers * workers.cpus_per_worker}
    if workers.use_gpu:
        needed["GPU"] = workers.num_workers
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    address = _running_cluster()
    if address:
        context = ray.init(address=address, **quiet)
        console.print(f"Joined the Ray cluster at {context.address_info['address']}.")
    else:
        _check_size(needed, {"CPU": os.cpu_count() or 1, "GPU": _num_local_gpus(workers)})
        _stay_on_loopback()
        # No cloud takes a laptop away: this spares every trial an actor that asks it.
        os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
        context = ray.init(
            address="local", include_dashboard=dashboard, dashboard_host="127.0.0.1", **quiet
        )
        console.print("Started a Ray cluster on this machine.")
    if context.dashboard_url:
        console.print(f"Dashboard: http://{context.dashboard_url}")
    deadline = time.monotonic() + 60 * wait_minutes
    while not _is_enough(needed, ray.cluster_resources()) and time.monotonic() < deadline:
        console.print(f"Waiting for {_listed(needed)}; there are {_listed(_available(needed))}.")
        time.sleep(10)
    _check_size(needed, ray.cluster_resources())


def run_sweep(plan: Plan, storage: Storage, console: Console) -> Outcome:
    """Runs every trial of the plan and waits for them; finished work in the store is not redone.

    Scouts run first, and the trials that follow from what they find next.
    """
    return _Sweep(plan, storage, console).run()


class _Sweep:
    """One run of a plan, from its first trial to its last."""

    def __init__(self, plan: Plan, storage: Storage, console: Console) -> None:
        self._plan, self._storage, self._console = plan, storage, console
        self._folder = storage.sub("sweeps", plan.sweep)
        self._trials: dict[str, Trial] = {}
        self._num_running = min(_num_fitting(plan), max(1, len(plan.trials)))
        check_budget(plan, self._num_running)
        is_known = plan.space.search.method != "optuna"
        needed = {t.id: [s.key for s in t.stages] for t in plan.all_trials} if is_known else {}
        self._board = ray.remote(num_cpus=0)(Board).remote(
            storage.uri, plan.space.weights.budget_gb, needed
        )
        self._halving: ChainHalving | None = None
        self._study: Study | None = None
        self._finished: set[str] = set()
        self._failures: dict[str, str] = {}

    def run(self) -> Outcome:
        """Runs scouts and trials."""
        started, plan = time.monotonic(), self._plan
        if plan.scouts:
            self._run_listed(plan.scouts)
            plan = self._decide()
        if plan.space.search.method == "optuna":
            self._run_study()
        elif plan.trials:
            self._run_listed(plan.trials)
        stopped = self._halving.stopped if self._halving else {}
        done = {*self._finished, *self._failures, *stopped}
        if self._study:
            trials = self._study.finished_trials()
        else:
            scouts = {trial.id for trial in self._plan.scouts}
            trials = tuple(t for t in self._trials.values() if t.id not in scouts)
        elapsed = time.monotonic() - started
        return Outcome(
            folder=self._folder,
            trials=trials,
            failures=self._failures,
            stopped={name: int(result["stage"]) for name, result in stopped.items()},
            unfinished=tuple(name for name in self._trials if name not in done),
            seconds=ray.get(self._board.seconds.remote()),
            capacity_seconds=elapsed * self._num_running * plan.space.workers.num_workers,
            study=self._study,
        )

    def _decide(self) -> Plan:
        """The plan that follows from what the scouts have found."""
        found = [s for s in self._plan.scouts if s.id in self._finished]
        findings = Findings(tuple(self._job(scout).records().finding() for scout in found))
        plan = self._plan.decided(findings)
        if len(found) < len(self._plan.scouts) - len(self._failures):
            return replace(plan, trials=())  # interrupted
        for finding in findings.all:
            self._console.print(f"Scouted {finding}", highlight=False)
        self._console.print(f"{len(plan.trials)} trials follow.")
        return plan

    def _run_listed(self, trials: Sequence[Trial]) -> None:
        """Runs trials that are known beforehand."""
        # With a budget of weights one branch of the stage tree after the other, else all at once.
        has_budget = self._plan.space.weights.budget_gb is not None
        ordered = trials if has_budget else schedule(trials)
        self._trials.update({trial.id: trial for trial in trials})
        names = [trial.id for trial in ordered]
        jobs = ray.put({trial.id: self._job(trial) for trial in trials})
        self._tune(
            {"trial": ray.tune.grid_search(names), "jobs": jobs, **self._shared},
            sum(len(trial.stages) + 1 for trial in trials),
            ray.tune.TuneConfig(max_concurrent_trials=self._concurrency),
        )

    def _run_study(self) -> None:
        """Runs the trials that Optuna proposes."""
        from raysweep.searcher import StudySearcher

        self._study = study = Study(self._plan, self._folder)

        def configure(trial: Trial) -> dict[str, Any]:
            self._trials[trial.id] = trial
            jobs = ray.put({trial.id: self._job(trial)})
            return {"trial": trial.id, "jobs": jobs, **self._shared}

        def has_ended(name: str, metrics: Mapping[str, Any]) -> bool:
            is_stopped = self._halving is not None and name in self._halving.stopped
            return is_stopped or metrics.get("stage") == len(self._trials[name].stages)

        if study.num_left:
            longest = max(len(chain) for chain in self._plan.space.chains)
            config = ray.tune.TuneConfig(
                search_alg=StudySearcher(study, configure, has_ended),
                num_samples=study.num_left,
                max_concurrent_trials=self._concurrency,
            )
            self._tune({}, study.num_left * (longest + 1), config)

    def _tune(self, space: dict[str, Any], num_units: int, config: ray.tune.TuneConfig) -> None:
        """Runs trials through Tune, and notes how they ended."""
        stopping = self._plan.space.stopping
        if stopping:
            self._halving = self._halving or ChainHalving(stopping, self._trials, self._board)
            config = replace(config, scheduler=self._halving)
        tasks = self._plan.space.find_tasks()
        monitor = Monitor(self._trials, num_units, tasks, self._board, self._console)
        # Tune keeps files of its own, from which nothing is resumed, and reads the trials' errors
        # back from them: they must not lie on a disk that may be what has filled up.
        with tempfile.TemporaryDirectory() as own, monitor:
            results = ray.tune.Tuner(
                ray.tune.with_resources(run_trial, DRIVER_RESOURCES),
                param_space=space,
                tune_config=config,
                run_config=ray.tune.RunConfig(
                    name=self._plan.sweep,
                    storage_path=own,
                    verbose=0,
                    callbacks=[monitor],
                    failure_config=ray.tune.FailureConfig(
                        max_failures=self._plan.space.workers.max_failures
                    ),
                ),
            ).fit()
        for index in range(len(results)):
            result = results[index]
            name, metrics = result.config["trial"], result.metrics or {}
            if result.error:
                self._failures[name] = _reason(result.error)
            elif "failure" in metrics:
                self._failures[name] = str(metrics["failure"])
            elif metrics.get("stage") == len(self._trials[name].stages):
                self._finished.add(name)

    def _job(self, trial: Trial) -> Job:
        digests = {task: splits.digests for task, splits in self._plan.splits.items()}
        return Job(self._plan.sweep, trial, self._plan.space, self._storage.uri, digests)

    @property
    def _shared(self) -> dict[str, Any]:
        """What all drivers are told beside their trial."""
        most = self._plan.space.workers.max_concurrent_trials
        return {"board": self._board, "num_slots": most or self._num_running}

    @property
    def _concurrency(self) -> int:
        """Trials that have workers, and one more that is ready to take them over."""
        most = self._plan.space.workers.max_concurrent_trials
        return most if most is not None else self._num_running + 1


def _num_fitting(plan: Plan) -> int:
    """Trials that can have workers at the same time."""
    workers = plan.space.workers
    resources = ray.cluster_resources()
    fitting = int(resources.get("CPU", 0)) // (workers.num_workers * workers.cpus_per_worker)
    if workers.use_gpu:
        fitting = min(fitting, int(resources.get("GPU", 0)) // workers.num_workers)
    return max(1, min(fitting, workers.max_concurrent_trials or fitting))


def _running_cluster() -> str | None:
    named, started = os.environ.get("RAY_ADDRESS"), read_ray_address()
    if named and not _answers(named):
        raise InputError(
            f"RAY_ADDRESS = {named}",
            "no Ray cluster answers there",
            "start it, or unset RAY_ADDRESS to have one started on this machine",
        )
    return named or (started if started and _answers(started) else None)


def _answers(address: str) -> bool:
    """Whether something listens at host:port: Ray ends the whole process where nothing does."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        return True  # of another form ("auto", "ray://..."): left to Ray
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=10):
            return True
    except OSError:
        return False


def _stay_on_loopback() -> None:
    """Makes a cluster that is started here listen on 127.0.0.1 and nowhere else.

    Ray's servers listen on all interfaces unless the node's own address is the loopback one, and
    `ray.init` turns a loopback address into a public one unless clusters of several hosts are ruled
    out. Ray has this switch for systems with a nagging firewall; it reads it once, when imported,
    and again in each process that it starts.
    """
    os.environ[ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR] = "0"
    ray_constants.ENABLE_RAY_CLUSTER = False


def _num_local_gpus(workers: WorkerSettings) -> int:
    if not workers.use_gpu:
        return 0
    import torch  # takes seconds to import

    return torch.cuda.device_count()


def _check_size(needed: dict[str, int], resources: dict[str, float]) -> None:
    if not _is_enough(needed, resources):
        available = {name: int(resources.get(name, 0)) for name in needed}
        raise InputError(
            f"workers.num_workers = {needed.get('GPU', needed['CPU'])}",
            f"a trial needs {_listed(needed)} but the cluster has {_listed(available)}",
            "lower --num-workers, add nodes, or give them time with --wait-for-workers",
        )


def _is_enough(needed: dict[str, int], resources: dict[str, float]) -> bool:
    return all(resources.get(name, 0) >= amount for name, amount in needed.items())


def _available(needed: dict[str, int]) -> dict[str, int]:
    resources = ray.cluster_resources()
    return {name: int(resources.get(name, 0)) for name in needed}


def _listed(amounts: dict[str, int]) -> str:
    return " and ".join(f"{amount} {name}s" for name, amount in amounts.items())


def _reason(error: BaseException) -> str:
    """The innermost message: Tune wraps what a trial raised."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else repr(error)


if __name__ == "__main__":
    from raysweep.command import sweep_command

    sweep_command(
        "sweep",
        "Run any search space: chains of any length, any setting of any stage.",
        examples=("my_space.yaml", "replay_mixed --seeds 0,1,2"),
    )()
