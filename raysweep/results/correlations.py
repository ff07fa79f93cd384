"""How alike rows from one template were lost, in trials of a plan that are in the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from raysweep.measures.losses import Scored, grouped_losses
from raysweep.plan.plan import Plan
from raysweep.plan.power import cell_of
from raysweep.plan.trials import Trial
from raysweep.results.records import TrialRecords
from raysweep.statistics.clusters import ClusterCorrelation, cluster_correlation
from raysweep.store.storage import Storage, reading
from raysweep.store.store import DamagedEntryError, Store


def measured_correlations(plan: Plan, uri: str) -> dict[str, ClusterCorrelation]:
    """By task, of those whose rows come from templates and of which something was lost.

    Raises:
        InputError: the location cannot be read.
    """
    found = {}
    with reading(uri):
        store = Store(Storage.open(uri).sub("store"))
        for task, splits in plan.splits.items():
            if any(example.cluster for example in splits.test):
                cells = map(grouped_losses, _cells(plan, store, task))
                if one := cluster_correlation(cells):
                    found[task] = one
    return found


def _cells(plan: Plan, store: Store, task: str) -> Iterator[list[tuple[Scored, Scored]]]:
    """The predictions before and after, of the seeds of each chain and later stage."""
    trials: dict[object, list[Trial]] = defaultdict(list)
    for trial in plan.trials:
        if task in trial.tasks:
            trials[cell_of(trial)].append(trial)
    for alike in trials.values():
        for number in range(1, len(alike[0].stages) + 1):
            pairs = [_pair(plan, store, trial, task, number) for trial in alike]
            if there := [pair for pair in pairs if pair]:
                yield there


def _pair(
    plan: Plan, store: Store, trial: Trial, task: str, number: int
) -> tuple[Scored, Scored] | None:
    """None where it is not there, or the stage is no later one."""
    learned_at = trial.learned_at(task)
    if learned_at is None or number <= learned_at:
        return None
    tasks = {name: splits.task for name, splits in plan.splits.items()}
    records = TrialRecords(store, plan.sweep, trial, tasks)
    scored = {one.stage_number: one for one in trial.evaluations if one.task == task}
    try:
        return records.predictions(scored[learned_at]), records.predictions(scored[number])
    except DamagedEntryError:
        return None
