"""Processes as new as any, with their imports behind them.

A server imports what is needed and does nothing else; each process is forked off it. None sees what
another has done, as if each had been started on its own, and what they import is imported once.

The server ends with the thread that has started it, and the process that it has forked with it.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import multiprocessing
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait

PR_SET_PDEATHSIG = 1  # linux/prctl.h
END_SECONDS = 10.0  # from a process's last sign to the server's word on it
FORK, KILL = b"f", b"k"
_START = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from raysweep.process.fork_server import serve
serve(int(sys.argv[1]), sys.argv[3:])
"""


class LostServerError(RuntimeError):
    """The server has ended, or does not answer."""


class ForkServer:
    """Starts processes, one at a time.

    Args:
        modules: to import before any is started.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            number = str(theirs.fileno())
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, number, json.dumps(sys.path), *modules],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def start(self, target: str, *arguments: object) -> Child:
        """A new process that calls ``function(channel, *arguments)``, and ends.

        The channel's other end is `Child.channel`.

        Args:
            target: ``module:function``; this process need not import it.
            arguments: are pickled.

        Raises:
            LostServerError: there is none.
        """
        ours, theirs = multiprocessing.Pipe()
        try:
            with theirs:
                socket.send_fds(self._control, [FORK], [theirs.fileno()])
            ours.send((target, arguments))
        except OSError as error:
            ours.close()
            raise LostServerError(f"no process can be started: {error}") from None
        return Child(ours, self._control)

    def close(self) -> None:
        """Ends the server, and what it has started."""
        self._control.close()
        self._process.kill()
        self._process.wait()


class Child:
    """A process that was forked off the server.

    Attributes:
        channel: speaks to it; its end is that of the process.
    """

    def __init__(self, channel: Connection, control: socket.socket) -> None:
        self.channel, self._control = channel, control

    def kill(self) -> None:
        """Ends it, wherever it is."""
        try:
            self._control.send(KILL)
        except OSError as error:
            raise LostServerError(f"a process cannot be ended: {error}") from None

    def exit_code(self) -> int:
        """How it has ended: 0, or 1 after an exception, or minus a signal; once the channel has.

        Raises:
            LostServerError: the server does not say.
        """
        self.channel.close()
        if not select.select([self._control], [], [], END_SECONDS)[0]:
            raise LostServerError(f"nothing is known of a process for {END_SECONDS:.0f} seconds")
        answer = self._control.recv(4)
        if len(answer) < 4:
            raise LostServerError("the server of processes has ended")
        return int(struct.unpack("i", answer)[0])


def serve(number: int, modules: Sequence[str]) -> None:
    """The server: imports, then forks whenever it is told to; ends with who has started it.

    Args:
        number: the file descriptor of its end of the control socket.
    """
    _end_with_parent()
    control = socket.socket(fileno=number)
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what is there already is no child's to look through, or to copy
    context = multiprocessing.get_context("fork")
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        for descriptor in descriptors:
            process = context.Process(target=_run, args=(control, descriptor))
            process.start()
            os.close(descriptor)
            while process.sentinel not in wait([control, process.sentinel]):
                if control.recv(1) != KILL:
                    process.kill()
                    return
                process.kill()
            process.join()
            control.send(struct.pack("i", process.exitcode))


def _run(control: socket.socket, descriptor: int) -> None:
    """What each process does."""
    _end_with_parent()
    control.close()
    with Connection(descriptor) as channel:
        target, arguments = channel.recv()
        module, _, name = target.partition(":")
        getattr(importlib.import_module(module), name)(channel, *arguments)


def _end_with_parent() -> None:
    """From now on this process is killed when the thread that has started it ends."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has ended a moment ago
        os._exit(1)
