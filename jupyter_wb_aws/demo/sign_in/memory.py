"""The provider's state: the sign-ins, and the codes and tokens that were issued for them.

It is in memory only, while the demo runs. authlib requires these methods of its models.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from authlib.oauth2.rfc6749 import TokenMixin
from authlib.oauth2.rfc8628 import DeviceCredentialMixin
from authlib.oidc.core import AuthorizationCodeMixin

if TYPE_CHECKING:
    from jupyter_wb_aws.demo.users import User

CODE_LIFETIME = 60.0
"""Seconds that an authorization code is valid."""


@dataclass(slots=True)
class SignIn:
    """A user's sign-in at the provider, in one browser."""

    user: User
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    """The `sid` of its id tokens, by which a client names the session that it ends."""
    at: int = field(default_factory=lambda: int(time.time()))
    ended: bool = False


@dataclass(slots=True)
class Grant:
    """The tokens that a signed-in user has allowed the client, until either of them ends it."""

    sign_in: SignIn
    scope: str
    revoked: bool = False

    @property
    def ended(self) -> bool:
        """Whether the provider no longer issues tokens for it."""
        return self.revoked or self.sign_in.ended


@dataclass
class AuthorizationCode(AuthorizationCodeMixin):
    """A code that was sent to the redirect URI."""

    grant: Grant
    redirect_uri: str
    code_challenge: str
    nonce: str | None
    code_challenge_method: str = "S256"
    expires_at: float = field(default_factory=lambda: time.time() + CODE_LIFETIME)
    used: bool = False

    def get_redirect_uri(self) -> str:
        """Return the URI to which the code was sent."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return the scope that was requested and is allowed."""
        return self.grant.scope


@dataclass
class DeviceRequest(DeviceCredentialMixin):
    """A device code and its user code, which wait for the user's answer (RFC 8628)."""

    client_id: str
    scope: str
    user_code: str
    expires_at: float
    interval: float
    grant: Grant | None = None
    denied: bool = False
    polled_at: float = float("-inf")

    def get_client_id(self) -> str:
        """Return the id of the client that asked."""
        return self.client_id

    def get_scope(self) -> str:
        """Return the scope that was requested."""
        return self.scope

    def get_user_code(self) -> str:
        """Return the code that the user compares or types."""
        return self.user_code

    def is_expired(self) -> bool:
        """Return whether the time for an answer is over."""
        return self.expires_at < time.time()

    @property
    def is_pending(self) -> bool:
        """Whether it still waits for an answer."""
        return not (self.grant or self.denied or self.is_expired())

    def is_polled_too_often(self) -> bool:
        """Record a poll. After each poll that is too early, the client has to wait 5 s longer."""
        now = time.monotonic()
        early = now - self.polled_at < self.interval
        self.polled_at = now
        if early:
            self.interval += 5
        return early


@dataclass
class RefreshToken(TokenMixin):
    """A refresh token, and whether its successor was issued."""

    grant: Grant
    used: bool = False

    def check_client(self, _client: object) -> bool:
        """Return true, because there is only one client."""
        return True

    def get_scope(self) -> str:
        """Return the scope that may be requested again."""
        return self.grant.scope


@dataclass(slots=True)
class Memory:
    """Everything that was issued, by its secret."""

    sign_ins: dict[str, SignIn] = field(default_factory=dict)
    codes: dict[str, AuthorizationCode] = field(default_factory=dict)
    devices: dict[str, DeviceRequest] = field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = field(default_factory=dict)

    def sign_in(self, user: User) -> SignIn:
        """Begin a sign-in."""
        begun = SignIn(user)
        self.sign_ins[begun.id] = begun
        return begun

    def end_sign_in(self, id_: str) -> None:
        """Delete a sign-in, and end everything that was issued for it."""
        if ended := self.sign_ins.pop(id_, None):
            ended.ended = True

    def code(self, text: str) -> AuthorizationCode | None:
        """Return a valid code. A second use ends its grant (RFC 6749, 4.1.2)."""
        code = self.codes.get(text)
        if code is None or code.expires_at < time.time():
            return None
        if code.used:
            code.grant.revoked = True
            return None
        return code

    def refresh_token(self, text: str) -> RefreshToken | None:
        """Return a valid refresh token. A second use ends its grant (RFC 9700, 4.14)."""
        token = self.refresh_tokens.get(text)
        if token is None or token.grant.ended:
            return None
        if token.used:
            token.grant.revoked = True
            return None
        return token

    def device(self, user_code: str) -> DeviceRequest | None:
        """Return the pending request with that code; case and separators don't matter."""
        typed = "".join(filter(str.isalpha, user_code.upper()))
        for request in self.devices.values():
            if request.is_pending and request.user_code.replace("-", "") == typed:
                return request
        return None
