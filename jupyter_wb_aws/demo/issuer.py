"""A small OpenID Connect issuer, which signs tokens with a key that it generates at start.

Other users of the machine can reach its port too. The discovery document, the public keys and the
page for requesting a role are public. Subclasses decide who gets a token.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import WSGIRequestHandler, make_server

from jupyter_wb_aws.demo import request_page
from jupyter_wb_aws.demo.background_server import BackgroundServer
from jupyter_wb_aws.demo.names import CLIENT_ID

if TYPE_CHECKING:
    from jupyter_wb_aws.demo.users import User

ALGORITHM = "RS256"
DEFAULT_TOKEN_LIFETIME = 900
"""Seconds; short enough to see a refresh within a quarter of an hour."""
_MAX_BODY = 16 * 1024


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An RSA key pair and its id; the private key is not in its `repr`."""

    id: str
    private: rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> SigningKey:
        """Return a new key."""
        return cls(uuid.uuid4().hex, rsa.generate_private_key(65537, 2048))

    def as_jwk(self) -> dict[str, Any]:
        """Return the public key (RFC 7517)."""
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {
            "kty": public["kty"],
            "n": public["n"],
            "e": public["e"],
            "kid": self.id,
            "use": "sig",
            "alg": ALGORITHM,
        }


class Issuer(BackgroundServer):
    """An issuer at `http://127.0.0.1:PORT`, from its creation until `close`.

    Args:
        users: the users that it knows.
        token_lifetime: seconds that a token is valid.
    """

    def __init__(self, users: tuple[User, ...], *, token_lifetime: int) -> None:
        self.token_lifetime = token_lifetime
        self._users = {user.subject: user for user in users}
        self.signing_key = SigningKey.generate()
        app = self._app()
        super().__init__(
            make_server("127.0.0.1", 0, app, threaded=True, request_handler=_SilentHandler)
        )

    def _app(self) -> Flask:
        app = Flask(__name__, static_folder=None)
        app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY
        app.before_request(self._refuse_other_hosts)
        app.after_request(_no_store)
        app.register_error_handler(HTTPException, _as_json)
        discovery = "/.well-known/openid-configuration"
        app.add_url_rule(discovery, view_func=self.discovery_document)
        app.add_url_rule("/jwks", view_func=self.jwks)
        app.add_url_rule(request_page.PATH, view_func=request_page.request_page)
        self._add_endpoints(app)
        return app

    def _add_endpoints(self, app: Flask) -> None:
        """Add the endpoints that issue tokens; none by default."""

    def _refuse_other_hosts(self) -> None:
        """Refuse web sites that resolve their own name to this address (DNS rebinding)."""
        if f"http://{request.host}" != self.url:
            abort(400)

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens."""
        return self.url

    def claims(self, user: str = "alice", /, **overrides: object) -> dict[str, Any]:
        """Return the claims of a new token; an override of None removes a claim."""
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
        """Sign a token for `user`; tests change its claims through `overrides`."""
        key = self.signing_key
        return jwt.encode(
            self.claims(user, **overrides), key.private, ALGORITHM, headers={"kid": key.id}
        )

    def rotate_key(self) -> None:
        """Sign with a new key from now on, and publish only that one."""
        self.signing_key = SigningKey.generate()

    def discovery_document(self) -> dict[str, Any]:
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

    def jwks(self) -> dict[str, Any]:
        """Return the public keys (RFC 7517)."""
        return {"keys": [self.signing_key.as_jwk()]}


def _no_store(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _as_json(error: HTTPException) -> tuple[dict[str, str], int]:
    """Answer 404 and other HTTP errors as OAuth does: `{"error": "not_found"}`."""
    return {"error": error.name.lower().replace(" ", "_")}, error.code or 500


class _SilentHandler(WSGIRequestHandler):
    timeout = 5

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Log nothing: the demo's terminal is for the user, and a request line may hold a code."""
