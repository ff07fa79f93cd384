"""A temporary folder on a host for fetched weights.

Weights are large, and a worker that is killed deletes nothing. So whoever makes a folder first
deletes those that nobody holds any more: a folder is held by a lock, which the system gives up with
the process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = f"raysweep-{os.getuid()}-"


def scratch_path(token: str) -> Path:
    """Where the folder of that token is, on whichever host this is asked."""
    return Path(tempfile.gettempdir()) / f"{PREFIX}{token}"


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Makes and holds a folder (see `scratch_path`), and deletes it at the end."""
    delete_abandoned(path.parent)
    # Under its own name only once it is held, so that nobody takes it for an abandoned one.
    new = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=path.parent))
    handle = os.open(new, os.O_RDONLY)
    try:
        _hold(handle)
        new.rename(path)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def delete_abandoned(parent: Path) -> None:
    """Deletes this user's scratch folders that no process holds."""
    for path in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # gone in the meantime, or no folder
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(handle).st_uid == os.getuid() and _hold(handle):
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(handle)


def _hold(handle: int) -> bool:
    """Whether the folder could be locked; where the file system has no locks, none is abandoned."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
