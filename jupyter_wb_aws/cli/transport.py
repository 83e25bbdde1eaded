"""How a request gets to the server, and that its token gets nowhere else.

No redirect is followed, and a server on this machine is never asked through a proxy. One that is
reached without TLS is spoken to by hand: the standard library's HTTP client takes longer to import
than a whole command should, and `jupyter wb-aws exec` stands before every run of somebody's script.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from jupyter_wb_aws.cli.failure import ExitCode, local_problem
from jupyter_wb_aws.loopback import is_loopback_host

MAX_ANSWER_BYTES = 64 * 1024 * 1024


class Request(NamedTuple):
    """What to ask."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


class Response(NamedTuple):
    """What came back."""

    status: int
    media_type: str
    body: bytes


def send(request: Request, unix_socket: str, timeout: float) -> Response:
    """Ask one server.

    Args:
        unix_socket: the path of the socket that it listens on, if it is one.
        timeout: seconds to wait for it to connect or to say anything.

    Raises:
        CliError: if the URL is not one that HTTP is spoken to.
        OSError: if no answer came.
    """
    parts = urlsplit(request.url)
    if unix_socket:
        return _by_hand(request, _unix(unix_socket, timeout))
    if parts.scheme not in {"http", "https"}:
        raise local_problem(
            "no_server",
            "Not the URL of a Jupyter server",
            detail=f"{request.url} is not the URL of a Jupyter server.",
            hint="JUPYTER_SERVER_URL should start with http:// or https://.",
            exit_code=ExitCode.CANNOT_ASK,
        )
    here = is_this_machine(parts.hostname)
    if parts.scheme == "http" and here:
        address = (parts.hostname or "localhost", parts.port or 80)
        return _by_hand(request, socket.create_connection(address, timeout))
    return _by_library(request, timeout, proxies={} if here else None)


def is_this_machine(host: str | None) -> bool:
    """Tell whether a host name is loopback, or this machine's own name."""
    if not host or host.endswith(".localhost") or is_loopback_host(host):
        return True
    return host == socket.gethostname().lower()


def _unix(path: str, timeout: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _by_hand(request: Request, connection: socket.socket) -> Response:
    """Speak HTTP/1.0 (RFC 1945), in which an answer has no chunks and ends with the connection."""
    with connection:
        connection.sendall(_encoded(request))
        return _read(_until_closed(connection))


def _encoded(request: Request) -> bytes:
    parts = urlsplit(request.url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    headers = {"Host": parts.netloc, **request.headers}
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {target} HTTP/1.0", *(f"{k}: {v}" for k, v in headers.items())]
    if not "".join(lines).isprintable():  # a line break would be another header
        raise _unsendable()
    try:
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (request.body or b"")
    except UnicodeEncodeError:
        raise _unsendable() from None


def _unsendable() -> OSError:
    """Say so without the words, among which is the token."""
    return OSError(errno.EINVAL, "Its URL or token has characters that can't be sent")


def _until_closed(connection: socket.socket) -> bytes:
    received = bytearray()
    while len(received) < MAX_ANSWER_BYTES and (some := connection.recv(65536)):
        received += some
    return bytes(received)


def _read(answer: bytes) -> Response:
    head, end, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    if not end or not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
        raise ConnectionAbortedError(errno.ECONNABORTED, "It speaks no HTTP")
    length = fields.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()):
        raise ConnectionAbortedError(errno.ECONNABORTED, "It speaks no HTTP")
    if len(body) < int(length):
        raise ConnectionAbortedError(errno.ECONNABORTED, "The answer was cut off")
    return Response(int(rest[:3]), _media_type(fields.get("content-type", "")), body)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _by_library(request: Request, timeout: float, proxies: dict[str, str] | None) -> Response:
    import http.client
    import urllib.error
    import urllib.request

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        """Hands a redirect back as the answer: following it would carry the token elsewhere."""

        def redirect_request(self, *_: Any, **__: Any) -> None:
            """Follow none."""

    opener = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler(proxies))
    asked = urllib.request.Request(  # noqa: S310 - `send` has looked at the scheme
        request.url, data=request.body, method=request.method, headers=dict(request.headers)
    )
    try:
        try:
            answer = opener.open(asked, timeout=timeout)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            kind = _media_type(answer.headers.get("Content-Type", ""))
            return Response(answer.status, kind, answer.read(MAX_ANSWER_BYTES))
    except urllib.error.URLError as error:
        raise (error.reason if isinstance(error.reason, OSError) else error) from None
    except http.client.HTTPException as error:
        raise ConnectionAbortedError(errno.ECONNABORTED, type(error).__name__) from None
    except ValueError:
        raise _unsendable() from None
