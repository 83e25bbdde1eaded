"""Terminate a process and every process that it has started.

A program behind a shell, or one with workers, would otherwise go on with the old role and keep the port.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import psutil

# Seconds: long enough for an IDE to save what is open; a user waits in front of it.
TERMINATE_TIMEOUT = 5.0
POLL_INTERVAL = 0.05


async def terminate_tree(process: Any, timeout: float) -> None:
    """Terminate a supervised process, then the descendants that it leaves behind.

    Args:
        process: a running simpervisor.SupervisedProcess.
        timeout: seconds that the process, and then its descendants, have before they are killed.
    """
    root = await asyncio.to_thread(_find, process.pid)
    left_behind = await asyncio.to_thread(descendants, process.pid)
    terminating = asyncio.ensure_future(process.terminate())  # else simpervisor would restart it
    if not (await asyncio.wait({terminating}, timeout=timeout))[0]:
        _kill([root] if root is not None else [])
    await terminating
    for one in await _running(left_behind):
        with contextlib.suppress(psutil.Error):
            one.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            while await _running(left_behind):  # noqa: ASYNC110 - they are not our children
                await asyncio.sleep(POLL_INTERVAL)
    _kill(await _running(left_behind))


def descendants(pid: int) -> list[psutil.Process]:
    """Return the processes that a process has started, directly or not; none if it does not exist.

    A `psutil.Process` remembers when its process started, so it never signals another that got the same id.
    """
    root = _find(pid)
    if root is None:
        return []
    try:
        found: list[psutil.Process] = root.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found


def _find(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


async def _running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that still run; a zombie has ended."""
    return await asyncio.to_thread(lambda: [one for one in processes if _is_running(one)])


def _is_running(process: psutil.Process) -> bool:
    try:
        ended = process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.AccessDenied:
        ended = False
    except psutil.NoSuchProcess:
        return False
    return process.is_running() and not ended


def _kill(processes: Iterable[psutil.Process]) -> None:
    for one in processes:
        with contextlib.suppress(psutil.Error):
            one.kill()
