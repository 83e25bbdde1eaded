"""What Linux tells of a process. Source: proc(5), "/proc/pid/stat"."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class Stat(NamedTuple):
    """A process's state (`Z` and `X` have ended), its parent, and its start in clock ticks since boot."""

    state: str
    parent: int
    started: str

    @property
    def running(self) -> bool:
        """Whether it has not ended; one that waits for its parent has."""
        return self.state not in {"Z", "X"}


def stat_of(pid: int | str) -> Stat | None:
    """Look at a process, by its id or as ``"self"``; None where there is no such one, or no /proc."""
    try:
        told = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The command's name is in parentheses and may hold any bytes: parentheses, blanks, no UTF-8.
    fields = told.rpartition(b")")[2].decode("ascii").split()
    return Stat(fields[0], int(fields[1]), fields[19])
