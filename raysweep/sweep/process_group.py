"""The process group of a trial's workers: gloo on CPUs, NCCL on GPUs.

Ray Train's own set-up lets PyTorch choose where its rendezvous listens, and PyTorch chooses every
interface. Here rank 0 binds it to its node's address: the loopback one on a laptop, the private one
on a cluster. It also spares the trial driver and Train's controller the import of torch.

A worker that dies while the group forms ends the group at once. Train would start another for ever,
and leave the first one's processors taken; the trial driver does both as often as it may.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import ray
import ray.train
from ray.train.backend import Backend, BackendConfig

JOIN_MINUTES = 10.0  # most that one worker waits for the others' first sign
BACKSTOP = 4  # a collective gives up after so many times what the driver calls a stall
_kept: list[Any] = []  # the store of this worker, which must outlive the process group


class JoinError(RuntimeError):
    """The workers did not become a process group."""


@dataclass
class GroupConfig(BackendConfig):
    """Asks Ray Train for this module's process group.

    Attributes:
        stall_minutes: after which workers that make no progress are ended, by who watches them.
        advance: tells that the group is getting on; called in Train's controller.
    """

    stall_minutes: float
    advance: Callable[[], None]

    @property
    def backend_cls(self) -> type[Backend]:
        """The class that sets it up."""
        return _GroupBackend


class _GroupBackend(Backend):
    share_cuda_visible_devices = True  # NCCL and DeepSpeed find a worker's GPU by its local rank

    def on_start(self, worker_group: Any, backend_config: GroupConfig) -> None:
        limit = timedelta(minutes=min(JOIN_MINUTES, backend_config.stall_minutes))
        collective = timedelta(minutes=BACKSTOP * backend_config.stall_minutes)
        backend_config.advance()
        listening = worker_group.execute_single_async(0, _listen, len(worker_group), limit)
        ((host, port),) = _results([listening])
        backend_config.advance()
        _results(worker_group.execute_async(_join, host, port, limit, collective))
        backend_config.advance()

    def on_shutdown(self, worker_group: Any, backend_config: GroupConfig) -> None:
        worker_group.execute(_leave)


def _results(references: list[Any]) -> list[Any]:
    """What all workers return; the first that fails ends the wait for the others.

    Raises:
        JoinError: a worker has died, or raised something. Not Ray's own error, after which Train
            would start over as often as it likes.
    """
    left = list(references)
    try:
        while left:
            done, left = ray.wait(left)
            ray.get(done)
        return list(ray.get(references))
    except ray.exceptions.RayError as error:
        reason = " ".join(str(error).split())
        raise JoinError(f"a worker was lost while the process group formed: {reason}") from error


def _listen(world: int, limit: timedelta) -> tuple[str, int]:
    """On rank 0: starts the rendezvous on this node's address and any free port."""
    from torch.distributed import TCPStore

    host = ray.util.get_node_ip_address()
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.bind((host, 0))
    listener.listen(2 * world)
    port = listener.getsockname()[1]
    _kept[:] = [
        TCPStore(
            host,
            port,
            world,
            is_master=True,
            wait_for_workers=False,
            timeout=limit,
            master_listen_fd=listener.detach(),
        )
    ]
    return host, port


def _join(host: str, port: int, limit: timedelta, collective: timedelta) -> None:
    """On every rank: joins the process group, with the variables that PyTorch programs expect."""
    import torch
    import torch.distributed as dist

    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    os.environ.update(
        RANK=str(rank),
        WORLD_SIZE=str(world),
        LOCAL_RANK=str(context.get_local_rank()),
        LOCAL_WORLD_SIZE=str(context.get_local_world_size()),
    )
    backend = "gloo"
    if ray.get_gpu_ids():
        from ray.train.torch import get_device

        backend = "nccl"
        torch.cuda.set_device(get_device())
    if rank:
        _kept[:] = [dist.TCPStore(host, port, world, is_master=False, timeout=limit)]
    _meet(_kept[0], world, limit)
    dist.init_process_group(
        backend, store=_kept[0], rank=rank, world_size=world, timeout=collective
    )


def _meet(store: Any, world: int, limit: timedelta) -> None:
    """Waits until every rank has come, and no longer than the limit."""
    if store.add("arrived", 1) == world:
        store.set("all arrived", "")
    store.wait(["all arrived"], limit)


def _leave() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()
    _kept.clear()
