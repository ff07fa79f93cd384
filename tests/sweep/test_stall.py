"""What counts as standing still, with a clock of the test's own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from raysweep.sweep import driver
from raysweep.sweep.coordinator import Coordinator
from raysweep.sweep.coordinator_client import CoordinatorClient, GoneError, SilentError
from raysweep.sweep.driver_watch import DriverWatch
from raysweep.sweep.stall import MOST_SECONDS, StallWatch
from raysweep.worker.surroundings import Activity, Doing


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

    def after(self, seconds: float, step: float = 5.0) -> bool:
        """Whether it is a stall by then."""
        found = False
        for _ in range(round(seconds / step)):
            self.clock.now += step
            found |= self.watch.is_stall(self.count, lambda: self.is_waiting)
        return found


def test_a_count_that_stands_still_is_a_stall_after_its_time() -> None:
    one = Watched()
    assert not one.after(5)
    assert not one.after(55)
    assert one.after(5)


def test_a_stall_of_workers_is_told_with_what_they_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "is_waiting_for_workers", lambda name: False)
    clock = Clock()
    watch = StallWatch(1.0, clock)
    coordinator = SimpleNamespace(progress=lambda trial: (7, "training csqa2"))
    mine = cast("Any", SimpleNamespace(trial="a", coordinator=coordinator))
    assert driver._stall(mine, watch, "lane-0") is None
    for _ in range(2):
        clock.now += 30
        found = driver._stall(mine, watch, "lane-0")
    assert found
    assert "no progress for 1 minutes (training csqa2)" in found.reason


def test_waiting_for_processors_is_none() -> None:
    one = Watched()
    one.is_waiting = True
    assert not one.after(3600)
    one.is_waiting = False
    assert not one.after(55)
    assert one.after(10)


def test_what_cannot_be_known_is_not_counted() -> None:
    one = Watched()
    assert not one.after(40)
    one.count = None
    assert not one.after(3600)
    one.count = 0
    assert not one.after(15)
    assert one.after(10)


def test_a_watcher_that_was_stopped_has_not_watched() -> None:
    """A suspended session goes on after the night; its workers were stopped as long."""
    one = Watched(minutes=2 * MOST_SECONDS / 60)
    assert not one.after(5)
    assert not one.after(36_000, step=36_000)
    assert not one.after(25)
    assert one.after(5)


def test_the_coordinator_counts_every_worker_and_knows_what_they_do(tmp_path: Path) -> None:
    coordinator = Coordinator(str(tmp_path), None, {})
    assert coordinator.progress("a") == (0, "start-up")
    coordinator.update("a", Activity(Doing.TRAINING, "toxigen", 1, 0.25))
    coordinator.advance("a")
    coordinator.advance("b")
    assert coordinator.progress("a") == (2, "training toxigen")
    assert coordinator.progress("b") == (1, "start-up")
    coordinator.end("a")
    assert coordinator.progress("a") == (2, "start-up")


def test_the_coordinator_keeps_what_was_damaged(tmp_path: Path) -> None:
    coordinator = Coordinator(str(tmp_path), None, {})
    coordinator.damage("a", "x")
    coordinator.damage("a", "y")
    assert coordinator.damages("a") == ["x", "y"]
    assert coordinator.damages("b") == []


class Silent(CoordinatorClient):
    """Answers as often as it is told, then no more."""

    num_answers: int
    after: type[Exception]
    num_asked: int
    num_stopped: int

    def __init__(self, num_answers: int, after: type[Exception]) -> None:
        super().__init__(None)
        self.__dict__.update(num_answers=num_answers, after=after, num_asked=0, num_stopped=0)

    def drivers(self) -> dict[str, tuple[int, Any]]:
        self.__dict__["num_asked"] += 1
        if self.num_asked > self.num_answers:
            raise self.after
        return {}

    def stop(self) -> None:
        self.__dict__["num_stopped"] += 1


def watch_over(coordinator: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks a coordinator every ten seconds."""
    clock = Clock()

    def wait(_: float) -> bool:
        clock.now += 10
        return coordinator.num_asked > 100

    monkeypatch.setattr(StallWatch.__init__, "__defaults__", (clock,))
    watch = DriverWatch(coordinator, 0.01)
    monkeypatch.setattr(watch._stopped, "wait", wait)
    watch._watch()


def test_a_coordinator_that_is_silent_for_too_long_is_ended_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coordinator = Silent(3, SilentError)
    watch_over(coordinator, monkeypatch)
    assert coordinator.num_stopped == 1
    assert coordinator.num_asked == 3 + 6, "a minute after its last answer"


def test_a_coordinator_that_is_gone_needs_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    coordinator = Silent(3, GoneError)
    watch_over(coordinator, monkeypatch)
    assert coordinator.num_stopped == 0
    assert coordinator.num_asked == 4


def test_drivers_that_renew_nothing_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(StallWatch.__init__, "__defaults__", (clock,))
    watch, coordinator = DriverWatch(Silent(0, GoneError), 0.01), Coordinator("", None, {})
    coordinator.attend("a", b"driver of a")
    coordinator.attend("b", b"driver of b")
    for _ in range(12):
        assert watch.stalled(coordinator.drivers()) == []
        clock.now += 5
        coordinator.renew("b@1")
    assert watch.stalled(coordinator.drivers()) == ["a"], (
        "after a minute, however short the setting"
    )
    coordinator.attend("a", b"a new driver")
    assert watch.stalled(coordinator.drivers()) == []
    coordinator.release_all("b@1")
    assert coordinator.drivers().keys() == {"a"}
    coordinator.end("a")
    assert coordinator.drivers() == {}
