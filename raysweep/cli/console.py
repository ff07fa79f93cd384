"""What the command lines share: one-line errors, and a console that never cuts a table."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

import typer
from rich.console import Console

from raysweep.errors import INPUT_ERROR_CODE, InputError
from raysweep.process.ending import ENDING

OUTPUT_GONE_CODE = 128 + signal.SIGPIPE  # as a shell gives it
GONE = {errno.EPIPE, errno.EIO, errno.ENXIO}  # nobody reads the pipe; the terminal is closed
WIDTH_OF_PIPES = 10_000  # columns; rich would assume 80 and fold tables in files and logs


def run_command(
    command: typer.Typer | Callable[..., None], *, outlives_output: bool = False
) -> None:
    """Runs a whole command line; a mistake in the arguments ends it in one line as well.

    Args:
        command: a Typer application, or the function of one that has no other.
        outlives_output: see `command_line`.

    Raises:
        InputError: an option or an argument is none of the command's.
        SystemExit: the command has ended.
    """
    with command_line(outlives_output=outlives_output):
        if isinstance(command, typer.Typer):
            app = command
        else:
            app = application()
            app.command()(command)
        try:
            raise SystemExit(app(standalone_mode=False, prog_name=_script()))
        except typer.TyperException as error:  # the parser's: an unknown option, a missing value
            text = " ".join(error.format_message().split())
            raise InputError("command line", text.rstrip("."), "see --help") from None


def application(**settings: Any) -> typer.Typer:
    """An application without Typer's own ways of completing words and showing errors."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, **settings)


def as_called(module: str) -> str:
    """What the user has typed to run a command: the script's name for it, or its module's."""
    return _script() or f"python -m raysweep.{module}"


def _script() -> str | None:
    """The script and its command, such as "raysweep plan"; None for a module's own entry."""
    return sys.argv[0] if sys.argv[0].startswith("raysweep ") else None


@contextmanager
def command_line(*, outlives_output: bool = False) -> Iterator[None]:
    """Surrounds a command: it ends in one line at a mistake or a signal, in none at a closed pipe.

    Args:
        outlives_output: the command goes on when nobody reads what it prints any more.

    Raises:
        SystemExit: the command has ended, or nobody reads its output.
    """
    if sys.stdout and sys.stderr:
        sys.stdout = cast(TextIO, Output(sys.stdout, outlives_output))
        sys.stderr = cast(TextIO, Output(sys.stderr, outlives_output))
    with ENDING.of_command(), reporting_input_errors():
        try:
            yield
        finally:
            if sys.stdout:
                sys.stdout.flush()


class Output:
    """A text stream whose reader may go; it leads nowhere from then on."""

    def __init__(self, stream: TextIO, outlives: bool) -> None:
        self._stream, self._outlives = stream, outlives

    def write(self, text: str) -> int:
        """Writes a text.

        Raises:
            SystemExit: nobody reads any more, which ends the command.
        """
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lead_nowhere(error)
            return len(text)

    def flush(self) -> None:
        """Writes what was kept back; see `write`."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lead_nowhere(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lead_nowhere(self, error: OSError) -> None:
        if error.errno not in GONE:
            raise error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        if not self._outlives:
            raise SystemExit(OUTPUT_GONE_CODE) from None


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


def say(output: Console, lines: Iterable[str]) -> None:
    """Prints lines as they are: nothing that data or a user has named is markup."""
    for line in lines:
        output.print(line, highlight=False, markup=False)
