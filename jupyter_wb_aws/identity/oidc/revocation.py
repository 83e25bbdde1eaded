"""Ending at the provider what it gave: refresh tokens, and its own session with the browser."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from dataclasses import dataclass

from jupyter_wb_aws.errors import WbAwsError
from jupyter_wb_aws.identity.oidc.grant import Grant
from jupyter_wb_aws.identity.oidc.oauth_client import OAuthClient

log = logging.getLogger(__name__)

# How many refresh tokens wait to be revoked: one for each sign-in without a sign-out before it.
MAX_PENDING = 20


@dataclass(frozen=True, slots=True)
class SignOutResult:
    """How a sign-in ended at the provider.

    `revoked` is False if the refresh token could not be revoked. `end_session_url` ends the browser's own
    session there; None if the provider has no such page.
    """

    revoked: bool
    end_session_url: str | None


class PendingRevocations:
    """Refresh tokens that are no longer used, until the provider has revoked them."""

    def __init__(self, oauth: OAuthClient) -> None:
        self._oauth = oauth
        self._pending: deque[str] = deque(maxlen=MAX_PENDING)

    def add(self, refresh_token: str | None) -> None:
        """Remember a refresh token, if there is one."""
        if refresh_token is not None:
            self._pending.append(refresh_token)

    @property
    def pending(self) -> bool:
        """Whether there are tokens to revoke."""
        return bool(self._pending)

    async def revoke(self, *first: str) -> tuple[bool, bool]:
        """Revoke them; return whether that worked, and whether the provider answers at all."""
        tokens, revoked = [*first, *self._pending], True
        self._pending.clear()
        for refresh_token in tokens:
            try:
                revoked &= await self._oauth.revoke(refresh_token)
            except WbAwsError as problem:
                log.warning("A refresh token could not be revoked: %s", problem.detail)
                return False, False  # the others would only wait
        return revoked, True

    async def end_sign_in(self, grant: Grant | None) -> SignOutResult:
        """Ask the provider to end a sign-in; failures are part of the result."""
        if grant is None:
            revoked, _ = await self.revoke()
            return SignOutResult(revoked, None)
        current = [grant.refresh_token] if grant.refresh_token is not None else []
        revoked, answers = await self.revoke(*current)
        return SignOutResult(revoked, await self._end_session(grant, call=answers))

    async def _end_session(self, grant: Grant, *, call: bool) -> str | None:
        """Return the page that ends the session at the provider, if there is one.

        Args:
            grant: whose session.
            call: whether this server calls the endpoint too.
        """
        with contextlib.suppress(WbAwsError):
            url = await self._oauth.provider.endpoint("end_session_endpoint")
            if url is not None and call:
                with contextlib.suppress(WbAwsError):
                    await self._oauth.end_session(url, grant.id_token.reveal())
            return url
        return None
