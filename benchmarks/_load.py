"""Asks a server over many connections at once, and measures each answer; cheap enough not to be the bottleneck.

An HTTP client would be: httpx takes more CPU for a request at 100 connections than the server that it asks.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

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
