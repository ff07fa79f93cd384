"""What a worker publishes says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from raysweep.model.checkpoint import find_checkpoint
from raysweep.model.tokenizer import load_encoder
from raysweep.plan.plan import make_plan
from raysweep.space.space import check_space
from raysweep.store.storage import Storage
from raysweep.store.store import EntryKind, Store
from raysweep.worker.equipment import Equipment
from raysweep.worker.job import Job, jobs_of
from raysweep.worker.weights import Weights
from tests.processes import run_group
from tests.worker.alone import Alone


def _publish(job: Job, cache: str) -> int:
    """Publishes all that the trial asks for."""
    base = find_checkpoint(job.space.model)
    around, trial = Alone(), job.trial
    weights = Weights(job.store, (base.folder, base.digest), Path(cache), around.advance)
    encoder = load_encoder(base.folder, base.architecture.vocabulary_size)
    device = torch.device("cpu")
    equipment = Equipment(job, around, device, base.folder, encoder, {}, weights)
    entries = [*trial.entries, *((EntryKind.WEIGHTS, stage.key) for stage in trial.stages)]
    for entry in entries:
        equipment.publish(entry, lambda: 1.0, lambda folder: (folder / "a").write_text("a"))
    return len(entries)


@pytest.mark.distributed
def test_every_entry_has_its_recipe_and_the_base_models_name(tmp_path: Path) -> None:
    space = check_space({"name": "one", "chains": [["toxigen", "csqa2"]]}, "test")
    made = make_plan(space, find_checkpoint(space.model))
    (trial,) = made.trials
    jobs = jobs_of(made, Storage.open(tmp_path / "storage"))
    (number,) = run_group(1, _publish, jobs(trial), str(tmp_path))
    store = Store(Storage.open(tmp_path / "storage" / "store"))
    found = [store.demand(kind, key) for kind in EntryKind for key in store.keys(kind)]
    assert len(found) == number == 12
    for entry in found:
        assert entry.recipe == made.recipes.of(trial, entry.name)
        assert entry.provenance["model"] == {"name": "tiny", "digest": made.checkpoint.digest}
        assert entry.made_by["torch"]
