"""What the rooms say beside their results: through the loggers of their modules, each thing once.

A logger is named after its module, so that each room has one: ``raysweep.store`` for all that is in
`store`. Nothing is said by default but what a person should know: an entry set aside, a group that
starts again, a lease taken over. Drivers and workers say it through the coordinator; the process of
the sweep repeats it on the console and in a file of the sweep's folder.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from raysweep.process.notes import PACKAGE
from raysweep.store.storage import Storage

FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"
WRITE_SECONDS = 10.0
LOG = logging.getLogger(__name__)


@contextmanager
def listening(folder: Storage, name: str, console: Console, *, verbose: bool) -> Iterator[None]:
    """While the block runs what is said appears on the console and in a file.

    Args:
        folder: the sweep's.
        name: of the file; it appears with the first thing that is said.
        verbose: whether the console shows more than what a person should know.
    """
    logger, file, shown = logging.getLogger(PACKAGE), _LogFile(folder, name), _Shown(console)
    shown.setLevel(logging.INFO if verbose else logging.WARNING)
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.handlers += [file, shown]
    try:
        yield
    finally:
        logger.handlers = [one for one in logger.handlers if one not in (file, shown)]
        logger.setLevel(before)
        file.write()


class _Shown(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Prints it, with its room."""
        room = ".".join(record.name.split(".")[1:2])
        text = f"[yellow]note[/]   {room}: "
        self._console.print(text, end="", highlight=False)
        self._console.print(record.getMessage(), highlight=False, markup=False)


class _LogFile(logging.Handler):
    """A file is written as a whole: an object store has no other way."""

    def __init__(self, folder: Storage, name: str) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(FORM))
        self._folder, self._name = folder, name
        self._lines: list[str] = []
        self._num_written, self._written = 0, -WRITE_SECONDS

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps it, and writes what there is every few seconds."""
        self._lines.append(self.format(record))
        if time.monotonic() - self._written >= WRITE_SECONDS:
            self.write()

    def write(self) -> None:
        """Writes what is new; on a full disk the console has shown it."""
        lines, self._written = list(self._lines), time.monotonic()
        if len(lines) == self._num_written:
            return
        try:
            self._folder.write(self._name, "".join(f"{line}\n" for line in lines).encode())
        except OSError:
            return
        self._num_written = len(lines)
