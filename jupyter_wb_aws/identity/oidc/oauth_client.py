"""The requests of a sign-in: authorization code with PKCE, device authorization, refresh, revocation.

One request each; `Http` carries them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from jupyter_wb_aws.errors import (
    IdpBadAnswer,
    IdpTimeout,
    IdpUnavailable,
    SignInRequired,
    WbAwsError,
)
from jupyter_wb_aws.identity.http.response import (
    HttpResponse,
    RefusedByProxy,
    begin,
    refuse_failure,
)
from jupyter_wb_aws.identity.oidc.authorization_url import s256_challenge, with_parameters
from jupyter_wb_aws.identity.oidc.client_authentication import authentication, read_secret
from jupyter_wb_aws.identity.oidc.oauth_errors import (
    Meaning,
    OAuthError,
    UnclearRefusal,
    meaning,
    refused,
    unclear,
)
from jupyter_wb_aws.identity.provider import Provider, is_http_url
from jupyter_wb_aws.identity.token import SecretStr

DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SECRET_PARAMETERS = frozenset(
    {"client_secret", "code", "code_verifier", "device_code", "refresh_token", "token"}
)
# RFC 8628, 3.2: where the provider names none.
POLL_INTERVAL = 5
# It is shown in a terminal and typed by hand.
LONGEST_USER_CODE, LONGEST_URL = 100, 2000
LONGEST_CODE_LIFE = 3600
LONGEST_READ = 5.0  # seconds, for the file with the secret
STILL_WORKS = (
    "Nothing for now: your current token is good until it expires, and the server tries again. If this goes on"
    " until then, sign in again."
)
# A clock that is off by less is as good as right; the header `Date` has whole seconds only.
SKEW_SEEN = timedelta(seconds=5)
# What an endpoint says that is somewhere else by now: the provider's metadata are read again.
MOVED = frozenset({404, 405, 410})


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What the provider knows this server as.

    `secret_file` holds the client's secret, which is read each time and kept nowhere; empty for a
    public client. `auth_method` is one of OIDC Core 9's, or empty for what the provider takes.
    `parameters` are added to what begins a sign-in.
    """

    client_id: str
    secret_file: str = ""
    auth_method: str = ""
    scopes: Sequence[str] = ("openid",)
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A token endpoint's answer. `clock_ahead` is how far the provider's clock is ahead of ours."""

    id_token: str | None = field(repr=False)
    access_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    refresh_expires_in: int | None
    scope: str | None
    clock_ahead: timedelta


@dataclass(frozen=True, slots=True)
class DeviceAuthorizationResponse:
    """A device authorization endpoint's answer (RFC 8628, 3.2); times are in seconds."""

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_in: int
    interval: int


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """One client at one provider. Every request may raise `TokenSourceFailed` besides."""

    provider: Provider
    client: ClientSettings

    async def authorization_url(
        self, *, state: str, nonce: str, verifier: str, redirect_uri: str, **more: str
    ) -> str:
        """Make the URL that begins the code flow (OIDC Core 3.1.2.1, RFC 7636)."""
        parameters = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "scope": self._scope,
            "redirect_uri": redirect_uri,
            "state": state,
            "nonce": nonce,
            "code_challenge": s256_challenge(verifier),
            "code_challenge_method": "S256",
            **_set({**more, **self.client.parameters}),
        }
        return with_parameters(await self._endpoint("authorization_endpoint"), parameters)

    async def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> TokenResponse:
        """Turn an authorization code into tokens.

        Raises:
            OAuthError: if the provider does not take it.
        """
        return await self._tokens(
            {
                "grant_type": "authorization_code",
                "code": code,
                "code_verifier": verifier,
                "redirect_uri": redirect_uri,
            }
        )

    async def refresh(self, refresh_token: str, scope: str | None) -> TokenResponse:
        """Get the next tokens.

        Raises:
            SignInRequired: if the refresh token is no longer good.
            UnclearRefusal: if that may be so.
            IdpBadAnswer: if the provider does not accept this client.
            IdpUnavailable: if there were too many requests.
        """
        # Named, since some providers (Entra ID) give an id token only for `openid`; and no more
        # than was granted, which others would refuse (RFC 6749, 6).
        try:
            return await self._tokens(
                {
                    "grant_type": "refresh_token",
                    "refresh_token": refresh_token,
                    "scope": scope or self._scope,
                }
            )
        except OAuthError as refusal:
            raise self._not_refreshed(refusal) from None
        except (UnclearRefusal, RefusedByProxy) as refusal:
            raise UnclearRefusal(
                refusal.detail, hint=STILL_WORKS, admin_hint=refusal.admin_hint
            ) from None

    def _not_refreshed(self, refusal: OAuthError) -> WbAwsError:
        means = meaning(refusal)
        if means is Meaning.ENDED:
            return SignInRequired(f"Your sign-in has ended at the identity provider ({refusal}).")
        if means in {Meaning.BUSY, Meaning.CLIENT}:
            return self.bad(refusal)
        return UnclearRefusal(
            f"The identity provider does not refresh your sign-in now ({refusal}).",
            hint=STILL_WORKS,
        )

    @property
    def _scope(self) -> str:
        return " ".join(self.client.scopes)

    async def begin_device(self) -> DeviceAuthorizationResponse:
        """Ask for a device code (RFC 8628, 3.1).

        Raises:
            IdpBadAnswer: if the provider refuses.
        """
        try:
            found, _ = await self._post(
                "device_authorization_endpoint",
                {"scope": self._scope, **_set(self.client.parameters)},
            )
        except OAuthError as refusal:
            raise self.bad(refusal) from None
        return _device_answer(found)

    async def poll_device(self, device_code: str) -> TokenResponse:
        """Ask whether the user has finished (RFC 8628, 3.4).

        Raises:
            OAuthError: with ``authorization_pending``, ``slow_down``, ``access_denied``,
                ``expired_token``, or what else the provider says.
        """
        return await self._tokens({"grant_type": DEVICE_CODE_GRANT, "device_code": device_code})

    async def revoke(self, refresh_token: str) -> bool:
        """Revoke a refresh token (RFC 7009); tell whether the provider can do that at all.

        Raises:
            IdpBadAnswer: if it refuses.
        """
        if await self.provider.endpoint("revocation_endpoint") is None:
            return False
        try:
            await self._post(
                "revocation_endpoint", {"token": refresh_token, "token_type_hint": "refresh_token"}
            )
        except OAuthError as refusal:
            raise self.bad(refusal) from None
        return True

    async def end_session(self, endpoint: str, id_token: str) -> None:
        """Tell the end-session endpoint (OIDC RP-Initiated Logout 1.0, section 2).

        By POST, since a URL with the token in it would stand in logs. A provider that wants to ask
        the user answers with a page; nobody sees it, and that is no failure.
        """
        what = self._what("end_session_endpoint")
        form = {"id_token_hint": id_token, "client_id": self.client.client_id}
        post = self.provider.http.post
        answer = await post(what, endpoint, form, {"Accept": "*/*"}, sent=[id_token])
        refuse_failure(answer, what)

    def bad(self, refusal: OAuthError) -> IdpBadAnswer | IdpUnavailable:
        """Explain a refusal that is not the user's doing: what passes, and what an administrator can do."""
        if refusal.passes:
            return IdpUnavailable(
                f"The identity provider does not answer this now ({refusal}).",
                hint="Wait a moment, then try again.",
                retry_after=refusal.retry_after,
            )
        hint = {
            "invalid_client": "The provider does not accept this client: compare `client_id`, `client_secret_file`"
            " and `token_endpoint_auth_method` with its registration. If the secret has characters other than"
            " letters, digits and -._~, and the provider does not decode them, set `token_endpoint_auth_method`"
            " to `client_secret_post`.",
            "unauthorized_client": "The client is not registered for this flow (grant type) at the provider.",
            "unsupported_grant_type": "The client is not registered for this flow (grant type) at the provider.",
            "invalid_scope": f"The provider does not give all of these scopes: {self._scope}.",
        }.get(refusal.error, f"Compare the registration of the client {self.client.client_id}.")
        return IdpBadAnswer(f"The identity provider refuses ({refusal}).", admin_hint=hint)

    async def _tokens(self, form: Mapping[str, str]) -> TokenResponse:
        began = datetime.now(UTC)
        found, answer = await self._post("token_endpoint", form)
        tokens = TokenResponse(
            id_token=_secret(found, "id_token"),
            access_token=_secret(found, "access_token"),
            refresh_token=_secret(found, "refresh_token"),
            refresh_expires_in=_seconds(found.get("refresh_expires_in")),  # Keycloak's
            scope=_text(found, "scope"),
            clock_ahead=_clock_ahead(answer, began),
        )
        if not (tokens.access_token or tokens.id_token or tokens.refresh_token):
            # A page, perhaps: of a gateway or proxy that wants a sign-in of its own.
            raise UnclearRefusal(f"{begin(self._what('token_endpoint'))} gives no tokens.")
        return tokens

    async def _post(
        self, name: str, form: Mapping[str, str]
    ) -> tuple[Mapping[str, Any], HttpResponse]:
        """Post a form to an endpoint, as this client; return the JSON object that it answers with.

        Raises:
            OAuthError: if it answers with an OAuth error (RFC 6749, 5.2), by whatever HTTP status.
            UnclearRefusal: if it answers with another 4xx, or redirects.
            TokenSourceFailed: if it answers with anything else but a success.
        """
        endpoint, what = await self._endpoint(name), self._what(name)
        secret = await self._secret()
        method = await self._auth_method(secret)
        headers, ours = authentication(method, self.client.client_id, secret)
        whole = {**form, **ours}
        sent = _secrets_in(whole, headers, secret)
        answer = await self.provider.http.post(what, endpoint, whole, headers, sent=sent)
        # From here on, nothing waits: a new refresh token may be in the answer.
        if answer.status in MOVED:
            self.provider.forget()
        found = answer.json_object() or {}
        error = _text(found, "error")
        if error and not answer.is_busy:
            said = _text(found, "error_description") or ""
            plain = self.provider.http.without_proxies
            raise refused(plain(error), plain(said), sent, answer)
        if 300 <= answer.status < 500 and not answer.is_busy:
            raise unclear(answer, what)
        refuse_failure(answer, what)
        return found, answer

    async def _secret(self) -> str | None:
        path = self.client.secret_file
        if not path:
            return None
        # In a thread of ours: the file may be on a network file system that hangs.
        read = self.provider.http.threads.once(("file", path), partial(read_secret, path))
        try:
            async with asyncio.timeout(LONGEST_READ):
                return await read
        except TimeoutError:
            raise IdpTimeout(
                "The client's secret could not be read in time.",
                admin_hint=f"The file is `client_secret_file`: {path}",
            ) from None

    async def _auth_method(self, secret: str | None) -> str:
        """Return how the client authenticates (OIDC Core 9): as set, else as the provider takes it."""
        if secret is None:
            return "none"
        if self.client.auth_method:
            return self.client.auth_method
        # OIDC Discovery 3: basic is what a provider takes that says nothing.
        taken = (await self.provider.metadata()).get("token_endpoint_auth_methods_supported")
        methods = taken if isinstance(taken, list) and taken else ["client_secret_basic"]
        return next(
            (m for m in ("client_secret_basic", "client_secret_post") if m in methods),
            "client_secret_basic",
        )

    async def _endpoint(self, name: str) -> str:
        url = await self.provider.endpoint(name)
        if url is None:
            raise IdpBadAnswer(f"{self.provider.issuer} has no {name}.")
        return url

    def _what(self, endpoint: str) -> str:
        return f"the {endpoint.replace('_', ' ')} of {self.provider.issuer}"


