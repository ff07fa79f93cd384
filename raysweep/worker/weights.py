"""Models as published: fetched once per host, into a folder that goes with the group."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from raysweep.errors import InputError
from raysweep.model.checkpoint import read_config
from raysweep.model.weight_files import weight_files
from raysweep.store.host_folder import scratch_folder, scratch_path
from raysweep.store.store import DamagedEntryError, EntryKind, Store
from raysweep.worker.collective import decided, is_first_on_host, raise_together


@contextmanager
def host_folder() -> Iterator[Path]:
    """A temporary folder shared by this group's workers on one host; a collective call."""
    path = scratch_path(decided(lambda: uuid.uuid4().hex))
    with scratch_folder(path) if is_first_on_host() else nullcontext():
        yield path


class Weights:
    """The base model's folder, and those of stages.

    Args:
        base: the base model's folder, and its digest, by which stages name it as their parent.
        cache: the group's folder on this host.
        advance: called for every file that is fetched.
    """

    def __init__(
        self, store: Store, base: tuple[Path, str], cache: Path, advance: Callable[[], object]
    ) -> None:
        self._store, self.cache, self._advance = store, cache, advance
        self._base, self._base_key = base

    def folder(self, key: str) -> Path:
        """A local folder with the model of that stage, or the base model; a collective call.

        Raises:
            DamagedEntryError: on every rank, when the weights are not in the store (any more) or
                are damaged.
        """
        if key == self._base_key:
            return self._base
        folder, problem = self.cache / key, ""
        if is_first_on_host() and not folder.is_dir():
            try:
                self._fetch(key, folder)
            except DamagedEntryError as error:
                problem = str(error)
        raise_together(problem)
        return folder

    def _fetch(self, key: str, folder: Path) -> None:
        entry = self._store.demand(EntryKind.WEIGHTS, key)
        self._store.fetch(entry, folder, on_file=self._advance)
        try:
            read_config(folder)
            weight_files(folder)
        except InputError as error:
            raise self._store.condemn(entry, str(error)) from None
