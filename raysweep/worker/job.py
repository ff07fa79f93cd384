"""What travels to a trial's driver and workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from raysweep.plan.plan import Plan
from raysweep.plan.recipes import Recipes
from raysweep.plan.trials import Trial
from raysweep.results.records import TrialRecords
from raysweep.results.report import report
from raysweep.results.rows import table_rows
from raysweep.results.tables import write_trial
from raysweep.space.space import SearchSpace
from raysweep.store.storage import Storage
from raysweep.store.store import Store


@dataclass(frozen=True)
class Job:
    """All that a worker needs to know of its trial.

    Attributes:
        storage: URI of the storage location.
        recipes: what the keys are digests of, with the digests of the rows as planned.
    """

    sweep: str
    trial: Trial
    space: SearchSpace
    storage: str
    recipes: Recipes

    @property
    def store(self) -> Store:
        """The stage store, shared by all sweeps of the storage location."""
        return Store(Storage.open(self.storage).sub("store"))

    def records(self) -> TrialRecords:
        """What the store knows of the trial."""
        return TrialRecords(self.store, self.sweep, self.trial, self.space.find_tasks())

    @property
    def sweep_folder(self) -> Storage:
        """Where the sweep's results go."""
        return Storage.open(self.storage).sub("sweeps", self.sweep)


def jobs_of(plan: Plan, storage: Storage) -> Callable[[Trial], Job]:
    """What makes the jobs of a plan's trials; it travels to their drivers, without the plan."""
    return partial(Job, plan.sweep, space=plan.space, storage=storage.uri, recipes=plan.recipes)


def publish_results(job: Job, records: TrialRecords, stage_number: int) -> dict[str, Any]:
    """Writes the trial's tables up to a stage and returns its metrics after that stage."""
    write_trial(job.sweep_folder, job.trial.id, table_rows(records, stage_number))
    return report(records, stage_number)
