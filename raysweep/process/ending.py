"""How a command ends that is told to: by Ctrl-C, by SIGTERM, by a terminal that is closed.

The first signal raises KeyboardInterrupt in the main thread, wherever that is. Libraries lose such
an exception at times (in a destructor, in a callback from C) or make another one of it. So a
thread, which the system tells of every signal whoever handles it, repeats it until the command has
noticed, and whatever is raised after a signal counts as its consequence.

From the first signal on the command has `LIMIT_SECONDS` to tell what there is and to end in order;
another signal leaves it `HURRIED_SECONDS`. When they are up, that thread kills all processes that
the command has started, says the last words, and exits.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from raysweep.process.descendants import adopt_orphans, end_descendants

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LIMIT_SECONDS, HURRIED_SECONDS = 30.0, 5.0
REPEAT_SECONDS = 8.0  # longer than anything that winds up after an interruption
NUDGE = signal.SIGURG  # ignored by default, used by nobody here: repeats a signal that was lost
REMEDY = "Run the same command again: finished stages are kept and not trained a second time."
POLL_SECONDS = 0.5
SHOW_CURSOR = b"\x1b[?25h"


class Ending:
    """Whether this process was told to end, and what becomes of that.

    Attributes:
        last_words: said on stderr at the end, unless the command has said as much by then.
        is_process: whether the command is all that this process is for.
    """

    def __init__(self) -> None:
        self.last_words = "Interrupted."
        self.is_process = False
        self._code: int | None = None
        self._reason = ""
        self._deadline = self._repeat = float("inf")
        self._is_loading, self._is_noticed = True, False
        self._reader: socket.socket | None = None
        self._unraised = sys.unraisablehook
        self._reading = threading.RLock()  # a signal may come while it is held

    def begin(self) -> None:
        """Takes over the signals; again, if a library has taken them in the meantime.

        A signal that was ignored from the start, as by nohup, stays so.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (*SIGNALS, NUDGE):
            if number == NUDGE or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._handle)
        if self._reader is None:
            self._reader, writer = socket.socketpair()
            self._reader.setblocking(False)
            writer.setblocking(False)
            signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
            self._unraised, sys.unraisablehook = sys.unraisablehook, self._note_lost
            os.register_at_fork(after_in_child=_forget)
            adopt_orphans()
            threading.Thread(target=self._watch, args=(self._reader,), daemon=True).start()

    @property
    def is_requested(self) -> bool:
        """Whether the command is to end, or was while it ended by itself."""
        self._read()
        return self._code is not None

    def request(self, code: int, reason: str) -> None:
        """Ends the command as a signal would, with another exit code, and says why."""
        if self._code is None:
            self._code, self._reason = code, reason
            self._deadline = time.monotonic() + LIMIT_SECONDS
            self._nudge()

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """A block that a signal ends. From the end of the block on signals are only noted."""
        try:
            yield
        except BaseException:
            self._is_noticed = True
            if not self.is_requested:
                self._is_noticed = False
                raise
        self._is_noticed = True

    @contextmanager
    def of_command(self) -> Iterator[None]:
        """Surrounds a whole command: after a signal it ends with that code and the last words."""
        self.begin()
        self._is_loading = False
        try:
            if self.is_requested:  # a moment ago
                raise KeyboardInterrupt
            yield
        except BaseException:
            self._seal()
            if not self.is_requested:
                raise
        self._seal()
        if self.is_requested:
            self.leave()

    def _seal(self) -> None:
        """The command is over: a signal while Python itself winds up changes its code no more."""
        self._is_noticed = True
        if self.is_process:
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def leave(self) -> NoReturn:
        """Ends all processes that were started here, says the last words, and exits."""
        end_descendants(0.0)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # gone, closed, or none
                stream.flush()
        self._exit()  # not through the interpreter's end, which the next signal would cut

    def _handle(self, number: int, _: Any) -> None:
        self._note(number)
        if self._is_loading:  # nothing has begun; whoever imports now could not catch anything
            self._exit()
        if not self._is_noticed and self._code is not None:
            raise KeyboardInterrupt

    def _note_lost(self, lost: sys.UnraisableHookArgs) -> None:
        """Called where an exception cannot be raised: ours is repeated at once."""
        if self._code is not None and issubclass(lost.exc_type, KeyboardInterrupt):
            self._repeat = time.monotonic()
        else:
            self._unraised(lost)

    def _note(self, number: int) -> None:
        if number in SIGNALS and self._code is None:
            self._code = 128 + number  # as a shell gives it: 130, 143 or 129

    def _read(self) -> None:
        """Reads the signals that have come since; each sets the time by which all must be over."""
        if self._reader is None:
            return
        with self._reading:
            try:
                numbers = self._reader.recv(4096)
            except BlockingIOError:
                return
            for number in numbers:
                if number in SIGNALS:
                    self._note(number)
                    seconds = LIMIT_SECONDS if self._deadline == float("inf") else HURRIED_SECONDS
                    self._deadline = min(self._deadline, time.monotonic() + seconds)

    def _watch(self, reader: socket.socket) -> None:
        """Repeats a signal that nobody has noticed, and ends what does not end by itself."""
        while time.monotonic() < self._deadline:
            select.select([reader], [], [], POLL_SECONDS)  # or the main thread has read it
            self._read()
            if self._code is not None and not self._is_noticed:
                now = time.monotonic()
                if self._repeat == float("inf"):
                    self._repeat = now + REPEAT_SECONDS
                elif now >= self._repeat:
                    self._repeat = now + REPEAT_SECONDS
                    self._nudge()
        end_descendants(0.0)
        self._exit()

    def _nudge(self) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, NUDGE)

    def _exit(self) -> NoReturn:
        """Says the last words, past all buffers and locks, unless nobody can take them."""
        words = f"{self._reason} {self.last_words}".strip()
        with suppress(OSError):
            if os.isatty(1) and select.select([], [1], [], 0)[1]:
                os.write(1, SHOW_CURSOR)  # which a progress bar has hidden
            if words and select.select([], [2], [], 0)[1]:
                os.write(2, f"{words}\n".encode())
        os._exit(self._code or 128 + signal.SIGINT)


def begin_if_command(package: str) -> None:
    """Takes over the signals of ``python -m <package>...`` and of the script of that name.

    Called when the package is imported, which is the first thing that such a command does: from
    here on an interruption is one line, also while the rest is imported.
    """
    own = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]  # the interpreter's
    last = own[-1] if own else ""
    module = last.split(".")[0] if "-m" in own else os.path.basename(last)
    if module == package:
        ENDING.is_process = True
        ENDING.begin()


def _forget() -> None:
    """In a process that was forked off: signals do there what they do by default."""
    signal.set_wakeup_fd(-1)
    for number in (*SIGNALS, NUDGE):
        if signal.getsignal(number) == ENDING._handle:
            signal.signal(number, signal.SIG_DFL)


ENDING = Ending()
