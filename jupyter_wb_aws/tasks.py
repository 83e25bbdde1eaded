"""asyncio tasks with an owner, which awaits and cancels them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

from jupyter_wb_aws.errors import ServerStopping

T = TypeVar("T")


class Tasks:
    """The tasks of one owner. A caller that stops waiting for a task does not cancel it."""

    def __init__(self) -> None:
        self._closed = False
        self._running: set[asyncio.Task[Any]] = set()
        self._by_key: dict[Hashable, asyncio.Task[Any]] = {}

    def begin(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start a task; the owner waits for its end.

        Raises:
            ServerStopping: if the owner accepts no more tasks.
        """
        if self._closed:
            work.close()
            raise ServerStopping
        task = asyncio.create_task(work, name=f"wb-aws {name}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def do(self, work: Coroutine[Any, Any, T], name: str) -> T:
        """Start a task, and return its result.

        Raises:
            ServerStopping: if the owner accepts no more tasks, or has cancelled this one.
        """
        return await _outcome(self.begin(work, name))

    async def once(
        self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]], name: str
    ) -> tuple[T, bool]:
        """Wait for the task that runs under this key, or start it.

        Args:
            key: tasks with the same key run once at a time.
            work: makes the task's coroutine.
            name: of the task.

        Returns:
            the task's result, and whether this call started it.

        Raises:
            ServerStopping: if the owner accepts no more tasks, or has cancelled this one.
        """
        begun = key not in self._by_key
        if begun:
            task = self._by_key[key] = self.begin(work(), name)
            task.add_done_callback(lambda _: self._by_key.pop(key))
        return await _outcome(self._by_key[key]), begun

    async def finish(self) -> None:
        """Wait until all tasks have finished; then accept no more."""
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)
        self._closed = True

    async def cancel(self) -> None:
        """Cancel all tasks and wait for their end; then accept no more."""
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
        self._closed = True


async def _outcome(task: asyncio.Task[T]) -> T:
    """Wait for a task, which goes on if the caller is cancelled.

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
