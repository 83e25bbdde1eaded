"""The grant of the user who is signed in: gives its token, refreshes it, notices when it has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from jupyter_wb_aws.errors import SignInRequired, WbAwsError
from jupyter_wb_aws.identity.oidc.grant import SIGN_IN_HINT, Grant, Grants, with_sign_in_hint
from jupyter_wb_aws.identity.oidc.oauth_client import OAuthClient
from jupyter_wb_aws.identity.oidc.revocation import PendingRevocations
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.tasks import Tasks

log = logging.getLogger(__name__)


class CurrentGrant:
    """At most one grant, refreshed at most once at a time.

    A provider that sees a refresh token twice assumes that it was stolen, and ends the sign-in.

    Args:
        grants: refreshes grants, and knows when one has ended.
        oauth: the client at the provider.
        revocations: takes the refresh token of a grant that has ended.
        tasks: owns the refresh.
        on_change: called when the grant ends, is suspended or works again.
    """

    def __init__(
        self,
        grants: Grants,
        oauth: OAuthClient,
        revocations: PendingRevocations,
        tasks: Tasks,
        on_change: Callable[[], None],
    ) -> None:
        self.grant: Grant | None = None
        self.problem: WbAwsError | None = None
        """Why the last sign-in failed or ended."""
        self._grants = grants
        self._oauth = oauth
        self._revocations = revocations
        self._tasks = tasks
        self._on_change = on_change

    @property
    def active(self) -> Grant | None:
        """The grant, unless it is suspended."""
        return self.grant if self.grant is not None and self.grant.suspended_by is None else None

    async def newest_token(self) -> WebIdentityToken:
        """Return the token of a sign-in that was just completed, else a refreshed one.

        Raises:
            SignInRequired: if nobody is signed in, or the sign-in has ended.
            WbAwsError: if the provider does not give a token now.
        """
        if (reason := self._end_by_rules()) is not None:
            raise reason
        grant = self.grant
        if grant is None:
            raise self._sign_in_required()
        if not grant.token_delivered:
            grant.token_delivered = True
            return grant.token
        if not grant.can_refresh(self._grants.clock.now()):
            return grant.token
        if grant.refreshing is None or grant.refreshing.done():
            grant.refreshing = self._tasks.begin(self._refresh(grant), "token refresh")
        try:
            # A caller that stops waiting must not lose the response: its refresh token replaces ours.
            return await asyncio.shield(grant.refreshing)
        except WbAwsError:
            if self.grant is None or self.grant is grant:
                raise
        return await self.newest_token()  # another sign-in was completed in the meantime

    async def _refresh(self, grant: Grant) -> WebIdentityToken:
        suspended_by = grant.suspended_by
        try:
            token = await self._grants.refresh(grant, self._oauth)
        except SignInRequired as reason:
            if self.grant is grant and reason is not grant.suspended_by:
                self._end(reason)
            elif self.grant is grant and suspended_by is None:
                self._suspend(reason)
            raise self._sign_in_required() from None
        except WbAwsError:
            if self.grant is grant and suspended_by is not None:
                raise self._sign_in_required() from None  # what the user has to do is the same
            raise
        if self.grant is not grant:  # signed out, or in again, in the meantime
            raise self._sign_in_required()
        if suspended_by is not None:
            log.info("The sign-in works again: subject %r", grant.identity.subject)
            self.problem = None
            self._on_change()
        return token

    def end_if_expired(self) -> SignInRequired | None:
        """End or suspend the sign-in if its time is over, and return why; None if there is nothing to end."""
        if (reason := self._end_by_rules()) is not None:
            return reason
        grant = self.active
        if grant is None or grant.unclear_refusal is None:
            return None
        if self._grants.clock.now() < grant.token.expires_at:
            return None
        grant.suspended_by = grant.unclear_refusal
        self._suspend(grant.suspended_by)
        return self._sign_in_required()

    def _suspend(self, reason: SignInRequired) -> None:
        """Keep the grant, which may work again, and report that the user has to sign in."""
        log.warning("The sign-in is suspended: %s", reason.detail)
        self.problem = with_sign_in_hint(reason)
        self._on_change()

    def _end_by_rules(self) -> SignInRequired | None:
        reason = self._grants.end_reason(self.grant) if self.grant else None
        if reason is None:
            return None
        self._end(reason)
        return self._sign_in_required()

    def _end(self, reason: SignInRequired) -> None:
        log.warning("The sign-in has ended: %s", reason.detail)
        if self.grant is not None:
            # Revoked when the user signs out: the provider or a rule of the site ended this sign-in.
            self._revocations.add(self.grant.refresh_token)
        self.grant = None
        self.problem = with_sign_in_hint(reason)
        self._on_change()

    def _sign_in_required(self) -> SignInRequired:
        reason = self.grant.suspended_by if self.grant else self.problem
        if isinstance(reason, SignInRequired):
            return with_sign_in_hint(reason)
        return SignInRequired("You are not signed in.", hint=SIGN_IN_HINT)
