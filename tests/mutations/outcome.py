"""What became of a case, and the watch that ends one that hangs."""

from __future__ import annotations

import random
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raysweep.errors import InputError

CPU_SECONDS, WALL_SECONDS = 2.0, 30.0
MOST_LETTERS = 2500  # of a message that a person reads as one line
GOOD = ("clear error", "right")


class HangError(BaseException):
    """Not an Exception, so that nothing under test takes it for one of its own."""


@dataclass(frozen=True)
class Case:
    """A mutated input.

    Attributes:
        what: the mutation, in words.
        run: returns what is wrong with what was accepted; nothing where that is what was written.
        cpu_seconds: after which it counts as hanging; more where something is really computed.
    """

    what: str
    run: Callable[[], str]
    cpu_seconds: float = CPU_SECONDS


@dataclass(frozen=True)
class Outcome:
    """How a case ended: "clear error", "right", "wrong", "traceback", "hang" or "crash"."""

    kind: str
    seed: int
    what: str
    verdict: str
    detail: str = ""


Maker = Callable[[random.Random, Path], Case]


def judge(kind: str, seed: int, make: Maker, folder: Path) -> Outcome:
    """Makes a case from its seed and runs it."""
    case = make(random.Random(f"{kind} {seed}"), folder)
    try:
        with _watched(case.cpu_seconds):
            wrong = case.run()
        verdict, detail = ("wrong", wrong) if wrong else ("right", "")
    except InputError as error:
        is_clear = len(str(error)) <= MOST_LETTERS
        verdict, detail = "clear error" if is_clear else "wrong", str(error)[:300]
    except HangError:
        verdict, detail = "hang", _last_lines()
    except BaseException as error:  # of any kind: the campaign is about what nobody thought of
        place = traceback.extract_tb(error.__traceback__)[-1]
        name = Path(place.filename).name
        verdict = "traceback"
        detail = f"{type(error).__name__}: {str(error)[:160]} ({name}:{place.lineno})"
    return Outcome(kind, seed, case.what, verdict, detail)


@contextmanager
def _watched(cpu_seconds: float) -> Iterator[None]:
    """Ends the block after that much computing, or after a while of waiting for something."""

    def end(*_: Any) -> None:
        raise HangError

    watches = ((signal.SIGPROF, signal.ITIMER_PROF), (signal.SIGALRM, signal.ITIMER_REAL))
    before = [signal.signal(number, end) for number, _ in watches]
    try:
        for (_, timer), seconds in zip(watches, (cpu_seconds, WALL_SECONDS), strict=True):
            signal.setitimer(timer, seconds)
        yield
    finally:
        for _, timer in watches:
            signal.setitimer(timer, 0)
        for (number, _), handler in zip(watches, before, strict=True):
            signal.signal(number, handler)


def _last_lines() -> str:
    return traceback.format_exc().strip().splitlines()[-3].strip()
