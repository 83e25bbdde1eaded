"""OAuth 2.0 and OpenID Connect, with authlib.

authlib's "user" of a token request is a `Grant` here: it knows the user and the allowed scope.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import (
    AuthorizationCodeGrant,
    ClientMixin,
    InvalidRequestError,
    RefreshTokenGrant,
    list_to_scope,
    scope_to_list,
)
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import (
    DEVICE_CODE_GRANT_TYPE,
    DeviceAuthorizationEndpoint,
    DeviceCodeGrant,
)
from authlib.oidc.core import OpenIDCode
from authlib.oidc.rpinitiated import EndSessionEndpoint

from jupyter_wb_aws.demo.issuer import ALGORITHM, Issuer
from jupyter_wb_aws.demo.names import CLIENT_ID
from jupyter_wb_aws.demo.sign_in.memory import (
    AuthorizationCode,
    DeviceRequest,
    Grant,
    Memory,
    RefreshToken,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

SCOPES = ("openid", "profile", "email", "offline_access")
GRANT_TYPES = ("authorization_code", "refresh_token", DEVICE_CODE_GRANT_TYPE)
_TOKEN_BYTES = 48


class Client(ClientMixin):
    """The only client: the extension in the demo's JupyterLab, which has no secret."""

    client_metadata: Mapping[str, Any] = {}

    def __init__(self, redirect_uri: str) -> None:
        self.redirect_uri = redirect_uri

    def get_client_id(self) -> str:
        """Return the client id."""
        return CLIENT_ID

    def get_default_redirect_uri(self) -> None:
        """Return none: OpenID Connect requires it in the request."""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Compare exactly (RFC 9700, 2.1)."""
        return redirect_uri == self.redirect_uri

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        """Accept only `none`: it is a public client."""
        return method == "none"

    def check_response_type(self, response_type: str) -> bool:
        """Accept only `code`."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Accept the grants that it uses."""
        return grant_type in GRANT_TYPES

    def get_allowed_scope(self, scope: str | None) -> str:
        """Leave out unknown scopes, as OpenID Connect Core requires (3.1.2.1)."""
        asked = scope_to_list(scope) or []
        return str(list_to_scope([name for name in asked if name in SCOPES]))


class Server(AuthorizationServer):
    """The provider's implementation of the protocol.

    Args:
        issuer: the issuer, which signs the id tokens.
        redirect_uri: where to send codes.
        interval: seconds that a device waits between two polls.
        device_lifetime: seconds that a device code waits for an answer.
    """

    def __init__(
        self, issuer: Issuer, redirect_uri: str, *, interval: int, device_lifetime: int
    ) -> None:
        super().__init__()
        self.issuer = issuer
        self.memory = Memory()
        self.client = Client(redirect_uri)
        self.register_token_generator("default", _Tokens(issuer.token_lifetime))
        self.register_grant(_CodeGrant, [_OnlyS256(), _IdToken(issuer)])
        self.register_grant(_DeviceGrant, [_IdToken(issuer)])
        self.register_grant(_RefreshGrant, [_IdToken(issuer)])
        self.register_endpoint(_DeviceEndpoint(self, interval, device_lifetime))
        self.register_endpoint(_RevocationEndpoint)
        self.register_endpoint(_EndSessionEndpoint)

    def query_client(self, client_id: str) -> Client | None:
        """Return the client, if the id is its own."""
        return self.client if client_id == CLIENT_ID else None

    def save_token(self, token: Mapping[str, Any], request: Any) -> None:
        """Store the refresh token. The access token gives access to nothing, so it is not stored."""
        if "refresh_token" in token:
            self.memory.refresh_tokens[token["refresh_token"]] = RefreshToken(request.user)


class _Tokens(BearerTokenGenerator):
    """Access tokens, and refresh tokens for requests with the scope `offline_access`."""

    def __init__(self, lifetime: int) -> None:
        super().__init__(_random, _random, lifetime)

    def generate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        token: dict[str, Any] = super().generate(*args, **kwargs)
        if "offline_access" not in (scope_to_list(token.get("scope")) or []):
            token.pop("refresh_token", None)
        return token


def _random(**_: Any) -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


