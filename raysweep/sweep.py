"""A sweep: all trials of a plan through Ray Tune, on a running cluster or a local one."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from dataclasses import dataclass

import ray
import ray.tune
from ray._private import ray_constants
from ray._private.utils import read_ray_address
from rich.console import Console

from raysweep.config import WorkerSettings
from raysweep.errors import InputError
from raysweep.job import Job
from raysweep.leases import LeaseBoard
from raysweep.monitor import Monitor, ProgressBoard
from raysweep.plan import Plan
from raysweep.schedule import schedule
from raysweep.storage import Storage
from raysweep.trial import DRIVER_RESOURCES, run_trial


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended.

    Attributes:
        folder: the results.
        failures: the reason by trial, for those that failed.
        unfinished: trials that were neither finished nor failed, after an interruption.
    """

    folder: Storage
    failures: dict[str, str]
    unfinished: tuple[str, ...]


def connect(workers: WorkerSettings, wait_minutes: float, console: Console) -> None:
    """Joins the running Ray cluster, or starts one on this machine, and checks its size.

    Running is what RAY_ADDRESS names or `ray start` has started on this host; the private cluster
    of another program, which goes when that ends, does not count. A cluster that is started here
    listens on loopback only, with token authentication.

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
        context = ray.init(
            address="local", include_dashboard=True, dashboard_host="127.0.0.1", **quiet
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
    """Runs every trial of the plan and waits for them; finished work in the store is not redone."""
    jobs = {
        trial.id: Job(
            plan.sweep,
            trial,
            plan.space,
            storage.uri,
            {task: (s.train_digest, s.test_digest) for task, s in plan.splits.items()},
        )
        for trial in plan.trials
    }
    board = ray.remote(num_cpus=0)(_Board).remote()
    # Tune keeps files of its own, from which nothing is resumed, and reads the trials' errors back
    # from them: they must not lie on a disk that may be what has filled up.
    with tempfile.TemporaryDirectory() as own, Monitor(plan, board, console) as monitor:
        tuner = ray.tune.Tuner(
            ray.tune.with_resources(run_trial, DRIVER_RESOURCES),
            param_space={
                "trial": ray.tune.grid_search([trial.id for trial in schedule(plan.trials)]),
                "jobs": ray.put(jobs),
                "board": board,
            },
            tune_config=ray.tune.TuneConfig(max_concurrent_trials=_concurrency(plan)),
            run_config=ray.tune.RunConfig(
                name=plan.sweep,
                storage_path=own,
                verbose=0,
                callbacks=[monitor],
            ),
        )
        results = tuner.fit()
    failures, finished = {}, set()
    for index in range(len(results)):
        result = results[index]
        name = result.config["trial"]
        if result.error:
            failures[name] = _reason(result.error)
        elif result.metrics and result.metrics.get("stage") == len(jobs[name].trial.stages):
            finished.add(name)
    unfinished = tuple(name for name in jobs if name not in finished and name not in failures)
    return Outcome(storage.sub("sweeps", plan.sweep), failures, unfinished)


class _Board(ProgressBoard, LeaseBoard):
    """One actor for both, because every actor is a process."""

    def __init__(self) -> None:
        ProgressBoard.__init__(self)
        LeaseBoard.__init__(self)


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


def _concurrency(plan: Plan) -> int:
    """Trials that have workers, and one more that is ready to take them over."""
    workers = plan.space.workers
    if workers.max_concurrent_trials is not None:
        return workers.max_concurrent_trials
    resources = ray.cluster_resources()
    fitting = int(resources.get("CPU", 0)) // (workers.num_workers * workers.cpus_per_worker)
    if workers.use_gpu:
        fitting = min(fitting, int(resources.get("GPU", 0)) // workers.num_workers)
    return max(1, fitting) + 1


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
