"""What a worker works with, and how it publishes what it has made."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from raysweep.model.encoding import Encoder
from raysweep.store.store import EntryName
from raysweep.tasks.splits import Splits
from raysweep.training.settings import WorkerSettings
from raysweep.worker.collective import decided, is_first
from raysweep.worker.job import Job
from raysweep.worker.surroundings import Activity, Doing, Surroundings, Work
from raysweep.worker.weights import Weights


@dataclass(frozen=True)
class Equipment:
    """One worker's.

    Attributes:
        base: the base model's folder.
        splits: the rows of each of the trial's tasks, as its data seed draws them.
    """

    job: Job
    around: Surroundings
    device: torch.device
    base: Path
    encoder: Encoder
    splits: dict[str, Splits]
    weights: Weights

    @property
    def workers(self) -> WorkerSettings:
        """The settings of the group."""
        return self.job.space.workers

    def is_missing(self, entry: EntryName) -> bool:
        """Whether the store lacks an entry; a collective call."""
        return decided(lambda: self.job.store.find(*entry) is None)

    def tell(self, doing: Doing, what: str, stage: int, fraction: float = 0.0) -> None:
        """Says what is done now, which is progress, too."""
        self.around.advance()
        if is_first():
            self.around.tell(Activity(doing, what, stage, fraction))

    def watched(self, model: Any) -> Any:
        """The model; each of its forward passes counts as progress."""
        self.around.advance()
        model.model.register_forward_hook(self.around.advance)
        return model

    @contextmanager
    def timed(self, work: Work, stage_key: str) -> Iterator[Callable[[], float]]:
        """Adds the seconds of a block to a kind of work; yields what tells them so far.

        Args:
            stage_key: of the stage that is trained or measured; of the base model its digest.
        """
        started = time.time()
        yield lambda: time.time() - started
        if is_first():
            self.around.spend(work, time.time() - started, stage_key)

    def publish(
        self, entry: EntryName, seconds: Callable[[], float], write: Callable[[Path], object]
    ) -> None:
        """On rank 0: writes an entry's files into a folder of their own and publishes them."""
        if not is_first():
            return
        with tempfile.TemporaryDirectory(dir=self.weights.cache) as attempt:
            write(Path(attempt))
            trial = self.job.trial
            provenance = {
                "trial": trial.id,
                "data_seed": trial.data_seed,
                "model": {"name": self.job.space.model, "digest": trial.stages[0].parent},
                "host": socket.gethostname(),
                "num_workers": dist.get_world_size(),
                "zero_stage": self.workers.zero_stage,
                "seconds": seconds(),
            }
            recipe = self.job.recipes.of(trial, entry)
            self.job.store.publish(*entry, Path(attempt), provenance, self.around.advance, recipe)
