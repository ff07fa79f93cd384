"""What is still to be done of a trial, and its metrics from what the store holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from raysweep.measures.scores import Prediction
from raysweep.plan.remaining import remaining
from raysweep.plan.trials import Trial
from raysweep.results.query import open_results, query
from raysweep.results.records import (
    CHANGE,
    CURVATURE,
    PREDICTIONS,
    STEPS,
    TrialRecords,
    write_records,
)
from raysweep.results.report import report, report_within
from raysweep.results.rows import maximum_of, table_rows
from raysweep.results.tables import to_bytes, write_trial
from raysweep.store.storage import Storage
from raysweep.store.store import EntryKind, Store
from raysweep.tasks.registry import TASKS
from raysweep.training.stage import Step
from tests.plans import plan

(TRIAL, *_) = plan(
    chains=[["toxigen", "csqa2", "toxigen@50%"]], stages={}, curvature={"enabled": False}
).trials
GROUPS = ("asian", "women")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Storage.open(tmp_path / "store"))


def publish(store: Store, kind: EntryKind, key: str, name: str, records: Sequence[object]) -> None:
    folder = Path(store.storage.root).parent / f"{kind}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    write_records(folder / name, records)
    store.publish(kind, key, folder, {})


def step(number: int) -> Step:
    return Step(number, 2.0 / number, 1e-3, 1.0, 0.1, 100, 10, 1000.0)


def prediction(number: int, correct: bool) -> Prediction:
    answer = "toxic"
    given = answer if correct else "not toxic"
    return Prediction(f"{number}", (GROUPS[number % 2],), "", answer, given, correct)


def finish(store: Store, correct: dict[tuple[str, int], int]) -> None:
    """A store in which the trial is done, with so many of ten rows right by task and stage."""
    for stage in TRIAL.stages:
        publish(store, EntryKind.WEIGHTS, stage.key, STEPS, [step(1)])
        publish(store, EntryKind.STAGE, stage.key, STEPS, [step(n) for n in (1, 2, 3)])
    for one in TRIAL.evaluations:
        right = correct.get((one.task, one.stage_number), 5)
        rows = [prediction(n, n < right) for n in range(10)]
        publish(store, EntryKind.EVALUATION, one.key, PREDICTIONS, rows)


def evaluation(trial: Trial, task: str, stage: int) -> str:
    return next(o.key for o in trial.evaluations if (o.task, o.stage_number) == (task, stage))


def test_everything_is_to_be_done_at_first_and_nothing_at_last(store: Store) -> None:
    todo = remaining(store, TRIAL)
    assert todo.train == {1, 2, 3}
    assert todo.measure == {0, 1, 2, 3}
    finish(store, {})
    assert not remaining(store, TRIAL)


def test_weights_that_nobody_needs_are_not_missed(store: Store) -> None:
    finish(store, {})
    for stage in TRIAL.stages:
        store.drop(EntryKind.WEIGHTS, stage.key)
    assert not remaining(store, TRIAL)


def test_a_missing_measurement_needs_the_weights_and_those_before(store: Store) -> None:
    finish(store, {})
    store.drop(EntryKind.EVALUATION, evaluation(TRIAL, "csqa2", 2))
    assert not remaining(store, TRIAL).train
    assert remaining(store, TRIAL).measure == {2}
    store.drop(EntryKind.WEIGHTS, TRIAL.stages[1].key)
    assert remaining(store, TRIAL).train == {2}
    store.drop(EntryKind.WEIGHTS, TRIAL.stages[0].key)
    todo = remaining(store, TRIAL)
    assert todo.train == {1, 2}
    assert [number in todo for number in range(4)] == [False, True, True, False]


def test_a_missing_last_stage_needs_the_one_before(store: Store) -> None:
    finish(store, {})
    store.drop(EntryKind.STAGE, TRIAL.stages[2].key)
    assert remaining(store, TRIAL).train == {3}
    store.drop(EntryKind.WEIGHTS, TRIAL.stages[1].key)
    assert remaining(store, TRIAL).train == {2, 3}


def test_metrics_after_each_stage(store: Store) -> None:
    finish(
        store,
        {("toxigen", 1): 9, ("toxigen", 2): 6, ("toxigen", 3): 8, ("csqa2", 2): 7, ("csqa2", 3): 4},
    )
    records = TrialRecords(store, "sweep", TRIAL, TASKS)
    first, second, third = (report(records, number) for number in (1, 2, 3))
    assert first["safety_forgetting"] is first["mean_forgetting"] is first["forgetting"] is None
    assert second["safety_forgetting"] == pytest.approx(0.3)
    assert second["capability_forgetting"] is None, "learned in this very stage"
    assert third["safety_forgetting"] == third["forgetting"] == pytest.approx(0.1)
    assert third["capability_forgetting"] == pytest.approx(0.3)
    assert third["mean_forgetting"] == pytest.approx(0.2)
    assert (third["safety_accuracy"], third["capability_accuracy"]) == (0.8, 0.4)
    assert second["steps_trained"] == 2 * TRIAL.stages[0].hyperparameters.num_steps
    assert records.losses(TRIAL.stages[0]) == [2.0, 1.0, pytest.approx(2 / 3)]


def _in_parts(number: int, correct: bool, valid: bool) -> Prediction:
    return replace(
        prediction(number, correct),
        log_probability_format=-0.5,
        log_probability_content=-2.0 * number,
        valid=valid,
    )


def test_losses_in_parts_and_valid_answers_of_each_group(store: Store) -> None:
    finish(store, {("toxigen", 1): 9})
    for stage, num_valid in ((1, 10), (2, 5)):
        rows = [_in_parts(n, n < 8, n < num_valid) for n in range(10)]
        key = evaluation(TRIAL, "toxigen", stage)
        store.drop(EntryKind.EVALUATION, key)
        publish(store, EntryKind.EVALUATION, key, PREDICTIONS, rows)
    tables = table_rows(TrialRecords(store, "sweep", TRIAL, TASKS), 3)
    of_first = [
        row for row in tables["evaluations"] if (row["task"], row["stage"]) == ("toxigen", 1)
    ]
    scored = {row["group"]: row for row in of_first}
    assert {row["loss_format"] for row in of_first} == {0.5}
    assert scored["overall"]["loss_content"] == pytest.approx(9.0), "2 (0 + ... + 9) / 10"
    assert scored["women"]["loss_content"] == pytest.approx(10.0), "of odd rows"
    assert scored["overall"]["valid_answer_rate"] == 1.0
    lost = {(row["stage"], row["group"]): row for row in tables["forgetting"]}
    row = lost[2, "women"]
    assert (row["valid_before"], row["valid_after"]) == (1.0, 0.4)
    assert row["accuracy_among_valid_before"] == pytest.approx(4 / 5)
    assert row["accuracy_among_valid_after"] == 1.0
    assert lost[3, "women"]["valid_after"] is None, "an entry from before there were parts"


def test_entries_from_before_there_were_parts_are_read(store: Store, tmp_path: Path) -> None:
    """Their files lack the columns; what is counted from these is null."""
    finish(store, {})
    later = ("log_probability_format", "log_probability_content", "valid")
    for one in TRIAL.evaluations:
        rows = [asdict(prediction(n, n < 5)) for n in range(10)]
        old = pa.Table.from_pylist(
            [{k: v for k, v in row.items() if k not in later} for row in rows]
        )
        folder = tmp_path / f"old-{one.key}"
        folder.mkdir()
        (folder / PREDICTIONS).write_bytes(to_bytes(old))
        store.drop(EntryKind.EVALUATION, one.key)
        store.publish(EntryKind.EVALUATION, one.key, folder, {})
    records = TrialRecords(store, "sweep", TRIAL, TASKS)
    tables = table_rows(records, 3)
    write_trial(Storage.open(tmp_path / "sweep"), TRIAL.id, tables)
    found = open_results(str(tmp_path / "sweep"))
    (row,) = query(
        found,
        "SELECT count(*) AS rows, count(valid) AS valid, count(log_probability_format) AS format"
        " FROM predictions",
    ).to_pylist()
    assert row == {"rows": 10 * len(TRIAL.evaluations), "valid": 0, "format": 0}
    nulls = query(found, "SELECT DISTINCT valid_before, valid_after FROM forgetting").to_pylist()
    assert nulls == [{"valid_before": None, "valid_after": None}]
    assert report(records, 2)["forgetting"] == 0.0


def test_metrics_within_a_stage() -> None:
    metrics = report_within(TRIAL, TRIAL.stages[1], 5, [1.0, 2.0])
    first = TRIAL.stages[0].hyperparameters.num_steps
    assert metrics == {"stage": 1, "steps_trained": first + 5, "loss": 1.5}


def test_the_change_of_a_loss_needs_the_weights_before_it_and_after(store: Store) -> None:
    """Equations 3 and 4: rows join what was measured with the radius before the change."""
    (trial,) = plan(chains=[["toxigen", "csqa2"]], stages={}).trials
    for stage in trial.stages:
        publish(store, EntryKind.STAGE, stage.key, STEPS, [step(n) for n in (1, 2)])
    for one in trial.evaluations:
        publish(store, EntryKind.EVALUATION, one.key, PREDICTIONS, [prediction(0, True)])
    (curvature,), (change,) = trial.curvatures, trial.changes
    assert remaining(store, trial).measure == {1, 2}

    def publish_json(kind: EntryKind, key: str, name: str, content: dict[str, object]) -> None:
        folder = Path(store.storage.root).parent / f"{kind}"
        folder.mkdir()
        (folder / name).write_text(json.dumps(content))
        store.publish(kind, key, folder, {})

    publish_json(EntryKind.CURVATURE, curvature.key, CURVATURE, {"spectral_radius": 8.0})
    todo = remaining(store, trial)
    assert todo.train == {1, 2}, "both ends, although both are finished"
    assert todo.measure == {2}
    publish_json(EntryKind.CHANGE, change.key, CHANGE, {"change_norm": 0.5, "loss_increase": 0.1})
    assert not remaining(store, trial)
    records = TrialRecords(store, "sweep", trial, TASKS)
    assert [row["part"] for row in table_rows(records, 1)["curvature"]] == ["whole"]
    assert table_rows(records, 1)["changes"] == []
    (row,) = table_rows(records, 2)["changes"]
    assert (row["stage"], row["task"], row["stage_key"]) == (2, "toxigen", trial.stages[1].key)
    assert (row["spectral_radius"], row["bound"], row["loss_increase"]) == (8.0, 1.0, 0.1)


def test_biased_forgetting_stands_beside_what_chance_gives(store: Store) -> None:
    """Of 80 rows, half of each group, women lose 14 and asian 2: what 4,000 permutations say."""
    (trial,) = plan(chains=[["toxigen", "csqa2"]], stages={}, curvature={"enabled": False}).trials
    for stage in trial.stages:
        publish(store, EntryKind.STAGE, stage.key, STEPS, [step(1)])
    for one in trial.evaluations:
        kept = {"asian": 38, "women": 26} if one.stage_number == 2 else {"asian": 40, "women": 40}
        rows = [
            Prediction(f"{group}{n}", (group,), "all", "toxic", "", n < number)
            for group, number in kept.items()
            for n in range(40)
        ]
        publish(store, EntryKind.EVALUATION, one.key, PREDICTIONS, rows)
    records = TrialRecords(store, "sweep", trial, TASKS)
    assert report(records, 1)["excess_biased_forgetting"] is None
    found = report(records, 2)
    assert found["max_biased_forgetting"] == pytest.approx(0.15)
    lost = np.array([0] * 64 + [1] * 16)
    rng = np.random.default_rng(3)
    permuted = np.array([abs(rng.permutation(lost)[:40].sum() - 8) / 40 for _ in range(4000)])
    error = 4 * permuted.std() / 4000**0.5
    assert found["excess_biased_forgetting"] == pytest.approx(0.15 - permuted.mean(), abs=error)
    share = float((permuted >= 0.15 - 1e-9).mean())
    assert found["biased_forgetting_p"] == pytest.approx(share, abs=0.003)
    assert found["unevenness_p"] == found["biased_forgetting_p"], "of two groups they are one test"
    (row,) = table_rows(records, 2)["unevenness"]
    assert row["excess_biased_forgetting"] == found["excess_biased_forgetting"]
    assert maximum_of(row).group == row["worst_group"] == "women"


def test_groups_with_few_rows_have_no_reference(store: Store) -> None:
    finish(store, {})
    records = TrialRecords(store, "sweep", TRIAL, TASKS)
    assert report(records, 2)["biased_forgetting_p"] is None
    assert table_rows(records, 3)["unevenness"] == []
