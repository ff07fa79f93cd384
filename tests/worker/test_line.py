"""A worker's calls arrive, in order; what it asks is answered, with an exception if need be."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from raysweep.process.notes import Note
from raysweep.store.weights_budget import NoRoomError
from raysweep.worker.line import Line, Pace, answer
from raysweep.worker.surroundings import Activity, Doing, Work


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Heard:
    """Keeps every call; claims are granted once."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.calls.append((name, *arguments))

    def claim(self, key: str) -> bool:
        self.calls.append(("claim", key))
        return self.calls.count(("claim", key)) == 1

    def find(self) -> tuple[str, int]:
        return "10.0.0.1", 4711

    def make_room(self, key: str, num_bytes: int) -> None:
        raise NoRoomError(f"none for {num_bytes} bytes")


@contextmanager
def connected() -> Iterator[tuple[Line, Heard]]:
    """A line, and what is heard at its other end."""
    ours, theirs = multiprocessing.Pipe()
    heard = Heard()

    def listen() -> None:
        try:
            while True:
                answer(theirs, heard)
        except EOFError:
            theirs.close()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield Line(ours), heard
    finally:
        ours.close()
        thread.join()


def test_what_is_told_arrives_in_order() -> None:
    note = Note(30, "raysweep.store", "set aside")
    with connected() as (line, heard):
        line.note(note)
        line.report({"stage": 1})
        line.spend(Work.TRAINING, 2.5, "key")
        line.fail("a reason")
        line.lose("another", "a trace")
    calls = [one for one in heard.calls if one[0] != "advance"]
    assert calls == [
        ("note", note),
        ("report", {"stage": 1}),
        ("spend", Work.TRAINING, 2.5, "key"),
        ("fail", "a reason"),
        ("lose", "another", "a trace"),
    ]


def test_what_is_asked_is_answered() -> None:
    with connected() as (line, _):
        assert line.claim("key") is True
        assert line.claim("key") is False
        assert line.find() == ("10.0.0.1", 4711)
        with pytest.raises(NoRoomError, match="none for 7 bytes"):
            line.make_room("key", 7)
        assert line.claim("other") is True, "the line goes on"


def test_ranks_that_have_nothing_to_report_say_nothing() -> None:
    with connected() as (line, heard):
        line.report({})
        line.release("key")
    assert [one for one in heard.calls if one[0] == "report"] == []


def test_how_far_something_is_is_told_now_and_then_and_what_it_is_at_once() -> None:
    with connected() as (line, heard):
        for step in range(50):
            line.tell(Activity(Doing.TRAINING, "csqa", 1, step / 50))
        line.tell(Activity(Doing.EVALUATING, "csqa", 1))
        line.release("key")
    told = [one[1].doing for one in heard.calls if one[0] == "tell"]
    assert told[0] == Doing.TRAINING
    assert told[-1] == Doing.EVALUATING
    assert len(told) < 10


def test_what_is_done_is_a_sign_of_progress_by_itself() -> None:
    with connected() as (line, heard):
        line.tell(Activity(Doing.TRAINING, "csqa", 1))
        for _ in range(50):
            line.advance()
        line.release("key")
    assert [one[0] for one in heard.calls] == ["tell", "release"]


def test_progress_is_told_at_most_once_a_second() -> None:
    clock, told = Clock(), []
    pace = Pace(lambda: told.append(clock.now), clock)
    for _ in range(100):
        pace.advance("whatever", "a hook", "passes")
        clock.now += 0.125
    assert told == [1000.0 + second for second in range(13)]
