"""The file with the token of Ray's clusters: who reads it runs code on them.

Ray makes it readable for everybody, as far as the umask lets it. Here it is made before Ray looks
for it, or closed to others where it is found: the file 0600, and the folder 0700 if it is Ray's own
(``.ray``). A folder that others use too, such as the home folder, is left as it is.

    RAY_AUTH_TOKEN         the token itself: there is no file to look after
    RAY_AUTH_TOKEN_PATH    the file's place, else ~/.ray/auth_token
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from raysweep.errors import InputError
from raysweep.store.storage import placed

DEFAULT = Path(".ray", "auth_token")  # in the home folder
NUM_BYTES = 32  # of randomness, as Ray takes
OTHERS = stat.S_IRWXG | stat.S_IRWXO
WRITERS = stat.S_IWGRP | stat.S_IWOTH


def token_path() -> Path | None:
    """Where Ray looks for the token; None where it is told by another way."""
    mode = os.environ.get("RAY_AUTH_MODE", "token").lower()
    if os.environ.get("RAY_AUTH_TOKEN") or mode != "token":
        return None
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / DEFAULT)


def protect_token(path: Path, *, make: bool) -> str:
    """Closes a token's file to others, or makes one that is closed.

    Args:
        make: whether to make it if it is not there.

    Returns:
        What was changed on a file that was there, to be told; nothing if it was closed already.

    Raises:
        InputError: the file belongs to another user, who knows the token; or others could write
            it, and may have put in a token that they know; or it cannot be closed.
    """
    try:
        if not path.exists():
            if make:
                _make(path)
            return ""
        _check_owner(path)
        changed = _close(path.parent, 0o700) if path.parent.name == DEFAULT.parent.name else ""
        return _close(path, 0o600) or changed
    except OSError as error:
        raise InputError(
            f"Ray's token file {path}",
            f"cannot be kept from others ({error.strerror})",
            "set RAY_AUTH_TOKEN_PATH to a file of your own",
        ) from None


def _make(path: Path) -> None:
    """Appears with its content and closed, or not at all; of several that make it one succeeds."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    if path.parent.name == DEFAULT.parent.name:
        _close(path.parent, 0o700)
    # FileExistsError: another command has just made it, as closed as this one.
    with suppress(FileExistsError), placed(path, os.link) as new:
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w") as stream:
            stream.write(secrets.token_hex(NUM_BYTES))


def _check_owner(path: Path) -> None:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"Ray's token file {path}", "is no file", "move it away")
    place = f"Ray's token file {path}"
    remedy = f"delete it and run `ray get-auth-token --generate`; then {path} is yours alone"
    if found.st_uid != os.getuid():
        raise InputError(place, f"belongs to user {found.st_uid}, who knows the token", remedy)
    if found.st_mode & WRITERS:
        mode = stat.S_IMODE(found.st_mode)
        raise InputError(place, f"others may have written it (mode {mode:04o})", remedy)


def _close(path: Path, mode: int) -> str:
    """Takes a file's or a folder's rights from others; what to tell, if they had any."""
    found = path.stat()
    if found.st_uid != os.getuid() or not found.st_mode & OTHERS:
        return ""
    path.chmod(mode)
    before = stat.S_IMODE(found.st_mode)
    return f"{path} could be read by other users ({before:04o}); it is {mode:04o} now."
