"""Terminate a process and every process that it has started.

A program behind a shell, or one with workers, would otherwise go on with the old role and keep the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import psutil

from jupyter_wb_aws.role_sessions.owner_process import has_ended

# Seconds: long enough for an IDE to save what is open; a user waits in front of it.
TERMINATE_TIMEOUT = 5.0
POLL_INTERVAL = 0.05

# What psutil raises for a process that it may not read, and where the system hides when it was booted.
_UNREADABLE = (psutil.Error, OSError, RuntimeError)


async def terminate_tree(process: Any, timeout: float) -> None:
    """Terminate a supervised process, then the descendants that it leaves behind.

    Args:
        process: a running simpervisor.SupervisedProcess.
        timeout: seconds that the process, and then its descendants, have before they are killed.
    """
    left_behind = await asyncio.to_thread(descendants, process.pid)
    terminating = asyncio.ensure_future(process.terminate())  # else simpervisor would restart it
    if not (await asyncio.wait({terminating}, timeout=timeout))[0]:
        # It is our child: its id is not reused before it is waited for.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGKILL)
    await terminating
    _signal(await _running(left_behind), psutil.Process.terminate)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            while await _running(left_behind):  # noqa: ASYNC110 - they are not our children
                await asyncio.sleep(POLL_INTERVAL)
    _signal(await _running(left_behind), psutil.Process.kill)


def descendants(pid: int) -> list[psutil.Process]:
    """Return the processes that a process has started, directly or not; those that can't be read are left out.

    A `psutil.Process` remembers when its process started, so it never signals another that got the same id.
    `psutil.Process.children` would raise at the first process of the machine that may not be read (`hidepid`).
    """
    children = defaultdict(list)
    for process, parent in _processes():
        children[parent].append(process)
    found: list[psutil.Process] = []
    parents = [pid]
    while parents:
        started = children.pop(parents.pop(), [])
        found += started
        parents += [process.pid for process in started]
    return found


def _processes() -> Iterator[tuple[psutil.Process, int]]:
    """Yield each process that can be read, with its parent's id."""
    try:
        pids = psutil.pids()
    except _UNREADABLE:
        return
    for pid in pids:
        with contextlib.suppress(*_UNREADABLE):
            process = psutil.Process(pid)
            yield process, process.ppid()


async def _running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that still run; a zombie has ended."""
    return await asyncio.to_thread(lambda: [one for one in processes if not has_ended(one)])


def _signal(processes: Iterable[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    for one in processes:
        with contextlib.suppress(*_UNREADABLE):
            send(one)
