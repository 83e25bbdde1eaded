"""Checks the user's own `~/.aws` files when a process starts; the disk they are on may hang."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from jupyter_wb_aws.aws.file_conflicts import find_conflict
from jupyter_wb_aws.disk_threads import DiskThreads

Find = Callable[[Mapping[str, str], str | None], str | None]

log = logging.getLogger(__name__)

# Seconds. A kernel waits for the first; a terminal, and with it the event loop, for the second.
CHECK_TIMEOUT, BLOCKING_CHECK_TIMEOUT = 2.0, 0.5
# An SDK that reads files on a disk that hangs would hang as well.
NOT_READ_IN_TIME = "~/.aws, which could not be read in time"


class _ReadVariables(Mapping[str, str]):
    """An environment that notes which of its variables were read."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._read: set[str] = set()
        self._listed = False

    def __getitem__(self, name: str) -> str:
        self._read.add(name)
        return self._environment[name]

    def __iter__(self) -> Iterator[str]:
        self._listed = True
        return iter(self._environment)

    def __len__(self) -> int:
        return len(self._environment)

    def are_the_same_in(self, environment: Mapping[str, str]) -> bool:
        """Return whether what was read is the same in another environment."""
        if self._listed:
            return self._environment == environment
        return all(self._environment.get(name) == environment.get(name) for name in self._read)


@dataclass(frozen=True, slots=True)
class BegunCheck:
    """A check that runs since before all variables of its process were known."""

    _variables: _ReadVariables
    _conflict: Future[str | None]

    async def finds_nothing(self, environment: Mapping[str, str]) -> bool:
        """Wait for its end; return whether it is good for this environment too, and there is no conflict."""
        if not self._conflict.done():  # asyncio takes a turn of its own even for one that is
            await asyncio.wrap_future(self._conflict)
        return self._conflict.result() is None and self._variables.are_the_same_in(environment)


class ConflictCheck:
    """Finds what in the user's files conflicts with a role session. A disk that hangs is a conflict."""

    def __init__(self) -> None:
        self._threads = DiskThreads(2)

    def begin(self, environment: Mapping[str, str]) -> BegunCheck | None:
        """Begin a check for a process that starts in a moment, probably in this environment.

        A busy machine may need milliseconds to give a thread its turn. None if it can't start a thread now.
        """
        variables = _ReadVariables(environment)
        try:
            return BegunCheck(variables, self._threads.submit(find_conflict, variables, None))
        except RuntimeError:
            return None

    async def find(
        self,
        environment: Mapping[str, str],
        cwd: str | None = "",
        find: Find | None = None,
        begun: BegunCheck | None = None,
    ) -> str | None:
        """Return the conflict in words, or None; see `aws.file_conflicts.find_conflict`.

        Args:
            environment: the environment of the process, with the user's own files in it.
            cwd: the folder that the process starts in; None if it is not known.
            find: replaces `find_conflict`.
            begun: what `begin` returned for this process.
        """
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                if begun is not None and await begun.finds_nothing(environment):
                    return None
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
