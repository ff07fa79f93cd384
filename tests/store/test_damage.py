"""Damage in the store as the workers of a group meet it: together, whoever of them has seen it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from raysweep.model.checkpoint import locate
from raysweep.settings.base import TINY
from raysweep.store.storage import Storage
from raysweep.store.store import DamagedEntryError, EntryKind, Store
from raysweep.worker.collective import raise_together
from raysweep.worker.process_group import meet
from raysweep.worker.weights import Weights
from tests.processes import run_group

WORLD = 2


def _fetch(root: str, cache: str, keys: list[str]) -> list[str]:
    """What fetching each entry of weights ended with on this rank."""
    torch.set_num_threads(1)
    os.environ["LOCAL_RANK"] = str(dist.get_rank())
    store = Store(Storage.open(root))
    weights = Weights(store, (Path(), ""), Path(cache), lambda: None)
    outcomes = []
    for key in keys:
        try:
            outcomes.append(str(sorted(path.name for path in weights.folder(key).iterdir())))
        except DamagedEntryError as error:
            outcomes.append(str(error))
    try:
        raise_together("seen by one" if dist.get_rank() else "")
    except DamagedEntryError as error:
        outcomes.append(str(error))
    return outcomes


@pytest.mark.distributed
def test_weights_that_are_no_model_are_damage_on_every_rank(tmp_path: Path) -> None:
    store = Store(Storage.open(tmp_path / "store"))
    spoilt: dict[str, Callable[[Path], None]] = {
        "whole": lambda folder: None,
        "no-config": lambda folder: (folder / "config.json").unlink(),
        "no-weights": lambda folder: (folder / "model.safetensors").unlink(),
        "missing": lambda folder: shutil.rmtree(folder),
        "attempt-gone": lambda folder: None,
    }
    for key, spoil in spoilt.items():
        folder = tmp_path / key
        shutil.copytree(locate(TINY), folder)
        spoil(folder)
        if folder.exists():
            store.publish(EntryKind.WEIGHTS, key, folder, {})
    attempt = store.demand(EntryKind.WEIGHTS, "attempt-gone").files[0].path.partition("/")[0]
    store.storage.delete_folder(f"weights/attempt-gone/{attempt}")
    first, second = run_group(
        WORLD, _fetch, str(tmp_path / "store"), str(tmp_path / "cache"), list(spoilt)
    )
    assert first == second
    assert "model.safetensors" in first[0]
    assert first[-1] == "seen by one"
    for key, outcome in zip(list(spoilt)[1:], first[1:-1], strict=True):
        assert "made again" in outcome, key
        assert store.find(EntryKind.WEIGHTS, key) is None
    assert store.find(EntryKind.WEIGHTS, "whole") is not None


def test_a_rank_that_never_comes_is_not_waited_for_longer_than_the_limit() -> None:
    limit = timedelta(seconds=0.5)
    store = dist.TCPStore("127.0.0.1", 0, 2, is_master=True, wait_for_workers=False, timeout=limit)
    with pytest.raises(dist.DistStoreError):
        meet(store, 2, limit)
    meet(store, 2, limit)  # the second to come
