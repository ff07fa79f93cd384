"""Plans: trials, stages and keys."""

from __future__ import annotations

from typing import Any

import pytest

from raysweep.errors import InputError
from raysweep.model.checkpoint import Checkpoint
from raysweep.plan import planner
from raysweep.plan.plan import Plan
from raysweep.plan.trials import Trial
from raysweep.tasks.splits import Splits
from tests.models import SMALL
from tests.places import BASE as FOLDER
from tests.plans import plan


def test_a_grid_over_both_stages_shares_the_first() -> None:
    made = plan()
    assert len(made.trials) == 8
    assert made.num_stages_asked == 16
    assert made.num_stages_distinct == 2 * 2 + 8
    assert len({trial.id for trial in made.trials}) == 8
    assert str(made.trials[0].chain) == "toxigen -> csqa2"


def test_a_grid_under_stage_moves_all_stages_together() -> None:
    made = plan(stage={"learning_rate": {"grid": [1e-3, 2e-3]}}, stages={})
    rates = [[s.hyperparameters.learning_rate for s in t.stages] for t in made.trials[:2]]
    assert rates == [[1e-3, 1e-3], [2e-3, 2e-3]]


def test_equal_points_are_planned_once() -> None:
    assert len(plan(stages={1: {"learning_rate": {"grid": [1, 1.0]}}}).trials) == 2


def test_every_task_is_evaluated_after_every_stage_and_before() -> None:
    (trial, *_) = plan().trials
    wanted = {(one.stage_number, one.task) for one in trial.evaluations}
    assert wanted == {(n, t) for n in range(3) for t in ("toxigen", "csqa2")}
    assert trial.curvature is not None
    assert (trial.curvature.stage_number, trial.curvature.task) == (1, "toxigen")


def test_random_points_are_the_same_for_every_chain_and_seed() -> None:
    made = plan(
        seeds=[0, 1],
        search={"method": "random", "num_samples": 5, "seed": 3},
        stages={
            1: {"learning_rate": {"loguniform": [1e-5, 1e-2]}},
            2: {"global_batch_size": {"choice": [8, 16]}, "weight_decay": {"uniform": [0, 0.2]}},
        },
    )
    assert len(made.trials) == 2 * 2 * 5
    points = {
        (trial.chain, trial.seed): [
            (one.learning_rate, two.global_batch_size, two.weight_decay)
            for other in made.trials
            if (other.chain, other.seed) == (trial.chain, trial.seed)
            for one, two in [[stage.hyperparameters for stage in other.stages]]
        ]
        for trial in made.trials
    }
    first, *others = points.values()
    assert all(other == first for other in others)
    assert len(set(first)) == 5
    again = plan(search={"method": "random", "num_samples": 5, "seed": 4}, stages={})
    assert len(again.trials) == 2, "equal points are one trial"


def test_a_stage_of_no_steps_is_no_stage() -> None:
    made = plan(
        chains=[["toxigen", "csqa2", "stage1"]],
        stages={3: {"num_steps": {"grid": [0, 5]}, "learning_rate": {"grid": [1e-3, 2e-3]}}},
    )
    assert [str(trial.chain) for trial in made.trials] == [
        "toxigen -> csqa2",
        "toxigen -> csqa2 -> toxigen",
        "toxigen -> csqa2 -> toxigen",
    ]
    assert made.num_stages_distinct == 4
    with pytest.raises(InputError, match="every stage of a chain has 0 steps"):
        plan(stage={"num_steps": 0}, stages={})


def test_the_papers_replay_grid_shares_all_but_the_last_stage() -> None:
    capability, safety = "{arc_easy,csqa,csqa2}", "{toxigen,bbq,saferdialogues}"
    shares = "{0,1,5,10,20,40,60,80,100}"
    made = plan(chains=[[safety, capability, f"stage1@{shares}%"]], stages={})
    assert len(made.trials) == 9 * 9
    assert made.num_stages_asked == 9 * (2 + 8 * 3)
    assert made.num_stages_distinct == 3 + 9 + 9 * 8


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
    other = Checkpoint(FOLDER, "d2", 1000, 2048, SMALL)
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
    assert str(trial.chain) == "toxigen@5% -> csqa2 -> toxigen + csqa2 -> csqa2"


