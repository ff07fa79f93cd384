"""What of a plan a storage location holds already, and how fast its stages were trained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import pyarrow as pa

from raysweep.plan.plan import Plan
from raysweep.results.records import STEPS
from raysweep.results.tables import from_bytes, table_files
from raysweep.store.snapshot import Snapshot
from raysweep.store.storage import Storage, reading
from raysweep.store.store import DamagedEntryError, Entry, EntryKind, Store

SETTINGS = "space.json"  # in a sweep's folder: its search space with all defaults filled in
SPEED = "provenance_tokens_per_second"
NUM_WARMING = 3  # first steps of a stage, slower than the rest


@dataclass(frozen=True)
class Finished:
    """The plan's entries in a stage store.

    Attributes:
        uri: of the storage location.
        entries: kind and key of each.
        tokens_per_second: of training, per worker: the median over the steps of all stages found,
            without the first three of each. If the plan has none there, of the stages of all
            sweeps of the same model on workers of the same kind. None if there are none either.
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
    with reading(uri):
        storage = Storage.open(uri)
        store = Snapshot(Store(storage.sub("store")))
        for kind, key in {entry for trial in plan.all_trials for entry in trial.entries}:
            entry = store.find(kind, key)
            if entry is None:
                continue
            if kind == EntryKind.STAGE:
                try:
                    speeds.append(_worker_speeds(store.store, entry))
                except DamagedEntryError:  # it is made again
                    continue
            entries.add((kind, key))
        others = [] if any(speeds) else list(_speeds_of_other_sweeps(plan, storage))
    measured = [stage for stage in speeds if stage] or others
    return Finished(
        storage.uri,
        frozenset(entries),
        median(speed for stage in measured for speed in stage) if measured else None,
        len(measured),
    )


def _speeds_of_other_sweeps(plan: Plan, storage: Storage) -> Iterator[list[float]]:
    """Those of every stage, each once, of the sweeps of the same model on such workers."""
    seen = set[str]()
    for name in storage.folders("sweeps"):
        folder = storage.sub("sweeps", name)
        num_workers = _num_workers_if_alike(plan, folder)
        if num_workers is None:
            continue
        for file in table_files(folder, "steps"):
            try:
                steps = from_bytes(folder.read(file)).select(["stage_key", "step", SPEED])
            except (pa.ArrowInvalid, KeyError):
                continue  # of another version, or half a copy
            by_stage: dict[str, list[float]] = {}
            for row in steps.to_pylist():
                if row["stage_key"] not in seen and row["step"] > NUM_WARMING:
                    by_stage.setdefault(row["stage_key"], []).append(row[SPEED] / num_workers)
            seen |= set(by_stage)
            yield from by_stage.values()


def _num_workers_if_alike(plan: Plan, folder: Storage) -> int | None:
    """A trial's workers in a sweep of the plan's model, if they are of the same kind."""
    if not folder.exists(SETTINGS):
        return None
    try:
        settings = json.loads(folder.read(SETTINGS))
        workers = settings["workers"]
        kind = settings["model"], workers["use_gpu"], workers["cpus_per_worker"]
        own = plan.space.workers
        is_alike = kind == (plan.space.model, own.use_gpu, own.cpus_per_worker)
        return int(workers["num_workers"]) if is_alike else None
    except (ValueError, KeyError, TypeError):
        return None  # not of ours


def _worker_speeds(store: Store, entry: Entry) -> list[float]:
    """Tokens per second and worker of a stage's steps, once it has warmed up."""
    steps = from_bytes(store.read(entry, STEPS))
    speeds = steps.column(SPEED).to_pylist()[NUM_WARMING:]
    return [speed / entry.provenance["num_workers"] for speed in speeds]
