"""The Ray cluster that a sweep runs on: one that runs already, or one of its own."""

from __future__ import annotations

import os
import socket
import time

import ray
from ray._private import ray_constants
from ray._private.utils import read_ray_address
from rich.console import Console

from raysweep.config import WorkerSettings
from raysweep.errors import InputError


def connect(
    workers: WorkerSettings, wait_minutes: float, console: Console, *, dashboard: bool = True
) -> None:
    """Joins the running Ray cluster, or starts one on this machine, and checks its size.

    Running is what RAY_ADDRESS names or `ray start` has started on this host; the private cluster
    of another program, which goes when that ends, does not count. A cluster that is started here
    listens on loopback only, with token authentication.

    Args:
        dashboard: whether a cluster that is started here has one.

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


def num_fitting(workers: WorkerSettings) -> int:
    """Trials that can have workers at the same time."""
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
