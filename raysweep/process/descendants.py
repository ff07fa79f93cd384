"""The processes that this one has started, and theirs: found and ended.

A process whose parent dies would become init's, and be found no more. `adopt_orphans` makes it this
process's child instead.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
NUM_THREADS = 15  # where the line of /proc/PID/stat has it, after the parent; see proc(5)
LIMIT_SECONDS, POLL_SECONDS = 5.0, 0.05


def adopt_orphans() -> None:
    """From now on descendants whose parents die become children of this process."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> list[int]:
    """Process ids of all that live below this process.

    A zombie lives no more, unless threads of it do: of a process that was killed the first thread
    may be one while the others still hold its files and locks.
    """
    children: dict[int, list[int]] = defaultdict(list)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):  # it is gone
            text = Path("/proc", pid, "stat").read_text(errors="replace")
            state, parent, *rest = text.rpartition(")")[2].split()  # "12 (a name) S 7 ..."
            if state not in "ZX" or int(rest[NUM_THREADS]) > 1:
                children[int(parent)].append(int(pid))
    found, todo = [], [os.getpid()]
    while todo:
        below = children[todo.pop()]
        found += below
        todo += below
    return found


def end_descendants(grace_seconds: float) -> None:
    """Waits for all processes below this one to go, then kills those that have not.

    They are killed again and again for `LIMIT_SECONDS`, with those that they have started in the
    meantime; one that hangs in a system call is there still.

    Args:
        grace_seconds: how long they may take to go by themselves.
    """
    started = time.monotonic()
    while left := descendants():
        waited = time.monotonic() - started
        if waited > grace_seconds + LIMIT_SECONDS:
            break
        if waited >= grace_seconds:
            for pid in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
