"""Peak resident memory of a piece of work, measured in a process of its own (Linux).

All memory counts, whoever allocated it: PyTorch, NumPy, and the libraries below them.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
import torch.distributed as dist

PRELOADED = ["benchmarks.curvature_contestants"]
PROCESS = Path("/proc/self")
Returned = TypeVar("Returned")


class PeakMemory:
    """What the process holds at most from now on, beyond what it holds now."""

    def __init__(self) -> None:
        self._before = _resident_mib("VmRSS")
        (PROCESS / "clear_refs").write_text("5")  # forgets the peak so far

    @property
    def mib(self) -> float:
        """So far, in MiB."""
        return _resident_mib("VmHWM") - self._before


def in_new_process(function: Callable[..., Returned], *arguments: object) -> Returned:
    """What the function returns there, with this process's number of threads."""
    return in_new_processes(1, function, *arguments)[0]


def in_new_processes(
    world: int, function: Callable[..., Returned], *arguments: object
) -> list[Returned]:
    """What the function returns on each rank of a gloo group; alone there is no group."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with TemporaryDirectory() as folder, ProcessPoolExecutor(world, context) as pool:
        store = f"file://{folder}/store"
        threads = torch.get_num_threads()
        started = [
            pool.submit(_run, store, rank, world, threads, function, *arguments)
            for rank in range(world)
        ]
        return [one.result() for one in started]


def _run(
    store: str,
    rank: int,
    world: int,
    threads: int,
    function: Callable[..., Returned],
    *arguments: object,
) -> Returned:
    torch.set_num_threads(threads)
    if world == 1:
        return function(*arguments)
    dist.init_process_group(
        "gloo", init_method=store, rank=rank, world_size=world, timeout=timedelta(minutes=5)
    )
    try:
        value = function(*arguments)
        dist.barrier()  # nobody leaves while another still waits for numbers
        return value
    finally:
        dist.destroy_process_group()


def _resident_mib(field: str) -> float:
    for line in (PROCESS / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) / 1024
    raise OSError(f"{PROCESS / 'status'} has no {field}")
