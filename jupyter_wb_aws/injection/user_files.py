"""Looks at the user's own `~/.aws` files when something starts, on a disk that may hang."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from jupyter_wb_aws.aws.user_files import shadowing
from jupyter_wb_aws.disk_threads import DiskThreads

Look = Callable[[Mapping[str, str], str | None], str | None]

log = logging.getLogger(__name__)

# A kernel waits for it; a terminal, and with it the event loop, does too.
PATIENCE, PATIENCE_OF_THE_LOOP = 2.0, 0.5
# What the files of a home that hangs say is unknown, and an SDK that reads them would hang as well.
TOO_LATE = "~/.aws, which could not be read in time"


class UserFiles:
    """Says what in the user's files would win over a role session; one that hangs counts as such."""

    def __init__(self) -> None:
        self._threads = DiskThreads(2)

    async def shadow(
        self, environment: Mapping[str, str], cwd: str | None = "", look: Look | None = None
    ) -> str | None:
        """Say what would win, or None; `look` is `aws.user_files.shadowing` or a stand-in for it."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._threads.run(look or shadowing, dict(environment), cwd)
        except TimeoutError:
            return _too_late()

    def shadow_now(self, environment: Mapping[str, str], cwd: str | None = "") -> str | None:
        """Say it where nobody can await it."""
        looking = self._threads.submit(shadowing, dict(environment), cwd)
        try:
            return looking.result(PATIENCE_OF_THE_LOOP)
        except TimeoutError:
            looking.cancel()
            return _too_late()


def _too_late() -> str:
    log.warning("The user's ~/.aws files are set aside: the disk that they are on does not answer")
    return TOO_LATE
