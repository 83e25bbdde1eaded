"""A small real HTTP server that speaks the REST contract, and is held to it.

Every request and answer is checked against openapi.yaml: a violation fails the test, so
that this stand-in can't drift from the handlers, which are held to the same file.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.contract import CONTRACT, violations

ALICE = {"name": "alice", "subject": "alice", "groups": ["data-science"]}


def problem(code: str, detail: str, **more: Any) -> dict[str, Any]:
    return {
        "type": f"urn:jupyter-wb-aws:problem:{code}",
        "title": f"The title of {code}",
        "status": CONTRACT["x-codes"][code]["status"],
        "detail": detail,
        "code": code,
        "hint": "Do this.",
        "admin_hint": None,
        "message": detail,
        "reason": f"The title of {code}",
        **more,
    }


def role(name: str, **more: Any) -> dict[str, Any]:
    account = more.pop("account_id", "111122223333")
    return {
        "arn": f"arn:aws:iam::{account}:role/{name}",
        "name": name,
        "account_id": account,
        "label": name,
        "description": None,
        "region": "us-east-2",
        "color": None,
        "default": False,
        "delivery": "web_identity",
        "request_url": None,
        **more,
    }


def role_session(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{name}",
        "role_arn": f"arn:aws:iam::111122223333:role/{name}",
        "label": name,
        "region": "us-east-2",
        "state": "active",
        "default": False,
        "shared": True,
        "delivery": "web_identity",
        "lease": None,
        "identity": {
            "UserId": f"AROA:alice-{name}",
            "Account": "111122223333",
            "Arn": f"arn:aws:sts::111122223333:assumed-role/{name}/alice-{name}",
        },
        "environment": {"AWS_ROLE_ARN": f"arn:aws:iam::111122223333:role/{name}"},
        "started_at": "2026-11-24T14:00:00Z",
        "credentials_expire_at": None,
        "token_expires_at": "2026-11-24T15:00:00Z",
        "next_refresh_at": "2026-11-24T14:48:00Z",
        "problem": None,
        "notices": [],
        "end_reason": None,
        **more,
    }


def sign_in(state: str, **more: Any) -> dict[str, Any]:
    return {
        "state": state,
        "user": ALICE if state == "signed_in" else None,
        "expires_at": None,
        "flows": ["code", "device"],
        "problem": None,
        **more,
    }


def endpoint_client(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"c-{name}",
        "kind": "kernel",
        "name": name,
        "state": "running",
        "session_id": "id-auditor",
        "role_arn": "arn:aws:iam::111122223333:role/auditor",
        "label": "auditor",
        "started_at": "2026-11-24T14:00:00Z",
        "last_request_at": None,
        "processes": 1,
        "commands": [{"pid": 4711, "name": "python"}],
        **more,
    }


def switch(**more: Any) -> dict[str, Any]:
    return {"applies": "at_restart", "at_restart": [], "old_clients_until": None, **more}


def health(**more: Any) -> dict[str, Any]:
    return {
        "status": "ok",
        "message": "All is well.",
        "problems": [],
        "catalogue": None,
        "token_source": None,
        "endpoint": None,
        "role_sessions": [],
        "notices": [],
        "versions": {
            "jupyter_wb_aws": "0.1.0",
            "jupyter_server": "2.21.1",
            "jupyter_client": "8.10.0",
            "python": "3.11.2",
        },
        **more,
    }


def health_problem(code: str, detail: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "detail": detail, "hint": "", "admin_hint": None, **more}


def token_source(**more: Any) -> dict[str, Any]:
    return {
        "name": "command",
        "binds_role": False,
        "subject": None,
        "claims": None,
        "warnings": [],
        "expires_at": None,
        "next_refresh_at": None,
        "problem": None,
        **more,
    }


def session_health(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{name}",
        "state": "active",
        "claims": None,
        "next_refresh_at": None,
        "last_failure": None,
        **more,
    }


CLAIMS = {
    "iss": "https://idp.example.com",
    "aud": "jupyter",
    "azp": None,
    "sub": "alice",
    "amr": None,
    "source_identity": None,
    "roles": None,
    "principal_tags": None,
}


@dataclass
class Asked:
    method: str
    target: str
    headers: dict[str, str]
    body: Any


@dataclass
class State:
    """What the stand-in knows; tests change it."""

    token: str = "s3cret"
    base: str = "/user/alice"
    roles: list[dict[str, Any]] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)
    health: dict[str, Any] = field(default_factory=health)
    # What is news in it once the token source was asked.
    health_after_roles: dict[str, Any] = field(default_factory=dict)
    # What GET /aws/sign-in answers, one after the other; the last one stays.
    sign_ins: list[dict[str, Any]] = field(
        default_factory=lambda: [sign_in("not_needed", flows=[])]
    )
    signed_out: dict[str, Any] = field(
        default_factory=lambda: {
            "credentials_expire_at": "2026-11-24T16:00:00Z",
            "clients_stop_by": None,
            "revoked": True,
            "end_session_url": None,
        }
    )
    # Clients of the credential endpoint.
    clients: list[dict[str, Any]] = field(default_factory=list)
    assignments: list[dict[str, Any]] = field(default_factory=list)
    # What PUT /aws/assignments/{id} answers.
    switch: dict[str, Any] = field(default_factory=switch)
    # What DELETE /aws/sessions/{id} answers.
    ended: dict[str, Any] = field(
        default_factory=lambda: {
            "credentials_expire_at": "2026-11-24T16:00:00Z",
            "clients_stop_by": None,
        }
    )
    # What POST /aws/sessions answers besides the usual.
    started: dict[str, Any] = field(default_factory=dict)
    device: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    redirect: str = ""
    # Called with the role session of PUT /aws/assignments/{id}.
    on_assign: Callable[[str | None], None] = lambda _: None
    # What PUT /aws/assignments/{id} answers for these role sessions.
    refused_sessions: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def fail(self, call: str, code: str, detail: str, **more: Any) -> dict[str, Any]:
        """Answer `call` ("POST /aws/sessions") with a problem."""
        body = problem(code, detail, **more)
        self.answers[call] = (body["status"], "application/problem+json", json.dumps(body).encode())
        return body


class Handler(BaseHTTPRequestHandler):
    state: State

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.handle_call("GET")

    def do_POST(self):
        self.handle_call("POST")

    def do_PUT(self):
        self.handle_call("PUT")

    def do_DELETE(self):
        self.handle_call("DELETE")

    def handle_call(self, method: str) -> None:
        state = self.state
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(content) if content else None
        state.asked.append(Asked(method, self.path, dict(self.headers), body))
        target = urlsplit(self.path)
        path = target.path.removeprefix(state.base)
        if state.redirect:
            self.send_response(302)
            self.send_header("Location", state.redirect)
            self.end_headers()
            return
        if method == "PUT":
            state.on_assign(body["session_id"])
        if method == "PUT" and body["session_id"] in state.refused_sessions:
            self.answer(*state.refused_sessions[body["session_id"]])
            return
        if f"{method} {path}" in state.answers:
            self.answer(*state.answers[f"{method} {path}"])
            return
        if self.headers.get("Authorization", "") != f"token {state.token}".removesuffix("token "):
            refusal = problem("not_authenticated", "Who are you?")
            self.answer(403, "application/problem+json", json.dumps(refusal).encode())
            return
        status, data = self.call(method, path, parse_qs(target.query), body)
        state.violations += violations(method, path, body, status, data)
        kind = "application/json" if status < 400 else "application/problem+json"
        content = b"" if data is None else json.dumps(data, separators=(",", ":")).encode()
        self.answer(status, kind, content)

    def answer(self, status: int, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def call(self, method, path, query, body):  # noqa: C901, PLR0911 - one for each call
        state = self.state
        match method, path.split("/")[2:]:
            case "GET", ["roles"]:
                state.health = {**state.health, **state.health_after_roles}
                return 200, {"user": ALICE, "roles": state.roles}
            case "GET", ["health"]:
                return 200, state.health
            case "GET", ["sessions"]:
                return 200, {"sessions": state.sessions}
            case "GET", ["identity"]:
                return self.identity(query.get("session_id", [""])[0])
            case "GET", ["sessions", key]:
                return 200, next(one for one in state.sessions if one["id"] == key)
            case "POST", ["sessions"]:
                session = role_session(
                    body["role_arn"].rpartition("/")[2],
                    default=body.get("default", False),
                    shared=body.get("shared", True),
                    region=body.get("region", "us-east-2"),
                    **state.started,
                )
                state.sessions.append(session)
                return 201, session
            case _, ["sign-in"]:
                return self.sign_in(method)
            case "GET", ["assignments"]:
                return 200, {"assignments": state.assignments}
            case "PUT", ["assignments", _]:
                return 200, state.switch
            case "GET", ["endpoint", "clients"]:
                return 200, {"clients": state.clients}
            case "DELETE", ["endpoint", "clients", _]:
                return 204, None
            case "DELETE", ["sessions", _]:
                return 200, state.ended
        return 404, problem("not_found", "No such path.")

    def sign_in(self, method):
        state = self.state
        begun = {
            "flow": "device",
            "user_code": "WDJB-MJHT",
            "verification_uri": "https://idp.example.com/device",
            "expires_at": "2026-11-24T14:10:00Z",
            **state.device,
        }
        if method == "GET":
            return 200, state.sign_ins.pop(0) if len(state.sign_ins) > 1 else state.sign_ins[0]
        return (202, begun) if method == "POST" else (200, state.signed_out)

    def identity(self, key):
        for session in self.state.sessions:
            if session["id"] == key or (not key and session["default"]):
                return 200, {**session["identity"], "session_id": session["id"], "user": ALICE}
        return 404, problem("no_role_session", "You, alice, have no role session.")


@contextmanager
def served(state: State, kind: type = ThreadingHTTPServer, address: Any = ("127.0.0.1", 0)):
    """Serve `state` until the block ends."""
    server = kind(address, type("BoundHandler", (Handler,), {"state": state}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
