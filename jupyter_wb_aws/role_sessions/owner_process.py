"""The process that a role session was started for, and when it is gone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import ProcessNotFound
from jupyter_wb_aws.proc_stat import stat_of

# Where nobody tells of a process's end, it is looked for this often, in seconds.
POLL = 2.0


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine. Its start tells it from a later one that has the same pid."""

    pid: int
    started: str


def find(pid: int, told: str | None = None) -> Process:
    """Find a running process. Blocking, where the system has no /proc.

    Args:
        told: its start, where it is known: in another container, the same pid is another process.

    Raises:
        ProcessNotFound: if there is none.
    """
    started = _started(pid) if pid > 0 else None
    if started is None or told not in (None, started):
        raise ProcessNotFound(f"This server sees no running process {pid}.")
    return Process(pid, started)


def is_running(process: Process) -> bool:
    """Tell whether it still runs; one that has ended and waits for its parent does not."""
    return _started(process.pid) == process.started


async def until_gone(process: Process, clock: Clock) -> None:
    """Return when it is gone.

    1. Linux has a descriptor that tells of the end at once. It is had first, and the process looked
       at afterwards, so that it is of this very process if that runs then.
    2. Elsewhere, and where a sandbox does not let us have it, the process is looked at again and again.
    """
    descriptor = _descriptor(process.pid)
    if descriptor is None:
        while await asyncio.to_thread(is_running, process):
            await clock.sleep(POLL)
        return
    try:
        if is_running(process):
            await _readable(descriptor)
    finally:
        os.close(descriptor)


def _descriptor(pid: int) -> int | None:
    pidfd_open = getattr(os, "pidfd_open", None)
    try:
        return pidfd_open(pid) if pidfd_open else None
    except OSError:
        return None


async def _readable(descriptor: int) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(descriptor)


def _started(pid: int) -> str | None:
    return _started_by_proc(pid) if sys.platform == "linux" else _started_by_ps(pid)


def _started_by_proc(pid: int) -> str | None:
    stat = stat_of(pid)
    return stat.started if stat is not None and stat.running else None


def _started_by_ps(pid: int) -> str | None:
    command = ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)]
    environment = {"LC_ALL": "C", "TZ": "UTC"}
    told = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603
    state, _, started = told.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()
