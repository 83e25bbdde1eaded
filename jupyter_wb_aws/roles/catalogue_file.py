"""The roles file: read again when it changes."""

from __future__ import annotations

import asyncio
import logging
import stat
from datetime import datetime
from pathlib import Path

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.disk_threads import DiskThreads
from jupyter_wb_aws.errors import CatalogueUnavailable, WbAwsError
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.roles.catalogue import BadEntry, Catalogue
from jupyter_wb_aws.roles.catalogue_parser import InvalidCatalogue, describe, parse
from jupyter_wb_aws.roles.file_permissions import explain_unsafe_permissions
from jupyter_wb_aws.roles.token_parser import CheckToken

log = logging.getLogger(__name__)

# Seconds. A file server dates files by its own clock, which may be ahead of ours.
MAX_CLOCK_SKEW = 300.0
# Seconds that a request waits for the file's disk; then the last good catalogue is used.
READ_TIMEOUT = 5.0
# Seconds for which the thread that reads it waits for the next request.
IDLE_SECONDS = 10.0
EFFECTS = {
    "kept": "its last good version stays in force",
    "offered_to_nobody": "it is offered to nobody until this is corrected; running role sessions go on",
    "left_out": "it is left out",
}


def describe_bad_entry(bad: BadEntry) -> str:
    """Return a clause that says which entry is bad, why, and what that means."""
    what = f" (role {bad.arn.name})" if bad.arn and bad.arn.name not in bad.reason else ""
    return f"{describe(bad).removesuffix('.')}{what}; {EFFECTS[bad.effect]}"


class CatalogueFile:
    """The roles file, read again when it changes.

    While the file is broken or its disk does not answer, the last good catalogue stays in force. A bad entry
    keeps its own last good version, if possible. `problem` is what is wrong with the file as a whole.
    `unsafe_permissions` explains how users other than root and the server's could change the file; None if they
    can't.

    Args:
        path: the file.
        clock: dates the catalogues.
        check_token: the hub service's check of the tokens for a role; None for a server's own roles file.
        read_timeout: the seconds that a look waits for the disk, if not five.
    """

    what = "roles file"
    disk_setting: str | None = "WbAwsApp.roles_file"
    failure: WbAwsError | None = None

    def __init__(
        self,
        path: Path,
        clock: Clock,
        check_token: CheckToken | None = None,
        read_timeout: float | None = None,
    ) -> None:
        self.path = path
        self.problem: InvalidCatalogue | None = None
        self.unsafe_permissions: str | None = None
        self._clock = clock
        self._check_token = check_token
        self._read_timeout = read_timeout
        self._good: Catalogue | None = None
        self._seen: tuple[int, ...] | None = None
        self._threads = DiskThreads(idle_seconds=IDLE_SECONDS)

    @property
    def last_good(self) -> Catalogue | None:
        """The catalogue in force; None if none was ever read."""
        return self._good

    @property
    def where(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def user(self) -> Identity | None:
        """None: the file is for all users."""
        return None

    async def current(self) -> Catalogue:
        """Return the catalogue of the file as it is now, else the last good one.

        Raises:
            CatalogueUnavailable: if there has never been a good one.
        """
        try:
            async with asyncio.timeout(self._read_timeout or READ_TIMEOUT):
                await self._threads.look(self._look)
        except TimeoutError:
            self._broken(InvalidCatalogue("its disk does not answer"), ())
        if self._good is None:
            assert self.problem is not None
            raise CatalogueUnavailable(
                "The roles file can't be used.", admin_hint=f"{self.path}: {describe(self.problem)}"
            )
        return self._good

    async def ask_user(self) -> Identity | None:
        """Return None: the file is for all users."""
        return None

    async def look(self) -> Catalogue:
        """Return the same as `current`: it costs a look at the file's date.

        Raises:
            CatalogueUnavailable: if there has never been a good one.
        """
        return await self.current()

    def next_look(self, now: datetime) -> datetime | None:  # noqa: ARG002
        """Return None: each time is right."""
        return None

    async def close(self) -> None:
        """Do nothing: the file is not kept open."""

    def modified_within(self, seconds: float) -> bool:
        """Whether the file, as it was last read, was written less than `seconds` ago."""
        if not self._seen or self._good is None:
            return False
        now = self._clock.now()
        # A date that is ahead must not make the file new for minutes: it has been as it is since we read it.
        age = now.timestamp() - self._seen[0] / 1e9
        return -MAX_CLOCK_SKEW < age < seconds > (now - self._good.loaded_at).total_seconds()

    def _look(self) -> None:
        self._read_if_changed()
        exposed = self._exposure()
        if exposed and exposed != self.unsafe_permissions:
            log.warning("The roles file %s: %s", self.path, exposed)
        self.unsafe_permissions = exposed

    def _exposure(self) -> str | None:
        try:
            how = explain_unsafe_permissions(self.path)
        except (OSError, ValueError):  # an unreadable file is a problem of its own
            return None
        return f"{how}, who can offer any role to anyone" if how else None

    def _read_if_changed(self) -> None:
        try:
            status = self.path.stat()
            seen: tuple[int, ...] = (status.st_mtime_ns, status.st_size, status.st_ino)
        except FileNotFoundError:
            self._broken(InvalidCatalogue("it does not exist"), ())
            return
        except (OSError, ValueError) as error:  # the latter: a NUL in the path
            reason = error.strerror if isinstance(error, OSError) else error
            self._broken(InvalidCatalogue(f"the file can't be read: {reason}"), ())
            return
        if seen == self._seen:
            return
        if not stat.S_ISREG(status.st_mode):  # a FIFO would block every reader
            self._broken(InvalidCatalogue("it is not a regular file"), seen)
            return
        try:
            text = self.path.read_bytes().decode("utf-8-sig")
            self._good = parse(text, self._clock.now(), self._good, self._check_token)
        except OSError as error:
            self._broken(InvalidCatalogue(f"the file can't be read: {error.strerror}"), ())
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            self._broken(InvalidCatalogue("the file is not UTF-8", line), seen)
        except InvalidCatalogue as broken:
            self._broken(broken, seen)
        else:
            self.problem, self._seen = None, seen
            log.info("Read the roles file %s (roles: %d)", self.path, len(self._good.entries))
            for bad in self._good.problems:
                log.error("The roles file %s, %s", self.path, describe_bad_entry(bad))

    def _broken(self, problem: InvalidCatalogue, seen: tuple[int, ...]) -> None:
        if self.problem is None or str(self.problem) != str(problem) or seen != self._seen:
            kept = (
                "the last good version stays in force" if self._good else "no role can be offered"
            )
            log.error(
                "The roles file %s can't be used (%s); %s", self.path, describe(problem), kept
            )
        self.problem, self._seen = problem, seen
