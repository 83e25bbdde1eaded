"""Who may have which role: asked before a start, and again when the token or the roles file changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_wb_aws.errors import RoleNotAllowed, WbAwsError
from jupyter_wb_aws.identity.token import Identity, WebIdentityToken
from jupyter_wb_aws.identity.token_cache import TokenCache
from jupyter_wb_aws.role_sessions.claim_notices import ClaimNotices
from jupyter_wb_aws.role_sessions.context import Context
from jupyter_wb_aws.role_sessions.registry import Registry
from jupyter_wb_aws.role_sessions.role_session import EndReason, RoleSession
from jupyter_wb_aws.roles.catalogue import Catalogue
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile
from jupyter_wb_aws.roles.role import Role, RoleArn

# The roles file may be on a file system that hangs: tokens are refreshed all the same.
ROLES_FILE_TIMEOUT = 5.0
# A file written within this many seconds may be half of one, with fewer roles in it.
MIN_FILE_AGE = 1.0


@dataclass(frozen=True, slots=True)
class Admission:
    """A role that the user may have, with the token and the identity that it was decided by."""

    role: Role
    token: WebIdentityToken
    owner: Identity


class Rights:
    """Decides by the current token and the roles file.

    Args:
        context: what all parts share.
        sessions: the role sessions to judge.
        token_cache: has the tokens.
        catalogue: the roles file.
        claim_notices: log what is wrong with a new token's claims.
    """

    def __init__(
        self,
        context: Context,
        sessions: Registry,
        token_cache: TokenCache,
        catalogue: CatalogueFile,
        claim_notices: ClaimNotices,
    ) -> None:
        self._context = context
        self._sessions = sessions
        self._token_cache = token_cache
        self._catalogue = catalogue
        self._claim_notices = claim_notices

    # --- Before a start --------------------------------------------------------------------

    async def offered_roles(self) -> tuple[Identity, list[Role]]:
        """Return who the user is, and the roles that they may pick.

        Raises:
            WbAwsError: if no token or no catalogue is available.
        """
        identity = self._token_cache.identity_of(await self._token_cache.current())
        offered = (await self._catalogue.current()).offered_to(identity)
        self._claim_notices.log_new()
        return identity, offered

    async def admit(self, arn: RoleArn) -> Admission:
        """Return the role, if this user may have it now.

        Raises:
            RoleNotAllowed: if the role is not offered to the user.
            WbAwsError: if no token or no catalogue is available.
        """
        token = await self._token_cache.current(str(arn))
        owner = self._token_cache.identity_of(token)
        role = (await self._catalogue.current()).get_offered(owner, arn)
        return Admission(role, token, owner)

    # --- While it is used ------------------------------------------------------------------

    def of_other_users(self) -> list[RoleSession]:
        """Return the role sessions whose owner is neither the signed-in user nor, without a sign-in, the newest token's."""
        return [session for session in self._sessions.living() if self._is_of_another(session)]

    def _is_of_another(self, session: RoleSession) -> bool:
        sign_in = self._token_cache.source.sign_in
        user = sign_in.user if sign_in else None
        token = self._sessions.token_status(session).token
        if user is None and token is not None and token.fingerprint != session.file_fingerprint:
            user = self._token_cache.identity_of(token)
        return user is not None and not session.owner.same_user(user)

    async def find_disallowed(self) -> dict[RoleSession, EndReason]:
        """Return the role sessions that must end, with the reason: another user's token, or a withdrawn role.

        The others' `role` is updated from the catalogue.
        """
        self._claim_notices.log_new()
        sessions = self._sessions.living()
        if not sessions:
            return {}
        disallowed = self._judged(sessions, await self._look())
        if "role_withdrawn" in disallowed.values() and self._catalogue.modified_within(
            MIN_FILE_AGE
        ):
            await self._context.clock.sleep(MIN_FILE_AGE)
            disallowed = self._judged(sessions, await self._look())
        return disallowed

    async def _look(self) -> Catalogue | None:
        """Return the catalogue in force; an unreadable one takes no role away."""
        with contextlib.suppress(TimeoutError, WbAwsError):
            async with asyncio.timeout(ROLES_FILE_TIMEOUT):
                catalogue, _ = await self._context.tasks.once(
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
        token = self._sessions.token_status(session).token
        if token is None:
            return None
        by = (token.fingerprint, catalogue)
        if session.checked_against == by:
            return None
        identity = self._token_cache.identity_of(token)
        if not identity.same_user(session.owner):
            return "identity_changed"
        if catalogue is not None:
            try:
                session.role = catalogue.get_offered(identity, session.role.arn)
            except RoleNotAllowed:
                # A typo in the roles file takes nobody's role away.
                if not catalogue.may_continue(identity, session.role.arn):
                    return "role_withdrawn"
        session.checked_against = by
        return None
