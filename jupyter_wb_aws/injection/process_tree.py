"""Ending a process with everything that it has started.

A program behind a shell, or one with workers, would else go on with the old role, and with the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from jupyter_wb_aws.proc_stat import PROC, stat_of

# Long enough for an IDE to save what is open; a user waits in front of it.
PATIENCE = 5.0
BETWEEN_LOOKS = 0.05


async def end(process: Any, patience: float = PATIENCE) -> None:
    """End a supervised process, politely at first, and then what it had started and left behind.

    Args:
        process: a simpervisor.SupervisedProcess that runs.
        patience: seconds until it is killed.
    """
    started = await asyncio.to_thread(descendants, process.pid)
    ending = asyncio.ensure_future(process.terminate())  # else it would be started again
    if not (await asyncio.wait({ending}, timeout=patience))[0]:
        _send([process.pid], signal.SIGKILL)
    await ending
    _send(await _living(started), signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while await _living(started):  # noqa: ASYNC110 - they are not our children
                await asyncio.sleep(BETWEEN_LOOKS)
    _send(await _living(started), signal.SIGKILL)


def descendants(pid: int) -> dict[int, str]:
    """Return the processes below one, each with the time of its start: a pid may be reused."""
    children = defaultdict(list)
    started = {}
    for child, parent, at in _processes():
        children[parent].append(child)
        started[child] = at
    found: dict[int, str] = {}
    to_look_at = [pid]
    while to_look_at:
        for child in children[to_look_at.pop()]:
            if child not in found:
                found[child] = started[child]
                to_look_at.append(child)
    return found


def _processes() -> Iterator[tuple[int, int, str]]:
    """List pid, parent and start of every process. Source: proc(5); ps(1) where there is no /proc."""
    if stat_of("self") is None:
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,lstart="],  # noqa: S607 - macOS's own
            capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
        for line in listed.splitlines():
            pid, parent, at = line.split(None, 2)
            yield int(pid), int(parent), at
        return
    for folder in PROC.iterdir():
        stat = stat_of(folder.name) if folder.name.isdecimal() else None
        if stat is not None and stat.running:
            yield int(folder.name), stat.parent, stat.started


async def _living(started: dict[int, str]) -> list[int]:
    now = {pid: at for pid, _, at in await asyncio.to_thread(lambda: list(_processes()))}
    return [pid for pid, at in started.items() if now.get(pid) == at]


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
