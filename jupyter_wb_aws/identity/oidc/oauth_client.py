"""The OAuth requests of a sign-in: authorization, tokens, device authorization, refresh, revocation.

Each method sends one request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from jupyter_wb_aws.errors import IdpBadAnswer, IdpTimeout, IdpUnavailable
from jupyter_wb_aws.identity.http.response import (
    HttpResponse,
    RefusedByProxy,
    capitalized,
    clock_ahead,
    raise_for_status,
)
from jupyter_wb_aws.identity.oidc.authorization_url import s256_challenge, with_parameters
from jupyter_wb_aws.identity.oidc.client_authentication import (
    ClientSettings,
    authentication,
    authentication_method,
    read_secret,
)
from jupyter_wb_aws.identity.oidc.oauth_errors import (
    STILL_VALID,
    OAuthError,
    UnclearRefusal,
    explain,
    explain_refresh,
    oauth_error,
    unclear_refusal,
)
from jupyter_wb_aws.identity.oidc.oauth_responses import (
    DeviceAuthorizationResponse,
    TokenResponse,
    device_authorization_response,
    text_member,
    token_response,
)
from jupyter_wb_aws.identity.provider import Provider

DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SECRET_PARAMETERS = frozenset(
    {"client_secret", "code", "code_verifier", "device_code", "refresh_token", "token"}
)
SECRET_FILE_TIMEOUT = 5.0  # seconds
# An endpoint that answers so has moved: the provider's metadata is fetched again.
MOVED = frozenset({404, 405, 410})


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """One client at one provider. Every request may raise `TokenSourceFailed` besides what it lists."""

    provider: Provider
    client: ClientSettings

    async def authorization_url(
        self, *, state: str, nonce: str, code_verifier: str, redirect_uri: str, **more: str
    ) -> str:
        """Build the URL that begins the code flow (OIDC Core 3.1.2.1, RFC 7636).

        Args:
            state: names the request in the callback.
            nonce: comes back in the id token.
            code_verifier: the secret of PKCE; only its digest is in the URL.
            redirect_uri: where the provider sends the browser back to.
            more: further parameters; the client's own win, and empty ones are left out.
        """
        parameters = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "scope": self.client.scope,
            "redirect_uri": redirect_uri,
            "state": state,
            "nonce": nonce,
            "code_challenge": s256_challenge(code_verifier),
            "code_challenge_method": "S256",
            **_without_empty({**more, **self.client.parameters}),
        }
        return with_parameters(await self._endpoint("authorization_endpoint"), parameters)

    async def exchange(self, code: str, *, code_verifier: str, redirect_uri: str) -> TokenResponse:
        """Exchange an authorization code for tokens.

        Args:
            code: from the callback.
            code_verifier: the one whose digest was in the authorization request.
            redirect_uri: the one of the authorization request.

        Raises:
            OAuthError: if the provider does not accept it.
        """
        return await self._tokens(
            {
                "grant_type": "authorization_code",
                "code": code,
                "code_verifier": code_verifier,
                "redirect_uri": redirect_uri,
            }
        )

    async def refresh(self, refresh_token: str, scope: str | None) -> TokenResponse:
        """Get the next tokens.

        Raises:
            SignInRequired: if the refresh token no longer works.
            UnclearRefusal: if that may be so.
            IdpBadAnswer: if the provider does not accept this client.
            IdpUnavailable: if there were too many requests.
        """
        form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            # Sent, since some providers (Entra ID) give an id token only for `openid`. Never more than was
            # granted, which others refuse (RFC 6749, 6).
            "scope": scope or self.client.scope,
        }
        try:
            return await self._tokens(form)
        except OAuthError as error:
            raise explain_refresh(error, self.client) from None
        except (UnclearRefusal, RefusedByProxy) as refusal:
            raise UnclearRefusal(
                refusal.detail, hint=STILL_VALID, admin_hint=refusal.admin_hint
            ) from None

    async def authorize_device(self) -> DeviceAuthorizationResponse:
        """Ask for a device code (RFC 8628, 3.1).

        Raises:
            IdpBadAnswer: if the provider refuses.
        """
        form = {"scope": self.client.scope, **_without_empty(self.client.parameters)}
        try:
            found, _ = await self._post("device_authorization_endpoint", form)
        except OAuthError as error:
            raise self.explain(error) from None
        return device_authorization_response(found)

    async def poll_device(self, device_code: str) -> TokenResponse:
        """Ask whether the user has entered the code (RFC 8628, 3.4).

        Raises:
            OAuthError: with ``authorization_pending``, ``slow_down``, ``access_denied``,
                ``expired_token``, or any other code of the provider.
        """
        return await self._tokens({"grant_type": DEVICE_CODE_GRANT, "device_code": device_code})

    async def revoke(self, refresh_token: str) -> bool:
        """Revoke a refresh token (RFC 7009); return whether the provider has an endpoint for it.

        Raises:
            IdpBadAnswer: if the provider refuses.
        """
        if await self.provider.endpoint("revocation_endpoint") is None:
            return False
        form = {"token": refresh_token, "token_type_hint": "refresh_token"}
        try:
            await self._post("revocation_endpoint", form)
        except OAuthError as error:
            raise self.explain(error) from None
        return True

    async def end_session(self, endpoint: str, id_token: str) -> None:
        """Call the end-session endpoint (OIDC RP-Initiated Logout 1.0, section 2).

        By POST, so that the token is not in a URL, which is logged. A provider that wants to ask the user
        answers with a page. Nobody sees it, and that is not a failure.

        Raises:
            IdpUnavailable, IdpBadAnswer: if it answers with an HTTP error.
        """
        what = self._describe("end_session_endpoint")
        form = {"id_token_hint": id_token, "client_id": self.client.client_id}
        response = await self.provider.http.post(
            what, endpoint, form, {"Accept": "*/*"}, sent=[id_token]
        )
        raise_for_status(response, what)

    def explain(self, error: OAuthError) -> IdpBadAnswer | IdpUnavailable:
        """Explain an error that the user did not cause."""
        return explain(error, self.client)

    async def _tokens(self, form: Mapping[str, str]) -> TokenResponse:
        began = datetime.now(UTC)
        found, response = await self._post("token_endpoint", form)
        tokens = token_response(found, clock_ahead(response, began))
        if not tokens.has_tokens:
            # Perhaps the page of a gateway or proxy that wants a sign-in of its own.
            what = capitalized(self._describe("token_endpoint"))
            raise UnclearRefusal(f"{what} gives no tokens.")
        return tokens

    async def _post(
        self, name: str, form: Mapping[str, str]
    ) -> tuple[Mapping[str, Any], HttpResponse]:
        """Post a form to an endpoint, as this client; return the response and its JSON object.

        Raises:
            OAuthError: if it answers with an OAuth error (RFC 6749, 5.2), with any HTTP status.
            UnclearRefusal: if it answers with another 4xx, or redirects.
            TokenSourceFailed: if it answers with anything but a success.
        """
        endpoint, what = await self._endpoint(name), self._describe(name)
        secret = await self._secret()
        method = await self._authentication_method(secret)
        headers, client_form = authentication(method, self.client.client_id, secret)
        whole = {**form, **client_form}
        sent = _secrets_in(whole, headers, secret)
        response = await self.provider.http.post(what, endpoint, whole, headers, sent=sent)
        # From here on, nothing waits: a new refresh token may be in the response.
        if response.status in MOVED:
            self.provider.clear_cache()
        found = response.json_object() or {}
        code = text_member(found, "error")
        if code and not response.is_busy:
            description = text_member(found, "error_description") or ""
            redact = self.provider.http.redact_proxies
            raise oauth_error(redact(code), redact(description), sent, response)
        if 300 <= response.status < 500 and not response.is_busy:
            raise unclear_refusal(response, what)
        raise_for_status(response, what)
        return found, response

    async def _secret(self) -> str | None:
        path = self.client.secret_file
        if not path:
            return None
        # In a thread of ours: the file may be on a network file system that hangs.
        read = self.provider.http.threads.once(("file", path), partial(read_secret, path))
        try:
            async with asyncio.timeout(SECRET_FILE_TIMEOUT):
                return await read
        except TimeoutError:
            raise IdpTimeout(
                "The client's secret could not be read in time.",
                admin_hint=f"The file is `client_secret_file`: {path}",
            ) from None

    async def _authentication_method(self, secret: str | None) -> str:
        if secret is None or self.client.auth_method:
            return authentication_method(self.client.auth_method, secret, {})
        return authentication_method("", secret, await self.provider.metadata())

    async def _endpoint(self, name: str) -> str:
        url = await self.provider.endpoint(name)
        if url is None:
            raise IdpBadAnswer(f"{self.provider.issuer} has no {name}.")
        return url

    def _describe(self, endpoint: str) -> str:
        return f"the {endpoint.replace('_', ' ')} of {self.provider.issuer}"


def _secrets_in(
    form: Mapping[str, str], headers: Mapping[str, str], secret: str | None
) -> list[str]:
    """Return the secrets of a request, which a peer may quote."""
    values = [value for name, value in form.items() if name in SECRET_PARAMETERS]
    basic = headers.get("Authorization", "").removeprefix("Basic ")
    return [value for value in (*values, basic, secret) if value]


def _without_empty(parameters: Mapping[str, str]) -> dict[str, str]:
    """Leave out empty parameters: RFC 6749, 3.1 and 3.2, treats them as missing."""
    return {name: value for name, value in parameters.items() if value}
