"""Reads a process's state and start on Linux. Source: proc(5), "/proc/pid/stat".

The command line must start fast, without psutil. The server compares the start that the command line sends.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class Stat(NamedTuple):
    """A process's state (`Z` and `X`: ended), its parent, and its start in clock ticks since boot."""

    state: str
    parent: int
    started: str

    @property
    def running(self) -> bool:
        """Whether it has not ended; a zombie has."""
        return self.state not in {"Z", "X"}


def stat_of(pid: int | str) -> Stat | None:
    """Return the state of a process, by id or ``"self"``; None if it does not exist, or there is no /proc."""
    try:
        text = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The command's name is in parentheses, and may contain parentheses, blanks and bytes that are not UTF-8.
    fields = text.rpartition(b")")[2].decode("ascii").split()
    return Stat(fields[0], int(fields[1]), fields[19])
