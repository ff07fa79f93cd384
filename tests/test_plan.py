"""Plans: trials, stages and keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysweep.checkpoint import Checkpoint
from raysweep.config import check_space
from raysweep.errors import InputError
from raysweep.plan import Plan, make_plan

BASE = Checkpoint(Path("base"), "d1", 1000, 2048)


def plan(base: Checkpoint = BASE, **changes: object) -> Plan:
    space = {
        "name": "lr",
        "data": {"num_train": 100, "num_test": 50},
        "chains": [["toxigen", "csqa2"], ["csqa2", "toxigen"]],
        "stages": {
            1: {"learning_rate": {"grid": [1e-3, 2e-3]}},
            2: {"learning_rate": {"grid": [1e-3, 2e-3]}},
        },
    }
    return make_plan(check_space({**space, **changes}, "test"), base)


def test_a_grid_over_both_stages_shares_the_first() -> None:
    made = plan()
    assert len(made.trials) == 8
    assert made.num_stages_asked == 16
    assert made.num_stages_distinct == 2 * 2 + 8
    assert len({trial.id for trial in made.trials}) == 8
    assert made.trials[0].chain == "toxigen -> csqa2"


def test_a_grid_under_stage_moves_all_stages_together() -> None:
    made = plan(stage={"learning_rate": {"grid": [1e-3, 2e-3]}}, stages={})
    rates = [[s.hyperparameters.learning_rate for s in t.stages] for t in made.trials[:2]]
    assert rates == [[1e-3, 1e-3], [2e-3, 2e-3]]


def test_equal_points_are_planned_once() -> None:
    assert len(plan(stages={1: {"learning_rate": {"grid": [1e-3, "1e-3"]}}}).trials) == 2


def test_every_task_is_evaluated_after_every_stage_and_before() -> None:
    (trial, *_) = plan().trials
    wanted = {(one.stage_number, one.task) for one in trial.evaluations}
    assert wanted == {(n, t) for n in range(3) for t in ("toxigen", "csqa2")}
    assert trial.curvature is not None
    assert (trial.curvature.stage_number, trial.curvature.task) == (1, "toxigen")


def keys(made: Plan) -> list[str]:
    return [stage.key for trial in made.trials for stage in trial.stages]


@pytest.mark.parametrize(
    "workers", [{"num_workers": 5}, {"zero_stage": 0}, {"micro_batch_size": 1}, {"use_gpu": True}]
)
def test_where_a_stage_runs_is_not_part_of_its_key(workers: dict[str, object]) -> None:
    assert keys(plan(workers=workers)) == keys(plan())
    assert plan(workers=workers).sweep == plan().sweep


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": [1]},
        {"stage": {"num_steps": 99}},
        {"stage": {"weight_decay": 0.0}},
        {"stage": {"dtype": "bfloat16"}},
        {"data": {"num_train": 99, "num_test": 50}},
        {"data": {"num_train": 100, "num_test": 50, "seed": 1}},
    ],
)
def test_what_decides_a_result_is_part_of_its_key(changes: dict[str, object]) -> None:
    assert not set(keys(plan(**changes))) & set(keys(plan()))


def test_another_base_model_is_another_sweep() -> None:
    other = Checkpoint(Path("base"), "d2", 1000, 2048)
    assert not set(keys(plan(other))) & set(keys(plan()))


def test_test_rows_change_measurements_but_no_stage() -> None:
    other = plan(data={"num_train": 100, "num_test": 40})
    assert keys(other) == keys(plan())
    assert other.sweep != plan().sweep


def test_a_task_is_learned_at_its_first_full_stage() -> None:
    made = plan(chains=[["toxigen@5%", "csqa2", ["toxigen", "csqa2"], "csqa2"]], stages={})
    (trial,) = made.trials
    assert trial.learned_at("toxigen") == 3
    assert trial.learned_at("csqa2") == 2
    assert trial.chain == "toxigen@5% -> csqa2 -> toxigen + csqa2 -> csqa2"


def test_a_model_too_large_for_the_replica_is_refused_before_anything_starts() -> None:
    big = Checkpoint(Path("base"), "d1", 7_000_000_000, 2048)
    with pytest.raises(InputError, match=r"curvature\.max_parameters.*set curvature\.enabled"):
        plan(big)
    assert plan(big, curvature={"enabled": False}).trials[0].curvature is None


def test_a_sequence_limit_beyond_the_model_is_refused() -> None:
    with pytest.raises(InputError, match="sequence_limit: 4096 is more than the model's 2048"):
        plan(stage={"sequence_limit": 4096})
