"""Other processes: a group that runs a function over gloo, as workers do; a command's lines."""

from __future__ import annotations

import os
import socket
import subprocess
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

Returned = TypeVar("Returned")


def run_group(world: int, function: Callable[..., Returned], *arguments: object) -> list[Returned]:
    """What ``function(*arguments)`` returned on each rank; raises if any rank did."""
    context = mp.get_context("spawn")
    queue, port = context.Queue(), _free_port()
    processes = [
        context.Process(target=_main, args=(rank, world, port, queue, function, arguments))
        for rank in range(world)
    ]
    for process in processes:
        process.start()
    outcomes = [queue.get(timeout=400) for _ in processes]
    for process in processes:
        process.join(timeout=60)
    errors = [value for _, ok, value in outcomes if not ok]
    if errors:
        raise AssertionError(errors[0])
    return [value for _, _, value in sorted(outcomes, key=lambda outcome: outcome[0])]


def _main(
    rank: int, world: int, port: int, queue: Any, function: Callable[..., Any], arguments: Any
) -> None:
    os.environ.update(
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(world),
    )
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=world)
    try:
        queue.put((rank, True, function(*arguments)))
    except BaseException:
        queue.put((rank, False, traceback.format_exc()))
    finally:
        dist.destroy_process_group()


def next_line(process: subprocess.Popen[str]) -> str:
    """Of what the process writes into its pipe."""
    assert process.stdout is not None
    return process.stdout.readline()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
