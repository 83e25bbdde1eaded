"""A file of JSON lines to which several processes append, each line whole.

1. The path is looked at before each line. If the file was renamed or removed (logrotate), it is made again, 0600.
   If it was truncated instead, appending goes on at its new end.
2. A line is written by one `os.write` on O_APPEND: the kernel puts it at the end, and nothing between its parts.
3. A disk that fills up takes a part of the line. That counts as failed, and leaves half a line.
4. So before a line is written, the file's last byte is looked at: half a line of any process is ended first, in
   the same write. It stays in the file as a line that is not JSON; readers skip it.
5. A lock (flock) is held from 4 to 2, so that no other process leaves half a line between them. A file system
   without locks goes without: then only two processes on a full disk can join two lines. A process that keeps the
   lock (it was stopped, or it is not one of ours) makes the write fail after a few seconds.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_wb_aws.hub.deadline import AUDIT_LOCK_SECONDS, FAIR_SECONDS
from jupyter_wb_aws.hub.disk import LATE
from jupyter_wb_aws.hub.file_lock import lock_until

FLAGS = (
    os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW
)  # fmt: skip
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class AuditFile:
    """The file; one thread at a time uses it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def open(self) -> None:
        """Open the file, and make it if it is not there.

        Raises:
            OSError: if it can't be opened, or is not a regular file.
        """
        try:
            descriptor = os.open(self.path, FLAGS, 0o600)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise OSError(error.errno, "it is a symbolic link") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(0, "it is not a regular file")
        self.close()
        self._descriptor = descriptor

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def others_may_use_it(self) -> bool:
        """Whether users other than its owner may read or write the file."""
        try:
            return bool(self.path.stat().st_mode & OTHERS)
        except OSError:
            return False

    def append(self, record: Mapping[str, object], give_up_at: float = math.inf) -> None:
        """Append one line, whole.

        Args:
            record: the line.
            give_up_at: from then on (of `time.monotonic`), nobody needs the line.

        Raises:
            TimeoutError: if it is too late for it.
            OSError: if it could not be written, or only a part of it, or another process keeps the lock.
        """
        self._reopen_if_replaced()
        descriptor = self._descriptor
        assert descriptor is not None
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        with _locked(descriptor, give_up_at):
            if time.monotonic() > give_up_at:
                raise TimeoutError(0, LATE)
            if _ends_within_a_line(descriptor):
                line = b"\n" + line
            written = os.write(descriptor, line)
        if written < len(line):
            raise OSError(0, "only a part of the line could be written; the disk is full")

    def _reopen_if_replaced(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(self.path.lstat(), os.fstat(self._descriptor)):
                    return
        self.open()


@contextlib.contextmanager
def _locked(descriptor: int, give_up_at: float) -> Iterator[None]:
    now = time.monotonic()
    try:
        is_locked = lock_until(descriptor, min(give_up_at, now + AUDIT_LOCK_SECONDS))
    except OSError:  # a file system without locks
        yield
        return
    if not is_locked and give_up_at < now + FAIR_SECONDS:
        raise TimeoutError(0, LATE)
    if not is_locked:
        raise OSError(0, "another process keeps its lock; is it stopped?")
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _ends_within_a_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
