"""Whether a running role session is still its owner's: by the token in hand, and by the roles file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import RoleNotAllowed, WbAwsError
from jupyter_wb_aws.identity.token_cache import TokenCache
from jupyter_wb_aws.role_sessions.role_session import EndReason, RoleSession
from jupyter_wb_aws.roles.catalogue import Catalogue
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile
from jupyter_wb_aws.tasks import Tasks

# The roles file may lie on a file system that hangs: tokens are renewed all the same.
LOOK_PATIENCE = 5.0
# A file that was written so lately may be half of one, with fewer roles in it.
SETTLING = 1.0


class Rights:
    """Judges role sessions anew when the token, or the roles file, has changed.

    Args:
        token_cache: holds the tokens.
        catalogue: the roles file.
        clock: tells whether the file was written just now.
        tasks: own the looks at the file, of which one runs at a time.
    """

    def __init__(
        self, token_cache: TokenCache, catalogue: CatalogueFile, clock: Clock, tasks: Tasks
    ) -> None:
        self._token_cache = token_cache
        self._catalogue = catalogue
        self._clock = clock
        self._tasks = tasks

    async def lost(self, sessions: Sequence[RoleSession]) -> dict[RoleSession, EndReason]:
        """Return the role sessions that are their owner's no more, each with the reason.

        What the catalogue says of a role today is taken over by those that stay.
        """
        if not sessions:
            return {}
        lost = self._judged(sessions, await self._look())
        if "role_withdrawn" in lost.values() and self._catalogue.written_within(SETTLING):
            await self._clock.sleep(SETTLING)
            lost = self._judged(sessions, await self._look())
        return lost

    async def _look(self) -> Catalogue | None:
        """Return the catalogue in force; an unreadable one takes no role away."""
        with contextlib.suppress(TimeoutError, WbAwsError):
            async with asyncio.timeout(LOOK_PATIENCE):
                catalogue, _ = await self._tasks.once(
                    "roles file", self._catalogue.current, "look at the roles file"
                )
                return catalogue
        return self._catalogue.last_good

    def _judged(
        self, sessions: Sequence[RoleSession], catalogue: Catalogue | None
    ) -> dict[RoleSession, EndReason]:
        reasons = ((session, self._judge(session, catalogue)) for session in sessions)
        return {session: reason for session, reason in reasons if reason is not None}

    def _judge(self, session: RoleSession, catalogue: Catalogue | None) -> EndReason | None:
        token = self._token_cache.status(str(session.role.arn)).token
        if token is None:
            return None
        by = (token.fingerprint, catalogue)
        if session.found_rightful_by == by:
            return None
        identity = self._token_cache.identity_of(token)
        if not identity.same_user(session.owner):
            return "identity_changed"
        if catalogue is not None:
            try:
                session.role = catalogue.pick(identity, session.role.arn)
            except RoleNotAllowed:
                # A typo in the roles file takes nobody's role away.
                if not catalogue.keeps(identity, session.role.arn):
                    return "role_withdrawn"
        session.found_rightful_by = by
        return None
