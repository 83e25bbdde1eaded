"""Send a request to the server, and its token nowhere else.

Redirects are not followed, and a server on this machine is never called through a proxy. Requests to it
are written to a socket directly: the standard library's HTTP client takes longer to import than a whole
command should, and `jupyter wb-aws exec` comes before every run of a script. This also allows to check
the connection before the token is sent, and to have one deadline for the whole request.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from jupyter_wb_aws.cli.local_connection import (
    Deadline,
    connect_tcp,
    connect_tls,
    connect_unix,
    run_with_deadline,
)
from jupyter_wb_aws.loopback import is_loopback_host

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Head and body; five thousand roles take less than two million."""

MAX_LENGTH_DIGITS = 20  # of a length; int() refuses thousands of digits

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Request(NamedTuple):
    """A request."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


class Response(NamedTuple):
    """A response."""

    status: int
    media_type: str
    body: bytes


class AnswerTooLarge(Exception):
    """The answer has more than MAX_ANSWER_BYTES."""


def send(
    request: Request, deadline: Deadline, *, unix_socket: str = "", named_by_file: bool = False
) -> Response:
    """Send a request and return the response.

    Args:
        request: the request, with its whole URL.
        deadline: when to give up.
        unix_socket: the path of the server's Unix socket; empty if it has none.
        named_by_file: whether a runtime file of this user names the server, which then is on this
            machine.

    Raises:
        CliError: if another user listens there.
        AnswerTooLarge: if the response has more than MAX_ANSWER_BYTES.
        OSError: if there is no response.
    """
    if unix_socket:
        return _send_by_socket(request, connect_unix(unix_socket, deadline), deadline)
    parts = urlsplit(request.url)
    host = parts.hostname or "localhost"
    if not is_local_server(request.url, named_by_file=named_by_file):
        return run_with_deadline(deadline, lambda: _send_by_urllib(request, deadline.left()))

    def connect() -> socket.socket:
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        return connect_tcp(host, port, deadline, named_by_file=named_by_file)

    connection = connect_tls(connect, host, deadline) if parts.scheme == "https" else connect()
    return _send_by_socket(request, connection, deadline)


def is_local_server(url: str, *, named_by_file: bool) -> bool:
    """Return whether a server is on this machine, by its name or because a runtime file names it."""
    return named_by_file or is_local_host(urlsplit(url).hostname)


def is_local_host(host: str | None) -> bool:
    """Return whether a host name is loopback or this machine's own name."""
    if not host or host.endswith(".localhost") or is_loopback_host(host):
        return True
    return host == socket.gethostname().lower()


def _send_by_socket(request: Request, connection: socket.socket, deadline: Deadline) -> Response:
    """Use HTTP/1.0 (RFC 1945), in which a response has no chunks and ends with the connection."""
    with connection:
        connection.settimeout(deadline.left())  # for sending all of it
        connection.sendall(_encoded(request))
        return read_answer(_until_closed(connection, deadline))


def _encoded(request: Request) -> bytes:
    parts = urlsplit(request.url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    headers = {"Host": parts.netloc, **request.headers}
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {target} HTTP/1.0", *(f"{k}: {v}" for k, v in headers.items())]
    if not "".join(lines).isprintable():  # a line break would begin another header
        raise _unsendable()
    try:
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (request.body or b"")
    except UnicodeEncodeError:
        raise _unsendable() from None


def _unsendable() -> OSError:
    """Explain it without the request, which contains the token."""
    return OSError(errno.EINVAL, "Its URL or token has characters that can't be sent")


def _until_closed(connection: socket.socket, deadline: Deadline) -> bytes:
    received = bytearray()
    while len(received) <= MAX_ANSWER_BYTES:
        connection.settimeout(deadline.left())
        if not (some := connection.recv(65536)):
            return bytes(received)
        received += some
    raise AnswerTooLarge


def read_answer(answer: bytes) -> Response:
    """Read an answer of HTTP/1.x that is complete.

    Raises:
        ConnectionAbortedError: if it is not HTTP, or was cut off.
    """
    head, end, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    if not end or not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
        raise ConnectionAbortedError(errno.ECONNABORTED, "It does not speak HTTP")
    length = fields.get("content-length", "0")
    if not (length.isascii() and length.isdecimal() and len(length) < MAX_LENGTH_DIGITS):
        raise ConnectionAbortedError(errno.ECONNABORTED, "It does not speak HTTP")
    if len(body) < int(length):
        raise ConnectionAbortedError(errno.ECONNABORTED, "The answer was cut off")
    return Response(int(rest[:3]), _media_type(fields.get("content-type", "")), body)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _send_by_urllib(request: Request, timeout: float) -> Response:
    """Call a server elsewhere, through the proxy that the environment names for it."""
    import http.client
    import urllib.error
    import urllib.request

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        """Returns a redirect as the response: following it would send the token elsewhere."""

        def redirect_request(self, *_: Any, **__: Any) -> None:
            """Don't follow it."""

    opener = urllib.request.build_opener(NoRedirect)
    asked = urllib.request.Request(  # noqa: S310 - `discovery` has checked the scheme
        request.url, data=request.body, method=request.method, headers=dict(request.headers)
    )
    try:
        try:
            answer = opener.open(asked, timeout=timeout)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            kind = _media_type(answer.headers.get("Content-Type", ""))
            body = answer.read(MAX_ANSWER_BYTES + 1)
            if len(body) > MAX_ANSWER_BYTES:
                raise AnswerTooLarge
            return Response(answer.status, kind, body)
    except urllib.error.URLError as error:
        raise (error.reason if isinstance(error.reason, OSError) else error) from None
    except http.client.HTTPException as error:
        raise ConnectionAbortedError(errno.ECONNABORTED, type(error).__name__) from None
    except ValueError:
        raise _unsendable() from None
