"""Asks a server over many connections at once, and measures each answer; cheap enough not to be the bottleneck.

An HTTP client would be: httpx takes more CPU for a request at 100 connections than the server that it asks.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import cast

# Seconds that one answer may take.
DEADLINE = 60


@dataclass
class Load:
    """What was measured: the status and the duration (s) of each answer, and how long all took."""

    statuses: Counter[int] = field(default_factory=Counter)
    durations: list[float] = field(default_factory=list)
    seconds: float = 0

    def per_second(self, status: int) -> float:
        """Return how many answers with this status there were in a second."""
        return self.statuses[status] / self.seconds

    def percentile(self, percent: float) -> float:
        """Return the duration (ms) that this part of the answers did not exceed."""
        ordered = sorted(self.durations)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000


def request(port: int, method: str, path: str, token: str, body: str = "") -> bytes:
    """Return an HTTP request that keeps its connection.

    Args:
        port: of the server, on loopback.
        method, path: what is asked for.
        token: of the hub.
        body: JSON.
    """
    return (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: token {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def send(port: int, requests: Iterator[bytes], connections: int, seconds: float) -> Load:
    """Send requests over some connections for some time, or until there are no more; each waits for its answer.

    Args:
        port: of the server, on loopback.
        requests: what to send.
        connections: how many at once.
        seconds: for how long.
    """
    return asyncio.run(_send(port, requests, connections, seconds))


def send_anew(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Send each request on a new connection, as SDKs do, for some time.

    Args:
        port: of the server, on loopback; it closes each connection after its answer.
        requests: what the connections send, in turn.
        connections: how many at once.
        seconds: for how long.
    """
    load, began = Load(), time.perf_counter()
    with selectors.DefaultSelector() as selector:

        def connect(request: bytes) -> None:
            connection = socket.socket()
            connection.settimeout(0)  # connects without waiting
            asked = time.perf_counter()
            connection.connect_ex(("127.0.0.1", port))
            selector.register(connection, selectors.EVENT_WRITE, (asked, request))

        for number in range(connections):
            connect(requests[number % len(requests)])
        while selector.get_map():
            for key, event in selector.select(DEADLINE):
                connection, (asked, request) = cast(socket.socket, key.fileobj), key.data
                if event == selectors.EVENT_WRITE:
                    connection.send(request)
                    selector.modify(connection, selectors.EVENT_READ, (asked, request))
                    continue
                head = connection.recv(65536)
                if head:
                    load.statuses[int(head[9:12])] += 1
                    continue
                load.durations.append(time.perf_counter() - asked)
                selector.unregister(connection)
                connection.close()
                if time.perf_counter() < began + seconds:
                    connect(request)
    load.seconds = time.perf_counter() - began
    return load


async def _send(port: int, requests: Iterator[bytes], connections: int, seconds: float) -> Load:
    load, began = Load(), time.perf_counter()
    async with asyncio.timeout(seconds + DEADLINE), asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(_connection(port, requests, began + seconds, load))
    load.seconds = time.perf_counter() - began
    return load


async def _connection(port: int, requests: Iterator[bytes], until: float, load: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (sent := time.perf_counter()) < until and (found := list(islice(requests, 1))):
        writer.write(found[0])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r", 1)[0])
        await reader.readexactly(length)
        load.durations.append(time.perf_counter() - sent)
        load.statuses[int(head[9:12])] += 1
    writer.close()
