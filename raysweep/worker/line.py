"""A worker's way to the sweep, over a channel to the process that has started it.

The worker knows nothing of Ray. Its calls are messages: the name of a method and its arguments. Of
those in `ASKED` it waits for the answer, which is a value or an exception.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from raysweep.process.notes import Note
from raysweep.worker.surroundings import Activity, Doing, Work

ASKED = frozenset({"report", "claim", "release", "make_room", "announce", "find", "fail", "damage"})
TELL_SECONDS = 1.0


class Pace:
    """Tells somebody that this process gets on, at most once a second."""

    def __init__(
        self, tell: Callable[[], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell, self._clock = tell, clock
        self._told = -TELL_SECONDS

    def advance(self, *_: object) -> None:
        """Something has been done; takes and ignores whatever a caller of hooks passes."""
        if self._clock() - self._told >= TELL_SECONDS:
            self.count()
            self._tell()

    def count(self) -> None:
        """Somebody has been told in another way."""
        self._told = self._clock()


class Line:
    """The worker's end: see `surroundings`."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel
        self._pace = Pace(partial(self._call, "advance"))
        self.advance = self._pace.advance
        self._last, self._told = Activity(Doing.STARTING), 0.0

    def report(self, metrics: dict[str, Any]) -> None:
        """Hands over what rank 0 reports; the others have nothing to say."""
        self.advance()
        if metrics:
            self._call("report", metrics)

    def tell(self, activity: Activity) -> None:
        """Says what is done; how far it is, at most once a second."""
        kind, now = replace(activity, fraction=0.0), time.monotonic()
        if kind != self._last or now - self._told >= TELL_SECONDS:
            self._last, self._told = kind, now
            self._pace.count()  # what is done is a sign of life
            self._call("tell", activity)

    def claim(self, key: str) -> bool:
        """Whether a stage is this trial's to make."""
        return bool(self._call("claim", key))

    def release(self, key: str) -> None:
        """All of a stage is made."""
        self._call("release", key)

    def make_room(self, key: str, num_bytes: int) -> None:
        """Makes room for weights; see `Surroundings`."""
        self._call("make_room", key, num_bytes)

    def spend(self, work: Work, seconds: float, stage_key: str) -> None:
        """Adds the time of a piece of work."""
        self._call("spend", work, seconds, stage_key)

    def note(self, note: Note) -> None:
        """Repeats what was said here."""
        self._call("note", note)

    def announce(self, address: tuple[str, int]) -> None:
        """Tells the other ranks where this one listens."""
        self._call("announce", address)

    def find(self) -> tuple[str, int] | None:
        """Where rank 0 listens, once it does."""
        address: tuple[str, int] | None = self._call("find")
        return address

    def fail(self, reason: str) -> None:
        """Says what another attempt at the trial would meet again."""
        self._call("fail", reason)

    def damage(self, problem: str) -> None:
        """Says which entry of the store is damaged."""
        self._call("damage", problem)

    def lose(self, reason: str, trace: str) -> None:
        """Says why this worker ends before its time."""
        self._call("lose", reason, trace)

    def _call(self, name: str, *arguments: object) -> Any:
        self._channel.send((name, arguments))
        if name not in ASKED:
            return None
        value, error = self._channel.recv()
        if error is not None:
            raise error
        return value


def answer(channel: Connection, calls: object) -> None:
    """The other end: takes one message, calls that method, and answers if it is waited for.

    Raises:
        EOFError, OSError: the worker has ended.
    """
    name, arguments = channel.recv()
    value = error = None
    try:
        value = getattr(calls, name)(*arguments)
    except Exception as raised:  # the worker's to meet
        if name not in ASKED:
            raise
        error = raised
    if name in ASKED:
        channel.send((value, error))
