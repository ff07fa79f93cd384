"""Hosts: what of cores, memory and GPUs there is for a sweep's workers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GIB, MIB = 2**30, 2**20
CGROUP = Path("/sys/fs/cgroup")
LIMITS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)
"""A container's files: its limit, and what of it is used, of both versions of control groups."""


@dataclass(frozen=True)
class Host:
    """One machine.

    Attributes:
        num_cores: CPU cores that processes may use.
        memory_gib: of the machine, what is free.
        gpu_gib: memory of one GPU, of the smallest; None if it is not known.
    """

    num_cores: int
    memory_gib: float
    num_gpus: int = 0
    gpu_gib: float | None = None


def this_host() -> Host:
    """The machine that this process runs on, within the limits of its container."""
    gpus = local_gpus()
    return Host(_num_cores(), _free_bytes() / GIB, len(gpus), min(gpus, default=None))


def local_gpus() -> list[float]:
    """The memory of each GPU that this process may use, in GiB, as NVIDIA's driver tells it."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shutil.which("nvidia-smi") is None or visible in ("", "-1"):
        return []
    chosen = ["-i", visible] if visible else []
    command = ["nvidia-smi", *chosen, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = told.stdout.split() if not told.returncode else []
    return [int(line) * MIB / GIB for line in lines if line.isdigit()]


def _num_cores() -> int:
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = (CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


def _free_bytes() -> int:
    """What new processes may take without anything being swapped out."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    (free,) = (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    return min([free, *_left_in_container()])


def _left_in_container() -> Iterator[int]:
    for limit, used in LIMITS:
        try:
            yield int((CGROUP / limit).read_text()) - int((CGROUP / used).read_text())
        except (OSError, ValueError):  # of the other version; or "max"
            continue
