"""Entries of planned trials in a store, made as a worker makes them, with small files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from raysweep.plan.plan import Plan
from raysweep.plan.trials import Trial
from raysweep.store.store import Entry, EntryKind, EntryName, Store

NUM_BYTES = {EntryKind.WEIGHTS: 2_500_000}


def publish(
    store: Store, plan: Plan, trial: Trial, entries: Iterable[EntryName] | None = None
) -> list[Entry]:
    """Publishes entries of a trial; all that it asks for, and its weights, if none are named."""
    weights = [(EntryKind.WEIGHTS, stage.key) for stage in trial.stages]
    published = []
    for kind, key in entries or [*trial.entries, *weights]:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "content.bin").write_bytes(b"x" * NUM_BYTES.get(kind, 100))
            (Path(folder) / "other.json").write_text("{}")
            base = {"name": plan.space.model, "digest": plan.checkpoint.digest}
            provenance = {"trial": trial.id, "model": base, "num_workers": 2}
            recipe = plan.recipes.of(trial, (kind, key))
            published.append(store.publish(kind, key, Path(folder), provenance, recipe=recipe))
    return published
