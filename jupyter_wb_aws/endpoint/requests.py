"""Which requests may get credentials: those that an SDK sends.

The order of the checks is that of what may be said to whom: a page in a browser, and a name that an attacker resolves
to 127.0.0.1 (DNS rebinding), learn nothing but that they are refused.
"""

from __future__ import annotations

import re

from tornado.httputil import HTTPHeaders, HTTPInputError, parse_request_start_line

from jupyter_wb_aws.endpoint.answers import Refusal

PATH = "/credentials"
# An SDK's request has about 200 bytes.
MAX_LINE_BYTES = 1024
MAX_HEAD_BYTES = 4096

END = b"\r\n\r\n"
# RFC 9112 lets a server accept a bare LF, folded lines and more; no SDK sends them, so nothing has to be guessed.
NEVER_IN_A_HEAD = re.compile(rb"[^\t\r\n\x20-\x7e\x80-\xff]")
NOT_STRICT = re.compile(rb"(?<!\r)\n|\r(?!\n)|\r\n[ \t]|\n[^\r\n:]*[ \t]:")


def unreadable(reason: str) -> Refusal:
    """Return the refusal of what is not an HTTP request."""
    return Refusal(400, "BadRequest", f"The request is not HTTP/1.1 as AWS SDKs send it: {reason}.")


def check_beginning(begun: bytes) -> None:
    """Refuse what can't become a request, so that a program that speaks another protocol does not wait for an answer.

    Raises:
        Refusal: if the bytes received so far are not the beginning of a request.
    """
    if NEVER_IN_A_HEAD.search(begun):
        raise unreadable("it has bytes that are not text")
    line, ended, _ = begun.partition(b"\r\n")
    if len(line) > MAX_LINE_BYTES:
        raise Refusal(414, "RequestTooLarge", "The first line of the request is too long.")
    if ended:
        _start_line(line)


def read_authorization(received: bytes, port: int) -> str | None:
    """Return the Authorization header of an SDK's request, as it was sent, or None if there is none.

    Args:
        received: everything that was received, at least up to the empty line that ends a head.
        port: the endpoint's own.

    Raises:
        Refusal: if it is another kind of request.
    """
    check_beginning(received)
    head, _, rest = received.partition(END)
    if NOT_STRICT.search(head + b"\r\n"):
        raise unreadable("its lines are not separated in the usual way")
    first, _, lines = head.partition(b"\r\n")
    method, path = _start_line(first)
    headers = _headers(lines)
    _check_caller(headers, port)
    if method != "GET":
        raise Refusal(405, "MethodNotAllowed", "The credential endpoint answers GET requests only.")
    _check_body(headers, rest)
    if path != PATH:
        raise Refusal(404, "NotFound", f"The credential endpoint has one path only, {PATH}.")
    authorizations = headers.get_list("Authorization")
    if len(authorizations) > 1:
        raise unreadable("it has several Authorization headers")
    return authorizations[0] if authorizations else None


def _start_line(line: bytes) -> tuple[str, str]:
    try:
        start = parse_request_start_line(line.decode("latin-1"))
    except HTTPInputError:
        raise unreadable("its first line is not one of HTTP/1.1") from None
    return start.method, start.path


def _headers(lines: bytes) -> HTTPHeaders:
    try:
        return HTTPHeaders.parse(lines.decode("latin-1"))
    except (HTTPInputError, ValueError):
        raise unreadable("its headers can not be read") from None


def _check_caller(headers: HTTPHeaders, port: int) -> None:
    """Refuse pages in browsers: they always send `Origin` or `Sec-Fetch-*` across sites, and can't remove them."""
    if "Origin" in headers or any(name.startswith("Sec-Fetch-") for name in headers):
        raise Refusal(403, "BrowserRefused", "The credential endpoint does not answer browsers.")
    hosts = headers.get_list("Host")
    if len(hosts) != 1 or hosts[0].lower() not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        raise Refusal(403, "HostRefused", "The Host header is not that of the credential endpoint.")


def _check_body(headers: HTTPHeaders, rest: bytes) -> None:
    """Refuse bodies, and what is sent after the request: there is one request for each connection."""
    lengths = headers.get_list("Content-Length")
    if rest or "Transfer-Encoding" in headers or "Upgrade" in headers or lengths not in ([], ["0"]):
        raise Refusal(400, "BodyRefused", "A request to the credential endpoint has no body.")
