"""Having the provider end what it gave: refresh tokens, and its own session with the browser."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from dataclasses import dataclass

from jupyter_wb_aws.errors import WbAwsError
from jupyter_wb_aws.identity.oidc.grant import Grant
from jupyter_wb_aws.identity.oidc.oauth_client import OAuthClient

log = logging.getLogger(__name__)

# Refresh tokens that wait to be revoked: as many as somebody signs in again without signing out.
MOST_STALE = 20


@dataclass(frozen=True, slots=True)
class SignOutResult:
    """What became of a sign-in at the provider.

    `revoked` is False where the provider could not be told; `end_session_url` ends the browser's own
    session there.
    """

    revoked: bool
    end_session_url: str | None


class Revocation:
    """Refresh tokens that nobody uses any longer, until the provider has revoked them."""

    def __init__(self, oauth: OAuthClient) -> None:
        self._oauth = oauth
        self._stale: deque[str] = deque(maxlen=MOST_STALE)

    def add(self, refresh_token: str | None) -> None:
        """Keep a refresh token in mind, if there is one."""
        if refresh_token is not None:
            self._stale.append(refresh_token)

    @property
    def waits(self) -> bool:
        """Whether there is one to revoke."""
        return bool(self._stale)

    async def revoke(self, *first: str) -> tuple[bool, bool]:
        """Revoke them; return whether that worked, and whether the provider answers at all."""
        stale, done = [*first, *self._stale], True
        self._stale.clear()
        for refresh_token in stale:
            try:
                done &= await self._oauth.revoke(refresh_token)
            except WbAwsError as problem:
                log.warning("A refresh token could not be revoked: %s", problem.detail)
                return False, False  # the others would only wait
        return done, True

    async def end(self, grant: Grant | None) -> SignOutResult:
        """Have the provider end a sign-in, as far as it listens."""
        if grant is None:
            revoked, _ = await self.revoke()
            return SignOutResult(revoked, None)
        living = [grant.refresh_token] if grant.refresh_token is not None else []
        revoked, answers = await self.revoke(*living)
        return SignOutResult(revoked, await self._end_session(grant, call=answers))

    async def _end_session(self, grant: Grant, *, call: bool) -> str | None:
        """Return the page that ends the session at the provider, if it has one; `call` it, too."""
        with contextlib.suppress(WbAwsError):
            url = await self._oauth.provider.endpoint("end_session_endpoint")
            if url is not None and call:
                with contextlib.suppress(WbAwsError):
                    await self._oauth.end_session(url, grant.id_token.reveal())
            return url
        return None
