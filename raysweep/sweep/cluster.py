"""The Ray cluster that a sweep runs on: one that runs already, or one of its own."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from rich.console import Console

from raysweep.cost.hosts import this_host
from raysweep.cost.shape import Shape, choose_shape
from raysweep.errors import INPUT_ERROR_CODE, InputError
from raysweep.plan.plan import Plan
from raysweep.process.descendants import end_descendants
from raysweep.process.ending import ENDING
from raysweep.store.host_folder import delete_abandoned
from raysweep.sweep import ray_private
from raysweep.sweep.address import check_address, why_silent
from raysweep.sweep.cluster_hosts import cluster_hosts
from raysweep.sweep.fork_servers import end_shared, equip_shared
from raysweep.sweep.token_file import protect_token, token_path
from raysweep.training.settings import WorkerSettings
from raysweep.worker.rows import HeldRows

LOST_CODE = 1
JOIN_SECONDS = 30.0
WAIT_SECONDS = 10.0
CHECK_IT = "see `ray status`, and whether RAY_AUTH_MODE and the token are those of the cluster"
GRACE_SECONDS = 5.0  # for processes to go by themselves; a dashboard's module may take a minute
WATCH_SECONDS = 1.0
_watching: list[threading.Event] = []  # set: the cluster is left, and may end


def connect(plan: Plan, wait_minutes: float, console: Console, *, dashboard: bool = True) -> Shape:
    """Joins the running Ray cluster, or starts one on this machine; the shape of the sweep on it.

    Running is what RAY_ADDRESS names or `ray start` has started on this host; the private cluster
    of another program, which goes when that ends, does not count. A cluster that is started here
    listens on loopback only, with token authentication.

    Args:
        wait_minutes: for a cluster that one trial fits: of its number of workers where it is given,
            else of any.
        dashboard: whether a cluster that is started here has one.

    Raises:
        InputError: the cluster has too few CPUs or GPUs for one trial, or cannot be joined.
    """
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the monitor speaks; Tune keeps silent
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # a signal ends all at once: see `ending`
    # Nobody reads Tune's own logs, and one of their writers takes seconds to import.
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    address = _running_cluster()
    path = token_path()
    if path and (changed := protect_token(path, make=not address)):
        console.print(changed, highlight=False, soft_wrap=True)
    if address:
        end_shared()
        context = _join(address, **quiet)
        console.print(f"Joined the Ray cluster at {context.address_info['address']}.")
    else:
        shape = _local_shape(plan)
        equip_shared(shape.workers, _rows(plan))
        ray_private.stay_on_loopback()
        # No cloud takes a laptop away: this spares every trial an actor that asks it.
        os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
        context = _init(
            address="local", include_dashboard=dashboard, dashboard_host="127.0.0.1", **quiet
        )
        _watch_local_cluster()
        console.print("Started a Ray cluster on this machine.")
    if context.dashboard_url:
        console.print(f"Dashboard: http://{context.dashboard_url}")
    if address:
        return _awaited_shape(plan, wait_minutes, console)
    _check_size(_needed(shape.workers), ray.cluster_resources())  # Ray may count otherwise
    return shape


def _rows(plan: Plan) -> HeldRows:
    """Those that the plan has: as the first data seed draws them."""
    space = plan.space
    return HeldRows.of(space.data.drawn(space.data_seeds[0]), plan.splits)


def all_resources() -> dict[str, float]:
    """All that the cluster has, by Ray's names."""
    return dict(ray.cluster_resources())


