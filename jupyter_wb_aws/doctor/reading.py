"""Reads files that may be anything: no FIFO hangs it, and none is too long."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

LIMIT = 1024 * 1024

Problem = Literal["missing", "unreadable", "no_file", "too_long"]


@dataclass(frozen=True, slots=True)
class Read:
    """A file as it was found; `problem` is why there is no content, else None."""

    path: Path
    content: bytes = field(default=b"", repr=False)
    problem: Problem | None = None
    mode: int = 0

    @property
    def text(self) -> str:
        """The content as the SDKs read text."""
        return self.content.decode("utf-8-sig", errors="replace")


def read(path: Path) -> Read:
    """Read a file to its end, if it is one."""
    try:
        # O_NONBLOCK: the opening of a FIFO would wait for somebody who writes.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return Read(path, problem="missing")
    except (OSError, ValueError):
        return Read(path, problem="unreadable")
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            return Read(path, problem="no_file", mode=mode)
        content = b""
        while len(content) <= LIMIT and (more := os.read(descriptor, LIMIT)):
            content += more
    except OSError:
        return Read(path, problem="unreadable")
    finally:
        os.close(descriptor)
    if len(content) > LIMIT:
        return Read(path, problem="too_long", mode=mode)
    return Read(path, content, None, mode)


def expanded(name: str, home: str) -> Path:
    """Return a path with a leading `~` as botocore expands it, for this HOME."""
    return Path(f"{home}{name[1:]}") if home and name.startswith("~/") else Path(name)
