"""What a sign-in brought: the user, their newest token for AWS, and how to get the next one.

The refresh token is kept in memory only. A new one replaces the old one before anything else is done
with the response that brought it.
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
from jupyter_wb_aws.identity.provider import quoted_value
from jupyter_wb_aws.identity.token import Identity, WebIdentityToken

if TYPE_CHECKING:
    from jupyter_wb_aws.identity.oidc.oauth_client import OAuthClient
    from jupyter_wb_aws.identity.oidc.oauth_responses import TokenResponse
    from jupyter_wb_aws.identity.token_verifier import TokenVerifier

# After a refresh that brought no new token: try again when this part of the remaining life has passed.
RETRY_FRACTION = 0.25
MIN_RETRY_DELAY = timedelta(seconds=10)
MAX_TIMESTAMP = 10**10  # in the year 2286
SIGN_IN_HINT = "Sign in with `jupyter wb-aws sign-in`, then repeat what you did."
NOT_REFRESHED = "Your sign-in has ended: the identity provider does not refresh it."
NOT_REFRESHED_HINT = (
    "The provider gave no refresh token, or no new id token for it: see `scopes` (`offline_access`) of the"
    " token source."
)


@dataclass(frozen=True, slots=True)
class SignInRules:
    """What a site decides about sign-ins.

    `web_identity` is the token that AWS gets. `max_age` is the age at which a sign-in ends; zero: only the
    provider ends it. `name_claim` and `groups_claim` are the claims with the user's name and groups.
    """

    web_identity: Literal["id_token", "access_token"] = "id_token"
    max_age: timedelta = timedelta(0)
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"


@dataclass(slots=True)
class Grant:
    """The user who is signed in, since when, and their tokens.

    `token_delivered` says that `token` was handed out. `latest_end` is when a rule of the site or the refresh token's
    life ends the sign-in at the latest, None if neither does. `refresh_after` is set when the last refresh brought
    no new token: the time of the next try. `refreshing` is the one refresh that runs.

    `unclear_refusal` is set when the last refresh was refused in a way that does not say whether the refresh
    token has ended. Once the token has expired too, the sign-in is suspended: `suspended_by` is the reason,
    and the next refresh that works ends the suspension.
    """

    identity: Identity
    token: WebIdentityToken
    id_token: WebIdentityToken
    refresh_token: str | None = field(repr=False)
    scope: str | None
    signed_in_at: datetime
    latest_end: datetime | None
    token_delivered: bool = False
    refresh_after: datetime | None = None
    unclear_refusal: SignInRequired | None = None
    suspended_by: SignInRequired | None = None
    refreshing: asyncio.Task[WebIdentityToken] | None = field(default=None, repr=False)

    @property
    def expires_at(self) -> datetime | None:
        """When the sign-in ends, if that is known: with its token if that can't be refreshed."""
        if self.refresh_token is None or self.refresh_after is not None:
            return min(self.token.expires_at, self.latest_end or self.token.expires_at)
        return self.latest_end

    def can_refresh(self, now: datetime) -> bool:
        """Whether it makes sense to ask the provider for a new token now."""
        if self.refresh_token is None:
            return False
        if self.refresh_after is None or now >= self.token.expires_at:
            return True
        return now >= self.refresh_after