def num_fitting(workers: WorkerSettings) -> int:
    """Trials that can have workers at the same time."""
    needed, resources = _needed(workers), ray.cluster_resources()
    fitting = min(int(resources.get(name, 0)) // amount for name, amount in needed.items())
    return max(1, min(fitting, workers.max_concurrent_trials or fitting))


@contextmanager
def losing_the_cluster() -> Iterator[None]:
    """A block that ends in one line if Ray itself is lost; what is raised says so in many."""
    try:
        yield
    except ray.exceptions.RayTaskError:
        raise  # of our own code
    except (ray.exceptions.RayError, ConnectionError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        ENDING.request(LOST_CODE, f"The Ray cluster was lost ({lines[0]}).")
        raise


def leave() -> None:
    """Leaves the cluster. One that was started here ends, and each of its processes."""
    is_own = ray_private.is_own_cluster()
    for left in _watching:
        left.set()
    if not (is_own and ENDING.is_requested):  # else its processes are killed, in no time
        ray.shutdown()
        ENDING.begin()  # Ray leaves SIGTERM to the system, past Python
    end_shared()
    end_descendants(0.0 if ENDING.is_requested else GRACE_SECONDS)
    delete_abandoned(Path(tempfile.gettempdir()))


def _join(address: str, **arguments: Any) -> Any:
    """Joins a cluster, which may refuse: another token, another version; or say nothing."""
    place = f"Ray cluster at {address}"
    silence = f"error: {place}: could not be joined within {JOIN_SECONDS:.0f} seconds; {CHECK_IT}"
    timer = threading.Timer(JOIN_SECONDS, ENDING.request, (INPUT_ERROR_CODE, silence))
    timer.daemon = True
    timer.start()
    try:
        return _init(address=address, **arguments)
    except (RuntimeError, ConnectionError, ValueError, ray.exceptions.RayError) as error:
        reason = " ".join(str(error).split())
        raise InputError(place, f"cannot be joined ({reason})", CHECK_IT) from None
    finally:
        timer.cancel()


def _init(**arguments: Any) -> Any:
    """`ray.init`, which takes SIGTERM for itself."""
    try:
        return ray.init(**arguments)
    finally:
        ENDING.begin()


def _watch_local_cluster() -> None:
    """Notices the death of a cluster of one's own before Ray does, which ends the process then."""
    node, left = ray_private.global_node(), threading.Event()
    _watching.append(left)

    def watch() -> None:
        while not left.wait(WATCH_SECONDS):
            dead = ray_private.dead_processes(node)
            if dead and not left.is_set():
                what = " and ".join(sorted(dead))
                ENDING.request(LOST_CODE, f"The Ray cluster was lost: its {what} has ended.")
                return

    threading.Thread(target=watch, daemon=True).start()


def _running_cluster() -> str | None:
    """The address of the cluster to join; None where one is to be started."""
    named = os.environ.get("RAY_ADDRESS", "")
    if named == "local":
        return None
    if named and named != "auto":
        check_address(named)
        return named
    with suppress(OSError):  # a file of another user
        started: str | None = ray_private.read_ray_address()
        if started and not why_silent(started):
            return started
    if named:
        raise InputError(
            "RAY_ADDRESS = auto",
            "no Ray cluster was started on this host",
            "start one (`ray start --head`), name another, or unset RAY_ADDRESS",
        )
    return None


def _local_shape(plan: Plan) -> Shape:
    """That on this machine, before anything is started."""
    workers, host = plan.space.workers, this_host()
    if workers.use_gpu and not host.num_gpus:
        host = replace(host, num_gpus=_num_local_gpus())
    shape = choose_shape(plan, [host])
    _check_size(_needed(shape.workers), {"CPU": os.cpu_count() or 1, "GPU": host.num_gpus})
    return shape


def _awaited_shape(plan: Plan, wait_minutes: float, console: Console) -> Shape:
    """That on the cluster, as soon as one trial fits."""
    deadline = time.monotonic() + 60 * wait_minutes
    while True:
        try:
            shape = choose_shape(plan, cluster_hosts())
            _check_size(_needed(shape.workers), ray.cluster_resources())
            return shape
        except InputError as error:
            if time.monotonic() >= deadline:
                raise
            console.print(f"Waiting, because {error.problem}.", highlight=False, markup=False)
        time.sleep(WAIT_SECONDS)


def _num_local_gpus() -> int:
    """Those that torch knows, which may be other ones than NVIDIA's."""
    import torch  # takes seconds to import

    return torch.cuda.device_count()


def _needed(workers: WorkerSettings) -> dict[str, int]:
    """What one trial's workers take."""
    gpus = {"GPU": workers.num_workers} if workers.use_gpu else {}
    return {"CPU": workers.num_workers * workers.cpus_per_worker, **gpus}


def _check_size(needed: Mapping[str, float], resources: Mapping[str, float]) -> None:
    if not _is_enough(needed, resources):
        asked, there = _listed(needed, needed), _listed(needed, resources)
        raise InputError(
            f"workers.num_workers = {needed.get('GPU', needed['CPU'])}",
            f"a trial needs {asked} but the cluster has {there}",
            "lower --num-workers, add nodes, or give them time with --wait-for-workers",
        )


def _is_enough(needed: Mapping[str, float], resources: Mapping[str, float]) -> bool:
    return all(resources.get(name, 0) >= amount for name, amount in needed.items())


def _listed(names: Iterable[str], amounts: Mapping[str, float]) -> str:
    return " and ".join(f"{int(amounts.get(name, 0))} {name}s" for name in names)
