"""The only caller of the server: the REST contract over the standard library's HTTP client."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_wb_aws.cli import bad_answer
from jupyter_wb_aws.cli.failure import CliError, refused_by_server
from jupyter_wb_aws.cli.server import Connection, find_server
from jupyter_wb_aws.cli.transport import opener_for

TIMEOUT_SECONDS = 30.0
"""Longer than the 20 s that starting a role session may take, so that the server answers first."""

MAX_ANSWER_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said: as it came, and read."""

    text: str
    data: Any


class Client:
    """Asks one Jupyter server.

    Args:
        connection: which server, and its token.
        timeout: seconds to wait for the server to connect or to say anything.
    """

    def __init__(self, connection: Connection, timeout: float = TIMEOUT_SECONDS) -> None:
        self._connection = connection
        self._timeout = timeout
        self._opener = opener_for(connection.url, connection.socket)

    @property
    def url(self) -> str:
        """Where the server is, as this process reaches it; ends in a slash."""
        return self._connection.url.rstrip("/") + "/"

    def get(self, path: str, **query: str) -> Answer:
        """Ask for something."""
        suffix = f"?{urllib.parse.urlencode(query)}" if query else ""
        return self._ask("GET", path + suffix)

    def post(self, path: str, body: Mapping[str, object]) -> Answer:
        """Have something done."""
        return self._ask("POST", path, json.dumps(body).encode())

    def put(self, path: str, body: object) -> Answer:
        """PUT JSON to `path`."""
        return self._ask("PUT", path, json.dumps(body).encode())

    def delete(self, path: str) -> Answer:
        """Have something ended."""
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        request = urllib.request.Request(  # noqa: S310 - opener_for has looked at the scheme
            self._base_url + path, data=body, method=method, headers=self._headers(body)
        )
        url = self._connection.url
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                return self._read(response)
        except urllib.error.HTTPError as answer:
            with answer:
                raise self._refused(answer) from None
        except (OSError, http.client.HTTPException) as error:
            raise bad_answer.unreachable(url, error, self._timeout) from None

    @property
    def _base_url(self) -> str:
        parts = urllib.parse.urlsplit(self._connection.url.rstrip("/"))
        # Over a Unix socket the host is of no matter, but Jupyter looks at its name.
        return f"http://localhost{parts.path}" if self._connection.socket else parts.geturl()

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json, application/problem+json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._connection.token:
            headers["Authorization"] = f"token {self._connection.token}"
        else:
            # A server without authentication still wants the pair (tornado, check_xsrf_cookie).
            headers |= {"Cookie": "_xsrf=none", "X-XSRFToken": "none"}
        return headers

    def _read(self, response: http.client.HTTPResponse) -> Answer:
        content = response.read(MAX_ANSWER_BYTES)
        if response.status == http.HTTPStatus.NO_CONTENT:
            return Answer(text="", data=None)
        try:
            text = content.decode()
            return Answer(text=text, data=json.loads(text))
        except ValueError:
            raise bad_answer.unreadable(self._connection.url, response.status) from None

    def _refused(self, answer: urllib.error.HTTPError) -> CliError:
        url, (problem, text) = self._connection.url, _problem_of(answer)
        code = problem.get("code") if problem else None
        not_let_in = code == "not_authenticated" or (not problem and answer.code in {401, 403})
        if not_let_in and not self._connection.token:
            # The runtime file says nothing of PasswordIdentityProvider.hashed_password.
            return bad_answer.has_no_token(url)
        if problem is None:
            return bad_answer.without_problem(url, answer.code)
        return refused_by_server(problem, text)


def _problem_of(answer: urllib.error.HTTPError) -> tuple[dict[str, object] | None, str]:
    """Read the contract's problem off an error, if it is one, and its text."""
    if answer.headers.get_content_type() != "application/problem+json":
        return None, ""
    try:
        text = answer.read(MAX_ANSWER_BYTES).decode()
        problem = json.loads(text)
    except (ValueError, OSError, http.client.HTTPException):
        return None, ""
    return (problem, text) if isinstance(problem, dict) else (None, "")


def connect() -> Client:
    """Find this process's server."""
    from jupyter_core.paths import jupyter_runtime_dir  # 30 ms, not for --help

    return Client(find_server(os.environ, Path(jupyter_runtime_dir())))


def quote(text: str) -> str:
    """Make text safe as one segment of a path."""
    return urllib.parse.quote(text, safe="")
