"""RAY_ADDRESS of any form: taken, or one line within seconds and before Ray."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest

from raysweep.errors import InputError
from raysweep.sweep import address
from raysweep.sweep.address import check_address, why_silent


@contextmanager
def server(answer: bytes | None, family: int = socket.AF_INET) -> Iterator[int]:
    """A server that sends an answer and hangs up, or that says nothing at all."""
    listener = socket.create_server(
        ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family
    )
    kept = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if answer is None:
                kept.append(connection)
            else:
                connection.recv(100)
                connection.sendall(answer)
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ("nonsense", "is no address; write HOST:PORT, auto or local"),
        ("127.0.0.1", "is no address"),
        ("127.0.0.1:", "is no address"),
        (":6379", "is no address"),
        ("::1:6379", "is no address"),
        ("http://127.0.0.1:8265", "is no address"),
        ("127.0.0.1:6379 ", "is no address"),
        (" auto", "is no address"),
        ("127.0.0.1:port", "is no address"),
        ("127.0.0.1:-1", "is no address"),
        ("127.0.0.1:٦٣٧٩", "is no address"),
        ("127.0.0.1:0", "no such port; ports go from 1 to 65535"),
        ("127.0.0.1:99999", "no such port"),
        ("127.0.0.1:9", "no Ray cluster answers there (Connection refused)"),
        ("ray://127.0.0.1:10001", "a sweep does not run through Ray's client; run the command"),
        ("127.0.0.1:1025", "no Ray cluster answers there (Connection refused)"),
        ("[::1]:1025", "no Ray cluster answers there ("),
        ("no-such-host.invalid:6379", "no Ray cluster answers there ("),
    ],
)  # fmt: skip
def test_one_that_cannot_be_is_one_line(named: str, problem: str) -> None:
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        check_address(named)
    assert f"RAY_ADDRESS = {named}: {problem}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n", b"", b"+"]
)
def test_another_program_is_told_from_ray(answer: bytes) -> None:
    with server(answer) as port:
        assert "another program" in why_silent(f"127.0.0.1:{port}")


def test_a_port_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "LIMIT_SECONDS", 0.3)
    with server(None) as port:
        assert why_silent(f"127.0.0.1:{port}") == "no answer within some seconds"


def test_a_name_server_that_takes_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "LIMIT_SECONDS", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(5))
    started = time.monotonic()
    assert why_silent("slow.example:6379") == "no answer within some seconds"
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_grpc_server_answers_as_ray_does(host: str) -> None:
    """Ray's control service is one."""
    from concurrent.futures import ThreadPoolExecutor

    running = grpc.server(ThreadPoolExecutor(1))
    try:
        port = running.add_insecure_port(f"{'[::1]' if host == '[::1]' else '127.0.0.1'}:0")
    except RuntimeError:
        pytest.skip("this machine has no IPv6")
    running.start()
    check_address(f"{host}:{port}")
    running.stop(None)
