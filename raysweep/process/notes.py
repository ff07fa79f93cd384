"""What is said in one process and repeated in another, beside results.

Each module speaks through the logger of its name. In a process of its own that is told to whoever
shows it: see `speak_through` there, and `repeat` where it is shown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

PACKAGE = "raysweep"


@dataclass(frozen=True)
class Note:
    """Something said in another process.

    Attributes:
        level: of `logging`.
        logger: its name.
    """

    level: int
    logger: str
    text: str


def repeat(note: Note) -> None:
    """Says here what was said elsewhere."""
    logging.getLogger(note.logger).log(note.level, "%s", note.text)


def speak_through(tell: Callable[[Note], object]) -> None:
    """From now on all that this process says is told to another, and not shown here."""
    logger = logging.getLogger(PACKAGE)
    logger.handlers, logger.propagate = [_Forwarding(tell)], False
    logger.setLevel(logging.INFO)


class _Forwarding(logging.Handler):
    def __init__(self, tell: Callable[[Note], object]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tells it."""
        self._tell(Note(record.levelno, record.name, record.getMessage()))
