"""The order in which trials start."""

from __future__ import annotations

import random

from raysweep.plan.plan import Plan
from raysweep.plan.start_order import schedule
from raysweep.plan.trials import Trial
from tests.plans import plan


def firsts(trials: list[Trial]) -> list[str]:
    return [trial.stages[0].key for trial in trials]


def replay() -> Plan:
    return plan(chains=[["{toxigen,bbq}", "{csqa,csqa2}", "stage1@{0,5,20}%"]], stages={})


def test_distinct_first_stages_start_first_then_distinct_second_ones() -> None:
    trials = schedule(replay().trials)
    assert sorted(trial.id for trial in trials) == sorted(trial.id for trial in replay().trials)
    assert len(set(firsts(trials[:2]))) == 2
    assert len({trial.stages[1].key for trial in trials[:4]}) == 4


def test_long_chains_go_before_short_ones() -> None:
    trials = schedule(replay().trials)
    assert [len(trial.stages) for trial in trials[:4]] == [3, 3, 3, 3]
    assert [len(trial.stages) for trial in trials[-4:]] == [2, 2, 2, 2]


def test_more_steps_count_as_longer() -> None:
    made = plan(
        chains=[["toxigen", "csqa2"], ["csqa2", "toxigen"]],
        stages={1: {"num_steps": {"grid": [10, 90]}}},
    )
    steps = [trial.stages[0].hyperparameters.num_steps for trial in schedule(made.trials)]
    assert steps == [90, 90, 10, 10]


def test_trials_without_anything_in_common_and_single_ones() -> None:
    trials = list(plan(stages={}).trials)
    random.Random(0).shuffle(trials)
    assert len(schedule(trials)) == 2
    assert schedule(trials[:1]) == trials[:1]
