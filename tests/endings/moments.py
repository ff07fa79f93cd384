"""When a sweep is told to end, and how; drawn from a seed."""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass

SIGNS = ("Sweep ", "Started a Ray cluster", "stage 0 ", "stage 1 ", "stage 2 ", "Results: ")
LATEST_SECONDS = 20.0  # of a moment that is counted from the start
DELAY_SECONDS = 3.0  # at most, after a sign
WAYS = ("SIGINT", "SIGINT twice", "SIGINT five times", "SIGTERM", "SIGHUP", "SIGTERM, SIGINT")


@dataclass(frozen=True)
class Moment:
    """When the first signal is sent, and what follows.

    Attributes:
        sign: what the command prints before; nothing: its start, when it has taken the signals
            over (until then, some hundredths of a second, Python itself ends it).
        delay: seconds after that.
        signals: in order.
        gaps: seconds before each further signal.
    """

    sign: str
    delay: float
    signals: tuple[signal.Signals, ...]
    gaps: tuple[float, ...]

    def __str__(self) -> str:
        after = f'"{self.sign.strip()}"' if self.sign else "the start"
        return f"{self.delay:.1f} s after {after}"

    @property
    def way(self) -> str:
        """The signals, in words."""
        gaps = ("", *(f"{gap:.1f} s later " for gap in self.gaps))
        return ", ".join(f"{gap}{one.name}" for gap, one in zip(gaps, self.signals, strict=True))

    @property
    def code(self) -> int:
        """The exit code that a command must have then."""
        return 128 + self.signals[0]


def draw(seed: int, number: int) -> Moment:
    """The moment of that number: every third counts from the start, the others from a sign."""
    source = random.Random(f"{seed} {number}")
    from_start = number % 3 == 0
    sign = "" if from_start else SIGNS[(number - number // 3 - 1) % len(SIGNS)]
    delay = source.uniform(0, LATEST_SECONDS if from_start else DELAY_SECONDS)
    if sign == SIGNS[-1]:
        delay /= 10  # little is left to be done then
    way = WAYS[source.randrange(len(WAYS))]
    names = way.replace(" twice", ", SIGINT").replace(" five times", ", SIGINT" * 4).split(", ")
    gaps = tuple(source.uniform(0, 2) for _ in names[1:])
    return Moment(sign, delay, tuple(signal.Signals[name] for name in names), gaps)
