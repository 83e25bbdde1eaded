"""FileContent files that may be anything: a FIFO does not hang it, and no file is too long for it."""

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
    """A file as it was found; `problem` is why there is no content, else None."""

    path: Path
    content: bytes = field(default=b"", repr=False)
    problem: Problem | None = None
    mode: int = 0
    device: int = 0

    @property
    def text(self) -> str:
        """The content as the SDKs read text."""
        return self.content.decode("utf-8-sig", errors="replace")

    @property
    def ignored_by_sdks(self) -> bool:
        """Whether every SDK goes on as if it were not there: no file, a folder, or /dev/null."""
        if self.mode == 0 or stat.S_ISDIR(self.mode):
            return True
        return stat.S_ISCHR(self.mode) and self.device == Path(os.devnull).stat().st_rdev


def read_file(path: Path) -> FileContent:
    """FileContent a file to its end, if it is a regular file."""
    mode = 0
    try:
        # Not opened where it is anything else: a device may act on that.
        status = path.stat()
        mode = status.st_mode
        if not stat.S_ISREG(mode):
            return FileContent(path, b"", "no_file", mode, status.st_rdev)
        # O_NONBLOCK: should a FIFO have taken its place, opening it would wait for a writer.
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
    """Return a path with a leading `~` replaced by this HOME."""
    return Path(f"{home}{name[1:]}") if home and name.startswith("~/") else Path(name)
