"""What the command lines share: one-line errors, and a console that never cuts a table."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from raysweep.errors import InputError

INPUT_ERROR_CODE = 2
WIDTH_OF_PIPES = 10_000  # columns; rich would assume 80 and fold tables in files and logs


@contextmanager
def reporting_input_errors() -> Iterator[None]:
    """Turns an `InputError` of the block into one line on stderr and exit code 2.

    Raises:
        SystemExit: the block raised an `InputError`.
    """
    try:
        yield
    except InputError as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        raise SystemExit(INPUT_ERROR_CODE) from None


def console() -> Console:
    """A console on stdout: as wide as the terminal, or as wide as its text when there is none."""
    output = Console(highlight=False)
    return output if output.is_terminal else Console(highlight=False, width=WIDTH_OF_PIPES)
