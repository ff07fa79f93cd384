"""The fork servers of lanes' workers: what they import, and one that imports while Ray starts.

Each worker has a fork server beside it; see `process.fork_server`. On a cluster that the command
itself starts, on this machine, there is one for all: it is started first and imports while the
sweep is planned and Ray's own processes start. Where it is gone, or on another host, a worker
starts its own.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from raysweep.process.fork_server import ForkServer, LostServerError
from raysweep.store.host_folder import scratch_folder, scratch_path
from raysweep.training.settings import WorkerSettings
from raysweep.worker.rows import HeldRows

VARIABLE = "RAYSWEEP_FORK_SERVER"
"""Names the socket of the one for all; Ray's processes inherit it."""
NAME, LONGEST = "socket", 108  # bytes of a socket's path: sun_path, sys/un.h
HOLD, TAKE_IN = "raysweep.worker.rows:hold", "raysweep.process.fork_server:take_in"
PRELOADED = (
    "raysweep.worker.attempt",
    "raysweep.training.stage",
    "pandas",  # which pyarrow imports when it makes a table
    "scipy.stats",  # for the permutations of groups
)
DEEPSPEED = (
    "raysweep.training.engine",
    "setuptools",  # this and the next two are imported when an engine is made
    "deepspeed.ops.op_builder.all_ops",
    "deepspeed.module_inject.auto_ep_layer",
)
ZERO = ("deepspeed.runtime.zero.muon.original_muon",)  # with PyTorch's compiler
LOG = logging.getLogger(__name__)
_servers: list[ForkServer] = []  # the one for all, if this process has started it
_shared = ExitStack()  # what ends with it


def preloaded(workers: WorkerSettings) -> tuple[str, ...]:
    """The modules that the fork server imports.

    A process that is forked off one that has looked for GPUs cannot use them: on GPUs each process
    imports for itself.
    """
    if workers.use_gpu:
        return ()
    if workers.num_workers == 1 and workers.zero_stage == 0:
        return PRELOADED
    return (*PRELOADED, *DEEPSPEED, *(ZERO if workers.zero_stage else ()))


@contextmanager
def shared(workers: WorkerSettings) -> Iterator[None]:
    """While the block plans and runs a sweep there is one for all workers on this machine.

    It imports while the command plans and Ray starts. Where the cluster is another one's, or GPUs
    are used, it is in vain, and ends.
    """
    if not os.environ.get("RAY_ADDRESS") and not workers.use_gpu:
        _start_shared()
    try:
        yield
    finally:
        end_shared()


def equip_shared(workers: WorkerSettings, rows: HeldRows) -> None:
    """Has the one for all take in what is known after the plan; starts it if there is none yet.

    Args:
        workers: as they are decided.
        rows: of the plan, which the processes need not read again.
    """
    modules = preloaded(workers)
    if not modules:
        end_shared()
        return
    if VARIABLE not in os.environ:
        _start_shared()
    try:
        for server in _servers:
            server.call(TAKE_IN, *modules)
            server.call(HOLD, rows)
    except LostServerError as error:
        LOG.warning("workers import for themselves: %s", error)
        end_shared()


def end_shared() -> None:
    """Ends it, if there is one."""
    _shared.close()


def _start_shared() -> None:
    """Starts it; where temporary folders have names too long for a socket there is none."""
    folder = scratch_path(f"fork-{uuid.uuid4().hex}")
    if len(os.fsencode(folder / NAME)) < LONGEST:
        # A folder that only this user can open: who reaches the socket has processes started.
        os.environ[VARIABLE] = str(_shared.enter_context(scratch_folder(folder)) / NAME)
        _shared.callback(os.environ.pop, VARIABLE, None)
        server = ForkServer(PRELOADED, os.environ[VARIABLE])
        _servers.append(server)
        _shared.callback(_servers.clear)
        _shared.callback(server.close)


def fork_server(workers: WorkerSettings) -> ForkServer:
    """For a worker: the one for all, or its own."""
    if (address := os.environ.get(VARIABLE)) and not workers.use_gpu:
        try:
            return ForkServer.join(address)
        except LostServerError as error:
            LOG.warning("this worker starts its own: %s", error)
    return ForkServer(preloaded(workers))
