"""The stage store: finished work by key, the only truth about what is done.

An entry is a set of files with a manifest that names their sizes and digests. An attempt writes its
files under a prefix of its own and publishes by writing the manifest last; a reader believes
manifests alone. So a crash leaves unreferenced files at worst, never half an entry, and of several
attempts at the same key the first to publish wins.

A manifest says what its entry is: it has the recipe whose digest the key is, and what made it, so
that it can be read when no plan asks for the key any more. Manifests from before have neither.

An entry is damaged when anything of it is missing, unreadable or other than its manifest says, or
when the manifest itself is no such thing. It is taken out of use as soon as that shows: its
manifest is set aside, so that it is missing and made again.

    ROOT/<kind>/<key>/manifest.json
    ROOT/<kind>/<key>/<attempt>/<file>
    ROOT/<kind>/<key>/damaged-<attempt>.json
"""

from __future__ import annotations

import errno
import json
import logging
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, astuple, dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from raysweep.digest import digest_file, digest_json
from raysweep.origin import made_by
from raysweep.store.storage import Storage

MANIFEST = "manifest.json"
LOG = logging.getLogger(__name__)
UNREADABLE = {  # what the entry is to blame for, rather than a network or a full disk
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM),
    *(errno.EIO, errno.ELOOP, errno.ESTALE),
}


class EntryKind(StrEnum):
    """What an entry holds: weights first, what is known of them apart, so that it outlives them.

    WEIGHTS are a stage's model and tokenizer, STAGE its step log and provenance,
    CUSTOM what a measurement of one's own has given.
    """

    WEIGHTS = "weights"
    STAGE = "stages"
    EVALUATION = "evaluations"
    CURVATURE = "curvature"
    CHANGE = "changes"
    CUSTOM = "measurements"

    __hash__ = str.__hash__  # that of enumerations is slow, and names are looked up by the million


EntryName = tuple[EntryKind, str]
"""Kind and key of an entry."""


class DamagedEntryError(RuntimeError):
    """An entry is not there any more, or not what was published; it can be made again."""


@dataclass(frozen=True)
class StoredFile:
    """One file of an entry, ``path`` relative to the entry."""

    name: str
    path: str
    num_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        if [type(value) for value in astuple(self)] != [str, str, int, str]:
            raise TypeError("a manifest's file has a name, a path, a size and a digest")
        if Path(self.name).name != self.name or ".." in Path(self.path).parts:
            raise ValueError(f"no file of an entry: {self.name!r} at {self.path!r}")


@dataclass(frozen=True)
class Entry:
    """A published entry.

    Attributes:
        provenance: where and how it was made, never what it is.
        recipe: what it is, in plain JSON, whose digest the key is; None where nobody has said.
        made_by: versions, commit and time (see `origin.made_by`); empty where nobody has said.
    """

    kind: EntryKind
    key: str
    files: tuple[StoredFile, ...]
    provenance: Mapping[str, Any]
    recipe: Mapping[str, Any] | None = None
    made_by: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def of_manifest(cls, kind: EntryKind, key: str, content: bytes) -> Entry:
        """The entry that a manifest describes.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: it is no manifest.
        """
        read = json.loads(content)
        files = tuple(StoredFile(**file) for file in read["files"])
        made, recipe = dict(read.get("made_by", {})), read.get("recipe")
        return cls(kind, key, files, dict(read["provenance"]), recipe and dict(recipe), made)

    @property
    def name(self) -> EntryName:
        """Its kind and key."""
        return self.kind, self.key

    @property
    def num_bytes(self) -> int:
        """Of all its files."""
        return sum(file.num_bytes for file in self.files)

    def file(self, name: str) -> StoredFile:
        """The file of that name.

        Raises:
            DamagedEntryError: the manifest lists none.
        """
        for file in self.files:
            if file.name == name:
                return file
        raise DamagedEntryError(f"entry {self.kind}/{self.key} has no file {name!r}")


