"""A store at one moment, for a question about thousands of entries.

Each kind is listed once, so that what is not there is not asked for one by one; and what several
trials share is looked up once.
"""

from __future__ import annotations

from raysweep.store.store import Entry, EntryKind, EntryName, Store


class Snapshot:
    """What a store has; entries that are published later may be missing here.

    Attributes:
        store: as it is now.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._listed: dict[EntryKind, frozenset[str]] = {}
        self._found: dict[EntryName, bool] = {}

    def find(self, kind: EntryKind, key: str) -> Entry | None:
        """The published entry of that key, or None; an unreadable manifest is set aside."""
        if kind not in self._listed:
            self._listed[kind] = frozenset(self.store.keys(kind))
        return self.store.find(kind, key) if key in self._listed[kind] else None

    def has(self, kind: EntryKind, key: str) -> bool:
        """Whether there is an entry of that key that can be read."""
        name = kind, key
        if name not in self._found:
            self._found[name] = self.find(kind, key) is not None
        return self._found[name]
