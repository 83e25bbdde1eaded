"""The authorization code flow: requests that browsers have begun, and what they bring back (OIDC Core 3.1)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import SignInFailed
from jupyter_wb_aws.identity.claims import optional_member
from jupyter_wb_aws.identity.oidc.oauth_client import OAuthClient
from jupyter_wb_aws.identity.oidc.oauth_errors import (
    REGISTERED_CODES,
    USER_CODES,
    ErrorKind,
    OAuthError,
    classify,
)
from jupyter_wb_aws.identity.oidc.oauth_responses import TokenResponse

# OAuth 2.0 Security BCP (RFC 9700): short, and long enough for a second factor.
REQUEST_TIMEOUT = timedelta(minutes=10)
# Each opened page is a request; nobody needs this many.
MAX_REQUESTS = 16
# Errors of the authorization endpoint (RFC 6749, 4.1.2.1; OIDC Core 3.1.2.6), in words for the user.
ERROR_REASONS = {
    "access_denied": "you or the identity provider refused",
    "login_required": "the identity provider wants you to sign in there first",
    "interaction_required": "the identity provider wants to ask you something first",
    "consent_required": "the identity provider wants your consent first",
    "invalid_scope": "the identity provider does not give what this server asks for (scope)",
    "unauthorized_client": "this server is not registered for that at the identity provider",
    "invalid_request": "the identity provider can't read the request",
    "server_error": "the identity provider has a problem of its own",
    "temporarily_unavailable": "the identity provider is busy",
}


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """Where to send the browser, and the cookie that it has to bring back.

    `lifetime` is the cookie's, in seconds.
    """

    authorization_url: str = field(repr=False)
    redirect_uri: str
    cookie_name: str
    cookie: str = field(repr=False)
    lifetime: int


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """An authorization request that one browser has begun: the one that has its cookie."""

    cookie_name: str
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    cookie_digest: bytes = field(repr=False)
    redirect_uri: str
    expires_at: datetime

    def check_browser(self, cookies: Mapping[str, str]) -> None:
        """Check that this is the browser that began the request.

        Raises:
            SignInFailed: if it is another.
        """
        if not hmac.compare_digest(_digest(cookies.get(self.cookie_name, "")), self.cookie_digest):
            raise SignInFailed(
                "This sign-in was begun in another browser, or under another address of this server.",
                hint="Go on in the browser in which you began, or sign in again here, under the address of Jupyter"
                " that your administrator gave you.",
            )


class CodeFlow:
    """The pending requests, by their `state`. Each works once, for ten minutes, in one browser."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pending: dict[str, PendingRequest] = {}

    async def begin(
        self, oauth: OAuthClient, redirect_uri: str, parameters: Mapping[str, str]
    ) -> AuthorizationRequest:
        """Begin a request.

        Args:
            oauth: the client at the provider.
            redirect_uri: where the provider sends the browser back to.
            parameters: added to the authorization request.

        Raises:
            TokenSourceFailed: if the provider's metadata can't be fetched.
        """
        state, nonce, code_verifier, cookie = (secrets.token_urlsafe(32) for _ in range(4))
        url = await oauth.authorization_url(
            state=state,
            nonce=nonce,
            code_verifier=code_verifier,
            redirect_uri=redirect_uri,
            **parameters,
        )
        now = self._clock.now()
        self._pending = {s: r for s, r in self._pending.items() if r.expires_at > now}
        while len(self._pending) >= MAX_REQUESTS:
            del self._pending[next(iter(self._pending))]
        # Servers on one host share the browser's cookies, so each request's cookie has its own name.
        name = f"wb-aws-sign-in-{secrets.token_hex(8)}"
        self._pending[state] = PendingRequest(
            name, nonce, code_verifier, _digest(cookie), redirect_uri, now + REQUEST_TIMEOUT
        )
        lifetime = int(REQUEST_TIMEOUT.total_seconds())
        return AuthorizationRequest(url, redirect_uri, name, cookie, lifetime)

    def take(self, query: Mapping[str, str], cookies: Mapping[str, str]) -> PendingRequest:
        """Remove and return the request that a callback belongs to.

        Raises:
            SignInFailed: if there is none, or another browser began it; it then stays pending for that one.
        """
        state = query.get("state", "")
        pending = self._pending.get(state)
        if pending is None or pending.expires_at <= self._clock.now():
            raise SignInFailed(
                "This sign-in is not known here: it is older than ten minutes, was completed before, or began"
                " before the server was restarted."
            )
        pending.check_browser(cookies)
        return self._pending.pop(state)

    def pending_until(self) -> datetime | None:
        """When the last pending request expires; None if there is none."""
        return max((pending.expires_at for pending in self._pending.values()), default=None)

    def cancel(self) -> None:
        """Drop all pending requests."""
        self._pending.clear()


async def exchange_code(
    oauth: OAuthClient, query: Mapping[str, str], pending: PendingRequest
) -> TokenResponse:
    """Exchange what the provider sent back for tokens.

    Args:
        oauth: the client at the provider.
        query: the callback's parameters.
        pending: the request that they answer.

    Raises:
        SignInFailed: if another issuer answered, or the provider refuses the sign-in.
        TokenSourceFailed: if the provider gives no tokens.
    """
    # RFC 9207: the issuer that answers must be the one that was asked.
    issuer = optional_member(query, "iss")
    metadata = await oauth.provider.metadata()
    promised = metadata.get("authorization_response_iss_parameter_supported")
    if (issuer is not None or promised is True) and issuer != oauth.provider.issuer:
        raise SignInFailed(
            "The answer is not from the identity provider that was asked.",
            admin_hint="The parameter `iss` of the callback differs from `issuer` (RFC 9207).",
        )
    if code := optional_member(query, "error"):
        reason = ERROR_REASONS.get(code, "it does not say why")
        raise SignInFailed(f"The identity provider did not sign you in: {reason}.")
    if not query.get("code"):
        raise SignInFailed("The identity provider's answer has no authorization code.")
    try:
        return await oauth.exchange(
            query["code"], code_verifier=pending.code_verifier, redirect_uri=pending.redirect_uri
        )
    except OAuthError as error:
        unregistered = error.code not in REGISTERED_CODES and classify(error) is ErrorKind.ENDED
        if error.code in USER_CODES or unregistered:
            raise SignInFailed(
                f"The identity provider did not accept this sign-in ({error}).",
                admin_hint="If every sign-in fails like this, compare the redirect URI with the client's registration,"
                " and the clocks of both machines.",
            ) from None
        raise oauth.explain(error) from None


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
