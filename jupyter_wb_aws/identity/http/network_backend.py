"""Connections to the identity provider: names are looked up in our threads, and all addresses are tried.

httpcore2 is imported at the top: only worker threads import this module.
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

# Seconds. RFC 8305, 8: how long one address is tried alone.
ATTEMPT_DELAY = 0.25

Connect = Callable[[], Coroutine[Any, Any, httpcore2.AsyncNetworkStream]]


class NameNotFound(httpcore2.ConnectError):
    """A host's name could not be resolved."""


class NetworkBackend(httpcore2.AnyIOBackend):
    """Connects by address: anyio would look up names in the threads that all of Jupyter shares.

    Args:
        threads: look up names.
        lookup_timeout: seconds for one look-up.
    """

    def __init__(self, threads: Threads, lookup_timeout: float) -> None:
        self._threads = threads
        self._lookup_timeout = lookup_timeout

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first of the host's addresses that answers (RFC 8305, simplified).

        Args:
            host: a name or an address.
            port: the port.
            timeout: seconds for one address; None for no limit.
            local_address: passed to anyio, as `socket_options` is.
            socket_options: see `local_address`.

        Raises:
            NameNotFound: if the name can't be resolved.
            httpcore2.ConnectError: if no address answers.
        """
        connect = super().connect_tcp
        return await _first_connection(
            [
                partial(connect, address, port, timeout, local_address, socket_options)
                for address in await self._addresses(host)
            ]
        )

    async def _addresses(self, host: str) -> list[str]:
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(host))]
        look_up = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        try:
            async with asyncio.timeout(self._lookup_timeout):
                found = await self._threads.once(("name", host), look_up)
        except TimeoutError:
            raise NameNotFound(f"the name {host} was not resolved in time") from None
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "it is not a host's name"
            raise NameNotFound(f"the name {host} can't be resolved: {why}") from None
        return interleaved(str(address[0]) for *_, address in found)


def interleaved(addresses: Iterable[str]) -> list[str]:
    """Order addresses so that IPv6 and IPv4 alternate, beginning with the first (RFC 8305, 4)."""
    unique = list(dict.fromkeys(addresses))
    first = [address for address in unique if (":" in address) == (":" in unique[0])]
    others = [address for address in unique if address not in first]
    pairs = chain.from_iterable(zip_longest(first, others))
    return [address for address in pairs if address is not None]


async def _first_connection(attempts: list[Connect]) -> httpcore2.AsyncNetworkStream:
    """Return the first connection; the next address is tried when the others are slow or fail."""
    waiting, running = list(attempts), set[asyncio.Task[httpcore2.AsyncNetworkStream]]()
    failure: BaseException | None = None
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(waiting.pop(0)()))
            done, _ = await asyncio.wait(
                running,
                timeout=ATTEMPT_DELAY if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                running.discard(task)
                if (error := task.exception()) is None:
                    return task.result()
                failure = failure or error
    finally:
        for task in running:
            task.cancel()
        for result in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(result, httpcore2.AsyncNetworkStream):
                await result.aclose()
    raise httpcore2.ConnectError(_reason(failure)) from None


def _reason(failure: BaseException | None) -> str:
    """Return the system's own words: anyio's say only that all attempts failed."""
    while failure is not None:
        if isinstance(failure, OSError) and failure.errno:
            return os.strerror(failure.errno)
        failure = failure.__cause__ or failure.__context__
    return "no connection"
