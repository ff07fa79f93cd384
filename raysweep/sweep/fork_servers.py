"""The fork servers of lanes' workers: what they import, and one that imports while Ray starts.

Each worker has a fork server beside it; see `process.fork_server`. On a cluster that the command
itself starts, on this machine, there is one for all: it is started first and imports while Ray's
own processes start. Where it is gone, or on another host, a worker starts its own.
"""

from __future__ import annotations

import logging
import os
import uuid
from contextlib import ExitStack

from raysweep.process.fork_server import ForkServer, LostServerError
from raysweep.store.host_folder import scratch_folder, scratch_path
from raysweep.training.settings import WorkerSettings
from raysweep.worker.rows import HeldRows

VARIABLE = "RAYSWEEP_FORK_SERVER"
"""Names the socket of the one for all; Ray's processes inherit it."""
NAME, LONGEST = "socket", 108  # bytes of a socket's path: sun_path, sys/un.h
HOLD = "raysweep.worker.rows:hold"
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
_shared = ExitStack()  # what ends with the one for all


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


def start_shared(workers: WorkerSettings, rows: HeldRows) -> None:
    """Starts one for all workers on this machine, before a cluster of one's own.

    Where temporary folders have names that are too long for a socket there is none.

    Args:
        rows: of the plan, which the processes need not read again.
    """
    modules, token = preloaded(workers), f"fork-{uuid.uuid4().hex}"
    if modules and len(os.fsencode(scratch_path(token) / NAME)) < LONGEST:
        # A folder that only this user can open: who reaches the socket has processes started.
        folder = _shared.enter_context(scratch_folder(scratch_path(token)))
        os.environ[VARIABLE] = str(folder / NAME)
        _shared.callback(os.environ.pop, VARIABLE, None)
        server = ForkServer(modules, os.environ[VARIABLE], (HOLD, (rows,)))
        _shared.callback(server.close)


def end_shared() -> None:
    """Ends it, if there is one."""
    _shared.close()


def fork_server(workers: WorkerSettings) -> ForkServer:
    """For a worker: the one for all, or its own."""
    if (address := os.environ.get(VARIABLE)) and not workers.use_gpu:
        try:
            return ForkServer.join(address)
        except LostServerError as error:
            LOG.warning("this worker starts its own: %s", error)
    return ForkServer(preloaded(workers))
