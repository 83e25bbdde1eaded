"""Reads files that may be anything: a FIFO does not block it, and it reads no more than `MAX_SIZE`."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

MAX_SIZE = 1024 * 1024

Problem = Literal["missing", "unreadable", "no_file", "too_long"]


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file's content; `problem` says why there is none."""

    path: Path
    content: bytes = field(default=b"", repr=False)
    problem: Problem | None = None
    mode: int = 0
    device: int = 0

    @property
    def text(self) -> str:
        """The content, decoded as the SDKs do."""
        return self.content.decode("utf-8-sig", errors="replace")

    @property
    def ignored_by_sdks(self) -> bool:
        """Whether every SDK ignores it: it does not exist, or is a folder or /dev/null."""
        if self.mode == 0 or stat.S_ISDIR(self.mode):
            return True
        return stat.S_ISCHR(self.mode) and self.device == Path(os.devnull).stat().st_rdev


def read_file(path: Path) -> FileContent:
    """Read a regular file to its end; anything else is a problem."""
    mode = 0
    try:
        # Don't open anything else: opening a device may have effects.
        status = path.stat()
        mode = status.st_mode
        if not stat.S_ISREG(mode):
            return FileContent(path, b"", "no_file", mode, status.st_rdev)
        # O_NONBLOCK: if a FIFO has replaced the file, opening it would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError):
        return FileContent(path, problem="missing")
    except (OSError, ValueError):
        return FileContent(path, problem="unreadable", mode=mode)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            return FileContent(path, problem="no_file", mode=mode)
        content = b""
        while len(content) <= MAX_SIZE and (more := os.read(descriptor, MAX_SIZE)):
            content += more
    except OSError:
        return FileContent(path, problem="unreadable", mode=mode)
    finally:
        os.close(descriptor)
    if len(content) > MAX_SIZE:
        return FileContent(path, problem="too_long", mode=mode)
    return FileContent(path, content, None, mode)


def expanded(name: str, home: str) -> Path:
    """Return a path with a leading `~` replaced by `home`."""
    return Path(f"{home}{name[1:]}") if home and name.startswith("~/") else Path(name)
