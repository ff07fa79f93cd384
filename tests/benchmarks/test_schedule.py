"""The simulation of schedules, against schedules worked out by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.schedule import (
    CASES,
    LANE_START,
    TRIAL_START,
    Simulation,
    draw_durations,
    lower_bound,
    tree,
)
from raysweep.plan.start_order import schedule

ONE_EACH = {"0": 1.0, "1": 1.0, "0/0": 2.0, "0/1": 1.0, "1/0": 1.0, "1/1": 1.0}


@pytest.mark.parametrize(
    ("num_lanes", "num_drivers", "expected"),
    [
        (1, 1, 7.0),  # everything, one after the other
        (2, 4, 4.0),  # 0 and 1 at once, then 2 + 1 beside 1 + 1
        (4, 4, 3.0),  # the longest chain
    ],
)
def test_makespan_by_hand(num_lanes: int, num_drivers: int, expected: float) -> None:
    trials = tree((2, 2), 4)
    run = Simulation(ONE_EACH, num_lanes, num_drivers).run(schedule(trials))
    assert run.makespan == expected
    assert run.busy == 7.0
    assert sorted(run.made) == sorted(ONE_EACH)


@pytest.mark.parametrize(
    ("num_lanes", "num_drivers", "expected"),
    [
        (1, 1, 10 + 4 * 0.25 + 7),  # the lane starts, and four times a trial
        (2, 4, 10 + 0.25 + 1 + 2 + 0.25 + 1),  # 0 and 0/0, then 0/1 on the same lane
    ],
)
def test_makespan_with_start_up_by_hand(num_lanes: int, num_drivers: int, expected: float) -> None:
    trials = tree((2, 2), 4)
    run = Simulation(ONE_EACH, num_lanes, num_drivers, 10.0, 0.25).run(schedule(trials))
    assert run.makespan == expected
    assert run.busy == 7.0


@pytest.mark.parametrize("name", CASES)
def test_every_stage_is_made_once_and_no_schedule_beats_the_bound(name: str) -> None:
    trials = CASES[name]()
    durations = draw_durations(trials, seed=1)
    bound = lower_bound(trials, durations, 16)
    run = Simulation(durations, 16, 17).run(schedule(trials))
    assert Counter(run.made) == dict.fromkeys(durations, 1)
    assert run.busy == pytest.approx(sum(durations.values()))
    assert run.makespan >= bound


@pytest.mark.parametrize(("start", "most"), [((0.0, 0.0), 1.1), ((LANE_START, TRIAL_START), 1.25)])
def test_the_papers_programme_is_close_to_the_bound(
    start: tuple[float, float], most: float
) -> None:
    trials = CASES["the paper's programme"]()
    durations = draw_durations(trials, seed=0)
    run = Simulation(durations, 64, 65, *start).run(schedule(trials))
    assert run.makespan <= most * lower_bound(trials, durations, 64)
