"""What of a plan a storage location holds already, and how fast its stages were trained. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from raysweep.errors import InputError
from raysweep.plan import Plan
from raysweep.records import STEPS
from raysweep.results import from_bytes
from raysweep.storage import Storage
from raysweep.store import DamagedEntryError, Entry, EntryKind, Store

NUM_WARMING = 3  # first steps of a stage, slower than the rest


@dataclass(frozen=True)
class Finished:
    """The plan's entries in a stage store.

    Attributes:
        uri: of the storage location.
        entries: kind and key of each.
        tokens_per_second: of training, per worker: the median over the steps of all stages found,
            without the first three of each; None if there are none.
        num_stages_measured: stages with such steps.
    """

    uri: str
    entries: frozenset[tuple[EntryKind, str]]
    tokens_per_second: float | None
    num_stages_measured: int


def find_finished(plan: Plan, uri: str) -> Finished:
    """Looks the plan's stages and measurements up in the store of a storage location.

    Raises:
        InputError: the location cannot be read.
    """
    entries, speeds = set[tuple[EntryKind, str]](), list[list[float]]()
    try:
        storage = Storage.open(uri)
        store = Store(storage.sub("store"))
        for kind, key in set(_wanted(plan)):
            entry = store.find(kind, key)
            if entry is None:
                continue
            if kind == EntryKind.STAGE:
                try:
                    speeds.append(_worker_speeds(store, entry))
                except DamagedEntryError:  # it is made again
                    continue
            entries.add((kind, key))
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"--storage {uri}", f"cannot be read ({reason})", "give the storage of a sweep"
        ) from None
    measured = [stage for stage in speeds if stage]
    return Finished(
        storage.uri,
        frozenset(entries),
        median(speed for stage in measured for speed in stage) if measured else None,
        len(measured),
    )


def _wanted(plan: Plan) -> Iterator[tuple[EntryKind, str]]:
    for trial in plan.all_trials:
        yield from ((EntryKind.STAGE, stage.key) for stage in trial.stages)
        yield from ((EntryKind.EVALUATION, one.key) for one in trial.all_evaluations)
        yield from ((EntryKind.CURVATURE, one.key) for one in trial.curvatures)
        yield from ((EntryKind.CHANGE, one.key) for one in trial.changes)


def _worker_speeds(store: Store, entry: Entry) -> list[float]:
    """Tokens per second and worker of a stage's steps, once it has warmed up."""
    steps = from_bytes(store.read(entry, STEPS))
    speeds = steps.column("provenance_tokens_per_second").to_pylist()[NUM_WARMING:]
    return [speed / entry.provenance["num_workers"] for speed in speeds]
