"""The client of the server's REST interface."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote as quote_url
from urllib.parse import urlencode, urlsplit

from jupyter_wb_aws.cli import server_errors
from jupyter_wb_aws.cli.discovery import Connection, find_own_server, find_server
from jupyter_wb_aws.cli.errors import CliError, refused_by_server
from jupyter_wb_aws.cli.local_connection import Deadline
from jupyter_wb_aws.cli.server_info import default_runtime_dir
from jupyter_wb_aws.cli.transport import AnswerTooLarge, Request, Response, is_local_server, send

REQUEST_TIMEOUT = 30.0
"""Seconds; a role session may take 20 s to start, so the server always answers first."""

# Members of the contract's answers, which always have these types.
LISTS, OBJECTS = (
    {"sessions", "roles", "notices", "problems", "findings", "clients", "assignments"},
    {"token_source", "catalogue", "user", "role"},
)

HTTP_OK, HTTP_NO_CONTENT, HTTP_MULTIPLE_CHOICES = 200, 204, 300


class Answer(NamedTuple):
    """The server's answer, as text and as data."""

    text: str
    data: Any


class Client:
    """Calls one Jupyter server.

    Args:
        connection: the server and its token.
        timeout: seconds after which a call fails, even if the server is still sending.
    """

    def __init__(self, connection: Connection, timeout: float = REQUEST_TIMEOUT) -> None:
        self._connection = connection
        self._timeout = timeout

    @property
    def url(self) -> str:
        """The server's URL as this process reaches it; it ends with a slash."""
        return self._connection.url.rstrip("/") + "/"

    def get(self, path: str, **query: str) -> Answer:
        """GET `path`."""
        suffix = f"?{urlencode(query)}" if query else ""
        return self._ask("GET", path + suffix)

    def post(self, path: str, body: Mapping[str, object]) -> Answer:
        """POST JSON to `path`."""
        return self._ask("POST", path, json.dumps(body).encode())

    def put(self, path: str, body: object) -> Answer:
        """PUT JSON to `path`."""
        return self._ask("PUT", path, json.dumps(body).encode())

    def delete(self, path: str) -> Answer:
        """DELETE `path`."""
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        server = self._connection
        request = Request(method, self._base_url + path, self._headers(body), body)
        try:
            response = send(
                request,
                Deadline(self._timeout),
                unix_socket=server.socket,
                named_by_file=server.named_by_file,
            )
        except OSError as error:
            here = is_local_server(server.url, named_by_file=server.named_by_file)
            raise server_errors.unreachable(
                server.display_url, error, self._timeout, here=here
            ) from None
        except AnswerTooLarge:
            raise server_errors.too_large(server.display_url) from None
        if not HTTP_OK <= response.status < HTTP_MULTIPLE_CHOICES:
            raise self._refused(response)
        return self._read(response)

    @property
    def _base_url(self) -> str:
        parts = urlsplit(self._connection.url.rstrip("/"))
        # Over a Unix socket the host is of no matter, but Jupyter looks at its name.
        return f"http://localhost{parts.path}" if self._connection.socket else parts.geturl()

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json, application/problem+json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._connection.token:
            headers["Authorization"] = f"token {self._connection.token}"
        else:
            # A server without authentication still needs the pair (tornado, check_xsrf_cookie), and proof
            # that no web page is calling: no page can set this header (W3C Fetch Metadata, 2.4).
            headers |= {"Cookie": "_xsrf=none", "X-XSRFToken": "none", "Sec-Fetch-Site": "none"}
        return headers

    def _read(self, response: Response) -> Answer:
        if response.status == HTTP_NO_CONTENT:
            return Answer(text="", data=None)
        try:
            text = response.body.decode()
            data = json.loads(text, object_hook=_members_of(self._connection.display_url))
        except (ValueError, RecursionError):
            raise server_errors.unreadable(self._connection.display_url, response.status) from None
        if (wrong := _wrong_in(data)) is not None:
            raise server_errors.not_of_the_contract(self._connection.display_url, wrong)
        return Answer(text=text, data=data)

    def _refused(self, response: Response) -> CliError:
        url, (problem, text) = self._connection.display_url, _problem_of(response)
        code = problem.get("code") if problem else None
        not_let_in = code == "not_authenticated" or (not problem and response.status in {401, 403})
        if not_let_in and not self._connection.token:
            # The runtime file does not mention PasswordIdentityProvider.hashed_password.
            return server_errors.no_token(url)
        if problem is None:
            return server_errors.no_problem_document(url, response.status)
        return refused_by_server(problem, text)


def _members_of(url: str) -> type[dict[str, Any]]:
    """Return the type of the answer's JSON objects, which explains a missing member."""

    class Members(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            raise server_errors.not_of_the_contract(url, f"it has no `{name}`")

    return Members


def _wrong_in(data: Any) -> str | None:
    """Return what is wrong in an answer by the contract, as the end of a sentence; None if nothing is."""
    if not isinstance(data, dict):
        return "it is not an object"
    for name in LISTS & data.keys():
        if not isinstance(data[name], list) or not all(isinstance(x, dict) for x in data[name]):
            return f"its `{name}` is not a list of objects"
    for name in OBJECTS & data.keys():
        if not isinstance(data[name], dict | None):
            return f"its `{name}` is not an object"
    return None


def _problem_of(response: Response) -> tuple[dict[str, object] | None, str]:
    """Return the problem document of an error and its text; None if it has none."""
    if response.media_type != "application/problem+json":
        return None, ""
    try:
        text = response.body.decode()
        problem = json.loads(text)
    except (ValueError, RecursionError):
        return None, ""
    return (problem, text) if isinstance(problem, dict) else (None, "")


def connect(timeout: float = REQUEST_TIMEOUT) -> Client:
    """Find this process's server.

    Args:
        timeout: seconds after which a call fails.

    Raises:
        CliError: if there is none, there are several, or it can't be called.
    """
    # jupyter_core takes 30 ms to import. Most users have its default folder; if this process's own server
    # is in there, jupyter_core is not needed.
    own = find_own_server(os.environ, default_runtime_dir(os.environ))
    if own is not None:
        return Client(own, timeout)
    from jupyter_core.paths import jupyter_runtime_dir

    return Client(find_server(os.environ, Path(jupyter_runtime_dir())), timeout)


def quote(text: str) -> str:
    """Quote text so that it is one segment of a path."""
    return quote_url(text, safe="")
