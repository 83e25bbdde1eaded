"""How a request gets to the server, and that its token gets nowhere else.

No redirect is followed, and a server on this machine is never asked through a proxy.
"""

from __future__ import annotations

import http.client
import socket
import urllib.parse
import urllib.request
from typing import Any

from jupyter_wb_aws.cli.failure import ExitCode, local_problem
from jupyter_wb_aws.loopback import is_loopback_host


def opener_for(url: str, unix_socket: str) -> urllib.request.OpenerDirector:
    """Make what opens requests to one server.

    Raises:
        CliError: if `url` is not one that HTTP is spoken to.
    """
    direct = urllib.request.ProxyHandler({})
    if unix_socket:
        return urllib.request.build_opener(_NoRedirect, direct, _UnixSocketHandler(unix_socket))
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise local_problem(
            "no_server",
            "Not the URL of a Jupyter server",
            detail=f"{url} is not the URL of a Jupyter server.",
            hint="JUPYTER_SERVER_URL should start with http:// or https://.",
            exit_code=ExitCode.CANNOT_ASK,
        )
    if is_this_machine(parts.hostname):
        return urllib.request.build_opener(_NoRedirect, direct)
    return urllib.request.build_opener(_NoRedirect)


def is_this_machine(host: str | None) -> bool:
    """Tell whether a host name is loopback, or this machine's own name."""
    if not host or host.endswith(".localhost") or is_loopback_host(host):
        return True
    return host == socket.gethostname().lower()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Hands a redirect back as the answer: following it would carry the token elsewhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none."""


class _UnixSocketHandler(urllib.request.HTTPHandler):
    """Speaks HTTP over a Unix socket, whatever the host in the URL."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Open a request by the socket. Named by urllib.request."""
        path = self._path

        class UnixConnection(http.client.HTTPConnection):
            def connect(self) -> None:
                self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self.sock.settimeout(self.timeout)
                self.sock.connect(path)

        return self.do_open(UnixConnection, req)
