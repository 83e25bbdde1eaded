"""Who may have which role: asked before a start, and again when the token or the role catalogue changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jupyter_wb_aws.errors import HubUserDiffers, RoleNotAllowed, WbAwsError
from jupyter_wb_aws.identity.token import Identity, WebIdentityToken
from jupyter_wb_aws.identity.token_cache import TokenCache
from jupyter_wb_aws.role_sessions.claim_notices import ClaimNotices
from jupyter_wb_aws.role_sessions.context import Context
from jupyter_wb_aws.role_sessions.registry import Registry
from jupyter_wb_aws.role_sessions.role_session import EndReason, RoleSession
from jupyter_wb_aws.roles.catalogue import MIN_FILE_AGE, Catalogue
from jupyter_wb_aws.roles.role import Role, RoleArn
from jupyter_wb_aws.roles.role_catalogue import RoleCatalogue

# The role catalogue may be on a disk or behind a network that hangs: tokens are refreshed all the same.
ROLES_FILE_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Admission:
    """A role that the user may have, with the token and the identity that it was decided by."""

    role: Role
    token: WebIdentityToken
    owner: Identity


class Rights:
    """Decides by the current tokens and the role catalogue.

    Args:
        context: what all parts share.
        sessions: the role sessions to judge.
        token_cache: has the tokens.
        catalogue: the role catalogue.
        claim_notices: log what is wrong with a new token's claims.
    """

    def __init__(
        self,
        context: Context,
        sessions: Registry,
        token_cache: TokenCache,
        catalogue: RoleCatalogue,
        claim_notices: ClaimNotices,
    ) -> None:
        self._context = context
        self._sessions = sessions
        self._token_cache = token_cache
        self._catalogue = catalogue
        self._claim_notices = claim_notices

    # --- Before a start --------------------------------------------------------------------

    async def user(self) -> Identity:
        """Return who the user is now, without any role.

        Raises:
            WbAwsError: if it is not known.
        """
        user = await self._catalogue.ask_user()
        return user or self._token_cache.identity_of(await self._token_cache.current())

    @property
    def known_user(self) -> Identity | None:
        """Who the user is, as far as that is known without asking."""
        token = None if self._catalogue.user else self._token_cache.status(None).token
        return self._token_cache.identity_of(token) if token else self._catalogue.user

    async def offered_roles(self) -> tuple[Identity, list[Role]]:
        """Return who the user is, and the roles that they may pick.

        Raises:
            HubUserDiffers: if the token is not the server's owner's, and the site refuses that.
            WbAwsError: if no token or no catalogue is available.
        """
        user = await self.user()
        catalogue = await self._catalogue.look()
        user = self._catalogue.user or user  # the look may have brought another
        self._require_owners(user)
        offered = catalogue.offered_to(user)
        self._claim_notices.log_new()
        return user, offered

    async def admit(self, arn: RoleArn) -> Admission:
        """Return the role, if this user may have it now.

        Raises:
            RoleNotAllowed: if the role is not offered to the user.
            HubUserDiffers: if the token is not the server's owner's, and the site refuses that.
            WbAwsError: if no token or no catalogue is available.
        """
        token = await self._token_cache.current(str(arn))
        catalogue = await self._catalogue.current()
        owner = self._token_cache.identity_of(token)
        user = self._catalogue.user
        is_anothers = user is not None and not owner.same_user(user)
        # The catalogue may have brought another user, or that the token's key was withdrawn.
        if is_anothers or self._token_cache.is_withdrawn(str(arn)):
            token = await self._token_cache.refresh(str(arn))
            owner = self._token_cache.identity_of(token)
        self._require_owners(owner)
        return Admission(catalogue.get_offered(owner, arn), token, owner)

    def another_user(self, *, refused: bool | None = None) -> HubUserDiffers | None:
        """Return how the user of the current token differs from the server's owner, if so.

        Args:
            refused: only if the site refuses such a user, or only if it does not; None for both.
        """
        server_owner = self._context.settings.server_owner
        if server_owner is None or refused not in (None, server_owner.refuses):
            return None
        sign_in = self._token_cache.source.sign_in
        user = sign_in.user if sign_in else self.known_user
        return server_owner.difference(user) if user else None

    def _require_owners(self, identity: Identity) -> None:
        if (refusal := self._refusal(identity)) is not None:
            raise refusal

    def _refusal(self, identity: Identity) -> HubUserDiffers | None:
        server_owner = self._context.settings.server_owner
        if server_owner is None or not server_owner.refuses:
            return None
        return server_owner.difference(identity)

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
        disallowed = self._judged(sessions, await self._look(self._catalogue.look))
        if self._unsure(disallowed):
            await self._context.clock.sleep(MIN_FILE_AGE)
            disallowed = self._judged(sessions, await self._look(self._catalogue.current))
        unsure = self._unsure(disallowed)
        return {s: reason for s, reason in disallowed.items() if s not in unsure}

    def _unsure(self, disallowed: Mapping[RoleSession, EndReason]) -> list[RoleSession]:
        """Return those that only a catalogue takes away which has just changed."""
        if not self._catalogue.modified_within(MIN_FILE_AGE):
            return []
        withdrawn = (s for s, reason in disallowed.items() if reason == "role_withdrawn")
        return [session for session in withdrawn if not self._is_refused(session)]

    def next_look(self, now: datetime) -> datetime | None:
        """Return when the role catalogue is to be looked at again; None if each time is right."""
        return self._catalogue.next_look(now) if self._sessions.living() else None

    async def _look(self, ask: Callable[[], Coroutine[Any, Any, Catalogue]]) -> Catalogue | None:
        """Return the catalogue in force; an unreadable one takes no role away."""
        with contextlib.suppress(TimeoutError, WbAwsError):
            async with asyncio.timeout(ROLES_FILE_TIMEOUT):
                catalogue, _ = await self._context.tasks.once(
                    "role catalogue", ask, "look at the role catalogue"
                )
                return catalogue
        return self._catalogue.last_good

    def _judged(
        self, sessions: Sequence[RoleSession], catalogue: Catalogue | None
    ) -> dict[RoleSession, EndReason]:
        reasons = ((session, self._judge(session, catalogue)) for session in sessions)
        return {session: reason for session, reason in reasons if reason is not None}

    def _is_refused(self, session: RoleSession) -> bool:
        """Return whether the token source gives the user no token for this role any more."""
        return isinstance(self._sessions.token_status(session).problem, RoleNotAllowed)

    def _judge(self, session: RoleSession, catalogue: Catalogue | None) -> EndReason | None:
        if self._is_refused(session):
            return "role_withdrawn"
        token = self._sessions.token_status(session).token
        by = (token.fingerprint if token else "", catalogue)
        if session.checked_against == by:
            return None
        named = [self._token_cache.identity_of(token)] if token else []
        users = [*named, *filter(None, [self._catalogue.user])]
        if any(not u.same_user(session.owner) or self._refusal(u) for u in users):
            return "identity_changed"
        if not users:
            return None
        if catalogue is not None:
            try:
                session.role = catalogue.get_offered(users[0], session.role.arn)
            except RoleNotAllowed:
                # A typo in the roles file takes nobody's role away.
                if not catalogue.may_continue(users[0], session.role.arn):
                    return "role_withdrawn"
        session.checked_against = by
        return None
