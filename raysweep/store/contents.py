"""What a store holds: its entries, read once for all, with the stages that they come from.

Nothing is changed by it: an entry that is damaged is named, not set aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from raysweep.errors import InputError
from raysweep.settings.paths import shown
from raysweep.store.store import DamagedEntryError, Entry, EntryKind, EntryName, Store

NUM_READERS = 16  # manifests at a time: an object store answers after tens of milliseconds
SHORT = 8  # digits of a key
SOURCES = ("model", "parent", "changed")
"""Fields of recipes that hold keys of stages, or the base model's digest; the model's own first."""


@dataclass(frozen=True)
class Contents:
    """Entries by name.

    Attributes:
        damaged: what is wrong with the manifests of the others.
    """

    entries: Mapping[EntryName, Entry]
    damaged: Mapping[EntryName, str]

    @classmethod
    def read(cls, store: Store, names: Iterable[EntryName]) -> Contents:
        """Reads manifests, those of the stages from which these entries come included."""
        entries, damaged, wanted = dict[EntryName, Entry](), dict[EntryName, str](), set(names)
        seen = set[EntryName]()
        while wanted:
            seen |= wanted
            found = cls.read_only(store, wanted)
            entries |= found.entries
            damaged |= found.damaged
            wanted = {one for entry in found.entries.values() for one in _sources(entry)} - seen
        return cls(entries, damaged)

    @classmethod
    def read_only(cls, store: Store, names: Iterable[EntryName]) -> Contents:
        """Reads these manifests and no others."""

        def look(name: EntryName) -> Entry | str | None:
            try:
                return store.look(*name)
            except DamagedEntryError as error:
                return str(error)

        listed = sorted(names)
        with ThreadPoolExecutor(NUM_READERS) as readers:
            found = dict(zip(listed, readers.map(look, listed), strict=True))
        return cls(
            {name: one for name, one in found.items() if isinstance(one, Entry)},
            {name: one for name, one in found.items() if isinstance(one, str)},
        )

    def num_bytes(self, kind: EntryKind) -> int:
        """What all entries of a kind take."""
        return sum(one.num_bytes for one in self.entries.values() if one.kind == kind)

    def lineage(self, entry: Entry) -> list[Entry]:
        """The step logs of the stages that an entry comes from, the first one first."""
        found: list[Entry] = []
        while source := next(iter(_sources(entry)), None):
            if source not in self.entries or self.entries[source] in found:
                break
            entry = self.entries[source]
            found.insert(0, entry)
        return found


def names_in(store: Store, kinds: Iterable[EntryKind] = tuple(EntryKind)) -> list[EntryName]:
    """The names under which there is or was something, by kind and key."""
    return [(kind, key) for kind in kinds for key in store.keys(kind)]


def matching(names: Iterable[EntryName], prefix: str) -> list[EntryName]:
    """The names with the one key that begins so; a stage and its weights have one in common.

    Raises:
        InputError: no key begins so, or several do.
    """
    found = [name for name in names if name[1].startswith(prefix)]
    keys = sorted({key for _, key in found})
    if len(keys) == 1:
        return found
    if not keys:
        remedy = "see the keys with raysweep store ls"
        raise InputError(f"KEY {shown(prefix)}", "no entry of the store begins so", remedy)
    begin = shorten(keys)
    listed = ", ".join(key[:begin] for key in keys[:3])
    problem = f"{len(keys):,} keys begin so: {listed}{', ...' if len(keys) > 3 else ''}"
    raise InputError(f"KEY {shown(prefix) or repr('')}", problem, "give more of its digits")


def shorten(keys: Iterable[str]) -> int:
    """With how many digits no two keys begin alike, at least eight."""
    pairs = pairwise(sorted(set(keys)))
    alike = (
        next((n for n, (x, y) in enumerate(zip(*p, strict=False)) if x != y), 64) for p in pairs
    )
    return max([SHORT - 1, *alike]) + 1


def _sources(entry: Entry) -> list[EntryName]:
    """The step logs of the stages that a recipe names."""
    keys = [(entry.recipe or {}).get(field) for field in SOURCES]
    return [(EntryKind.STAGE, key) for key in keys if isinstance(key, str)]
