"""Threads for what blocks on the identity provider, apart from those that all the server shares."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from jupyter_wb_aws.errors import ServerStopping

Run = Callable[..., Awaitable[Any]]
P = ParamSpec("P")
T = TypeVar("T")

# A refresh, a sign-in, a poll of the device flow, a look at the metadata.
MOST = 4


class Threads:
    """A few of them: a provider that hangs holds up nobody but those who wait for it."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it in one of them, and return what it returns.

        Raises:
            ServerStopping: if they are closed.
        """
        if self._closed:
            raise ServerStopping
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MOST, thread_name_prefix="wb-aws-sign-in")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(work, *args, **kwargs))

    def close(self) -> None:
        """Begin nothing more; what runs comes to its end."""
        self._closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