def _secrets_in(
    form: Mapping[str, str], headers: Mapping[str, str], secret: str | None
) -> list[str]:
    """Return what a request holds that nobody else may read."""
    values = [value for name, value in form.items() if name in SECRET_PARAMETERS]
    basic = headers.get("Authorization", "").removeprefix("Basic ")
    return [value for value in (*values, basic, secret) if value]


def _set(parameters: Mapping[str, str]) -> dict[str, str]:
    """Leave out what is empty: RFC 6749, 3.1 and 3.2, has it count as left out."""
    return {name: value for name, value in parameters.items() if value}


def _clock_ahead(answer: HttpResponse, began: datetime) -> timedelta:
    date = answer.date()
    if date is None:
        return timedelta(0)
    now = datetime.now(UTC)
    # By whichever end of the exchange is nearer: a slow answer is no wrong clock.
    ahead = date - now if date > now else min(date + timedelta(seconds=1) - began, timedelta(0))
    return ahead if abs(ahead) > SKEW_SEEN else timedelta(0)


def _device_answer(found: Mapping[str, Any]) -> DeviceAuthorizationResponse:
    device_code, user_code = _secret(found, "device_code"), _text(found, "user_code")
    # Google's name for it is older than the RFC.
    uri = _text(found, "verification_uri") or _text(found, "verification_url") or ""
    user_code, uri = (user_code or "").strip(), uri.strip()
    if not (device_code and user_code and uri.startswith(("https://", "http://"))):
        raise IdpBadAnswer(
            "The identity provider's device authorization lacks what RFC 8628 wants."
        )
    # In a terminal or on a page, a line break or an escape could pretend to be a sentence of ours.
    if not (user_code.isprintable() and len(user_code) <= LONGEST_USER_CODE and _fits(uri)):
        raise IdpBadAnswer(
            "The identity provider's device authorization can't be shown: its code or address has line breaks or"
            " other control characters, is too long, or the address is not a URL."
        )
    complete = _text(found, "verification_uri_complete")
    return DeviceAuthorizationResponse(
        device_code,
        user_code,
        uri,
        complete.strip() if complete and _fits(complete.strip()) else None,
        min(_seconds(found.get("expires_in")) or 600, LONGEST_CODE_LIFE),
        max(1, min(_seconds(found.get("interval")) or POLL_INTERVAL, 60)),
    )


def _fits(url: str) -> bool:
    return len(url) <= LONGEST_URL and is_http_url(url)


def _text(found: Mapping[str, Any], name: str) -> str | None:
    value = found.get(name)
    return value if isinstance(value, str) and value else None


def _secret(found: Mapping[str, Any], name: str) -> SecretStr | None:
    text = _text(found, name)
    return None if text is None else SecretStr(text)


def _seconds(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10**9:
        return None
    return int(value)
