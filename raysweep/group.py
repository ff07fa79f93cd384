"""The process group of a trial's workers: gloo on CPUs, NCCL on GPUs.

Ray Train's own set-up lets PyTorch choose where its rendezvous listens, and PyTorch chooses every
interface. Here rank 0 binds it to its node's address: the loopback one on a laptop, the private one
on a cluster. It also spares the trial driver and Train's controller the import of torch.
"""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from typing import Any

import ray
import ray.train
from ray.train.backend import Backend, BackendConfig

TIMEOUT = timedelta(minutes=30)
_kept: list[Any] = []  # the store of this worker, which must outlive the process group


class GroupConfig(BackendConfig):
    """Asks Ray Train for this module's process group."""

    @property
    def backend_cls(self) -> type[Backend]:
        """The class that sets it up."""
        return _GroupBackend


class _GroupBackend(Backend):
    share_cuda_visible_devices = True  # NCCL and DeepSpeed find a worker's GPU by its local rank

    def on_start(self, worker_group: Any, backend_config: BackendConfig) -> None:
        host, port = worker_group.execute_single(0, _listen, len(worker_group))
        worker_group.execute(_join, host, port)

    def on_shutdown(self, worker_group: Any, backend_config: BackendConfig) -> None:
        worker_group.execute(_leave)


def _listen(world: int) -> tuple[str, int]:
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
            timeout=TIMEOUT,
            master_listen_fd=listener.detach(),
        )
    ]
    return host, port


def _join(host: str, port: int) -> None:
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
        _kept[:] = [dist.TCPStore(host, port, world, is_master=False, timeout=TIMEOUT)]
    dist.init_process_group(backend, store=_kept[0], rank=rank, world_size=world, timeout=TIMEOUT)


def _leave() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()
    _kept.clear()
