"""Threads for work on a disk that may hang, apart from those that all of Jupyter shares.

A file system that does not answer (NFS, FUSE) holds a thread for as long as it likes: nothing can
cancel a system call. In asyncio's own pool, a few such threads would stop Jupyter's contents and
kernels, and they would hold up the end of the process, which waits for that pool.
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
    """At most `most` threads at once; they end when nothing is left to do, and never delay an exit.

    It may be used from any event loop, and from any thread.
    """

    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._running = 0
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._lock = threading.Lock()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it in a thread, and return what it returns. A cancelled caller leaves it running."""
        return await asyncio.wrap_future(self.submit(work, *args, **kwargs))

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have it run in a thread.

        Raises:
            RuntimeError: if the machine has no room for a thread; the next call tries again.
        """
        future: Future[T] = Future()
        with self._lock:
            # Where a disk hangs, nothing else takes away what nobody waits for any longer.
            self._waiting = deque(one for one in self._waiting if not one[0].cancelled())
            if self._running < self._most:
                threading.Thread(target=self._work, name="wb-aws disk", daemon=True).start()
                self._running += 1
            self._waiting.append((future, partial(work, *args, **kwargs)))
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                future, work = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - it is for the one who waits
                future.set_exception(error)
            else:
                future.set_result(result)
            del future, work
