"""What a sign-in has brought: whose it is, its newest token for AWS, and how the next one is had.

The refresh token is in memory only, and a new one takes the old one's place before anything else is
done with the answer that brought it.
"""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import SignInFailed, SignInRequired, TokenInvalid
from jupyter_wb_aws.identity.claims import optional_member
from jupyter_wb_aws.identity.oidc.oauth_errors import UnclearRefusal
from jupyter_wb_aws.identity.provider import shown
from jupyter_wb_aws.identity.token import Identity, WebIdentityToken

if TYPE_CHECKING:
    from jupyter_wb_aws.identity.oidc.oauth_client import OAuthClient, TokenResponse
    from jupyter_wb_aws.identity.token_verifier import TokenVerifier

# After a refresh that brought no new token: a quarter of what is left of the old one later.
PAUSE = 0.25
SHORTEST_PAUSE = timedelta(seconds=10)
LAST_TIME = 10**10  # in the year 2286
HOW = "Sign in with `jupyter wb-aws sign-in`, then repeat what you did."
NOT_RENEWED = "Your sign-in is over: the identity provider does not renew it."
NOT_RENEWED_HINT = (
    "The provider gave no refresh token, or no new id token for it: see `scopes` (`offline_access`) of the"
    " token source."
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a site decides about sign-ins.

    `web_identity` is which token AWS gets. `longest` is the age at which a sign-in is over; zero: as
    long as the provider lets it. `name_claim` and `groups_claim` read who a token speaks of.
    """

    web_identity: Literal["id_token", "access_token"] = "id_token"
    longest: timedelta = timedelta(0)
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"


@dataclass(slots=True)
class Grant:
    """Who is signed in, since when, and by what.

    `taken` tells that `token` was handed out; `ask_after`, that the last refresh brought no new one,
    and when to try again; `refreshing` is the one refresh that runs. `refused` is set while the sign-in
    waits: the token has expired, and the last refresh was refused in a way that does not say whether
    the refresh token has ended; `doubt` is such a refusal while the token lives.
    """

    identity: Identity
    token: WebIdentityToken
    id_token: WebIdentityToken
    refresh_token: str | None = field(repr=False)
    scope: str | None
    since: datetime
    ends_at: datetime | None
    taken: bool = False
    ask_after: datetime | None = None
    doubt: SignInRequired | None = None
    refused: SignInRequired | None = None
    refreshing: asyncio.Task[WebIdentityToken] | None = field(default=None, repr=False)

    @property
    def expires_at(self) -> datetime | None:
        """When it is over, as far as that is known."""
        if self.refresh_token is None or self.ask_after is not None:
            return min(self.token.expires_at, self.ends_at or self.token.expires_at)
        return self.ends_at

    def renewable(self, now: datetime) -> bool:
        """Tell whether asking the provider for a new token makes sense now."""
        waits = self.ask_after is not None and now < self.ask_after and now < self.token.expires_at
        return self.refresh_token is not None and not waits


@dataclass(frozen=True, slots=True)
class Grants:
    """Makes grants of a provider's answers, and refreshes them.

    `verifier` checks id tokens; its audience is the client id. `for_aws` checks the tokens that go to
    AWS.
    """

    verifier: TokenVerifier
    for_aws: TokenVerifier
    rules: Rules
    clock: Clock

    async def first(self, answer: TokenResponse, nonce: str | None) -> Grant:
        """Read the answer that ends a sign-in, once it is known whose it is.

        Raises:
            TokenInvalid: if it holds no token for AWS, or an id token that is not this sign-in's.
            SignInFailed: if the sign-in at the provider is older than the site allows.
        """
        now = self.clock.now()
        id_token = await self._id_token(answer)
        if id_token is None:
            raise TokenInvalid(
                "The identity provider gave no id token.",
                admin_hint="`scopes` of the token source must hold `openid`.",
            )
        _check_nonce(id_token, nonce)
        token = await self._web_identity(answer, id_token)
        if token is None:
            raise TokenInvalid("The identity provider gave no access token.")
        if token.expires_at <= now:
            raise TokenInvalid(
                "The identity provider gave a token that has expired.",
                admin_hint="Compare the clocks of both machines.",
            )
        since = self._since(id_token, now)
        return Grant(
            identity=self._identity(token),
            token=token,
            id_token=id_token,
            refresh_token=answer.refresh_token,
            scope=answer.scope,
            since=since,
            ends_at=self._ends_at(answer, since, now),
        )

    async def refresh(self, grant: Grant, oauth: OAuthClient) -> WebIdentityToken:
        """Use the refresh token; return the newest token, which is the old one where none came.

        Raises:
            SignInRequired: if the sign-in is over, or waits: then it is `grant.refused`.
            TokenSourceFailed, TokenInvalid: if the provider does not answer as it should.
        """
        assert grant.refresh_token is not None
        try:
            answer = await oauth.refresh(grant.refresh_token, grant.scope)
        except UnclearRefusal as refusal:
            grant.doubt = SignInRequired(
                f"Your token has expired, and your sign-in could not be refreshed. {refusal.detail}",
                admin_hint=refusal.admin_hint,
            )
            if self.clock.now() < grant.token.expires_at:
                raise
            grant.refused = grant.doubt
            raise grant.refused from None
        # First of all: the former may no longer be good.
        grant.refresh_token = answer.refresh_token or grant.refresh_token
        now = self.clock.now()
        id_token = await self._id_token(answer)
        token = await self._web_identity(answer, id_token)
        if token is None:
            left = grant.token.expires_at - now
            if left <= timedelta(0):
                raise SignInRequired(NOT_RENEWED, admin_hint=NOT_RENEWED_HINT)
            grant.ask_after = now + max(left * PAUSE, SHORTEST_PAUSE)
            return grant.token
        identity = self._identity(token)
        # OIDC Core 12.2
        stranger = id_token is not None and id_token.claims["sub"] != grant.id_token.claims["sub"]
        if stranger or not identity.same_user(grant.identity):
            raise SignInRequired("The identity provider renewed your sign-in for somebody else.")
        grant.token, grant.identity, grant.ask_after = token, identity, None
        grant.refused = grant.doubt = None
        grant.id_token = id_token or grant.id_token
        if answer.refresh_expires_in:
            grant.ends_at = self._ends_at(answer, grant.since, now)
        return token

    def over(self, grant: Grant) -> SignInRequired | None:
        """Tell why a grant is over, if it is, without asking the provider."""
        now = self.clock.now()
        if self.rules.longest and now >= grant.since + self.rules.longest:
            return SignInRequired(
                "Your sign-in has reached the greatest age that your administrator allows."
            )
        if grant.refresh_token is None and grant.taken and grant.token.expires_at <= now:
            return SignInRequired(NOT_RENEWED, admin_hint=NOT_RENEWED_HINT)
        return None

    async def _id_token(self, answer: TokenResponse) -> WebIdentityToken | None:
        if answer.id_token is None:
            return None
        token = self._parsed(answer.id_token, answer.clock_ahead)
        await self.verifier.verify(token)
        client_id = self.verifier.audience
        azp = optional_member(token.claims, "azp", client_id)
        if azp != client_id:  # OIDC Core 3.1.3.7
            raise TokenInvalid(
                f"The id token was issued to another client (`azp` is {shown(azp)}), and this server is"
                f" {client_id!r}."
            )
        return token

    async def _web_identity(
        self, answer: TokenResponse, id_token: WebIdentityToken | None
    ) -> WebIdentityToken | None:
        """Return the token for AWS, None where the answer has none."""
        if self.rules.web_identity == "id_token":
            return id_token
        if answer.access_token is None:
            return None
        token = self._parsed(answer.access_token, answer.clock_ahead)
        await self.for_aws.verify(token)
        return token

    def _parsed(self, text: str, clock_ahead: timedelta) -> WebIdentityToken:
        return WebIdentityToken.parse(text, self.clock.now(), clock_ahead)

    def _identity(self, token: WebIdentityToken) -> Identity:
        return token.identity(self.rules.name_claim, self.rules.groups_claim)

    def _since(self, id_token: WebIdentityToken, now: datetime) -> datetime:
        """Return when the user signed in: at the provider, where it says so (`auth_time`)."""
        at = id_token.claims.get("auth_time")
        if not self.rules.longest or isinstance(at, bool) or not isinstance(at, int | float):
            return now
        at = min(max(at, 0), LAST_TIME)
        seconds = (now + id_token.clock_ahead).timestamp() - at
        age = timedelta(seconds=max(0.0, seconds))
        if age > self.rules.longest:
            raise SignInFailed(
                "The identity provider took a sign-in of yours that is older than this server allows.",
                hint="Sign out at the identity provider, then sign in again.",
                admin_hint="It paid no heed to `max_age`; compare `max_sign_in_age` with its own session.",
            )
        return now - age

    def _ends_at(self, answer: TokenResponse, since: datetime, now: datetime) -> datetime | None:
        ends = []
        if self.rules.longest:
            ends.append(since + self.rules.longest)
        if answer.refresh_expires_in:
            ends.append(now + timedelta(seconds=answer.refresh_expires_in))
        return min(ends, default=None)


def for_the_user(over: SignInRequired) -> SignInRequired:
    """Add how to sign in."""
    return SignInRequired(over.detail, hint=HOW, admin_hint=over.admin_hint)


def _check_nonce(id_token: WebIdentityToken, nonce: str | None) -> None:
    """Check that it is the answer to this sign-in, where there was a question (OIDC Core 3.1.3.7)."""
    seen = str(optional_member(id_token.claims, "nonce", "")).encode(errors="replace")
    if nonce is not None and not hmac.compare_digest(seen, nonce.encode()):
        why = "its `nonce` is another's" if seen else "it has no `nonce`"
        raise TokenInvalid(
            f"The id token is not the answer to this sign-in: {why}.",
            hint="Sign in again; if it happens again, tell your administrator.",
        )
