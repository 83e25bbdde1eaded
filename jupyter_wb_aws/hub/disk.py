"""Work on a disk that may hang, with a deadline: no call waits for it for ever, and none blocks another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from jupyter_wb_aws.disk_threads import DiskThreads
from jupyter_wb_aws.hub import deadline
from jupyter_wb_aws.hub.errors import CallOutOfTime

P = ParamSpec("P")
T = TypeVar("T")

LATE = "the disk has not answered in time"
# Seconds for which the thread waits for the next call.
IDLE_SECONDS = 10.0


class Disk:
    """One thread for one disk."""

    def __init__(self) -> None:
        self._threads = DiskThreads(idle_seconds=IDLE_SECONDS)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in the thread, and return its result.

        Raises:
            CallOutOfTime: if the call has no time for it.
            OSError: if the disk does not answer in time (the work may still go on), and what `work` raises.
        """
        return await _in_time(lambda: self.begin(work, *args, **kwargs))

    def begin(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Run `work` in the thread; its result may come at any time."""
        return asyncio.wrap_future(self._threads.submit(work, *args, **kwargs))

    async def look(self, work: Callable[[], T]) -> T:
        """Run `work` once for all callers who ask before it has begun, and return its result.

        Raises:
            CallOutOfTime: if the call has no time for it.
            OSError: if the disk does not answer in time, and what `work` raises.
        """
        return await _in_time(lambda: self._threads.look(work))


async def _in_time(begin: Callable[[], Awaitable[T]]) -> T:
    was_nearly_over = deadline.is_nearly_over()
    ends_at = deadline.step_ends_at(deadline.DISK_SECONDS)
    try:
        if ends_at <= time.monotonic():
            raise TimeoutError
        async with asyncio.timeout_at(ends_at):
            return await begin()
    except TimeoutError:
        if was_nearly_over:
            raise CallOutOfTime(
                "The hub or the disks took all the time that this call has.",
                admin_hint="The metrics of the hub service say how long the hub takes to answer.",
            ) from None
        raise OSError(0, LATE) from None
