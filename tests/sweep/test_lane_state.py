"""A lane's orders: each taken by every rank, followed to its end, and forgotten then."""

from __future__ import annotations

import pytest

from raysweep.sweep.lane_state import IDLE_SECONDS, LaneState, Leave, Loss, Order, Sight

RANKS, GROUP = (0, 1), "group"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(name="clock")
def of_the_test() -> Clock:
    return Clock()


@pytest.fixture(name="lane")
def with_two_workers(clock: Clock) -> LaneState:
    lane = LaneState(len(RANKS), clock)
    lane.enter(GROUP)
    return lane


def given(lane: LaneState, holder: str = "a@1") -> Order:
    """An order that both ranks have taken."""
    assert lane.offer(holder.partition("@")[0], holder, b"job")
    first, second = (lane.order(rank, GROUP) for rank in RANKS)
    assert isinstance(first, Order)
    assert first == second
    return first


def test_an_order_is_taken_once_by_each_rank(lane: LaneState) -> None:
    order = given(lane)
    assert (order.trial, order.holder, order.job) == ("a", "a@1", b"job")
    assert [lane.order(rank, GROUP) for rank in RANKS] == [None, None]
    assert lane.is_wanted(order.number)


def test_one_order_at_a_time_and_the_next_when_the_driver_knows_the_end(lane: LaneState) -> None:
    order = given(lane)
    assert not lane.is_idle()
    assert not lane.offer("b", "b@1", b"")
    lane.end(order.number, 0, None)
    assert lane.look("a@1", 0) == Sight()
    lane.end(order.number, 1, None)
    assert not lane.is_idle(), "the driver has not seen it"
    assert lane.look("a@1", 0) == Sight(is_over=True)
    assert lane.is_idle()
    assert given(lane, "b@1").number != order.number


def test_reports_are_seen_once_and_the_last_ones_with_the_end(lane: LaneState) -> None:
    order = given(lane)
    lane.report(order.number, {"stage": 0})
    assert lane.look("a@1", 0).reports == ({"stage": 0},)
    assert lane.look("a@1", 1).reports == ()
    lane.report(order.number, {"stage": 1})
    for rank in RANKS:
        lane.end(order.number, rank, None)
    assert lane.look("a@1", 1) == Sight(({"stage": 1},), is_over=True)


def test_the_first_loss_ends_an_order_for_all_ranks(lane: LaneState) -> None:
    order = given(lane)
    lane.end(order.number, 1, Loss("killed"))
    assert not lane.is_wanted(order.number), "rank 0 is told"
    assert lane.look("a@1", 0) == Sight(is_over=True, loss=Loss("killed"))
    assert not lane.is_idle(), "rank 0 is still at it"
    lane.end(order.number, 0, Loss("as it was told"))
    assert lane.is_idle()


def test_what_nobody_wants_any_more_is_ended_and_forgotten(lane: LaneState) -> None:
    order = given(lane)
    lane.drop("another")
    assert lane.is_wanted(order.number)
    lane.drop("a")
    assert not lane.is_wanted(order.number)
    for rank in RANKS:
        assert not lane.is_idle()
        lane.end(order.number, rank, None)
    assert lane.is_idle()


def test_a_rank_never_takes_what_is_dropped_and_is_not_waited_for(lane: LaneState) -> None:
    assert lane.offer("a", "a@1", b"")
    order = lane.order(0, GROUP)
    assert isinstance(order, Order)
    lane.drop("a")
    assert lane.order(1, GROUP) is None
    lane.end(order.number, 0, None)
    assert lane.is_idle()


def test_words_on_an_order_that_is_over_change_nothing(lane: LaneState) -> None:
    old = given(lane)
    lane.drop("a")
    for rank in RANKS:
        lane.end(old.number, rank, None)
    new = given(lane, "b@1")
    lane.announce(old.number, ("host", 1))
    lane.report(old.number, {"stage": 7})
    lane.end(old.number, 0, Loss("late"))
    assert lane.find(new.number) is None
    assert lane.is_wanted(new.number)
    assert lane.look("b@1", 0) == Sight()
    lane.announce(new.number, ("host", 2))
    assert lane.find(new.number) == ("host", 2)
    assert lane.find(old.number) is None


def test_a_driver_whose_order_is_gone_is_told_so(lane: LaneState) -> None:
    given(lane)
    sight = lane.look("a@0", 0)
    assert sight.is_over
    assert sight.loss


def test_workers_that_are_gone_end_what_they_were_at(lane: LaneState) -> None:
    given(lane)
    lane.empty(Loss("a host went"))
    lane.enter(GROUP)
    assert lane.look("a@1", 0) == Sight(is_over=True, loss=Loss("a host went"))
    assert lane.is_idle()
    given(lane, "b@1")


def test_workers_leave_together_when_there_was_nothing_to_do_for_a_while(
    lane: LaneState, clock: Clock
) -> None:
    clock.now += IDLE_SECONDS
    assert [lane.order(rank, GROUP) for rank in RANKS] == [None, None]
    clock.now += 1
    assert isinstance(lane.order(1, GROUP), Leave)
    assert not lane.offer("a", "a@1", b""), "too late for these workers"
    assert isinstance(lane.order(0, GROUP), Leave)
    lane.empty(None)
    lane.enter(GROUP)
    clock.now += IDLE_SECONDS
    given(lane)


def test_the_idle_time_begins_with_the_end_of_an_order(lane: LaneState, clock: Clock) -> None:
    order = given(lane)
    clock.now += 10 * IDLE_SECONDS
    for rank in RANKS:
        lane.end(order.number, rank, None)
    assert lane.look("a@1", 0).is_over
    clock.now += IDLE_SECONDS
    assert lane.order(0, GROUP) is None


def test_who_waits_is_told_of_an_order_its_reports_its_end_and_that_the_lane_is_free() -> None:
    told: list[str] = []
    lane = LaneState(1, changed=lambda: told.append("changed"))
    lane.enter(GROUP)
    assert lane.offer("a", "a@1", b"")
    assert len(told) == 1
    order = lane.order(0, GROUP)
    assert isinstance(order, Order)
    assert not lane.offer("b", "b@1", b"")
    lane.report(order.number - 1, {"stage": 0})
    assert len(told) == 1, "nothing has changed"
    lane.report(order.number, {"stage": 0})
    assert len(told) == 2
    lane.end(order.number, 0, None)
    assert len(told) == 3
    assert lane.look("a@1", 0).is_over
    assert len(told) == 4, "another order may be offered"
    lane.empty(None)
    assert len(told) == 5, "the workers are gone"


def test_an_order_is_for_the_group_that_is_there(lane: LaneState) -> None:
    order = given(lane)
    lane.empty(Loss("killed"))
    assert lane.look("a@1", 0).loss == Loss("killed")
    assert lane.offer("a", "a@2", b"")
    assert lane.order(0, GROUP) == Leave(), "a question that a lost worker has left behind"
    lane.enter("another")
    assert lane.order(0, GROUP) == Leave()
    taken = [lane.order(rank, "another") for rank in RANKS]
    assert all(isinstance(one, Order) and one.number == order.number + 1 for one in taken)
