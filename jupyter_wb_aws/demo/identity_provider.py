"""A small OpenID Connect issuer: it signs tokens with a key that lives only as long as it does.

Other users of the machine reach its port too. The discovery document and the public keys are for
everybody; a token is only for whoever knows a secret made at start, which stands in a file that
only we can read.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from jupyter_wb_aws.demo.names import CLIENT_ID
from jupyter_wb_aws.demo.private_file import write_private
from jupyter_wb_aws.demo.serving import Serving
from jupyter_wb_aws.demo.users import ALICE, User

if TYPE_CHECKING:
    from pathlib import Path

ALGORITHM = "RS256"
DEFAULT_TOKEN_LIFETIME = 900
"""Seconds; short enough that a refresh is seen within a quarter of an hour."""
_MAX_BODY = 4096


@dataclass(frozen=True, slots=True)
class _SigningKey:
    id: str
    private: rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> _SigningKey:
        return cls(uuid.uuid4().hex, rsa.generate_private_key(65537, 2048))

    def as_jwk(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {
            "kty": public["kty"],
            "n": public["n"],
            "e": public["e"],
            "kid": self.id,
            "use": "sig",
            "alg": ALGORITHM,
        }


class IdentityProvider(Serving):
    """An issuer at `http://127.0.0.1:PORT`, from its making until `close`.

    Args:
        token_lifetime: seconds that a token is good for.
        users: whom it knows; alice alone unless said otherwise.
    """

    def __init__(
        self,
        *,
        token_lifetime: int = DEFAULT_TOKEN_LIFETIME,
        users: tuple[User, ...] = (ALICE,),
    ) -> None:
        self.token_lifetime = token_lifetime
        self._users = {user.subject: user for user in users}
        self._key = _SigningKey.generate()
        self._secret = secrets.token_urlsafe(32)
        super().__init__(_Server(self))

    @property
    def issuer(self) -> str:
        """What its tokens have as `iss`."""
        return self.url

    def claims(self, user: str = "alice", /, **overrides: object) -> dict[str, Any]:
        """Return a new token's claims; an override of None leaves that claim out."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "nbf": now,
            "exp": now + self.token_lifetime,
            "jti": uuid.uuid4().hex,
            **self._users[user].claims(),
            **overrides,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def mint(self, user: str = "alice", /, **overrides: object) -> str:
        """Sign a token for `user`; `overrides` change its claims, for tests of whoever reads it."""
        key = self._key
        return jwt.encode(
            self.claims(user, **overrides), key.private, ALGORITHM, headers={"kid": key.id}
        )

    def rotate_key(self) -> None:
        """Sign with a new key from now on, and publish that one only."""
        self._key = _SigningKey.generate()

    def write_client_file(self, path: Path, user: str = "alice") -> None:
        """Write what `print_token` needs to ask for tokens of `user`: where, and the secret."""
        client = {
            "token_endpoint": f"{self.issuer}/token",
            "secret": self._secret,
            "user": self._users[user].subject,
        }
        write_private(path, json.dumps(client))

    def discovery_document(self) -> dict[str, object]:
        """Return the metadata of OpenID Connect Discovery 1.0, section 3."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "claims_supported": sorted(self.claims(next(iter(self._users)))),
        }

    def jwks(self) -> dict[str, object]:
        """Return the public keys (RFC 7517)."""
        return {"keys": [self._key.as_jwk()]}

    def knows(self, user: str) -> bool:
        """Say whether tokens can be had for `user`."""
        return user in self._users

    def accepts_secret(self, presented: str) -> bool:
        """Compare in constant time, so that the answer's delay tells nothing."""
        return hmac.compare_digest(presented.encode(), self._secret.encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, provider: IdentityProvider) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.provider = provider

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that hangs up is no news, and a trace could show a request."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 5
    server: _Server

    def do_GET(self) -> None:
        provider = self.server.provider
        if self.path == "/.well-known/openid-configuration":
            self._answer(200, provider.discovery_document())
        elif self.path == "/jwks":
            self._answer(200, provider.jwks())
        else:
            self._answer(404, {"error": "not_found"})

    def do_POST(self) -> None:
        provider = self.server.provider
        form = self._form()
        if self.path != "/token":
            self._answer(404, {"error": "not_found"})
        elif not self._may_mint():
            self._answer(401, {"error": "invalid_client"})
        elif not provider.knows(form.get("user", "")):
            self._answer(400, {"error": "invalid_request", "error_description": "unknown user"})
        else:
            token = provider.mint(form["user"])
            self._answer(200, {"id_token": token, "expires_in": provider.token_lifetime})

    def _may_mint(self) -> bool:
        scheme, _, secret = self.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.server.provider.accepts_secret(secret)

    def _form(self) -> dict[str, str]:
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isascii() and length.isdigit() else 0
        text = self.rfile.read(min(size, _MAX_BODY)).decode("utf-8", "replace")
        return {name: values[0] for name, values in parse_qs(text).items()}

    def _answer(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing: the demo's terminal is for the user."""
