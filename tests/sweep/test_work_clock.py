"""The time left, from what a monitor sees of trials."""

from __future__ import annotations

from pathlib import Path

from raysweep.results.records import STEPS, write_records
from raysweep.store.storage import Storage
from raysweep.store.store import EntryKind, Store
from raysweep.sweep.eta import Estimator
from raysweep.sweep.work_clock import WorkClock, shown_left
from raysweep.training.stage import Step
from raysweep.worker.surroundings import Activity, Doing, Work
from tests.plans import plan


def test_found_stages_cost_nothing_and_start_up_is_counted(tmp_path: Path) -> None:
    """Of two trials that share their first stage, which is found, two second stages are left."""
    made = plan(curvature={"enabled": False})
    trials = {trial.id: trial for trial in made.trials[:2]}
    (one, two) = trials.values()
    store = Store(Storage.open(tmp_path / "store"))
    (tmp_path / "a").mkdir()
    write_records(tmp_path / "a" / STEPS, [Step(1, 1.0, 1e-3, 1.0, 1.0, 10, 2, 5.0)])
    for kind in (EntryKind.STAGE, EntryKind.WEIGHTS):
        store.publish(kind, one.stages[0].key, tmp_path / "a", {})
    for number in (0, 1):
        for measured in one.evaluations:
            if measured.stage_number == number:
                store.publish(EntryKind.EVALUATION, measured.key, tmp_path / "a", {})
    clock = WorkClock(trials, Estimator(1, 2, num_workers=2), store)
    assert shown_left(clock.left({one.id: Activity(Doing.STARTING, stage=2)}, {}, 100.0)) == (
        "estimating the time left"
    )
    clock.left({one.id: Activity(Doing.TRAINING, "csqa2", 2)}, {}, 110.0)
    clock.finish(one, 2)
    clock.end(one)
    spent = {Work.TRAINING: 60.0, Work.EVALUATING: 20.0}  # of both workers together
    left = clock.left({}, spent, 150.0)
    assert left is not None
    assert left.seconds == 10 + 30 + 10, "start-up, a second stage, its evaluations"
    assert shown_left(left) == "left about 0:50"
    half = clock.left({two.id: Activity(Doing.TRAINING, "csqa2", 2, 0.5)}, spent, 150.0)
    assert half is not None
    assert half.seconds <= 50