def test_a_model_too_large_for_the_replica_is_refused_before_anything_starts() -> None:
    big = Checkpoint(FOLDER, "d1", 7_000_000_000, 2048, SMALL)
    with pytest.raises(InputError, match=r"curvature\.max_parameters.*set curvature\.enabled"):
        plan(big, curvature={"operator": "replica"})
    assert plan(big, curvature={"enabled": False}).trials[0].curvature is None
    assert plan(big, workers={"zero_stage": 3}).trials[0].curvature, "layer by layer"


def test_curvature_after_the_stages_and_of_the_tasks_that_are_wanted() -> None:
    def measured(**settings: str | bool) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
        made = plan(chains=[["toxigen", "csqa2", "toxigen@50%"]], stages={}, curvature=settings)
        (trial,) = made.trials
        assert trial.curvature == trial.curvatures[0]
        for change in trial.changes:
            assert trial.curvature_before(change).task == change.task
        curvatures = [(one.stage_number, one.task) for one in trial.curvatures]
        return curvatures, [(one.stage_number, one.task) for one in trial.changes]

    assert measured() == ([(1, "toxigen")], [(2, "toxigen")])
    own = [(1, "toxigen"), (2, "csqa2"), (3, "toxigen")]
    assert measured(stages="all") == (own, [(2, "toxigen"), (3, "csqa2")])
    both = [(n, task) for n in (1, 2, 3) for task in ("toxigen", "csqa2")]
    assert measured(stages="all", tasks="all") == (both, [(n + 1, t) for n, t in both[:4]])
    assert measured(tasks="all", changes=False) == (both[:2], [])


def test_the_content_of_answers_has_a_curvature_of_its_own_where_it_is_wanted() -> None:
    def made(content: bool) -> Trial:
        settings = {"content": content, "stages": "all"}
        return plan(chains=[["toxigen", "saferdialogues"]], stages={}, curvature=settings).trials[0]

    without, trial = made(False), made(True)
    told = [(one.stage_number, one.task, one.part) for one in trial.curvatures]
    whole, content, generative = trial.curvatures
    assert told == [
        (1, "toxigen", "whole"),
        (1, "toxigen", "content"),
        (2, "saferdialogues", "whole"),  # its responses are generated
    ]
    assert without.curvatures == (whole, generative)
    assert without.changes == trial.changes
    assert content.key not in {one.key for one in without.measurements}
    assert trial.curvature == whole == trial.curvature_before(trial.changes[0])


def test_what_decides_a_curvature_is_in_its_key() -> None:
    def keys(**settings: object) -> tuple[str, str]:
        trial = plan(curvature=settings).trials[0]
        return trial.curvatures[0].key, trial.changes[0].key

    curvature, change = keys()
    for name, value in {"num_samples": 7, "reduction": "sample"}.items():
        other = keys(**{name: value})
        assert curvature != other[0]
        assert change != other[1]
    for name, value in {"solver": "power", "relative_tolerance": 0.1, "max_products": 99}.items():
        other = keys(**{name: value})
        assert curvature != other[0]
        assert change == other[1], "no solver decides it"
    assert keys(operator="layerwise", max_parameters=10**10) == (curvature, change)


def test_a_sequence_limit_beyond_the_model_is_refused() -> None:
    with pytest.raises(InputError, match="sequence_limit: 4096 is more than the model's 2048"):
        plan(stage={"sequence_limit": 4096})


def test_a_name_of_many_tasks_is_short_enough_for_a_file() -> None:
    chain = ["saferdialogues", "toxigen"] * 25
    (trial,) = plan(chains=[chain], stages={}, curvature={"enabled": False}).trials
    assert len(f".{trial.id}.arrow.{'f' * 32}.tmp") < 255
    assert trial.id.startswith("saferdialogues-toxigen-saferdialogues-")
    assert trial.id.endswith(f"-50-stages-{trial.stages[-1].key[:8]}")
    (usual,) = plan(chains=[["toxigen", "csqa2"]], stages={}).trials
    assert usual.id == f"toxigen-csqa2-{usual.stages[-1].key[:8]}"


