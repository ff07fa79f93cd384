"""The process group of a trial's workers: gloo on CPUs, NCCL on GPUs.

Left to itself PyTorch's rendezvous listens on every interface. Here rank 0 binds it to its host's
address: the loopback one on a laptop, the private one on a cluster.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from raysweep.worker.seat import Seat

JOIN_MINUTES = 10.0  # most that one worker waits for the others' first sign
BACKSTOP = 4  # a collective gives up after so many times what counts as a stall
POLL_SECONDS = 0.05
Address = tuple[str, int]


@contextmanager
def process_group(
    seat: Seat, announce: Callable[[Address], object], find: Callable[[], Address | None]
) -> Iterator[None]:
    """While the block runs this process is one of a group, and has what PyTorch programs expect.

    Args:
        announce: tells the other ranks where rank 0 listens.
        find: where rank 0 listens; None until it has announced it.
    """
    os.environ.update(
        RANK=str(seat.rank),
        WORLD_SIZE=str(seat.world),
        LOCAL_RANK=str(seat.local_rank),
        LOCAL_WORLD_SIZE=str(seat.local_world),
    )
    if seat.device is not None:
        torch.cuda.set_device(seat.device)
    limit = timedelta(minutes=min(JOIN_MINUTES, seat.stall_minutes))
    store = _store(seat, limit, announce, find)
    meet(store, seat.world, limit)
    dist.init_process_group(
        "gloo" if seat.device is None else "nccl",
        store=store,
        rank=seat.rank,
        world_size=seat.world,
        timeout=timedelta(minutes=BACKSTOP * seat.stall_minutes),
    )
    yield  # what is raised ends the process, and by that the group
    dist.destroy_process_group()
    come(store, seat.world, "left")
    if seat.rank == 0:
        store.wait(["all left"], limit)  # it is the one that listens


def _store(
    seat: Seat,
    limit: timedelta,
    announce: Callable[[Address], object],
    find: Callable[[], Address | None],
) -> dist.Store:
    """By which the ranks find each other."""
    if seat.world == 1:
        return dist.HashStore()
    if seat.rank == 0:
        return _listen(seat, limit, announce)
    until = time.monotonic() + limit.total_seconds()
    while (address := find()) is None:
        if time.monotonic() > until:
            raise TimeoutError(f"rank 0 has not come within {limit.total_seconds():.0f} seconds")
        time.sleep(POLL_SECONDS)
    return dist.TCPStore(*address, seat.world, is_master=False, timeout=limit)


def _listen(seat: Seat, limit: timedelta, announce: Callable[[Address], object]) -> dist.Store:
    """Starts the rendezvous on this host's address and any free port."""
    listener = socket.socket(socket.AF_INET6 if ":" in seat.host else socket.AF_INET)
    listener.bind((seat.host, 0))
    listener.listen(2 * seat.world)
    port = int(listener.getsockname()[1])
    store = dist.TCPStore(
        seat.host,
        port,
        seat.world,
        is_master=True,
        wait_for_workers=False,
        timeout=limit,
        master_listen_fd=listener.detach(),
    )
    announce((seat.host, port))
    return store


def meet(store: Any, world: int, limit: timedelta) -> None:
    """Waits until every rank has come, and no longer than the limit."""
    come(store, world, "arrived")
    store.wait(["all arrived"], limit)


def come(store: Any, world: int, what: str) -> None:
    """Says that one more rank has arrived, or left."""
    if store.add(what, 1) == world:
        store.set(f"all {what}", "")
