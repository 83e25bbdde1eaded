"""A hub that answers `GET /hub/api/user` as JupyterHub 6.1 does, or misbehaves in one of the ways that hubs have."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ACCESS = "access:services!service=aws"


def user(name: str = "alice", **changed: Any) -> dict[str, Any]:
    """What the hub says of the token of a user's default server."""
    return {
        "admin": False,
        "created": None,
        "groups": ["analysts"],
        "kind": "user",
        "last_activity": "2026-11-28T18:00:00.000000Z",
        "name": name,
        "pending": None,
        "roles": ["user"],
        "scopes": [ACCESS, f"access:servers!server={name}/", f"users:activity!user={name}"],
        "server": f"/user/{name}/",
        "session_id": None,
        "token_id": "a7",
        **changed,
    }


class FakeHub:
    """The hub. `tokens` has what it says of each token; `misbehave` is called instead of its own answer.

    `asked` has the time, path and headers of each question.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tokens: dict[str, Any] = {"alice-token": user()}
        self.misbehave: Any = None
        self.asked: list[tuple[float, str, dict[str, str]]] = []
        self.released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hub/api"

    @property
    def asked_for_users(self) -> list[float]:
        """When it was asked who a caller is."""
        return [at for at, path, _ in self.asked if path == "/hub/api/user"]

    @contextlib.contextmanager
    def running(self) -> Iterator[FakeHub]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join(10)

    def behave(self) -> None:
        """Be a hub that answers, with alice alone."""
        self.misbehave = None
        self.tokens = {"alice-token": user()}
        self.released.set()
        self.released = threading.Event()
        self.asked.clear()


class _Server(ThreadingHTTPServer):
    request_queue_size = 200
    daemon_threads = True
    hub: FakeHub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        hub = self.server.hub
        hub.asked.append((time.monotonic(), self.path, dict(self.headers)))
        if hub.misbehave is not None:
            hub.misbehave(self)
        elif self.path == "/hub/api/":
            self.answer(200, {"version": "6.1.1"})
        else:
            kind, _, token = self.headers.get("Authorization", "").partition(" ")
            found = hub.tokens.get(token) if kind == "token" else None
            if found is None:
                self.answer(403, {"status": 403, "message": "Missing or invalid credentials."})
            else:
                self.answer(200, found)

    def answer(self, status: int, content: Any, kind: str = "application/json") -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


# --- The ways in which a hub misbehaves -------------------------------------------------------------


def is_silent(handler: _Handler) -> None:
    """Answers nothing until the test is done."""
    handler.server.hub.released.wait(30)
    handler.close_connection = True


def resets(handler: _Handler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def answers_html(handler: _Handler) -> None:
    """As its proxy does while it restarts."""
    handler.answer(503, b"<html><h1>503 : Service Unavailable</h1></html>", "text/html")


def answers_html_with_200(handler: _Handler) -> None:
    handler.answer(200, b"<html>Log in</html>", "text/html")


def refuses_with_html(handler: _Handler) -> None:
    """As a proxy between the service and the hub does: it says nothing about the token."""
    handler.answer(403, b"<html>Forbidden</html>", "text/html")


def refuses_with_json(handler: _Handler) -> None:
    """As a gateway or a firewall between the service and the hub does."""
    handler.answer(403, {"message": "Forbidden"})


def redirects(handler: _Handler) -> None:
    handler.send_response(302)
    handler.send_header("Location", f"http://127.0.0.1:{handler.server.hub.port}/hub/api/user")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def has_no_such_path(handler: _Handler) -> None:
    handler.answer(404, {"status": 404, "message": "Not Found"})


def is_busy(handler: _Handler) -> None:
    handler.answer(429, {"status": 429, "message": "Too many requests"})


def has_a_defect(handler: _Handler) -> None:
    handler.answer(500, {"status": 500, "message": "Internal Server Error"})


def answers_without_end(handler: _Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
    with contextlib.suppress(OSError):
        while not handler.server.hub.released.is_set():
            handler.wfile.write(b" " * 65536)


def answers_half(handler: _Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"kind": "user", "name": "ali')
    handler.close_connection = True


def answers_deep_json(handler: _Handler) -> None:
    handler.answer(200, b"[" * 200_000)


def answers_a_list(handler: _Handler) -> None:
    handler.answer(200, ["alice"])


def answers_binary(handler: _Handler) -> None:
    handler.answer(200, b"\xff\xfe\x00{}")


MISBEHAVIORS = [
    resets, answers_html, answers_html_with_200, refuses_with_html, refuses_with_json, redirects, has_no_such_path, is_busy, has_a_defect,
    answers_without_end, answers_half, answers_deep_json, answers_a_list, answers_binary,
]  # fmt: skip
