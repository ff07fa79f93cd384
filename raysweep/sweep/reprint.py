"""A finished sweep from its storage location alone, without a cluster.

A sweep is finished when the store lacks nothing of any trial: what a run on a cluster would find
out, too, and then only report. Its result files are believed where they reach to the end of each
trial, and written again from the store where they do not. Of a sweep that stops trials early it
cannot be known without running it what the comparison would decide; it is never reprinted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import pyarrow as pa

from raysweep.plan.plan import Plan
from raysweep.plan.remaining import remaining
from raysweep.plan.scouts import Findings
from raysweep.plan.trials import Trial
from raysweep.results.columns import TRIAL_TABLES
from raysweep.results.tables import from_bytes, table_files, write_trial
from raysweep.store.snapshot import Snapshot
from raysweep.store.storage import Storage
from raysweep.store.store import DamagedEntryError, Store
from raysweep.sweep.outcome import Outcome
from raysweep.worker.job import Job, jobs_of, publish_results

LAST_WRITTEN = "steps"  # of a trial's tables
STUDY_FILE = "results/study/study.arrow"


def find_whole(plan: Plan, storage: Storage) -> Outcome | None:
    """The sweep, its result files complete; None if anything of it is still to be done."""
    if plan.space.stopping is not None:
        return None
    jobs = jobs_of(plan, storage)
    folder, store = storage.sub("sweeps", plan.sweep), Store(storage.sub("store"))
    study = None
    if plan.space.search.method == "optuna":
        from raysweep.sweep.study import JOURNAL, Study  # imports Optuna: not for other sweeps

        if not folder.exists(JOURNAL):
            return None
        study = Study(plan, folder)
    try:
        trials = study.finished_trials() if study else _decided(plan, jobs, store)
        if (study and study.num_left) or not _are_done(trials, store):
            return None
        written = {name: frozenset(table_files(folder, name)) for name in TRIAL_TABLES}
        for trial in (*plan.scouts, *trials):
            if not _has_results(folder, trial, written):
                publish_results(jobs(trial), jobs(trial).records(), len(trial.stages))
    except DamagedEntryError:
        return None  # it is set aside, so that a run makes it again
    if study and not folder.exists(STUDY_FILE):
        write_trial(folder, "study", {"study": study.rows()})
    return Outcome(folder, trials, study=study)


def _decided(plan: Plan, jobs: Callable[[Trial], Job], store: Store) -> tuple[Trial, ...]:
    """The trials; of a plan with scouts those that follow, none before all have found something."""
    if not plan.scouts:
        return plan.trials
    if not _are_done(plan.scouts, store):
        return ()
    found = (jobs(scout).records().finding() for scout in plan.scouts)
    return plan.decided(Findings(tuple(found))).trials


def _are_done(trials: Sequence[Trial], store: Store) -> bool:
    now = Snapshot(store)
    return bool(trials) and not any(remaining(now, trial) for trial in trials)


def _has_results(folder: Storage, trial: Trial, written: Mapping[str, Collection[str]]) -> bool:
    """Whether all tables of a trial are there, and reach to its last stage.

    Args:
        written: the files of each table.
    """
    tables = (name for name in TRIAL_TABLES if name != "measurements" or trial.custom)
    if not all(f"results/{name}/{trial.id}.arrow" in written[name] for name in tables):
        return False
    try:
        steps = from_bytes(folder.read(f"results/{LAST_WRITTEN}/{trial.id}.arrow"))
        return trial.stages[-1].key in steps.column("stage_key").to_pylist()
    except (pa.ArrowInvalid, KeyError):
        return False
