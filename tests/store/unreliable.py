"""File systems that fail."""

from __future__ import annotations

from raysweep.store.storage import Storage


class Unreliable:
    """A file system whose reads fail a few times first."""

    def __init__(self, storage: Storage, error: OSError, failures: int) -> None:
        self._inner, self._error, self.failures = storage.filesystem, error, failures

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def open_input_stream(self, path: str) -> object:
        if self.failures:
            self.failures -= 1
            raise self._error
        return self._inner.open_input_stream(path)


class Unreadable(Unreliable):
    """A file system that cannot read some files, as if their rights or their disk were bad."""

    def __init__(self, storage: Storage, error: OSError, part: str) -> None:
        super().__init__(storage, error, 0)
        self._part = part

    def open_input_stream(self, path: str) -> object:
        if self._part in path:
            raise self._error
        return self._inner.open_input_stream(path)
