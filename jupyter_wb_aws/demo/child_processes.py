"""Ending a process with everything that it started, wherever that has moved to.

Kernels and terminals are in sessions of their own and may leave processes in the background, so
neither a process group nor the tree holds them all. But all of them have inherited an environment
variable that no other process on the machine has: the path of the run's state folder.
"""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

_GRACE = 6.0
"""Seconds that Jupyter Server gets to shut its kernels and terminals down."""
_LAST_GRACE = 1.0


def end_with_all(process: subprocess.Popen[bytes], variable: str, value: str) -> None:
    """End `process`, then everything that has `variable` set to `value`: gently, then not."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    _signal(_marked(variable, value), psutil.Process.terminate)
    _signal(_marked(variable, value), psutil.Process.kill)
    process.wait()


def _signal(processes: list[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            send(process)
    psutil.wait_procs(processes, _LAST_GRACE)


def _marked(variable: str, value: str) -> list[psutil.Process]:
    return [
        process for process in psutil.process_iter() if _environ(process).get(variable) == value
    ]


def _environ(process: psutil.Process) -> dict[str, str]:
    """Return a process's environment; nothing if it is gone, a zombie, or another user's."""
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):
        return {}
