"""Processes as new as any, with their imports behind them.

A server imports what is needed, takes what all are to have, and does nothing else; each process is
forked off it. None sees what another has done, as if each had been started on its own, and what
they import is imported once.

The server ends with the thread that has started it, and all processes that it has forked with it.
Others on the host may share it, each with its own process at a time.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import multiprocessing
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess

PR_SET_PDEATHSIG = 1  # linux/prctl.h
END_SECONDS = 10.0  # from a process's last sign to the server's word on it
NICENESS = 15  # as that of Ray's workers: who sits at the machine goes first
FORK, KILL, CALL = b"f", b"k", b"c"
_START = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from raysweep.process.fork_server import serve
serve(json.loads(sys.argv[2]), sys.argv[3:])
"""


class LostServerError(RuntimeError):
    """The server has ended, or does not answer."""


class ForkServer:
    """Starts processes, one at a time.

    Args:
        modules: to import before any is started.
        address: of a Unix socket, at which others may `join`; nobody may if it is empty.
    """

    def __init__(self, modules: Sequence[str], address: str = "") -> None:
        self._control, theirs = socket.socketpair()
        with theirs, socket.socket(socket.AF_UNIX) as listener:
            if address:
                listener.bind(address)
                listener.listen()
            passed = [theirs.fileno(), *([listener.fileno()] if address else [])]
            numbers, path = json.dumps(passed), json.dumps(sys.path)
            self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
                [sys.executable, "-c", _START, path, numbers, *modules],
                stdin=subprocess.DEVNULL,
                pass_fds=passed,
                start_new_session=True,  # what ends it is its owner's end, and no key pressed
            )

    @classmethod
    def join(cls, address: str) -> ForkServer:
        """A server that another process has started on this host; waits until it has imported.

        Raises:
            LostServerError: there is none.
        """
        server = cls.__new__(cls)
        server._control, server._process = socket.socket(socket.AF_UNIX), None
        try:
            server._control.connect(address)
        except OSError as error:
            raise LostServerError(f"no server at {address}: {error}") from None
        return server

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

    def call(self, target: str, *arguments: object) -> None:
        """Has the server itself call ``function(*arguments)``, for all that it starts after that.

        Nobody waits for it, and nobody hears of what it gives. An exception ends the server.

        Args:
            target: ``module:function``; this process need not import it.
            arguments: are pickled.

        Raises:
            LostServerError: there is none.
        """
        with tempfile.TemporaryFile() as handed:  # a pipe would fill up before it is read
            handed.write(pickle.dumps((target, arguments)))
            handed.seek(0)
            try:
                socket.send_fds(self._control, [CALL], [handed.fileno()])
            except OSError as error:
                raise LostServerError(f"nothing can be called: {error}") from None

    def close(self) -> None:
        """Ends what it has started for this process, and the server if that has started it."""
        self._control.close()
        if self._process:
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


def serve(passed: Sequence[int], modules: Sequence[str]) -> None:
    """The server: imports, then forks whenever it is told to; ends with who has started it.

    Args:
        passed: file descriptors: its end of its owner's control socket, and what it listens at.
    """
    _end_with_parent()
    os.nice(NICENESS - os.nice(0))
    owner, *listening = (socket.socket(fileno=number) for number in passed)
    take_in(*modules)
    served: dict[socket.socket, ForkProcess | None] = {owner: None}
    while True:
        sentinels = [process.sentinel for process in served.values() if process]
        ready = wait([*served, *sentinels, *listening])
        for listener in set(listening) & set(ready):
            served[listener.accept()[0]] = None
        for control, process in list(served.items()):
            if process and process.sentinel in ready:
                process.join()
                served[control] = None
                _send(control, struct.pack("i", process.exitcode))
            elif control in ready and not _obey(control, served, listening):
                if control is owner:
                    return  # its processes end with it
                control.close()
                del served[control]


def _obey(
    control: socket.socket,
    served: dict[socket.socket, ForkProcess | None],
    listening: Sequence[socket.socket],
) -> bool:
    """Does what one client says; whether that is still there."""
    try:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
    except ConnectionError:
        message, descriptors = b"", []
    if (process := served[control]) and message in (KILL, b""):
        process.kill()
    for descriptor in descriptors:
        if message == CALL:
            with open(descriptor, "rb") as handed:
                _call(*pickle.load(handed))
            _settle()
            continue
        served[control] = started = ForkProcess(
            target=_run, args=((*served, *listening), descriptor)
        )
        started.start()
        os.close(descriptor)
    return bool(message)


def take_in(*modules: str) -> None:
    """Imports modules, for all that will be forked off this process."""
    for module in modules:
        importlib.import_module(module)
    _settle()


def _settle() -> None:
    """What is there already is no child's to look through, or to copy."""
    gc.collect()
    gc.freeze()


def _send(control: socket.socket, message: bytes) -> None:
    """Says something to a client, which may be gone."""
    try:
        control.send(message)
    except OSError:
        return


def _run(servers: Sequence[socket.socket], descriptor: int) -> None:
    """What each process does."""
    _end_with_parent()
    for one in servers:  # else the end of a client, or of the server, would not be seen
        one.close()
    with Connection(descriptor) as channel:
        target, arguments = channel.recv()
        _call(target, (channel, *arguments))


def _call(target: str, arguments: Sequence[object]) -> None:
    module, _, name = target.partition(":")
    getattr(importlib.import_module(module), name)(*arguments)


def _end_with_parent() -> None:
    """From now on this process is killed when the thread that has started it ends."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has ended a moment ago
        os._exit(1)
