"""The benchmark of many slots: what it plays is a plan's own, and its lanes are called as lanes."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from benchmarks.scale import space_of
from benchmarks.slots import GROUP, LONGEST, SHORTEST, LaneHandle, Lanes, least_seconds, seconds_of
from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import make_plan
from raysweep.sweep.lane_state import Order, Sight


def test_no_schedule_is_shorter_than_the_work_or_the_longest_chain() -> None:
    trials = make_plan(space_of(100), find_checkpoint("tiny")).trials
    distinct = {stage.key: stage for trial in trials for stage in trial.stages}
    assert len(distinct) == 110, "ten first stages, of which each trial has one"
    seconds = [seconds_of(stage) for stage in distinct.values()]
    assert all(SHORTEST <= one <= LONGEST for one in seconds)
    assert least_seconds(trials, 1) == pytest.approx(sum(seconds))
    longest = max(sum(map(seconds_of, trial.stages)) for trial in trials)
    assert least_seconds(trials, 10_000) == longest


def test_a_lane_of_many_answers_as_a_lane() -> None:
    async def story() -> None:
        lanes = Lanes(2)
        assert await lanes.call(0, "await_idle") is True
        assert await lanes.call(0, "offer", "a", "a@1", b"job") is True
        assert await lanes.call(1, "await_idle") is True
        order = await lanes.call(0, "await_order", 0, GROUP)
        assert isinstance(order, Order)
        await lanes.call(0, "report", order.number, {"stage": 0})
        assert await lanes.call(0, "await_news", "a@1", 0) == Sight(({"stage": 0},))

    asyncio.run(story())


def test_a_handle_travels_and_calls_its_own_lane() -> None:
    class Host:
        class call:
            @staticmethod
            def remote(*arguments: object) -> tuple[object, ...]:
                return arguments

    assert LaneHandle(Host, 3).offer.remote("a", "a@1", b"") == (3, "offer", "a", "a@1", b"")
    assert pickle.loads(pickle.dumps(LaneHandle(7, 3))) == LaneHandle(7, 3)