@dataclass(frozen=True)
class Store:
    """Entries by kind and key in one storage location."""

    storage: Storage

    def look(self, kind: EntryKind, key: str) -> Entry | None:
        """The published entry of that key, or None; changes nothing.

        Raises:
            DamagedEntryError: its manifest is unreadable.
            OSError: the storage is to blame, and not the entry.
        """
        name = f"{kind}/{key}/{MANIFEST}"
        if not self.storage.is_taken(name):
            return None
        try:
            return Entry.of_manifest(kind, key, self.storage.read(name))
        except OSError as error:
            raise DamagedEntryError(f"{MANIFEST} {self._blame(name, error)}") from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DamagedEntryError(f"{MANIFEST} is damaged ({error})") from None

    def find(self, kind: EntryKind, key: str) -> Entry | None:
        """The published entry of that key, or None; an unreadable manifest is set aside."""
        try:
            return self.look(kind, key)
        except DamagedEntryError as error:
            self.set_aside(kind, key, str(error))
            return None

    def has(self, kind: EntryKind, key: str) -> bool:
        """Whether there is an entry of that key that can be read."""
        return self.find(kind, key) is not None

    def demand(self, kind: EntryKind, key: str) -> Entry:
        """The published entry of that key.

        Raises:
            DamagedEntryError: there is none (any more), or its manifest is unreadable.
        """
        entry = self.find(kind, key)
        if entry is None:
            raise DamagedEntryError(f"{self.storage.uri} has no {kind}/{key}; it is made again")
        return entry

    def publish(
        self,
        kind: EntryKind,
        key: str,
        folder: Path,
        provenance: Mapping[str, Any],
        on_file: Callable[[], object] = lambda: None,
        recipe: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Publishes every file of a local folder as one entry; an entry already there stays.

        Args:
            on_file: called when a file has been uploaded.
            recipe: what the entry is, in plain JSON.

        Raises:
            ValueError: the key is the digest of another recipe.
        """
        if recipe is not None and digest_json(recipe) != key:
            raise ValueError(f"{kind}/{key} is not what is made by {recipe}")
        attempt = uuid.uuid4().hex
        files = []
        if self.storage.exists(f"{kind}/{key}"):  # a file, where the entry's folder belongs
            self.storage.move(f"{kind}/{key}", f"{kind}/{key}.damaged-{attempt}")
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            self.storage.upload(path, f"{kind}/{key}/{attempt}/{path.name}")
            files.append(StoredFile(path.name, f"{attempt}/{path.name}", *_size_and_digest(path)))
            on_file()
        if published := self.find(kind, key):
            return published
        manifest = {
            "files": [asdict(file) for file in files],
            "recipe": recipe,
            "made_by": made_by(),
            "provenance": dict(provenance),
        }
        content = json.dumps(manifest, indent=1).encode()
        if self.storage.create(f"{kind}/{key}/{MANIFEST}", content):
            return Entry.of_manifest(kind, key, content)
        return self.find(kind, key) or self.publish(kind, key, folder, provenance, on_file, recipe)

    def fetch(
        self,
        entry: Entry,
        folder: Path,
        names: tuple[str, ...] | None = None,
        on_file: Callable[[], object] = lambda: None,
    ) -> Path:
        """Copies an entry's files (all, or those named) into a local folder and verifies them.

        Args:
            on_file: called when a file is there.

        Raises:
            DamagedEntryError: a file is missing, cannot be read, is not listed, or its size or
                digest differs from the manifest, also when it is read again. The entry is then set
                aside.
        """
        folder.mkdir(parents=True, exist_ok=True)
        listed = {file.name: file for file in entry.files}
        for name in names if names is not None else listed:
            if name not in listed:
                raise self.condemn(entry, f"{MANIFEST} lists no {name}")
            download = partial(self._download, folder / name)
            if problem := self._problem(entry, listed[name], download):
                raise self.condemn(entry, problem)
            on_file()
        return folder

    def read(self, entry: Entry, name: str) -> bytes:
        """The verified content of one of an entry's files.

        Raises:
            DamagedEntryError: as for `fetch`.
        """
        with tempfile.TemporaryDirectory() as folder:
            return (self.fetch(entry, Path(folder), (name,)) / name).read_bytes()

    def check(self, entry: Entry, on_piece: Callable[[int], object] = lambda _: None) -> str:
        """What is wrong with an entry, or nothing: reads every file of it, and changes nothing.

        Args:
            on_piece: called with the number of bytes that were read.
        """
        if entry.recipe is not None and digest_json(entry.recipe) != entry.key:
            return "the key is not the digest of its recipe"
        read = partial(self.storage.size_and_digest, on_piece=on_piece)
        problems = (self._problem(entry, file, read) for file in entry.files)
        problem = next(filter(None, problems), "")
        is_there = self.storage.is_taken(f"{entry.kind}/{entry.key}/{MANIFEST}")
        return problem if is_there else ""  # else a sweep has dropped it in the meantime

    def condemn(self, entry: Entry, problem: str) -> DamagedEntryError:
        """Sets an entry aside that is not what it should be; the error to raise."""
        self.set_aside(entry.kind, entry.key, problem)
        place = f"{self.storage.uri}/{entry.kind}/{entry.key}"
        return DamagedEntryError(f"{place}: {problem}; the entry is set aside and made again")

    def keys(self, kind: EntryKind) -> list[str]:
        """The keys under which there is or was something of a kind."""
        return self.storage.folders(kind)

    def drop(self, kind: EntryKind, key: str) -> None:
        """Removes an entry: first its manifest, so that nobody believes in it, then its files."""
        entry = self.find(kind, key)
        if entry is not None:
            self.storage.delete(f"{kind}/{key}/{MANIFEST}")
            for attempt in {file.path.partition("/")[0] for file in entry.files}:
                self.storage.delete_folder(f"{kind}/{key}/{attempt}")

    def set_aside(self, kind: EntryKind, key: str, problem: str) -> None:
        """Takes an entry out of use; its files and what was its manifest stay to be looked at."""
        name = f"{kind}/{key}/{MANIFEST}"
        if self.storage.is_taken(name):
            aside = f"{kind}/{key}/damaged-{uuid.uuid4().hex}.json"
            self.storage.move(name, aside)
            LOG.warning("%s/%s is set aside as %s: %s", self.storage.uri, name, aside, problem)

    def _download(self, destination: Path, place: str) -> tuple[int, str]:
        """Size and digest of a file that is copied to a local path."""
        self.storage.download(place, destination)
        return _size_and_digest(destination)

    def _blame(self, place: str, error: OSError) -> str:
        """What is wrong with a file of an entry that could not be read.

        Raises:
            OSError: the storage is to blame, and not the entry.
        """
        if error.errno not in UNREADABLE and self.storage.exists(place):
            raise error
        return f"cannot be read ({error.strerror or error})"

    def _problem(
        self, entry: Entry, file: StoredFile, read: Callable[[str], tuple[int, str]]
    ) -> str:
        """What is wrong with a file, also when it is read again, or nothing.

        Args:
            read: the size and digest of what is at a place in the storage.

        Raises:
            OSError: the storage is to blame, and not the entry.
        """
        place, problem = f"{entry.kind}/{entry.key}/{file.path}", ""
        for _ in range(2):
            try:
                if not self.storage.exists(place):
                    problem = "is missing from its entry"
                elif read(place) == (file.num_bytes, file.sha256):
                    return ""
                else:
                    problem = "differs from its manifest"
            except OSError as error:
                problem = self._blame(place, error)
        return f"{file.path} {problem}"


def _size_and_digest(path: Path) -> tuple[int, str]:
    return path.stat().st_size, digest_file(path)
