"""Wall and CPU seconds of a command and of all that it starts, daemons of its own included.

The kernel's account of a control group is exact, whatever becomes of a process and whoever waits
for it; that takes the right to make one (root, or a delegated cgroup). Elsewhere the processes
below the command are looked at five times a second, and what each had used when it was last seen
is added up: a process loses what it does after that, and one that leaves the family is lost.
"""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

SECONDS_PER_LOOK = 0.2
SECONDS_FOR_DAEMONS = 60.0
ROOT = Path("/sys/fs/cgroup")
MEMBERS = "cgroup.procs"


@dataclass(frozen=True)
class Spent:
    """What a command took.

    Attributes:
        wall_seconds: from its start to its own end.
        cpu_seconds: user and system, of all its processes until the last of them has ended.
        is_exact: whether the kernel has counted them; else they were looked at.
        output: what it has written to both its streams.
    """

    code: int
    wall_seconds: float
    cpu_seconds: float
    is_exact: bool
    output: str


def measure(
    command: Sequence[str], environment: Mapping[str, str], log: Path, *, exact: bool = True
) -> Spent:
    """Runs a command in a session of its own.

    Args:
        log: where its output goes.
        exact: whether a control group may be asked for.

    Raises:
        RuntimeError: processes of the command have outlived it by a minute.
    """
    with _control_group() if exact else _none() as group:
        joined = command if group is None else [*_joining(group), *command]
        started = time.monotonic()
        with log.open("w") as output:
            process = psutil.Popen(
                joined,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
            )
        seen: dict[int, float] = {}
        if group is None:
            while process.poll() is None:
                _look(process, seen)
                time.sleep(SECONDS_PER_LOOK)
        code, wall = process.wait(), time.monotonic() - started
        if group is not None:
            _wait_until(lambda: not (group / MEMBERS).read_text().split())
        cpu = sum(seen.values()) if group is None else _usage(group)
    return Spent(code, wall, cpu, group is not None, log.read_text())


def _joining(group: Path) -> list[str]:
    return ["sh", "-c", f'echo $$ > "{group / MEMBERS}" && exec "$@"', "sh"]


@contextmanager
def _none() -> Iterator[None]:
    yield None


@contextmanager
def _control_group() -> Iterator[Path | None]:
    """A new control group whose CPU time is counted; None where none can be made."""
    group = next((one for one in map(_made, _parents()) if one), None)
    try:
        yield group
    finally:
        if group is not None:
            group.rmdir()


def _parents() -> Iterator[Path]:
    """This process's own control groups that count CPU time, of either version."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or "cpuacct" in controllers.split(","):
            yield ROOT / controllers / path.lstrip("/")


def _made(parent: Path) -> Path | None:
    group = parent / f"benchmark-{uuid.uuid4().hex[:8]}"
    try:
        group.mkdir()
        if not os.access(group / MEMBERS, os.W_OK):
            group.rmdir()
            return None
    except OSError:
        return None
    return group


def _usage(group: Path) -> float:
    """CPU seconds of a control group since it was made."""
    if (group / "cpuacct.usage").exists():
        return int((group / "cpuacct.usage").read_text()) / 1e9
    lines = (line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(dict(lines)["usage_usec"]) / 1e6


def _wait_until(is_done: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS_FOR_DAEMONS
    while not is_done():
        if time.monotonic() > end:
            raise RuntimeError("processes of the command outlive it")
        time.sleep(SECONDS_PER_LOOK)


def _look(process: psutil.Process, seen: dict[int, float]) -> None:
    """What each process of a family has used so far, by its id."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        try:
            times = one.cpu_times()
        except psutil.Error:
            continue  # it has just ended
        seen[one.pid] = times.user + times.system
