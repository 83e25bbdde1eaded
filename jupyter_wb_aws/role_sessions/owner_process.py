"""The process that a role session was started for, and when it ends."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import ProcessNotFound

# Seconds between two looks at a process whose end the system does not report.
POLL_INTERVAL = 2.0


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine. `started` distinguishes it from a later one with the same pid.

    On Linux that is the clock ticks from the system's boot to the process's start, as in
    ``/proc/pid/stat``; elsewhere it is the seconds from the epoch.
    """

    pid: int
    started: str


def find(pid: int, started: str | None = None) -> Process:
    """Find a running process. Blocking.

    Args:
        pid: its id.
        started: its start, if the caller knows it: in another container, the same pid is another process.

    Raises:
        ProcessNotFound: if there is no such process.
    """
    found = _start_of(pid) if pid > 0 else None
    if found is None or started not in (None, found):
        raise ProcessNotFound(f"This server sees no running process {pid}.")
    return Process(pid, found)


def is_running(process: Process) -> bool:
    """Return whether a process still runs; one that has ended and waits for its parent does not. Blocking."""
    return _start_of(process.pid) == process.started


async def wait_for_exit(process: Process, clock: Clock) -> None:
    """Return when the process has ended.

    1. Linux has a descriptor that reports the end at once. It is opened first, and the process looked
       at afterwards: if that runs then, the descriptor is of this very process.
    2. Elsewhere, and where a sandbox refuses the descriptor, the process is looked at again and again.
    """
    descriptor = _open_descriptor(process.pid)
    if descriptor is None:
        while await asyncio.to_thread(is_running, process):
            await clock.sleep(POLL_INTERVAL)
        return
    try:
        if await asyncio.to_thread(is_running, process):
            await _until_readable(descriptor)
    finally:
        os.close(descriptor)


def _open_descriptor(pid: int) -> int | None:
    pidfd_open = getattr(os, "pidfd_open", None)
    try:
        return pidfd_open(pid) if pidfd_open else None
    except OSError:
        return None


async def _until_readable(descriptor: int) -> None:
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)


def _start_of(pid: int) -> str | None:
    import psutil  # at first use: a server without such a role session starts without it

    try:
        process = psutil.Process(pid)
        if process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
            return None
        # Before the start: psutil adds it to the ticks, and some versions keep what was read first.
        booted = psutil.boot_time() if sys.platform == "linux" else 0.0
        started = process.create_time() - booted
    except (psutil.Error, OverflowError):
        return None
    if sys.platform != "linux":
        return f"{started:.6f}"
    return str(round(started * os.sysconf("SC_CLK_TCK")))
