"""Paths that a user gives: refused before anything starts where no file system can hold them.

Without this a NUL, the home of a user that does not exist, or a name beyond the file system's limit
ends in a traceback of whoever looks first.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from raysweep.errors import InputError

REMEDY = "give another path"


def expanded(text: str | Path) -> Path:
    """The path with ``~`` expanded; whether something is there is not looked at.

    Raises:
        ValueError: it can be no path; the message says why, without the path.
    """
    text = str(text)
    if not text.strip():
        raise ValueError("is empty")
    if "\0" in text:
        raise ValueError("holds a NUL character")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("is no UTF-8 text")
    try:
        path = Path(text).expanduser()
        os.stat(path)
    except RuntimeError:
        raise ValueError(f"{Path(text).parts[0]} is nobody's home folder here") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ValueError("is longer than a path may be") from None
        if error.errno == errno.ELOOP:
            raise ValueError("is a link that leads to itself") from None
    return path


def user_path(text: str | Path, place: str) -> Path:
    """As `expanded`, for what is told on one line.

    Raises:
        InputError: it can be no path.
    """
    try:
        return expanded(text)
    except ValueError as error:
        raise InputError(place, str(error), REMEDY) from None


def shown(text: object, most: int = 120) -> str:
    """A value on one line, cut in its middle where it is long."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else f"{line[: most - 40]}...{line[-30:]}"


def user_file(text: str | Path, remedy: str) -> Path:
    """The path of a regular file that is there: a pipe or a device would be waited for.

    Raises:
        InputError: it is not.
    """
    path = user_path(text, shown(repr(str(text)) if "\0" in str(text) else text) or "''")
    if path.is_file():
        return path
    problem = "is no file" if path.exists() and not path.is_dir() else "no such file"
    raise InputError(shown(path), problem, remedy)


def check_out(path: Path, place: str, *, is_folder: bool = False) -> Path:
    """The path of a file or folder that is to be written.

    Raises:
        InputError: it cannot be written there.
    """
    path = user_path(path, place)
    fits, kind = (path.is_dir(), "folder") if is_folder else (path.is_file(), "file")
    if path.exists() and not fits:
        raise InputError(place, f"is no {kind}", REMEDY)
    return path
