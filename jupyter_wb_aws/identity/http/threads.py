"""Threads for what may hang, apart from those that all of Jupyter shares: names, files, imports."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from jupyter_wb_aws.errors import IdpTimeout, IdpUnavailable

T = TypeVar("T")

# The issuer's host, its endpoints', a proxy's, and a few files.
MOST = 8


class Threads:
    """A few threads, at most one for each key: what hangs holds one thread, however many ask for it.

    They are daemons, since Python would wait for any other at the server's end.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Future[Any]] = {}

    async def once(self, key: Hashable, work: Callable[[], T]) -> T:
        """Join what runs under this key, or else start `work`; return what it returns.

        A caller that stops waiting does not stop the thread: the next one joins it.

        Raises:
            IdpTimeout: if so many hang already that nothing can be started.
            IdpUnavailable: if the machine has no room for another thread.
        """
        if key not in self._running:
            if len(self._running) >= MOST:
                raise IdpTimeout(
                    "This server still waits for too many other answers.",
                    admin_hint="Look-ups of names, or reads of files, hang: look at DNS and at network file systems.",
                )
            self._start(key, work)
        result: T = await asyncio.shield(self._running[key])
        return result

    def _start(self, key: Hashable, work: Callable[[], T]) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        # Read, so that asyncio does not log a failure for which nobody waits any longer.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

        def finish(settle: Callable[[], None]) -> None:
            del self._running[key]
            settle()

        def run() -> None:
            settle: Callable[[], None]
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
                failure = error
                settle = lambda: future.set_exception(failure)  # noqa: E731
            else:
                settle = lambda: future.set_result(result)  # noqa: E731
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(finish, settle)

        try:
            threading.Thread(target=run, name=f"wb-aws {key}", daemon=True).start()
        except RuntimeError:
            raise IdpUnavailable(
                "The identity provider can't be asked: this server can't start another thread.",
                admin_hint="Raise the limit of processes: `ulimit -u`, or the container's pids limit.",
            ) from None
        self._running[key] = future
