"""What decides which roles the user is offered: a roles file, or a token source that knows them itself."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from jupyter_wb_aws.errors import WbAwsError
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.roles.catalogue import Catalogue
from jupyter_wb_aws.roles.entry_parser import InvalidCatalogue


class RoleCatalogue(Protocol):
    """The role catalogue of a server, however it is kept.

    Attributes:
        what: names it in sentences: "roles file".
        disk_setting: the setting that says on which disk it is; None if it is on none.
        where: its path or URL.
        problem: what is wrong with it as a whole; then the last good version stays in force.
        failure: why it could not be asked; then, too.
        unsafe_permissions: how other users could change it; None if they can't.
    """

    what: str
    disk_setting: str | None
    problem: InvalidCatalogue | None
    failure: WbAwsError | None
    unsafe_permissions: str | None

    @property
    def where(self) -> str:
        """Where an administrator finds it."""
        ...

    @property
    def last_good(self) -> Catalogue | None:
        """The catalogue in force; None if none was ever read."""
        ...

    @property
    def user(self) -> Identity | None:
        """Whom the catalogue in force is for; None if it is for all users, and a token says who this one is."""
        ...

    async def current(self) -> Catalogue:
        """Return the catalogue as it is now, else the last good one.

        Raises:
            WbAwsError: if there has never been a good one, or the user may have no role at all.
        """
        ...

    async def ask_user(self) -> Identity | None:
        """Return whom the catalogue is for, asked now; None if a token says who the user is.

        Raises:
            WbAwsError: see `current`.
        """
        ...

    async def look(self) -> Catalogue:
        """Return the catalogue in force, looked at again if that is due.

        Raises:
            WbAwsError: see `current`.
        """
        ...

    def next_look(self, now: datetime) -> datetime | None:
        """Return when `look` is due; None if it costs nothing, and each time is right."""
        ...

    async def close(self) -> None:
        """End what runs in the background: the server is being stopped."""
        ...

    def modified_within(self, seconds: float) -> bool:
        """Return whether it has just changed, so that half of it may still be missing: ask again before you believe it.

        Args:
            seconds: the age from which a file counts as written.
        """
        ...
