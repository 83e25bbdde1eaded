"""Servers that answer slowly, or without end: each call has a deadline, and a limit."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import pytest

from jupyter_wb_aws.cli import transport
from jupyter_wb_aws.cli.client import Client
from jupyter_wb_aws.cli.discovery import Connection
from jupyter_wb_aws.cli.local_connection import Deadline, run_with_deadline

SECONDS = 0.3
HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
TLS_HANDSHAKE = b"\x16\x03\x03\x40\x00"  # RFC 8446, 5.1: a record of 16 KiB is to come


class Dripping:
    """Says what it has to say at once, and then `drop` every 20 ms, for 10 s at most."""

    def __init__(self, at_once: bytes, drop: bytes) -> None:
        self.at_once, self.drop = at_once, drop
        self.stop = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        while not self.stop.is_set():
            connection, _ = self.listener.accept()
            with connection:
                self.answer(connection)

    def answer(self, connection: socket.socket) -> None:
        try:
            connection.sendall(self.at_once)
            for _ in range(500):
                if self.stop.wait(0.02):
                    return
                connection.sendall(self.drop)
        except OSError:
            return  # they have given up

    def close(self) -> None:
        self.stop.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        self.thread.join()
        self.listener.close()


@contextmanager
def dripping(at_once: bytes, drop: bytes):
    server = Dripping(at_once, drop)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def impatient(monkeypatch):
    """Have commands ask this server, for a fraction of a second."""

    def ask(url: str, *, named_by_file: bool = True) -> None:
        client = Client(Connection(url, "t", named_by_file=named_by_file), timeout=SECONDS)
        monkeypatch.setattr("jupyter_wb_aws.cli.roles.connect", lambda: client)

    return ask


DRIPS = {
    "nothing": (b"", b"H"),
    "headers": (b"HTTP/1.0 200 OK\r\nX-A: ", b"a"),
    "lines of headers": (b"HTTP/1.0 200 OK\r\n", b"X-A: a\r\n"),
    "body": (HEAD, b" "),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_a_server_that_drips_is_given_up(run, impatient, drip):
    with dripping(*drip) as server:
        impatient(f"http://127.0.0.1:{server.port}/")
        ran = run("roles")
    assert (ran.code, ran.out) == (1, "")
    assert "did not answer within 0.3 seconds" in ran.err


def test_a_server_that_drips_its_tls_handshake_is_given_up(run, impatient):
    with dripping(TLS_HANDSHAKE, b"\x02") as server:
        impatient(f"https://127.0.0.1:{server.port}/")
        ran = run("roles")
    assert (ran.code, ran.out) == (1, "")
    assert "did not answer within 0.3 seconds" in ran.err


@pytest.mark.parametrize(
    ("scheme", "drip"),
    [
        *(("http", drip) for drip in DRIPS.values()),
        ("https", DRIPS["headers"]),
        ("https", DRIPS["lines of headers"]),
        ("https", (b"HTTP/1.0 200 OK\r\n\r\n", b"")),  # and nothing through the tunnel
    ],
)
def test_a_proxy_that_drips_is_given_up(run, impatient, monkeypatch, drip, scheme):
    with dripping(*drip) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://svc:Winter2026@127.0.0.1:{proxy.port}")
        impatient(f"{scheme}://jupyter.example.com/", named_by_file=False)
        ran = run("roles")
    assert (ran.code, ran.out) == (1, "")
    assert "did not answer within 0.3 seconds" in ran.err
    assert f"the proxy in {scheme}_proxy" in ran.err
    assert "Winter" not in ran.err


def test_a_name_that_cannot_be_looked_up_in_time_is_given_up(run, impatient, monkeypatch):
    hangs = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hangs.wait(10) and [])
    impatient("http://this-machine.localhost:8888/")
    ran = run("roles")
    hangs.set()
    assert ran.code == 1
    assert "did not answer within 0.3 seconds" in ran.err


@pytest.mark.parametrize(
    "at_once", [HEAD, b"HTTP/1.0 200 OK\r\nX-A: ", b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n"]
)
def test_an_answer_without_end_is_not_read_to_it(run, impatient, monkeypatch, at_once):
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 100_000)
    with dripping(at_once + b"a" * 200_000, b"a") as server:
        impatient(f"http://127.0.0.1:{server.port}/")
        ran = run("roles")
    assert (ran.code, ran.out) == (1, "")
    assert "is too large" in ran.err


def test_an_answer_without_end_through_a_proxy_is_not_read_to_it(run, impatient, monkeypatch):
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 100_000)
    with dripping(HEAD + b"a" * 200_000, b"a") as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        impatient("http://jupyter.example.com/", named_by_file=False)
        ran = run("roles")
    assert (ran.code, ran.out) == (1, "")
    assert "is too large" in ran.err


def test_a_deadline_is_of_all_that_is_done_within_it():
    now = [100.0]
    deadline = Deadline(30, clock=lambda: now[0])
    now[0] += 29
    assert deadline.left() == 1
    now[0] += 1
    with pytest.raises(TimeoutError):
        deadline.left()


def test_what_fails_within_a_deadline_fails_as_it_would_without():
    with pytest.raises(ZeroDivisionError):
        run_with_deadline(Deadline(5), lambda: 1 // 0)
