"""Ending a process together with everything that it started.

Kernels and terminals have sessions of their own and may leave processes in the background, so
neither a process group nor the process tree contains all of them. But they all inherit an
environment variable that no other process on the machine has: the path of the run's state folder.
"""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER_TIMEOUT = 6.0
"""Seconds in which Jupyter Server may shut down its kernels and terminals."""
_OTHERS_TIMEOUT = 1.0
"""Seconds in which the remaining processes may react to a signal."""


def end_with_all(
    process: subprocess.Popen[bytes], variable: str, value: str, timeout: float = SERVER_TIMEOUT
) -> None:
    """End `process`, then every process whose environment has `variable` set to `value`.

    Each process gets SIGTERM first, and SIGKILL if it does not end.

    Args:
        process: the process that started the others.
        variable: the name of the environment variable that marks them.
        value: its value.
        timeout: seconds in which `process` may end what it started.
    """
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
    _signal(_marked(variable, value), psutil.Process.terminate)
    _signal(_marked(variable, value), psutil.Process.kill)
    process.wait()


def _signal(processes: list[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            send(process)
    psutil.wait_procs(processes, _OTHERS_TIMEOUT)


def _marked(variable: str, value: str) -> list[psutil.Process]:
    return [
        process for process in psutil.process_iter() if _environ(process).get(variable) == value
    ]


def _environ(process: psutil.Process) -> dict[str, str]:
    """Return the environment of a process; empty if it is gone, a zombie, or another user's."""
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):
        return {}
