"""Connections to the identity provider: names are looked up in threads of ours, all addresses are tried.

httpcore2 is imported at once: only worker threads import this module.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from itertools import chain, zip_longest
from typing import Any

import httpcore2

from jupyter_wb_aws.identity.http.threads import Threads

# RFC 8305, 8: how many seconds one address is tried alone.
STAGGER = 0.25

Connect = Callable[[], Coroutine[Any, Any, httpcore2.AsyncNetworkStream]]


class NameNotFound(httpcore2.ConnectError):
    """A host's name could not be resolved."""


class Network(httpcore2.AnyIOBackend):
    """Connects by address: anyio would look names up in the threads that all of Jupyter shares."""

    def __init__(self, threads: Threads, patience: float) -> None:
        self._threads = threads
        self._patience = patience

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to whichever of the host's addresses answers first (RFC 8305, in short)."""
        connect = super().connect_tcp
        addresses = await self._addresses(host)
        return await _first(
            [
                partial(connect, one, port, timeout, local_address, socket_options)
                for one in addresses
            ]
        )

    async def _addresses(self, host: str) -> list[str]:
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(host))]
        look_up = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        try:
            async with asyncio.timeout(self._patience):
                found = await self._threads.once(("name", host), look_up)
        except TimeoutError:
            raise NameNotFound(f"the name {host} was not resolved in time") from None
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "it is not a host's name"
            raise NameNotFound(f"the name {host} can't be resolved: {why}") from None
        return in_turns(str(address[0]) for *_, address in found)


def in_turns(addresses: Iterable[str]) -> list[str]:
    """Order addresses so that IPv6 and IPv4 take turns, beginning with the first (RFC 8305, 4)."""
    unique = list(dict.fromkeys(addresses))
    first = [one for one in unique if (":" in one) == (":" in unique[0])]
    others = [one for one in unique if one not in first]
    return [one for one in chain.from_iterable(zip_longest(first, others)) if one is not None]


async def _first(attempts: list[Connect]) -> httpcore2.AsyncNetworkStream:
    """Return the first connection of several; each next one is tried when the others take long or fail."""
    waiting, running = list(attempts), set[asyncio.Task[httpcore2.AsyncNetworkStream]]()
    failure: BaseException | None = None
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(waiting.pop(0)()))
            done, _ = await asyncio.wait(
                running, timeout=STAGGER if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                running.discard(task)
                if (error := task.exception()) is None:
                    return task.result()
                failure = failure or error
    finally:
        for task in running:
            task.cancel()
        for other in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(other, httpcore2.AsyncNetworkStream):
                await other.aclose()
    raise httpcore2.ConnectError(_reason(failure)) from None


def _reason(failure: BaseException | None) -> str:
    """Return the system's own words: anyio's say only that all attempts failed."""
    while failure is not None:
        if isinstance(failure, OSError) and failure.errno:
            return os.strerror(failure.errno)
        failure = failure.__cause__ or failure.__context__
    return "no connection"
