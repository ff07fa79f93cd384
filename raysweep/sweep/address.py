"""The address of a Ray cluster, looked at before Ray is: Ray ends the whole process, or waits for
minutes, where no cluster answers.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from concurrent.futures import Future

from raysweep.errors import InputError

LIMIT_SECONDS = 5.0  # for each of: the name, the connection, the answer
PORTS = range(1, 65536)
FORM = re.compile(r"(?P<host>[0-9A-Za-z_.-]+|\[[0-9A-Fa-f:.]+(%\w+)?\]):(?P<port>[0-9]{1,9})")
# How HTTP/2, and so gRPC, begins: the preface and a frame of settings, empty; type 4 is their kind.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
KIND, SETTINGS_FRAME, HEAD_BYTES = 3, 4, 9
REMEDY = "start it, or unset RAY_ADDRESS to have one started on this machine"


def check_address(address: str) -> None:
    """Checks that RAY_ADDRESS names a host and a port at which a cluster answers.

    Raises:
        InputError: it is of another form, or nothing answers there as Ray does.
    """
    place = f"RAY_ADDRESS = {address}"
    if address.startswith("ray://"):
        raise InputError(
            place,
            "a sweep does not run through Ray's client",
            "run the command on a host of the cluster, with HOST:PORT of its head (port 6379)",
        )
    form = FORM.fullmatch(address)
    if not form:
        raise InputError(place, "is no address", "write HOST:PORT, auto or local")
    if int(form["port"]) not in PORTS:
        raise InputError(place, "no such port", f"ports go from {PORTS[0]} to {PORTS[-1]}")
    if problem := why_silent(address):
        raise InputError(place, f"no Ray cluster answers there ({problem})", REMEDY)


def why_silent(address: str) -> str:
    """Why no cluster answers at HOST:PORT; nothing if one does."""
    host, _, port = address.rpartition(":")
    try:
        place = _resolve(host.strip("[]"), int(port))
        with socket.create_connection(place, timeout=LIMIT_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0") in ("0", "false", "False", ""):
                return _why_no_grpc(connection)
    except TimeoutError:
        return "no answer within some seconds"
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def _why_no_grpc(connection: socket.socket) -> str:
    connection.sendall(PREFACE)
    with connection.makefile("rb") as answer:
        head = answer.read(HEAD_BYTES)
    if len(head) < HEAD_BYTES:
        return "another program hangs up"
    return "" if head[KIND] == SETTINGS_FRAME else "another program answers"


def _resolve(host: str, port: int) -> tuple[str, int]:
    """The first address of a host, within the limit: a name server may take minutes."""
    found: Future[tuple[str, int]] = Future()

    def resolve() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.set_result((str(answers[0][4][0]), port))
        except (OSError, UnicodeError) as error:
            found.set_exception(error)

    threading.Thread(target=resolve, daemon=True).start()
    return found.result(LIMIT_SECONDS)
