"""What counts as standing still, with a clock of the test's own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import GetTimeoutError, RaySystemError

from raysweep.sweep import driver_watch
from raysweep.sweep.coordinator import Board
from raysweep.sweep.driver_watch import DriverWatch
from raysweep.sweep.stall import MOST_SECONDS, Pace, StalledError, StallWatch


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A watch over made-up workers, looked at every five seconds."""

    def __init__(self, minutes: float = 1.0) -> None:
        self.clock = Clock()
        self.watch = StallWatch(minutes, self.clock)
        self.count: int | None = 0
        self.is_waiting = False

    def after(self, seconds: float, step: float = 5.0) -> None:
        for _ in range(round(seconds / step)):
            self.clock.now += step
            self.watch.look(self.count, "training csqa2", lambda: self.is_waiting)


def test_a_count_that_stands_still_is_a_stall_after_its_time() -> None:
    one = Watched()
    one.after(5)
    one.after(55)
    with pytest.raises(
        StalledError, match=r"no progress for 1 minutes \(training csqa2\); raise w"
    ):
        one.after(5)


def test_any_progress_begins_the_time_anew() -> None:
    one = Watched()
    for one.count in range(20):
        one.after(55)
    with pytest.raises(StalledError):
        one.after(60)


def test_progress_may_be_a_count_that_begins_again() -> None:
    """Of a board that was started anew."""
    one = Watched()
    one.count = 700
    one.after(55)
    one.count = 0
    one.after(55)


def test_waiting_for_processors_is_none() -> None:
    one = Watched()
    one.is_waiting = True
    one.after(3600)
    one.is_waiting = False
    one.after(55)
    with pytest.raises(StalledError):
        one.after(10)


def test_what_cannot_be_known_is_not_counted() -> None:
    one = Watched()
    one.after(40)
    one.count = None
    one.after(3600)
    one.count = 0
    one.after(15)
    with pytest.raises(StalledError):
        one.after(10)


def test_a_watcher_that_was_stopped_has_not_watched() -> None:
    """A suspended session goes on after the night; its workers were stopped as long."""
    one = Watched(minutes=2 * MOST_SECONDS / 60)
    one.after(5)
    one.after(36_000, step=36_000)
    one.after(25)
    with pytest.raises(StalledError):
        one.after(5)


def test_progress_is_told_at_most_once_a_second() -> None:
    clock, told = Clock(), []
    pace = Pace(lambda: told.append(clock.now), clock)
    for _ in range(100):
        pace.advance("whatever", "a hook", "passes")
        clock.now += 0.125
    assert told == [1000.0 + second for second in range(13)]


def test_the_board_counts_every_worker_and_knows_what_they_do(tmp_path) -> None:
    board = Board(str(tmp_path), None, {})
    assert board.progress("a") == (0, "starting")
    board.update("a", 1, "training toxigen", 0.25)
    board.advance("a")
    board.advance("b")
    assert board.progress("a") == (2, "training toxigen")
    assert board.progress("b") == (1, "starting")
    board.end("a")
    assert board.progress("a") == (2, "starting")


def test_the_board_keeps_what_was_damaged(tmp_path) -> None:
    board = Board(str(tmp_path), None, {})
    board.damage("a", "x")
    board.damage("a", "y")
    assert board.damages("a") == ["x", "y"]
    assert board.damages("b") == []


class SilentBoard:
    """Answers as often as it is told, then no more, as the actor that holds it would."""

    def __init__(self, num_answers: int, after: type[Exception]) -> None:
        self.num_answers, self.after, self.num_asked = num_answers, after, 0
        self.drivers = SimpleNamespace(remote=lambda: self)

    def get(self, _: object, timeout: float) -> dict[str, Any]:
        self.num_asked += 1
        if self.num_asked > self.num_answers:
            raise self.after("no answer")
        return {}


def watched(board: SilentBoard, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is ended by a watch over a board that is asked every ten seconds."""
    clock, ended = Clock(), []

    def wait(_: float) -> bool:
        clock.now += 10
        return board.num_asked > 100

    monkeypatch.setattr(StallWatch.__init__, "__defaults__", (clock,))
    monkeypatch.setattr(driver_watch.ray, "get", board.get)
    monkeypatch.setattr(driver_watch.ray, "kill", ended.append)
    watch = DriverWatch(board, 0.01)
    watch._stopped = SimpleNamespace(wait=wait)
    watch._watch()
    return ended


def test_a_board_that_is_silent_for_too_long_is_ended_once(monkeypatch) -> None:
    board = SilentBoard(3, GetTimeoutError)
    assert watched(board, monkeypatch) == [board]
    assert board.num_asked == 3 + 6, "a minute after its last answer"


def test_a_board_that_is_gone_needs_no_end(monkeypatch) -> None:
    board = SilentBoard(3, RaySystemError)
    assert watched(board, monkeypatch) == []
    assert board.num_asked == 4


def test_drivers_that_renew_nothing_are_found(monkeypatch) -> None:
    clock = Clock()
    monkeypatch.setattr(StallWatch.__init__, "__defaults__", (clock,))
    watch, board = DriverWatch(None, 0.01), Board("", None, {})
    board.attend("a", "driver of a")
    board.attend("b", "driver of b")
    for _ in range(12):
        assert watch.stalled(board.drivers()) == []
        clock.now += 5
        board.renew("b@1")
    assert watch.stalled(board.drivers()) == ["a"], "after a minute, however short the setting"
    board.attend("a", "a new driver")
    assert watch.stalled(board.drivers()) == []
    board.release_all("b@1")
    assert board.drivers().keys() == {"a"}
    board.end("a")
    assert board.drivers() == {}
