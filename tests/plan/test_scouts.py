"""Scouts: first stages that are trained before it is known which trials follow."""

from __future__ import annotations

import pytest

from raysweep.errors import InputError
from raysweep.plan.plan import Plan
from raysweep.plan.scouts import Finding, Findings
from raysweep.plan.trials import Stage
from tests.plans import plan

RATES = {1: {"learning_rate": {"grid": [1e-3, 2e-3]}}, 2: {"learning_rate": {"grid": [1e-4, 1e-5]}}}


def best_first(**changes: object) -> Plan:
    return plan(seeds=[0, 1], stages=RATES, search={"first_stage": "best"}, **changes)


def ordered(**changes: object) -> Plan:
    return plan(
        **{
            "chains": [["toxigen", "csqa2", "csqa"]],
            "stages": {},
            "search": {"orders": ["flattest_first", "sharpest_first"]},
            **changes,
        }
    )


def findings(made: Plan, accuracy: object = None, radius: object = None) -> Findings:
    """What scouts would have found, by functions of their stages."""
    return Findings(
        tuple(
            Finding(
                scout.stages[0],
                accuracy(scout.stages[0]) if callable(accuracy) else None,
                radius(scout.stages[0]) if callable(radius) else None,
            )
            for scout in made.scouts
        )
    )


def test_every_first_stage_is_scouted_on_validation_rows() -> None:
    made = best_first()
    assert len(made.scouts) == 2 * 2 * 2, "tasks x seeds x rates"
    for scout in made.scouts:
        assert scout.evaluations == ()
        assert scout.curvature is None
        assert scout.validation is not None
        assert scout.validation.task == scout.first_task
    test_keys = {one.key for trial in made.trials for one in trial.evaluations}
    assert not test_keys & {scout.validation.key for scout in made.scouts if scout.validation}


def test_chains_go_on_from_the_best_of_each_seed_and_task() -> None:
    made = best_first()

    def accuracy(stage: Stage) -> float:
        wanted = 2e-3 if (stage.seed, stage.label) == (1, "toxigen") else 1e-3
        return 0.9 if stage.hyperparameters.learning_rate == wanted else 0.5

    decided = made.decided(findings(made, accuracy))
    firsts = {
        (t.seed, t.stages[0].label): t.stages[0].hyperparameters.learning_rate
        for t in decided.trials
    }
    assert firsts == {
        (0, "toxigen"): 1e-3, (0, "csqa2"): 1e-3, (1, "toxigen"): 2e-3, (1, "csqa2"): 1e-3,
    }  # fmt: skip
    assert len(decided.trials) == 2 * 2 * 2, "chains x seeds x second rates"
    scouted = {scout.stages[0].key for scout in made.scouts}
    assert all(trial.stages[0].key in scouted for trial in decided.trials), "nothing is made twice"


def test_of_equals_the_first_is_chosen() -> None:
    made = best_first()
    decided = made.decided(findings(made, lambda stage: 0.5))
    assert {t.stages[0].hyperparameters.learning_rate for t in decided.trials} == {1e-3}


def test_the_plan_counts_as_many_trials_as_there_will_be() -> None:
    made = best_first()
    assert len(made.trials) == len(made.decided(findings(made, lambda stage: 0.5)).trials)
    assert made.num_stages_distinct == 8 + 8
    assert made.num_stages_asked == 8 + 16


def test_the_name_of_the_sweep_does_not_depend_on_what_is_found() -> None:
    assert best_first().sweep == best_first().sweep
    assert best_first().sweep != plan(seeds=[0, 1], stages=RATES).sweep


def test_stages_in_the_order_of_their_radius() -> None:
    made = ordered()
    assert [scout.first_task for scout in made.scouts] == ["toxigen", "csqa2", "csqa"]
    assert all(scout.curvature and not scout.validation for scout in made.scouts)
    radii = {"toxigen": 3.0, "csqa2": 30.0, "csqa": 1.0}
    decided = made.decided(findings(made, radius=lambda stage: radii[stage.label]))
    assert [str(trial.chain) for trial in decided.trials] == [
        "csqa -> toxigen -> csqa2",
        "csqa2 -> toxigen -> csqa",
    ]


def test_each_point_and_seed_has_its_own_order() -> None:
    made = ordered(seeds=[0, 1], stages={1: {"learning_rate": {"grid": [1e-3, 2e-3]}}})

    def radius(stage: Stage) -> float:
        is_odd = stage.seed == 1 and stage.hyperparameters.learning_rate == 2e-3
        sharp = "csqa" if is_odd else "toxigen"
        return 9.0 if stage.label == sharp else 1.0 + len(stage.label)

    decided = made.decided(findings(made, radius=radius))
    last = {
        (t.seed, t.stages[0].hyperparameters.learning_rate): t.stages[2].label
        for t in decided.trials[::2]
    }
    assert last.pop((1, 2e-3)) == "csqa"
    assert set(last.values()) == {"toxigen"}
    assert len(last) == 3


def test_best_first_stages_and_orders_together() -> None:
    made = ordered(
        stages={1: {"learning_rate": {"grid": [1e-3, 2e-3]}}},
        search={"first_stage": "best", "orders": ["flattest_first"]},
    )
    best = {"toxigen": 1e-3, "csqa2": 2e-3, "csqa": 1e-3}
    radii = {"toxigen": 5.0, "csqa2": 1.0, "csqa": 3.0}

    def accuracy(stage: Stage) -> float:
        return float(stage.hyperparameters.learning_rate == best[stage.label])

    (trial,) = made.decided(findings(made, accuracy, lambda s: radii[s.label])).trials
    assert str(trial.chain) == "csqa2 -> csqa -> toxigen"
    assert trial.stages[0].hyperparameters.learning_rate == 2e-3


def test_what_hangs_on_a_failed_scout_is_left_out() -> None:
    made = best_first()
    known = findings(made, lambda stage: 0.5).all
    decided = made.decided(Findings(tuple(f for f in known if f.stage.label == "toxigen")))
    assert {trial.stages[0].label for trial in decided.trials} == {"toxigen"}
    made = ordered()
    some = findings(made, radius=lambda stage: 1.0).all[:2]
    assert made.decided(Findings(some)).trials == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"chains": [["toxigen", "csqa", "toxigen@5%"]]}, "orders are for chains of whole tasks"),
        ({"chains": [["toxigen", "csqa", "toxigen"]]}, "orders are for chains of whole tasks"),
        ({"curvature": {"enabled": False}}, "curvature.enabled = False; orders go by the spectral"),
        ({"search": {"orders": []}}, "search.orders = ()"),
        ({"search": {"orders": ["listed", "listed"]}}, "listed twice"),
    ],
)
def test_orders_that_make_no_sense(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        ordered(**changes)
    assert expected in str(caught.value).replace("[]", "()")


def test_choosing_needs_validation_rows() -> None:
    with pytest.raises(InputError, match="has no validation rows to choose by"):
        best_first(data={"num_train": 100, "num_test": 50, "num_validation": 0})
