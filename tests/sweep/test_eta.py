"""The time that is left, on simulated sweeps whose true end is known."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysweep.store.store import EntryKind
from raysweep.sweep.eta import Countdown, Estimator, Piece
from raysweep.worker.surroundings import Work


def piece(name: str, kind: Work = Work.TRAINING, size: float = 100.0) -> Piece:
    entry = EntryKind.STAGE if kind == Work.TRAINING else EntryKind.EVALUATION
    return Piece((entry, name), 1, kind, size)


def test_nothing_is_said_before_every_kind_was_measured() -> None:
    work = Estimator(num_slots=1, num_trials=2)
    work.plan("a", [piece("a1"), piece("a2", Work.EVALUATING, 1)])
    work.plan("b", [piece("b1"), piece("b2", Work.EVALUATING, 1)])
    assert work.seconds_left({}, {}) is None
    work.start("a", 10)
    work.finish([piece("a1")])
    assert work.seconds_left({Work.TRAINING: 50}, {}) is None, "no evaluation has been measured"
    work.finish([piece("a2", Work.EVALUATING, 1)])
    spent = {Work.TRAINING: 50.0, Work.EVALUATING: 5.0}
    assert work.seconds_left(spent, {}) == 50 + 5 + 10, "with the start-up of b"
    work.start("b", 20)
    assert work.seconds_left(spent, {}) == 55
    assert work.seconds_left(spent, {piece("b1").entry: 0.5}) == 30, "half of b1 is trained"
    work.begin_start("b")
    assert work.seconds_left(spent, {}) == 55 + 15, "its workers start again: the mean of both"


def test_what_is_shared_or_found_costs_nothing() -> None:
    work = Estimator(num_slots=2, num_trials=3)
    work.plan("a", [piece("first"), piece("a2")])
    work.plan("b", [piece("first"), piece("b2")])
    work.plan("c", [])
    work.start("a", 4)
    work.start("b", 4)
    work.finish([piece("first")])
    assert work.seconds_left({Work.TRAINING: 30}, {}) == 60 / 2, "two stages on two slots"
    work.end("a", [piece("a2")])
    assert work.seconds_left({Work.TRAINING: 30}, {}) == 30, (
        "a was stopped; one slot has nothing to do"
    )


def test_trials_that_are_not_proposed_yet_count_as_the_others() -> None:
    work = Estimator(num_slots=1, num_trials=5)
    work.plan("a", [piece("a")])
    work.start("a", 10)
    work.finish([piece("a")])
    work.end("a")
    assert work.seconds_left({Work.TRAINING: 20}, {}) == 4 * (20 + 10)


def test_the_time_shown_follows_a_right_estimate_to_the_second() -> None:
    clock = Countdown()
    for now in range(100):
        left = clock.show(now, 100.0 - now)
        assert left is not None
        assert left.seconds == pytest.approx(100 - now)
        assert not left.is_lower_bound


def test_too_much_is_taken_away_and_too_little_is_called_a_lower_bound() -> None:
    clock = Countdown()
    clock.show(0, 1000.0)
    seen = [clock.show(now, 200.0 - now) for now in range(1, 100)]
    assert seen[-1] is not None
    assert seen[-1].seconds == pytest.approx(101, abs=10)
    late = Countdown()
    late.show(0, 100.0)
    for now in range(1, 400):
        left = late.show(now, 400.0 - now)
        assert left is not None
        assert left.is_lower_bound or left.seconds < 5
        assert left.seconds > 0, "it is not zero before the end"


@given(st.lists(st.tuples(st.floats(0.01, 60), st.none() | st.floats(0, 1e6)), max_size=60))
def test_the_time_shown_never_rises_and_is_never_negative(
    events: list[tuple[float, float | None]],
) -> None:
    clock, now, shown = Countdown(), 0.0, float("inf")
    for passed, estimate in events:
        now += passed
        left = clock.show(now, estimate)
        if left is not None:
            assert 0 <= left.seconds <= shown
            shown = left.seconds


@pytest.mark.parametrize("seed", range(5))
def test_a_simulated_sweep_is_forecast_within_a_third_or_marked(seed: int) -> None:
    """20 trials of two stages on one slot, each of which takes 20 to 40 seconds, start-up 5.

    With seed 4 the first stage is much shorter than the others, and the time shown stays low.
    """
    draw, work, clock = random.Random(seed), Estimator(1, 20), Countdown()
    names = [f"t{number}" for number in range(20)]
    for name in names:
        work.plan(name, [piece(f"{name}/{stage}") for stage in (1, 2)])
    times = [(5.0, [draw.uniform(20, 40) for _ in range(2)]) for _ in names]
    total = sum(startup + sum(stages) for startup, stages in times)
    now, spent, last = 0.0, 0.0, float("inf")
    for name, (startup, stages) in zip(names, times, strict=True):
        now += startup
        work.start(name, startup)
        for number, seconds in enumerate(stages, start=1):
            now, spent = now + seconds, spent + seconds
            work.finish([piece(f"{name}/{number}")])
            left = clock.show(now, work.seconds_left({Work.TRAINING: spent}, {}))
            assert left is not None
            assert left.seconds <= last
            last = left.seconds
            if total / 2 < now < 0.75 * total:
                assert left.seconds == pytest.approx(total - now, rel=1 / 3)
        work.end(name)
    assert last == pytest.approx(0, abs=1)
