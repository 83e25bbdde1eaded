"""A hub service that a test controls: it speaks the contract of the real one, and fails in any way that the test asks for.

tests/hub/ has the real one behind a real hub; this one is for faults, and for what a test must decide.
"""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from jupyter_wb_aws.demo.background_server import BackgroundServer
from tests.conftest import KEY, make_jwt, public_jwk
from tests.openid import say

PREFIX = "/services/aws/"
ROLES_CLAIM = "https://aws.amazon.com/roles"


def entry(arn, **members):
    """A role as `GET roles` has it."""
    name = arn.rpartition("/")[2]
    usual = {
        "arn": arn, "name": name, "account_id": arn.split(":")[4], "label": name.title(), "description": "",
        "region": None, "color": None, "default": False, "request_url": None,
        "audience": "sts.amazonaws.com", "extra_environment": {}, "delivery": None, "lease": None,
        "credential_lifetime": None,
    }  # fmt: skip
    return {**usual, **members}


def refused(status, code, detail, **members):
    """Make a fault: the service's own problem document, once."""
    document = {
        "type": f"urn:jupyter-wb-aws:problem:{code}", "title": "No", "status": status, "detail": detail, "code": code,
        "hint": "Ask.", "admin_hint": None, "message": detail, "reason": "No", **members,
    }  # fmt: skip
    return lambda handler: say(handler, document, status, Content_Type="application/problem+json")


class HubStandIn(BackgroundServer):
    """A hub service on loopback.

    `users` has each API token's user, `roles` the entries offered to a user; a user in `without_access` lacks the
    scope. `faults[call]` holds functions of (handler), each of which answers one request in the service's stead.
    `asked` holds the method, path and Authorization header of each request, `issued` each token.
    """

    def __init__(self, now=lambda: datetime.now(UTC)):
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                service.serve(self)

            def do_POST(self):
                service.serve(self)

            def date_time_string(self, timestamp=None):
                return formatdate((now() + service.clock_ahead).timestamp(), usegmt=True)

            def log_message(self, *args):
                pass

        self.now = now
        self.lifetime = 3600
        self.api_token = f"hub-{secrets.token_hex(16)}"
        self.users = {self.api_token: "alice"}
        self.groups = {"alice": ["analysts"]}
        self.roles = defaultdict(list)
        self.without_access = set()
        self.withheld, self.incomplete = [], False
        self.key, self.kid = KEY, "k1"
        self.audience = "sts.amazonaws.com"
        self.clock_ahead = timedelta()
        self.subject = "user:{user}"
        self.claims, self.changes = {}, {}
        self.faults = defaultdict(list)
        self.always = {}
        self.asked, self.issued = [], []
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        super().__init__(server)
        self.service_url = f"{self.url}{PREFIX}"
        self.issuer = f"{self.url}{PREFIX}".rstrip("/")

    def calls(self, call):
        return [asked for asked in self.asked if asked[1] == PREFIX + call]

    # --- Its calls -----------------------------------------------------------------------------

    def serve(self, handler):
        path = urlsplit(handler.path).path
        length = int(handler.headers.get("Content-Length") or 0)
        body = json.loads(handler.rfile.read(length)) if length else None
        self.asked.append((handler.command, path, handler.headers.get("Authorization")))
        call = path.removeprefix(PREFIX)
        if self.faults[call]:
            self.faults[call].pop(0)(handler)
        elif call in self.always:
            self.always[call](handler)
        elif call == ".well-known/openid-configuration":
            say(handler, {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"})
        elif call == "keys":
            say(handler, {"keys": [public_jwk(self.key, self.kid)]})
        elif call in {"roles", "tokens"}:
            self._answer(handler, call, body)
        else:
            say(handler, b"<html>404</html>", 404, Content_Type="text/html")

    def _answer(self, handler, call, body):
        user = self.users.get((handler.headers.get("Authorization") or "").partition(" ")[2])
        if user is None:
            refused(401, "not_authenticated", "The hub does not know this token.")(handler)
        elif user in self.without_access:
            hint = "Restart the server, then try again."
            refused(
                403, "scope_missing", "Its scopes lack access:services!service=aws.", hint=hint
            )(handler)
        elif call == "roles":
            say(handler, self._roles(user))
        elif body["role_arn"] in [
            role["arn"] for role in self.roles[user] if isinstance(role, dict)
        ]:
            say(handler, self._token(user, body["role_arn"]), 201)
        else:
            refused(403, "role_not_allowed", "It is not offered to alice.", request_url="https://ask.example.com")(
                handler
            )  # fmt: skip

    def _roles(self, user):
        return {
            "issuer": self.issuer, "user": user, "subject": self.subject.format(user=user), "audience": self.audience,
            "token_lifetime": self.lifetime, "request_url": "https://ask.example.com", "roles": self.roles[user],
            "identity": {"issuer": self.issuer, "subject": user, "name": user, "groups": self.groups.get(user, [])},
            "withheld": self.withheld, "incomplete": self.incomplete, "key_ids": [self.kid],
            **self.changes,
        }  # fmt: skip

    def _token(self, user, arn):
        now = (self.now() + self.clock_ahead).replace(microsecond=0)
        role = next(
            role for role in self.roles[user] if isinstance(role, dict) and role["arn"] == arn
        )
        usual = {
            "iss": self.issuer, "aud": role.get("audience", self.audience), "sub": self.subject.format(user=user),
            "preferred_username": user, "groups": None, "jti": secrets.token_hex(8), "iat": now,
            "nbf": now - timedelta(seconds=60), "exp": now + timedelta(seconds=self.lifetime), ROLES_CLAIM: [arn],
        }  # fmt: skip
        token = make_jwt(key=self.key, kid=self.kid, **{**usual, **self.claims})
        self.issued.append(token)
        expires_at = f"{now + timedelta(seconds=self.lifetime):%Y-%m-%dT%H:%M:%SZ}"
        return {"token": token, "expires_at": expires_at, "role_arn": arn, "issuer": self.issuer}
