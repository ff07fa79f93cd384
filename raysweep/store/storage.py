"""Files under a storage location: a local folder, NFS, or an object store by URI (s3://, gs://).

A file appears whole or not at all: on a local file system it is written beside its place, flushed
to disk and renamed; an object store shows an object only after its upload has completed.

What fails for a reason that may pass (a network, a busy server) is tried again, after pauses that
grow to a minute in all. What another try would not change is raised at once: a full disk, a file
that is not there, rights that are lacking.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs
from tenacity import (
    RetryCallState,
    retry,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from raysweep.errors import InputError
from raysweep.settings.paths import shown, user_path

LASTING_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT),
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.ENAMETOOLONG),
}
LASTING_MESSAGES = ("ACCESS_DENIED", "NO_SUCH_BUCKET", "INVALID_ACCESS_KEY", "SIGNATURE", "403")
NUM_TRIES = 7
LOG = logging.getLogger(__name__)
PIECE_BYTES = 2**22


def _may_pass(error: BaseException) -> bool:
    """Whether an operation that failed so may succeed later; object stores give no error number."""
    if not isinstance(error, OSError) or error.errno in LASTING_ERRORS:
        return False
    return not any(message in str(error).upper() for message in LASTING_MESSAGES)


def _tell(state: RetryCallState) -> None:
    LOG.info("tried again: %s", state.outcome and state.outcome.exception())


_patiently = retry(
    retry=retry_if_exception(_may_pass),
    wait=wait_exponential_jitter(initial=0.5, max=30),
    stop=stop_after_attempt(NUM_TRIES),
    before_sleep=_tell,
    reraise=True,
)


@dataclass(frozen=True)
class Storage:
    """A folder that every host of the cluster can reach under the same name."""

    uri: str
    root: str
    filesystem: fs.FileSystem

    @classmethod
    def open(cls, uri: str | Path) -> Storage:
        """Opens a location.

        Raises:
            InputError: it can be no folder, or the URI names no file system that is known here.
        """
        text = str(uri)
        if "://" not in text:
            path = user_path(text, f"storage {shown(repr(text))}").resolve()
            if path.exists() and not path.is_dir():
                raise InputError(f"storage {shown(path)}", "is no folder", "give a folder or a URI")
            return cls(str(path), str(path), fs.LocalFileSystem())
        if not text.isprintable():
            raise InputError(f"storage {shown(repr(text))}", "is no URI", "give a folder or a URI")
        try:
            filesystem, root = fs.FileSystem.from_uri(text)
        except (ValueError, OSError, NotImplementedError) as error:
            raise InputError(
                f"storage {shown(text)}",
                f"cannot be opened ({str(error).splitlines()[0]})",
                "give a folder, or an s3:// or gs:// URI with valid credentials",
            ) from error
        return cls(text, root, filesystem)

    def sub(self, *parts: str) -> Storage:
        """The location of a folder below this one."""
        suffix = "/".join(parts)
        return Storage(f"{self.uri}/{suffix}", f"{self.root}/{suffix}", self.filesystem)

    def check_writable(self) -> None:
        """Writes a small file and deletes it, and the folder too if that was not there.

        Raises:
            InputError: that is not possible here.
        """
        probe = f".probe-{uuid.uuid4().hex}"
        is_new = self.filesystem.get_file_info(self.root).type == fs.FileType.NotFound
        remedy = "give a folder or a URI where you may write"
        with _as_mistake(f"storage {self.uri}", "cannot be written to", remedy):
            self._write(probe, b"")
            self.delete(probe)
            if is_new and isinstance(self.filesystem, fs.LocalFileSystem):
                Path(self.root).rmdir()

    @_patiently
    def exists(self, name: str) -> bool:
        """Whether a file of that name is here."""
        return bool(self.filesystem.get_file_info(self._path(name)).type == fs.FileType.File)

    @_patiently
    def is_taken(self, name: str) -> bool:
        """Whether a file's place is taken: by one, or by a folder where that excludes a file."""
        kind = self.filesystem.get_file_info(self._path(name)).type
        is_local = isinstance(self.filesystem, fs.LocalFileSystem)
        return kind == fs.FileType.File or (is_local and kind != fs.FileType.NotFound)

    @_patiently
    def names(self, folder: str, suffix: str) -> list[str]:
        """Names of the files directly in a folder that end with ``suffix``, sorted."""
        return [name for name in self._listed(folder, fs.FileType.File) if name.endswith(suffix)]

    @_patiently
    def folders(self, folder: str) -> list[str]:
        """Names of the folders directly in a folder, sorted."""
        return self._listed(folder, fs.FileType.Directory)

    def _listed(self, folder: str, kind: fs.FileType) -> list[str]:
        selector = fs.FileSelector(self._path(folder), allow_not_found=True)
        infos = self.filesystem.get_file_info(selector)
        return sorted(info.base_name for info in infos if info.type == kind)

    @_patiently
    def delete_folder(self, name: str) -> None:
        """Deletes a folder and all that is in it, if it is there."""
        if self.filesystem.get_file_info(self._path(name)).type == fs.FileType.Directory:
            self.filesystem.delete_dir(self._path(name))

    @_patiently
    def read(self, name: str) -> bytes:
        """The whole content of a file."""
        with self.filesystem.open_input_stream(self._path(name)) as stream:
            return bytes(stream.read())

    @_patiently
    def size_and_digest(
        self, name: str, on_piece: Callable[[int], object] = lambda _: None
    ) -> tuple[int, str]:
        """A file's number of bytes and its sha256; it is read in pieces, each told by its size."""
        digest, num_bytes = hashlib.sha256(), 0
        with self.filesystem.open_input_stream(self._path(name)) as stream:
            while piece := stream.read(PIECE_BYTES):
                digest.update(piece)
                num_bytes += len(piece)
                on_piece(len(piece))
        return num_bytes, digest.hexdigest()

    @_patiently
    def write(self, name: str, content: bytes) -> None:
        """Writes a file, replacing it at once if it is there."""
        self._write(name, content)

    def _write(self, name: str, content: bytes) -> None:
        if path := self._local_path(name):
            with placed(path, Path.replace) as temporary:
                temporary.write_bytes(content)
        else:
            with self.filesystem.open_output_stream(self._path(name)) as stream:
                stream.write(content)

    @_patiently
    def create(self, name: str, content: bytes) -> bool:
        """Writes a file unless it is there already; whether it was written.

        On a local file system of several writers exactly one succeeds. An object store is asked
        first and written to next: there the last of two that write in the same moment stays.
        """
        if path := self._local_path(name):
            try:
                # A link fails, unlike a rename, where there is a file already.
                with placed(path, os.link) as temporary:
                    temporary.write_bytes(content)
                return True
            except FileExistsError:
                return False
            except PermissionError:
                pass  # a file system without links
        if self.is_taken(name):
            return False
        self.write(name, content)
        return True

    @_patiently
    def delete(self, name: str) -> None:
        """Deletes a file if it is there."""
        if self.exists(name):
            self.filesystem.delete_file(self._path(name))

    @_patiently
    def move(self, name: str, to: str) -> None:
        """Renames a file, or a folder on a local file system."""
        self.filesystem.move(self._path(name), self._path(to))

    @_patiently
    def upload(self, source: Path, name: str) -> None:
        """Copies a local file here."""
        if path := self._local_path(name):
            with placed(path, Path.replace) as temporary:
                shutil.copyfile(source, temporary)
        else:
            fs.copy_files(str(source), self._path(name), fs.LocalFileSystem(), self.filesystem)

    @_patiently
    def download(self, name: str, destination: Path) -> None:
        """Copies a file from here to a local path."""
        fs.copy_files(self._path(name), str(destination), self.filesystem, fs.LocalFileSystem())

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _local_path(self, name: str) -> Path | None:
        """A file's path on a local file system, its folder made; None in an object store."""
        if not isinstance(self.filesystem, fs.LocalFileSystem):
            return None
        path = Path(self._path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def reading(uri: str) -> AbstractContextManager[None]:
    """Surrounds what reads a storage location that a person has named.

    Raises:
        InputError: it cannot be read.
    """
    return _as_mistake(f"--storage {shown(uri)}", "cannot be read", "give the storage of a sweep")


@contextmanager
def _as_mistake(place: str, problem: str, remedy: str) -> Iterator[None]:
    """Surrounds what fails where a person has named the wrong storage.

    Raises:
        InputError: it has failed.
    """
    try:
        yield
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise InputError(place, f"{problem} ({reason})", remedy) from None


@contextmanager
def placed(path: Path, place: Callable[[Path, Path], object]) -> Iterator[Path]:
    """Gives a temporary path beside ``path``; it is flushed and placed when the block succeeds."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
