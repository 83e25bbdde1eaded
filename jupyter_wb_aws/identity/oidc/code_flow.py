"""The authorization code flow: what browsers have begun, and what they bring back (OIDC Core 3.1)."""

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
from jupyter_wb_aws.identity.oidc.oauth_client import OAuthClient, TokenResponse
from jupyter_wb_aws.identity.oidc.oauth_errors import (
    OF_THE_USER,
    REGISTERED,
    Meaning,
    OAuthError,
    meaning,
)

# OAuth 2.0 Security BCP (RFC 9700): short, and long enough for a second factor.
ATTEMPT_LIFE = timedelta(minutes=10)
# Each opened page is an attempt; nobody has that many.
MOST_ATTEMPTS = 16
# What the authorization endpoint may say (RFC 6749, 4.1.2.1; OIDC Core 3.1.2.6), for people.
SAID = {
    "access_denied": "you, or the identity provider, said no",
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
    """Where the browser goes, and the cookie that it brings back; `lifetime` is the cookie's, in seconds."""

    authorization_url: str = field(repr=False)
    redirect_uri: str
    cookie_name: str
    cookie: str = field(repr=False)
    lifetime: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in that a browser has begun; that browser has the cookie."""

    cookie_name: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    cookie_digest: bytes = field(repr=False)
    redirect_uri: str
    expires_at: datetime

    def require(self, cookies: Mapping[str, str]) -> None:
        """Want the browser that began it.

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
    """The attempts under way, by their `state`; each is good once, for ten minutes, in one browser."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._attempts: dict[str, Attempt] = {}

    async def begin(
        self, oauth: OAuthClient, redirect_uri: str, wishes: Mapping[str, str]
    ) -> AuthorizationRequest:
        """Begin an attempt; `wishes` are parameters of the authorization request.

        Raises:
            TokenSourceFailed: if the provider can't be asked where its pages are.
        """
        state, nonce, verifier, cookie = (secrets.token_urlsafe(32) for _ in range(4))
        url = await oauth.authorization_url(
            state=state,
            nonce=nonce,
            verifier=verifier,
            redirect_uri=redirect_uri,
            **wishes,
        )
        now = self._clock.now()
        self._attempts = {s: a for s, a in self._attempts.items() if a.expires_at > now}
        while len(self._attempts) >= MOST_ATTEMPTS:
            del self._attempts[next(iter(self._attempts))]
        # Servers on one host share the browser's cookies, so each attempt's has a name of its own.
        name = f"wb-aws-sign-in-{secrets.token_hex(8)}"
        self._attempts[state] = Attempt(
            name, nonce, verifier, _digest(cookie), redirect_uri, now + ATTEMPT_LIFE
        )
        return AuthorizationRequest(
            url, redirect_uri, name, cookie, int(ATTEMPT_LIFE.total_seconds())
        )

    def come_back(self, query: Mapping[str, str], cookies: Mapping[str, str]) -> Attempt:
        """Return the attempt that a callback belongs to, and use it up.

        Raises:
            SignInFailed: if there is none, or another browser began it: for that one it stays good.
        """
        state = query.get("state", "")
        attempt = self._attempts.get(state)
        if attempt is None or attempt.expires_at <= self._clock.now():
            raise SignInFailed(
                "This sign-in is not known here: it is older than ten minutes, was finished before, or was"
                " begun before the server was restarted."
            )
        attempt.require(cookies)
        return self._attempts.pop(state)

    def pending_until(self) -> datetime | None:
        """Tell until when one of them may be finished."""
        return max((attempt.expires_at for attempt in self._attempts.values()), default=None)

    def forget(self) -> None:
        """Let none of them be finished any more."""
        self._attempts.clear()


async def exchange(oauth: OAuthClient, query: Mapping[str, str], attempt: Attempt) -> TokenResponse:
    """Turn what the provider sent back into tokens.

    Raises:
        SignInFailed: if it is not the provider's, or the provider says no.
        TokenSourceFailed: if the provider gives no tokens.
    """
    # RFC 9207: the one who answers must be the one who was asked.
    named = optional_member(query, "iss")
    metadata = await oauth.provider.metadata()
    promised = metadata.get("authorization_response_iss_parameter_supported")
    if (named is not None or promised is True) and named != oauth.provider.issuer:
        raise SignInFailed(
            "The answer is not from the identity provider that was asked.",
            admin_hint="The parameter `iss` of the callback is another than `issuer` (RFC 9207).",
        )
    if error := optional_member(query, "error"):
        said = SAID.get(error, "it does not say why")
        raise SignInFailed(f"The identity provider did not sign you in: {said}.")
    if not query.get("code"):
        raise SignInFailed("The identity provider's answer holds no authorization code.")
    try:
        return await oauth.exchange(
            query["code"], verifier=attempt.verifier, redirect_uri=attempt.redirect_uri
        )
    except OAuthError as refused:
        named_otherwise = refused.error not in REGISTERED and meaning(refused) is Meaning.ENDED
        if refused.error in OF_THE_USER or named_otherwise:
            raise SignInFailed(
                f"The identity provider did not accept this sign-in ({refused}).",
                admin_hint="If each sign-in ends so, compare the redirect URI with the client's registration, and the"
                " clocks of both machines.",
            ) from None
        raise oauth.bad(refused) from None


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
