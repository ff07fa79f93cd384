"""What a trial imports is there before it begins, or is little."""

from __future__ import annotations

import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

import pytest

from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import make_plan
from raysweep.process.fork_server import ForkServer
from raysweep.space.space import check_space
from raysweep.store.storage import Storage
from raysweep.sweep.fork_servers import preloaded
from raysweep.training.settings import WorkerSettings
from raysweep.worker.job import jobs_of
from raysweep.worker.process_group import process_group
from raysweep.worker.run import work
from raysweep.worker.seat import Seat
from tests.worker.alone import Alone

MOST = 60  # modules, of some 3,500


def import_by_working(channel: Connection, zero_stage: int) -> None:
    """Sends the modules that a trial of every kind of work has imported itself."""
    space = {
        "name": "one",
        "chains": [["toxigen", "csqa2"]],
        "data": {"num_train": 100, "num_test": 26},
        "stage": {"num_steps": 1},
        "curvature": {"num_samples": 4, "min_products": 2, "max_products": 3},
        "workers": {"num_workers": 1, "zero_stage": zero_stage},
    }
    made = make_plan(check_space(space, "test"), find_checkpoint("tiny"))
    before = set(sys.modules)
    with tempfile.TemporaryDirectory() as folder:
        job = jobs_of(made, Storage.open(Path(folder)))(made.trials[0])
        with process_group(Seat(0, 1, 0, 1, "127.0.0.1", None, 1.0), print, lambda: None):
            work(job, Alone())
    channel.send(sorted(set(sys.modules) - before))


@pytest.mark.distributed
@pytest.mark.parametrize("zero_stage", [0, 2])
def test_a_trial_imports_next_to_nothing(zero_stage: Literal[0, 2]) -> None:
    server = ForkServer((*preloaded(WorkerSettings(zero_stage=zero_stage)), __name__))
    child = server.start(f"{__name__}:import_by_working", zero_stage)
    imported = child.channel.recv()
    assert child.exit_code() == 0
    server.close()
    assert len(imported) < MOST, imported


def test_where_there_are_gpus_nothing_is_imported_before_a_process_is_forked() -> None:
    assert preloaded(WorkerSettings(use_gpu=True)) == ()
