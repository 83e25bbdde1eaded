"""Checks the user's own `~/.aws` files when a process starts; the disk they are on may hang."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from jupyter_wb_aws.aws.file_conflicts import find_conflict
from jupyter_wb_aws.disk_threads import DiskThreads

Find = Callable[[Mapping[str, str], str | None], str | None]

log = logging.getLogger(__name__)

# Seconds. A kernel waits for the first; a terminal, and with it the event loop, for the second.
CHECK_TIMEOUT, BLOCKING_CHECK_TIMEOUT = 2.0, 0.5
# An SDK that reads files on a disk that hangs would hang as well.
NOT_READ_IN_TIME = "~/.aws, which could not be read in time"


class ConflictCheck:
    """Finds what in the user's files conflicts with a role session. A disk that hangs is a conflict."""

    def __init__(self) -> None:
        self._threads = DiskThreads(2)

    async def find(
        self, environment: Mapping[str, str], cwd: str | None = "", find: Find | None = None
    ) -> str | None:
        """Return the conflict in words, or None; see `aws.file_conflicts.find_conflict`.

        Args:
            environment: the environment of the process, with the user's own files in it.
            cwd: the folder that the process starts in; None if it is not known.
            find: replaces `find_conflict`.
        """
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                return await self._threads.run(find or find_conflict, dict(environment), cwd)
        except TimeoutError:
            return _not_read_in_time()

    def find_now(self, environment: Mapping[str, str], cwd: str | None = "") -> str | None:
        """Do the same for a caller that can't await; it blocks for `BLOCKING_CHECK_TIMEOUT` at most."""
        checking = self._threads.submit(find_conflict, dict(environment), cwd)
        try:
            return checking.result(BLOCKING_CHECK_TIMEOUT)
        except TimeoutError:
            checking.cancel()
            return _not_read_in_time()


def _not_read_in_time() -> str:
    log.warning("The user's ~/.aws files are hidden: the disk that they are on does not answer")
    return NOT_READ_IN_TIME