def test_trials_whose_short_digests_are_the_same_keep_names_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 100,000 trials with digests of 32 bits two are alike with a probability of 69 %."""
    monkeypatch.setattr(planner, "NUM_DIGITS", 1)
    monkeypatch.setattr(planner._name, "__defaults__", (1,))
    made = plan(seeds=list(range(12)), stages={}, chains=[["toxigen"]])
    keys = [trial.stages[0].key for trial in made.trials]
    assert len({key[0] for key in keys}) < len({key[:2] for key in keys}) == 12
    assert len({trial.id for trial in made.trials}) == 12
    assert made.trials[0].id == f"toxigen-{keys[0][:1]}"


# Chain, settings of stage and stages, and the limits of (task, set of rows).
LIMITS: dict[str, tuple[list[str | list[str]], dict[str, object], dict[tuple[str, str], int]]] = {
    "each stage trains under its own limit, tests under the smallest": (
        ["toxigen", "csqa2"],
        {"stages": {1: {"sequence_limit": 2000}, 2: {"sequence_limit": 900}}},
        {
            ("toxigen", "train"): 2000, ("csqa2", "train"): 900,
            ("toxigen", "test"): 900, ("csqa2", "test"): 900,
        },
    ),
    "a stage's own limit stands over that of all stages": (
        ["toxigen", "csqa2"],
        {
            "stage": {"sequence_limit": {"grid": [500, 10_000]}},
            "stages": {1: {"sequence_limit": 600}, 2: {"sequence_limit": {"grid": [800, 700]}}},
        },
        {
            ("toxigen", "train"): 600, ("csqa2", "train"): 700,
            ("toxigen", "test"): 600, ("csqa2", "test"): 600,
        },
    ),
    "a task that comes back, and a mixture": (
        ["toxigen", ["csqa2", "toxigen@5%"]],
        {"stages": {1: {"sequence_limit": 800}, 2: {"sequence_limit": 700}}},
        {
            ("toxigen", "train"): 700, ("csqa2", "train"): 700,
            ("toxigen", "test"): 700, ("csqa2", "test"): 700,
        },
    ),
    "orders put every task anywhere": (
        ["toxigen", "csqa2"],
        {
            "stages": {1: {"sequence_limit": 600}, 2: {"sequence_limit": 700}},
            "search": {"orders": ["flattest_first"]},
        },
        {
            ("toxigen", "train"): 600, ("csqa2", "train"): 600,
            ("toxigen", "test"): 600, ("csqa2", "test"): 600,
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_rows_are_checked_under_the_limits_that_they_meet(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, settings, expected = LIMITS[name]
    found = {}

    def note(splits: Splits, limit: int, encoder: object) -> None:
        for kind in ("train", "test"):
            if getattr(splits, kind):
                found[splits.task.name, kind] = limit

    monkeypatch.setattr("raysweep.plan.rows.check_rows_fit", note)
    made = plan(**{"stages": {}, "chains": [chain], **settings})
    assert found == expected
    if name.startswith(("each", "a stage", "a task")):  # and as the planned stages say
        for (task, kind), limit in expected.items():
            limits = [
                stage.hyperparameters.sequence_limit
                for trial in made.trials
                for stage in trial.stages
                if kind == "test" or task in {part.task for part in stage.mixture}
            ]
            assert limit == min(limits)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"stages": {2: {"sequence_limit": 4096}}}, "stages.2.sequence_limit"),
        ({"stages": {2: {"sequence_limit": {"grid": [9, 4096]}}}}, "stages.2.sequence_limit"),
        ({"stage": {"sequence_limit": 4096}, "stages": {}}, "stage.sequence_limit"),
    ],
)
def test_the_limit_that_is_beyond_the_model_is_named(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError, match=f"^{key}: 4096 is more than the model's 2048 positions"):
        plan(**settings)


def test_a_limit_that_no_stage_uses_is_no_mistake() -> None:
    both = {"sequence_limit": 2048}
    plan(stage={"sequence_limit": 4096}, stages={1: both, 2: both})
