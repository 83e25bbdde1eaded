"""Threads for work on a disk that may hang, separate from the pool that all of Jupyter shares.

A file system that does not answer (NFS, FUSE) blocks a thread for any time: nothing can cancel a system
call. In asyncio's own pool, a few such threads would stop Jupyter's contents and kernels, and would delay
the end of the process, which waits for that pool.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DiskThreads:
    """Runs work in at most `max_threads` threads. They end when no work is left, and never delay an exit.

    Any event loop and any thread may use it.

    Args:
        max_threads: how many.
        idle_seconds: how long a thread waits for more work. A start takes about a millisecond on a busy machine.
    """

    def __init__(self, max_threads: int = 1, idle_seconds: float = 0.0) -> None:
        self._max_threads = max_threads
        self._idle_seconds = idle_seconds
        self._running = 0
        self._idle = 0
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._lock = threading.Condition()
        self._looks: dict[object, tuple[Future[Any], asyncio.Future[Any]]] = {}

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a thread, and return its result. It goes on if the caller is cancelled."""
        return await asyncio.wrap_future(self.submit(work, *args, **kwargs))

    async def look(self, work: Callable[[], T]) -> T:
        """Run `work` once for all who ask before it has begun: nobody gets a state from before they asked.

        It goes on if a caller is cancelled. All callers of the same work must be in one event loop.
        """
        known = self._looks.get(work)
        if known is None or known[0].running() or known[0].done():
            submitted = self.submit(work)
            known = self._looks[work] = submitted, asyncio.wrap_future(submitted)
            known[1].add_done_callback(partial(self._forget_look, work))
        return await asyncio.shield(known[1])

    def _forget_look(self, work: object, result: asyncio.Future[Any]) -> None:
        if (known := self._looks.get(work)) and known[1] is result:
            del self._looks[work]

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Schedule `work` to run in a thread.

        Raises:
            RuntimeError: if the machine can't start a thread; the next call tries again.
        """
        future: Future[T] = Future()
        with self._lock:
            # While a disk hangs, nothing else removes work that was cancelled.
            self._waiting = deque(one for one in self._waiting if not one[0].cancelled())
            if self._idle > len(self._waiting):
                self._lock.notify()
            elif self._running < self._max_threads:
                threading.Thread(target=self._work, name="wb-aws disk", daemon=True).start()
                self._running += 1
            self._waiting.append((future, partial(work, *args, **kwargs)))
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting and self._idle_seconds:
                    self._idle += 1
                    self._lock.wait(self._idle_seconds)
                    self._idle -= 1
                if not self._waiting:
                    self._running -= 1
                    return
                future, work = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - raised in the caller
                future.set_exception(error)
            else:
                future.set_result(result)
            del future, work
