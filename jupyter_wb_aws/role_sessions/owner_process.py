"""The process that a role session was started for, and when it ends."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import ProcessNotFound
from jupyter_wb_aws.proc_stat import stat_of

if TYPE_CHECKING:
    import psutil

# Seconds between two looks at a process whose end the system does not report.
POLL_INTERVAL = 2.0
# Seconds by which the start of a process may differ elsewhere than on Linux, where a corrected clock moves it.
# No system reuses the id of a process within this time.
START_TOLERANCE = 5.0


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
    if found is None or not _is_same_start(found, found if started is None else started):
        raise ProcessNotFound(f"This server sees no running process {pid}.")
    return Process(pid, found)


def is_running(process: Process) -> bool:
    """Return whether a process still runs; one that has ended and waits for its parent does not. Blocking."""
    return _is_same_start(_start_of(process.pid), process.started)


def has_ended(process: psutil.Process) -> bool:
    """Return whether a process has ended, as a zombie has; one that may not be read has not. Blocking."""
    import psutil

    ended = {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    try:
        return not process.is_running() or process.status() in ended
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, OSError, RuntimeError):
        return False


async def wait_for_exit(process: Process, clock: Clock) -> None:
    """Return when the process has ended.

    1. Linux has a descriptor that reports the end at once. It is opened first, and the process looked
       at afterwards: if that runs then, the descriptor is of this very process.
    2. Elsewhere, and where a sandbox refuses the descriptor, the process is looked at again and again.
    """
    descriptor = _open_descriptor(process.pid)
    if descriptor is None:
        still_runs = await asyncio.to_thread(_watch, process)
        while await asyncio.to_thread(still_runs):
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


def _watch(process: Process) -> Callable[[], bool]:
    """Return a function that checks whether a process still runs; a step of the clock does not mislead it."""
    if _is_linux():
        return partial(is_running, process)
    found = _psutil_process(process.pid)
    if found is None or not is_running(process):
        return lambda: False
    return lambda: not has_ended(found)


def _start_of(pid: int) -> str | None:
    """Return the start of a running process. On Linux it must be the one that the command line reads and sends.

    psutil gives the time since the epoch, which moves with the clock and needs the time of the boot, which
    some systems hide.
    """
    if _is_linux():
        stat = stat_of(pid)
        return stat.started if stat is not None and stat.running else None
    process = _psutil_process(pid)
    if process is None or has_ended(process):
        return None
    import psutil

    try:
        return f"{process.create_time():.6f}"
    except (psutil.Error, OSError):
        return None


def _is_same_start(found: str | None, known: str) -> bool:
    if found is None or _is_linux():
        return found == known
    try:
        return abs(float(found) - float(known)) <= START_TOLERANCE
    except ValueError:
        return False


def _is_linux() -> bool:
    return sys.platform == "linux"


def _psutil_process(pid: int) -> psutil.Process | None:
    import psutil  # at first use: a server without such a role session starts without it

    try:
        return psutil.Process(pid)
    except (psutil.Error, OSError, OverflowError):
        return None
