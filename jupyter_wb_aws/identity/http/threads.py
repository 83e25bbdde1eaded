"""Threads for work that may hang: look-ups of names, reads of files, imports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from jupyter_wb_aws.disk_threads import DiskThreads
from jupyter_wb_aws.errors import IdpTimeout, IdpUnavailable

T = TypeVar("T")

# The issuer's host, its endpoints', a proxy's, and a few files.
MAX_THREADS = 8


class Threads:
    """A few threads, at most one for each key: work that hangs blocks one thread, however many ask for it."""

    def __init__(self) -> None:
        self._threads = DiskThreads(MAX_THREADS)
        self._running: dict[Hashable, asyncio.Future[Any]] = {}

    async def once(self, key: Hashable, work: Callable[[], T]) -> T:
        """Join the work that runs under this key, or else start `work`; return its result.

        A caller that stops waiting does not stop the thread: the next caller joins it.

        Raises:
            IdpTimeout: if all threads hang, so that nothing can be started.
            IdpUnavailable: if the machine can't start another thread.
        """
        if key not in self._running:
            if len(self._running) >= MAX_THREADS:
                raise IdpTimeout(
                    "This server still waits for too many other answers.",
                    admin_hint="Name look-ups or file reads hang: check DNS and network file systems.",
                )
            self._running[key] = self._start(key, work)
        result: T = await asyncio.shield(self._running[key])
        return result

    def _start(self, key: Hashable, work: Callable[[], T]) -> asyncio.Future[T]:
        try:
            future = asyncio.wrap_future(self._threads.submit(work))
        except RuntimeError:
            raise IdpUnavailable(
                "The identity provider can't be asked: this server can't start another thread.",
                admin_hint="Raise the limit of processes: `ulimit -u`, or the container's pids limit.",
            ) from None

        def finish(done: asyncio.Future[T]) -> None:
            del self._running[key]
            # Read, so that asyncio does not log a failure that nobody waits for any longer.
            _ = done.cancelled() or done.exception()

        future.add_done_callback(finish)
        return future
