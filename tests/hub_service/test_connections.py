"""Connections to the hub service: nobody keeps others from it by leaving many open, or fills its log."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket

import httpx
import psutil
import pytest
from tornado import web
from tornado.netutil import bind_sockets

from jupyter_wb_aws.hub import connections
from jupyter_wb_aws.hub.connections import BoundedServer
from tests.hub_service.running_service import ANALYST

UNUSED = {
    "silent": b"",
    "half of a request's headers": b"POST /services/aws/tokens HTTP/1.1\r\nHost: x\r\n",
    "half of a request's body": b"POST /services/aws/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    "idle after a request": b"GET /services/aws/openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n",
}


def connect(port, sent=b""):
    """Return a connection on which this was sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    with contextlib.suppress(OSError):
        connection.sendall(sent)
    return connection


@pytest.mark.parametrize("kind", sorted(UNUSED))
def test_more_connections_than_files_keep_nobody_from_the_service(start_service, kind):
    with start_service(open_files="-n 200") as service, contextlib.ExitStack() as open_ones:
        client = open_ones.enter_context(httpx.Client(trust_env=False, timeout=10))

        def ask():
            headers, body = {"Authorization": "token alice-token"}, {"role_arn": ANALYST}
            return client.post(service.url + "tokens", headers=headers, json=body).status_code

        assert ask() == 201
        for _ in range(300):
            open_ones.enter_context(connect(service.port, UNUSED[kind]))

        assert ask() == 201
        assert service.ask("GET", "keys").status_code == 200
        assert service.log.count("connections are open") == 1
        assert "Too many open files" not in service.log
        assert len(service.log) < 5000


def test_a_low_limit_of_open_files_is_raised(start_service):
    with start_service(open_files="-Sn 128") as service:
        soft, hard = psutil.Process(service.process.pid).rlimit(resource.RLIMIT_NOFILE)
        assert soft == min(hard, 1100)


# --- A server of its own ----------------------------------------------------------------------------


class Waits(web.RequestHandler):
    """Answers at once, or when it may."""

    may_answer = asyncio.Event()
    waiting = 0

    async def get(self, path):
        if path == "later":
            Waits.waiting += 1
            await self.may_answer.wait()
        self.finish("answered")


@pytest.fixture
def serve():
    """Start a server; return its port."""
    with contextlib.ExitStack() as stops:

        def serve(max_connections):
            Waits.may_answer, Waits.waiting = asyncio.Event(), 0
            server = BoundedServer(
                web.Application([("/(.*)", Waits)]), max_connections=max_connections
            )
            (listening,) = bind_sockets(0, "127.0.0.1")
            server.add_sockets([listening])
            stops.callback(server.stop)
            return listening.getsockname()[1]

        yield serve


def async_client():
    return httpx.AsyncClient(trust_env=False, timeout=30)


async def is_closed(connection):
    """Wait until the other side has closed a connection."""
    connection.setblocking(False)
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):
            while await asyncio.get_running_loop().sock_recv(connection, 1000):
                pass
    return True


async def answers(connection):
    """Wait for two answers on a connection; return their number."""
    connection.setblocking(False)
    received = b""
    async with asyncio.timeout(20):
        while received.count(b"answered") < 2:
            received += (part := await asyncio.get_running_loop().sock_recv(connection, 10_000))
            assert part, "the connection was closed"
    return received.count(b"200 OK")


async def test_a_connection_without_a_request_is_closed_soon(serve, monkeypatch):
    monkeypatch.setattr(connections, "FIRST_REQUEST_TIMEOUT", 0.3)
    port = serve(max_connections=100)
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(port, request) as used:
        for sent in (b"", request[:-2]):
            with connect(port, sent) as connection:
                assert await is_closed(connection)
        used.sendall(request)
        assert await answers(used) == 2


async def test_a_call_that_is_being_answered_is_never_cut_off(serve):
    port = serve(max_connections=3)
    url = f"http://127.0.0.1:{port}/"
    async with async_client() as client:
        busy = [asyncio.create_task(client.get(url + "later")) for _ in range(3)]
        async with asyncio.timeout(20):
            while Waits.waiting < 3:
                await asyncio.sleep(0.01)
        with connect(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as fourth:
            assert await is_closed(fourth)
        Waits.may_answer.set()

        assert [(await one).text for one in busy] == ["answered"] * 3
        assert (await client.get(url)).text == "answered"


async def test_where_no_file_can_be_opened_the_log_says_so_once(serve, caplog):
    """As when the machine's own limit is reached: ours is set too high for it here."""
    port = serve(max_connections=10_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    clients = [socket.socket() for _ in range(100)]
    os.close(next_file := os.dup(clients[0].fileno()))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_file + 50, hard))
        for one in clients:
            one.connect(("127.0.0.1", port))
        async with asyncio.timeout(20):
            while "too many open files for" not in caplog.text:
                await asyncio.sleep(0.01)
        async with async_client() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/")).text == "answered"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in clients:
            one.close()

    said = [record.getMessage() for record in caplog.records]
    assert len([message for message in said if "open files" in message]) == 1
    assert len(said) < 5
