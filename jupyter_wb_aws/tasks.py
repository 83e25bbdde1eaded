"""Tasks that have an owner: who awaits them, and who cancels them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

from jupyter_wb_aws.errors import ServerStopping

T = TypeVar("T")


class Tasks:
    """The tasks of one owner. A caller that stops waiting for one cancels nothing."""

    def __init__(self) -> None:
        self._closed = False
        self._running: set[asyncio.Task[Any]] = set()
        self._by_key: dict[Hashable, asyncio.Task[Any]] = {}

    def begin(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start it; the owner waits for its end.

        Raises:
            ServerStopping: if the owner has ended its tasks.
        """
        if self._closed:
            work.close()
            raise ServerStopping
        task = asyncio.create_task(work, name=f"wb-aws {name}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def do(self, work: Coroutine[Any, Any, T], name: str) -> T:
        """Start it, and return what it returns."""
        return await _outcome(self.begin(work, name))

    async def once(
        self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]], name: str
    ) -> tuple[T, bool]:
        """Join what runs under this key, else start it; tell also whether this call started it."""
        begun = key not in self._by_key
        if begun:
            task = self._by_key[key] = self.begin(work(), name)
            task.add_done_callback(lambda _: self._by_key.pop(key))
        return await _outcome(self._by_key[key]), begun

    async def finish(self) -> None:
        """Wait until all of them have come to their end by themselves; no more can be started."""
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)
        self._closed = True

    async def cancel(self) -> None:
        """Cancel all of them, and wait until they are gone; no more can be started."""
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
        self._closed = True


async def _outcome(task: asyncio.Task[T]) -> T:
    """Wait for a task that goes on if its waiter is cancelled.

    Raises:
        ServerStopping: if the owner has cancelled the task.
    """
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        waiter = asyncio.current_task()
        if task.cancelled() and waiter is not None and not waiter.cancelling():
            raise ServerStopping from None
        raise
