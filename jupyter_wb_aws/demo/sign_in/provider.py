"""The identity provider of a demo whose user signs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_wb_aws.demo.issuer import DEFAULT_TOKEN_LIFETIME, Issuer
from jupyter_wb_aws.demo.sign_in.pages import Pages
from jupyter_wb_aws.demo.sign_in.protocol import GRANT_TYPES, SCOPES, Server
from jupyter_wb_aws.demo.users import ALICE, BOB, User

if TYPE_CHECKING:
    from flask import Flask


class SignInProvider(Issuer):
    """An issuer with a sign-in, by authorization code with PKCE or by device code.

    There are no passwords: anyone who reaches its port can be any of its users.

    Args:
        redirect_uri: the redirect URI of its only client, `names.CLIENT_ID`.
        token_lifetime: seconds that a token is valid.
        users: the users that it knows.
        interval: seconds that a device waits between two polls.
        device_lifetime: seconds that a device code waits for an answer.
    """

    def __init__(
        self,
        redirect_uri: str,
        *,
        token_lifetime: int = DEFAULT_TOKEN_LIFETIME,
        users: tuple[User, ...] = (ALICE, BOB),
        interval: int = 2,
        device_lifetime: int = 600,
    ) -> None:
        self._redirect_uri = redirect_uri
        self._interval = interval
        self._device_lifetime = device_lifetime
        super().__init__(users, token_lifetime=token_lifetime)

    def _add_endpoints(self, app: Flask) -> None:
        server = Server(
            self,
            self._redirect_uri,
            interval=self._interval,
            device_lifetime=self._device_lifetime,
        )
        Pages(server, self._users).add_to(app)

    def discovery_document(self) -> dict[str, Any]:
        """Return the metadata, including that of RFC 8414, 8628 and 9207."""
        document = super().discovery_document()
        return document | {
            "device_authorization_endpoint": f"{self.issuer}/device-authorization",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "end_session_endpoint": f"{self.issuer}/end-session",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": list(GRANT_TYPES),
            "scopes_supported": list(SCOPES),
            "claims_supported": [*document["claims_supported"], "auth_time", "nonce", "sid"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "authorization_response_iss_parameter_supported": True,
        }
