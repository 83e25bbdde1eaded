"""Which living processes have each endpoint token, by what they were started with."""

from __future__ import annotations

import contextlib
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.disk_threads import DiskThreads
from jupyter_wb_aws.variables import ENDPOINT_TOKEN_FILE

if TYPE_CHECKING:
    import psutil

# Seconds. A machine may have very many processes; who asks waits for it.
MAX_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Program:
    """A living process, for people to recognize.

    Attributes:
        pid: its id.
        name: the name of its program; never its arguments, which may hold secrets.
    """

    pid: int
    name: str


# By the path of an endpoint token's file, oldest ids first.
Programs = Mapping[str, Sequence[Program]]


class LivingProcesses:
    """Looks at processes off the event loop, once for all who ask at the same time.

    `last` is the last result, of a look that began at `last_begun`.

    Args:
        clock: the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._threads = DiskThreads()
        self._begun: Future[Programs | None] | None = None
        self.last: Programs | None = None
        self.last_begun: datetime | None = None

    async def look(self) -> Programs | None:
        """Look now; see `find_processes`."""
        return await self._threads.look(self._find)

    def begin(self) -> None:
        """Look in the background, for `last`."""
        if self._begun is None or self._begun.done():
            self._begun = self._threads.submit(self._find)

    def _find(self) -> Programs | None:
        begun = self._clock.now()
        self.last = find_processes()
        self.last_begun = begun
        return self.last


def find_processes(seconds: float = MAX_SECONDS) -> Programs | None:
    """Find this user's living processes by the path of their endpoint token's file. Blocking.

    A process that changed its environment after its start is found by what it was started with. Other containers of
    the pod are not seen.

    Args:
        seconds: how long to look, at most.

    Returns:
        the processes, or None where this is not known: the system does not say, or has too many processes.
    """
    import psutil  # at first use: not needed to answer clients

    found: defaultdict[str, list[Program]] = defaultdict(list)
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
                found[path].append(Program(pid, _name(process)))
    return dict(found)


def _name(process: psutil.Process) -> str:
    """Return the name of a program, up to the first blank: some put their arguments into it."""
    name: str = process.name()
    return name.partition(" ")[0]
