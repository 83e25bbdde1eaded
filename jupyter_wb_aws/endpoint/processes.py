"""How many living processes have each endpoint token, by what they were started with."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from datetime import datetime

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.disk_threads import DiskThreads
from jupyter_wb_aws.variables import ENDPOINT_TOKEN_FILE

# Seconds. A machine may have very many processes; who asks waits for it.
MAX_SECONDS = 1.0


class ProcessCounts:
    """Counts processes off the event loop, once for all who ask at the same time.

    `last` is the last result, of a count that began at `last_begun`.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._threads = DiskThreads()
        self._begun: Future[Mapping[str, int] | None] | None = None
        self.last: Mapping[str, int] | None = None
        self.last_begun: datetime | None = None

    async def look(self) -> Mapping[str, int] | None:
        """Count now; see `count_processes`."""
        return await self._threads.look(self._count)

    def begin(self) -> None:
        """Count in the background, for `last`."""
        if self._begun is None or self._begun.done():
            self._begun = self._threads.submit(self._count)

    def _count(self) -> Mapping[str, int] | None:
        begun = self._clock.now()
        self.last = count_processes()
        self.last_begun = begun
        return self.last


def count_processes(seconds: float = MAX_SECONDS) -> Mapping[str, int] | None:
    """Count this user's living processes by the path of their endpoint token's file. Blocking.

    A process that changed its environment after its start is counted by what it was started with. Other containers of
    the pod are not seen.

    Args:
        seconds: how long to look, at most.

    Returns:
        the counts, or None where this is not known: the system does not say, or has too many processes.
    """
    import psutil  # at first use: not needed to answer clients

    counts: Counter[str] = Counter()
    until, own_uid = time.monotonic() + seconds, os.getuid()
    try:
        pids = psutil.pids()
    except (psutil.Error, OSError, RuntimeError):
        return None
    for pid in pids:
        if time.monotonic() > until:
            return None
        # It may have ended, be a zombie, or not be readable.
        with contextlib.suppress(psutil.Error, OSError, RuntimeError):
            process = psutil.Process(pid)
            path = process.environ().get(ENDPOINT_TOKEN_FILE)
            if path is not None and process.uids().real == own_uid:
                counts[path] += 1
    return counts