@dataclass(frozen=True, slots=True)
class Grants:
    """Makes grants from the provider's responses, and refreshes them.

    Args:
        id_token_verifier: checks id tokens; its audience is the client id.
        aws_token_verifier: checks the tokens that AWS gets.
        rules: what the site decides about sign-ins.
        clock: dates what the provider sends.
    """

    id_token_verifier: TokenVerifier
    aws_token_verifier: TokenVerifier
    rules: SignInRules
    clock: Clock

    async def create(self, response: TokenResponse, nonce: str | None) -> Grant:
        """Check the response that completes a sign-in, and make a grant from it.

        Raises:
            TokenInvalid: if it has no token for AWS, or its id token does not belong to this sign-in.
            SignInFailed: if the sign-in at the provider is older than the site allows.
        """
        now = self.clock.now()
        id_token = await self._id_token(response)
        if id_token is None:
            raise TokenInvalid(
                "The identity provider gave no id token.",
                admin_hint="`scopes` of the token source must contain `openid`.",
            )
        _check_nonce(id_token, nonce)
        token = await self._web_identity(response, id_token)
        if token is None:
            raise TokenInvalid("The identity provider gave no access token.")
        if token.expires_at <= now:
            raise TokenInvalid(
                "The identity provider gave a token that has expired.",
                admin_hint="Compare the clocks of both machines.",
            )
        signed_in_at = self._signed_in_at(id_token, now)
        return Grant(
            identity=self._identity(token),
            token=token,
            id_token=id_token,
            refresh_token=response.refresh_token,
            scope=response.scope,
            signed_in_at=signed_in_at,
            latest_end=self._latest_end(response, signed_in_at, now),
        )

    async def refresh(self, grant: Grant, oauth: OAuthClient) -> WebIdentityToken:
        """Use the refresh token; return the newest token, which is the old one if no new one came.

        Raises:
            SignInRequired: if the sign-in has ended or is suspended (then it is `grant.suspended_by`).
            TokenSourceFailed, TokenInvalid: if the provider does not answer as it should.
        """
        response = await self._refresh_response(grant, oauth)
        # First of all: the previous one may no longer work.
        grant.refresh_token = response.refresh_token or grant.refresh_token
        now = self.clock.now()
        id_token = await self._id_token(response)
        token = await self._web_identity(response, id_token)
        if token is None:
            left = grant.token.expires_at - now
            if left <= timedelta(0):
                raise SignInRequired(NOT_REFRESHED, admin_hint=NOT_REFRESHED_HINT)
            grant.refresh_after = now + max(left * RETRY_FRACTION, MIN_RETRY_DELAY)
            return grant.token
        identity = self._identity(token)
        # OIDC Core 12.2
        other_sub = id_token is not None and id_token.claims["sub"] != grant.id_token.claims["sub"]
        if other_sub or not identity.same_user(grant.identity):
            raise SignInRequired("The identity provider refreshed your sign-in for another user.")
        grant.token, grant.identity, grant.refresh_after = token, identity, None
        grant.suspended_by = grant.unclear_refusal = None
        grant.id_token = id_token or grant.id_token
        if response.refresh_expires_in:
            grant.latest_end = self._latest_end(response, grant.signed_in_at, now)
        return token

    async def _refresh_response(self, grant: Grant, oauth: OAuthClient) -> TokenResponse:
        assert grant.refresh_token is not None
        try:
            return await oauth.refresh(grant.refresh_token, grant.scope)
        except UnclearRefusal as refusal:
            grant.unclear_refusal = SignInRequired(
                f"Your token has expired, and your sign-in could not be refreshed. {refusal.detail}",
                admin_hint=refusal.admin_hint,
            )
            if self.clock.now() < grant.token.expires_at:
                raise
            grant.suspended_by = grant.unclear_refusal
            raise grant.suspended_by from None

    def end_reason(self, grant: Grant) -> SignInRequired | None:
        """Return why a grant has ended, by what is known here; None if it has not."""
        now = self.clock.now()
        if self.rules.max_age and now >= grant.signed_in_at + self.rules.max_age:
            return SignInRequired(
                "Your sign-in has reached the maximum age that your administrator allows."
            )
        if grant.refresh_token is None and grant.token_delivered and grant.token.expires_at <= now:
            return SignInRequired(NOT_REFRESHED, admin_hint=NOT_REFRESHED_HINT)
        return None

    async def _id_token(self, response: TokenResponse) -> WebIdentityToken | None:
        if response.id_token is None:
            return None
        token = self._parse(response.id_token, response.clock_ahead)
        await self.id_token_verifier.verify(token)
        client_id = self.id_token_verifier.audience
        azp = optional_member(token.claims, "azp", client_id)
        if azp != client_id:  # OIDC Core 3.1.3.7
            raise TokenInvalid(
                f"The id token was issued to another client (`azp` is {quoted_value(azp)}), and this server is"
                f" {client_id!r}."
            )
        return token

    async def _web_identity(
        self, response: TokenResponse, id_token: WebIdentityToken | None
    ) -> WebIdentityToken | None:
        """Return the token for AWS; None if the response has none."""
        if self.rules.web_identity == "id_token":
            return id_token
        if response.access_token is None:
            return None
        token = self._parse(response.access_token, response.clock_ahead)
        await self.aws_token_verifier.verify(token)
        return token

    def _parse(self, text: str, clock_ahead: timedelta) -> WebIdentityToken:
        return WebIdentityToken.parse(text, self.clock.now(), clock_ahead)

    def _identity(self, token: WebIdentityToken) -> Identity:
        return token.identity(self.rules.name_claim, self.rules.groups_claim)

    def _signed_in_at(self, id_token: WebIdentityToken, now: datetime) -> datetime:
        """Return when the user signed in: at the provider, if it says so (`auth_time`)."""
        max_age = self.rules.max_age
        at = id_token.claims.get("auth_time")
        if not max_age or isinstance(at, bool) or not isinstance(at, int | float):
            return now
        at = min(max(at, 0), MAX_TIMESTAMP)
        seconds = (now + id_token.clock_ahead).timestamp() - at
        age = timedelta(seconds=max(0.0, seconds))
        if age > max_age:
            raise SignInFailed(
                "The identity provider accepted an earlier sign-in that is older than this server allows.",
                hint="Sign out at the identity provider, then sign in again.",
                admin_hint="It ignored `max_age`; compare `max_sign_in_age` with the lifetime of its own session.",
            )
        return now - age

    def _latest_end(
        self, response: TokenResponse, signed_in_at: datetime, now: datetime
    ) -> datetime | None:
        ends = []
        if self.rules.max_age:
            ends.append(signed_in_at + self.rules.max_age)
        if response.refresh_expires_in:
            ends.append(now + timedelta(seconds=response.refresh_expires_in))
        return min(ends, default=None)


def with_sign_in_hint(reason: SignInRequired) -> SignInRequired:
    """Return the same reason with how to sign in."""
    return SignInRequired(reason.detail, hint=SIGN_IN_HINT, admin_hint=reason.admin_hint)


def _check_nonce(id_token: WebIdentityToken, nonce: str | None) -> None:
    """Check that the id token answers this sign-in's request, if it sent a nonce (OIDC Core 3.1.3.7)."""
    seen = str(optional_member(id_token.claims, "nonce", "")).encode(errors="replace")
    if nonce is not None and not hmac.compare_digest(seen, nonce.encode()):
        why = "its `nonce` belongs to another sign-in" if seen else "it has no `nonce`"
        raise TokenInvalid(
            f"The id token does not belong to this sign-in: {why}.",
            hint="Sign in again. If it fails again, contact your administrator.",
        )