class _CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

    def save_authorization_code(self, code: str, request: Any) -> None:
        sent = request.payload.data
        self.server.memory.codes[code] = AuthorizationCode(
            Grant(request.user, request.scope),
            redirect_uri=sent["redirect_uri"],
            code_challenge=sent["code_challenge"],
            nonce=sent.get("nonce"),
        )

    def query_authorization_code(self, code: str, _client: Client) -> AuthorizationCode | None:
        known: AuthorizationCode | None = self.server.memory.code(code)
        return known

    def delete_authorization_code(self, code: AuthorizationCode) -> None:
        code.used = True

    def authenticate_user(self, code: AuthorizationCode) -> Grant | None:
        return None if code.grant.ended else code.grant


class _OnlyS256(CodeChallenge):
    """PKCE is required, and not as `plain` (RFC 9700, 2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        sent = grant.request.payload.data
        if not sent.get("code_challenge") or sent.get("code_challenge_method") != "S256":
            raise InvalidRequestError(
                "A code_challenge with the code_challenge_method S256 is required."
            )
        super().validate_code_challenge(grant, redirect_uri)


class _IdToken(OpenIDCode):
    """Adds an id token to each access token, signed like all tokens of the issuer."""

    def __init__(self, issuer: Issuer) -> None:
        super().__init__()
        self._issuer = issuer

    def exists_nonce(self, _nonce: str, _request: Any) -> bool:
        """Return false: the nonce protects the client, which checks it."""
        return False

    def encode_id_token(self, _token: Mapping[str, Any], request: Any) -> str:
        """Sign an id token; only the first one has the nonce (OpenID Connect Core, 12.2)."""
        sign_in = request.user.sign_in
        code: AuthorizationCode | None = request.authorization_code
        return self._issuer.mint(
            sign_in.user.subject,
            nonce=code and code.nonce,
            auth_time=sign_in.at,
            sid=sign_in.id,
        )


class _RefreshGrant(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, text: str) -> RefreshToken | None:
        known: RefreshToken | None = self.server.memory.refresh_token(text)
        return known

    def authenticate_user(self, token: RefreshToken) -> Grant:
        return token.grant

    def revoke_old_credential(self, token: RefreshToken) -> None:
        token.used = True


class _DeviceEndpoint(DeviceAuthorizationEndpoint):
    CLIENT_AUTH_METHODS = ("none",)

    def __init__(self, server: Server, interval: int, lifetime: int) -> None:
        super().__init__(server)
        self.INTERVAL = interval
        self.EXPIRES_IN = lifetime

    def get_verification_uri(self) -> str:
        return f"{self.server.issuer.url}/device"

    def save_device_credential(self, client_id: str, scope: str, sent: Mapping[str, Any]) -> None:
        self.server.memory.devices[sent["device_code"]] = DeviceRequest(
            client_id,
            self.server.client.get_allowed_scope(scope),
            sent["user_code"],
            expires_at=time.time() + sent["expires_in"],
            interval=sent["interval"],
        )


class _DeviceGrant(DeviceCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

    def query_device_credential(self, device_code: str) -> DeviceRequest | None:
        known: DeviceRequest | None = self.server.memory.devices.get(device_code)
        return known

    def query_user_grant(self, _user_code: str) -> tuple[Grant | None, bool] | None:
        asked = self.server.memory.devices[self.request.form["device_code"]]
        if asked.is_pending:
            return None
        return asked.grant, bool(asked.grant and not asked.grant.ended)

    def should_slow_down(self, asked: DeviceRequest) -> bool:
        return asked.is_polled_too_often()

    def create_token_response(self) -> tuple[int, Any, Any]:
        """Answer, and delete the device code: it works once."""
        answer: tuple[int, Any, Any] = super().create_token_response()
        del self.server.memory.devices[self.request.form["device_code"]]
        return answer


class _RevocationEndpoint(RevocationEndpoint):
    CLIENT_AUTH_METHODS = ("none",)

    def query_token(self, text: str, _hint: str | None) -> RefreshToken | None:
        known: RefreshToken | None = self.server.memory.refresh_tokens.get(text)
        return known

    def revoke_token(self, token: RefreshToken, _request: Any) -> None:
        token.grant.revoked = True


class _EndSessionEndpoint(EndSessionEndpoint):
    """Ends the sign-in of the id token in `id_token_hint`. `pages.py` handles the other cases."""

    def get_server_jwks(self) -> dict[str, Any]:
        jwks: dict[str, Any] = self.server.issuer.jwks()
        return jwks

    def get_algorithms(self) -> list[str]:
        return [ALGORITHM]

    def end_session(self, asked: Any) -> None:
        if asked.id_token_claims:
            self.server.memory.end_sign_in(asked.id_token_claims.get("sid", ""))
