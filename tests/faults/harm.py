"""What is done to files: damaged ones, a disk of a given size, one that is filled up."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def flip_bit(path: Path) -> None:
    """with a bit flipped"""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def delete(path: Path) -> None:
    """deleted"""
    path.unlink()


def delete_folder(path: Path) -> None:
    """deleted with all that lies beside it"""
    shutil.rmtree(path.parent)


def truncate(path: Path) -> None:
    """cut to a half"""
    os.truncate(path, path.stat().st_size // 2)


def cannot_mount() -> str:
    """Why no disk can be made here; nothing if one can."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            mount(Path(folder), "size=1m")
        except (OSError, subprocess.CalledProcessError) as error:
            return f"a disk cannot be mounted here ({error})"
        subprocess.run(["umount", folder], check=True)
    return ""


@contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    """A disk of that size (tmpfs), mounted for the length of a block."""
    folder.mkdir()
    mount(folder, f"size={size}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def mount(folder: Path, options: str) -> None:
    """Mounts a tmpfs, or changes one that is mounted ("remount,...")."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def fill(path: Path) -> None:
    """Writes until nothing fits any more."""
    with path.open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(bytes(4096))
