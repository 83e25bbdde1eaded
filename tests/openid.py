"""An OpenID provider that a test controls: correct by default, and wrong in any way that the test asks for.

tests/peers/ uses a real one; this one is for faults, which a real one does not have on demand.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlsplit

from jupyter_wb_aws.demo.background_server import BackgroundServer
from jupyter_wb_aws.demo.names import CLIENT_ID
from tests.conftest import KEY, make_jwt, public_jwk

CLIENT = CLIENT_ID
REDIRECT_URI = "http://127.0.0.1:8888/aws/sign-in/callback"


class OpenIdProvider(BackgroundServer):
    """A provider on loopback, with a user who is signed in there (`user`) and consents to everything.

    `asked` holds each request's path and form; `issued`, every token and code ever given out. A test
    puts functions of (handler) into `faults[path]`: each answers one request in the provider's stead.
    `clock_ahead` is how wrong its clock is, in seconds; `answers` is merged into each token answer,
    and a None in it takes a member away; `NULL` sends it as null.
    """

    def __init__(self, lifetime=3600):
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                provider._serve(self, {})

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                provider._serve(self, _form(self.rfile.read(length)))

            def date_time_string(self, timestamp=None):
                return formatdate(time.time() + provider.clock_ahead, usegmt=True)

            def log_message(self, *args):
                pass

        self.lifetime = lifetime
        self.user, self.groups, self.claims = "alice", ["analysts"], {}
        self.key, self.kid = KEY, "k1"
        self.clock_ahead = 0
        self.metadata_changes, self.answers = {}, {}
        self.faults = defaultdict(list)
        self.asked, self.issued = [], []
        self.codes, self.devices, self.refresh_tokens, self.revoked = {}, {}, {}, []
        self.client_id, self.secret = CLIENT, None
        self.moved = "/token"
        super().__init__(_server(Handler))
        self.issuer = self.url

    # --- Its documents and tokens -------------------------------------------------------------------------

    def metadata(self):
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}{self.moved}",
            "device_authorization_endpoint": f"{self.issuer}/device",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "end_session_endpoint": f"{self.issuer}/end",
            "jwks_uri": f"{self.issuer}/jwks",
            **self.metadata_changes,
        }
        return {name: value for name, value in found.items() if value is not None}

    def asked_for(self, path):
        return [form for asked, form in self.asked if asked == path]

    def id_token(self, **claims):
        now = datetime.now(UTC) + timedelta(seconds=self.clock_ahead)
        usual = {
            "iss": self.issuer, "aud": self.client_id, "sub": self.user, "preferred_username": self.user,
            "groups": self.groups, "jti": secrets.token_hex(8), "iat": now, "nbf": now,
            "exp": now + timedelta(seconds=self.lifetime),
        }  # fmt: skip
        return self._keep(
            make_jwt(key=self.key, kid=self.kid, **{**usual, **self.claims, **claims})
        )

    def _keep(self, token):
        self.issued.append(token)
        return token

    def _tokens(self, **claims):
        refresh_token = self._keep(secrets.token_urlsafe(32))
        self.refresh_tokens[refresh_token] = self.user
        found = {
            "access_token": self._keep(secrets.token_urlsafe(32)),
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "id_token": self.id_token(**claims),
            "refresh_token": refresh_token,
            "scope": "openid profile offline_access",
            **self.answers,
        }
        return {name: value for name, value in found.items() if value is not None}

    def hold_tokens(self, until):
        """Give no token until the event is set; the request has its effect all the same."""
        tokens = self._tokens

        def held(**claims):
            until.wait(10)
            return tokens(**claims)

        self._tokens = held

    # --- The user's part -----------------------------------------------------------------------

    def authorize(self, url, user=None):
        """Do what the user does at the provider; return the callback's query, as the browser sends it."""
        if user is not None:
            self.user = user
        asked = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
        code = self._keep(secrets.token_urlsafe(24))
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def approve_device(self, user_code, user=None):
        if user is not None:
            self.user = user
        self.devices[user_code] = "approved"

    def deny_device(self, user_code):
        self.devices[user_code] = "access_denied"

    # --- Its endpoints -------------------------------------------------------------------------

    def _serve(self, handler, form):
        path = urlsplit(handler.path).path
        self.asked.append((path, form))
        if self.faults[path]:
            self.faults[path].pop(0)(handler)
            return
        documents = {
            "/.well-known/openid-configuration": self.metadata,
            "/jwks": lambda: {"keys": [public_jwk(self.key, self.kid)]},
        }
        if path in documents:
            say(handler, documents[path]())
        elif path == "/device":
            self._begin_device(handler)
        elif path == self.moved:
            self._token(handler, form)
        elif path == "/revoke":
            self.revoked.append(form["token"])
            self.refresh_tokens.pop(form["token"], None)
            say(handler, {})
        elif path == "/end":
            say(handler, {})
        else:
            say(handler, b"nothing here", 404)

    def _begin_device(self, handler):
        user_code = secrets.token_hex(4).upper()
        self.devices[user_code] = "authorization_pending"
        say(
            handler,
            {
                "device_code": self._keep(f"device-{user_code}-{secrets.token_urlsafe(24)}"),
                "user_code": user_code,
                "verification_uri": f"{self.issuer}/activate",
                "verification_uri_complete": f"{self.issuer}/activate?user_code={user_code}",
                "expires_in": 600,
                "interval": 5,
            },
        )

    def _token(self, handler, form):
        kind = form.get("grant_type", "").rpartition(":")[2]
        if self.secret is not None:
            if basic_credentials(handler) != (self.client_id, self.secret):
                say(handler, {"error": "invalid_client"}, 401)
                return
        elif form.get("client_id") != self.client_id:
            say(handler, {"error": "invalid_client"}, 401)
            return
        error, claims = getattr(self, f"_by_{kind}", lambda _: ("unsupported_grant_type", {}))(form)
        if error:
            say(handler, {"error": error}, 400)
        else:
            say(handler, self._tokens(**claims))

    def _by_authorization_code(self, form):
        asked = self.codes.pop(form.get("code"), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        fits = (
            asked is not None
            and asked["code_challenge_method"] == "S256"
            and asked["code_challenge"] == challenge
            and asked["redirect_uri"] == form.get("redirect_uri")
        )
        return (None, {"nonce": asked["nonce"]}) if fits else ("invalid_grant", {})

    def _by_refresh_token(self, form):
        user = self.refresh_tokens.pop(form.get("refresh_token"), None)
        if user is None:  # used twice, or revoked: its successors no longer work either
            self.refresh_tokens.clear()
            return "invalid_grant", {}
        self.user = user
        return None, {}

    def _by_device_code(self, form):
        state = self.devices.get(form.get("device_code", "").split("-")[1])
        return (None, {}) if state == "approved" else (state or "expired_token", {})


def _form(body):
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def _server(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    return server


def basic_credentials(handler):
    """Decode the id and secret of a client as RFC 6749, section 2.3.1, has them encoded."""
    scheme, _, encoded = handler.headers.get("Authorization", "").partition(" ")
    if scheme != "Basic":
        return None
    client_id, _, secret = base64.b64decode(encoded).decode("ascii").partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def say(handler, document, status=200, **headers):
    content = (
        document
        if isinstance(document, bytes)
        else json.dumps(document, default=lambda _: None).encode()
    )
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def failing(status, document=b"", **headers):
    """Make a fault: this answer, once."""

    def answer(handler):
        say(handler, document, status, **headers)

    said = (
        document.decode(errors="replace") if isinstance(document, bytes) else json.dumps(document)
    )
    answer.__name__ = f"{status} {said}".strip()  # it names the tests that are parametrised by it
    return answer


def hanging(event):
    """Make a fault: no answer until the event is set."""
    return lambda _: event.wait(20)


def dripping(event, beginning=b"HTTP/1.1 200 OK\r\nX-Slow: "):
    """Make a fault: an answer that never ends, byte by byte, until the event is set."""

    def drip(handler):
        handler.wfile.write(beginning)
        with contextlib.suppress(OSError):
            while not event.wait(0.02):
                handler.wfile.write(b"a")
                handler.wfile.flush()

    return drip
