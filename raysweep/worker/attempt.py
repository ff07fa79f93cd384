"""One worker's part of one attempt at a trial: what each process of a worker group runs.

The process is new and does nothing else: it joins the group, does its work, says over its line how
that has ended, and ends.
"""

from __future__ import annotations

import logging
import pickle
import sys
import traceback
import warnings
from multiprocessing.connection import Connection

import torch

from raysweep.errors import InputError
from raysweep.model.llama import without_progress_bars
from raysweep.process.notes import speak_through
from raysweep.store.store import DamagedEntryError
from raysweep.store.weights_budget import NoRoomError
from raysweep.worker.lasting import MORE_MEMORY, lasting
from raysweep.worker.line import Line
from raysweep.worker.process_group import process_group
from raysweep.worker.run import work
from raysweep.worker.seat import Seat


def attempt(channel: Connection, job: bytes, seat: Seat) -> None:
    """Does this worker's part; exits with 1 where the group is lost.

    Args:
        job: pickled.
    """
    _hush()
    line = Line(channel)
    speak_through(line.note)
    try:
        line.advance()
        with process_group(seat, line.announce, line.find):
            work(pickle.loads(job), line)
    except (InputError, FloatingPointError) as error:
        # All workers meet these together. Another group would too: say why, and end in peace.
        line.fail(str(error))
    except DamagedEntryError as error:
        # Raised by all workers at once. The next group makes the entry again.
        line.damage(str(error))
    except Exception as error:
        # One worker alone may meet what is left, and the others wait for it: end the group.
        if isinstance(error, torch.OutOfMemoryError):
            line.fail(" ".join(f"{error} ({MORE_MEMORY})".split()))
        elif isinstance(error, NoRoomError | OSError) and (reason := lasting(error)):
            line.fail(reason)
        _lose(line, error)


def _hush() -> None:
    """Silences what libraries say of their own work: this process may share a terminal."""
    without_progress_bars()
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)


def _lose(line: Line, error: Exception) -> None:
    text = str(error).strip()
    reason = f"{type(error).__name__}: {text.splitlines()[-1]}" if text else repr(error)
    line.lose(reason, traceback.format_exc())
    sys.exit(1)
