"""A forward proxy that keeps what it is shown: the head of each request, as a site's proxy logs it."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import socketserver
import threading
from urllib.parse import urlsplit

_NAMED_TWICE = ("http_proxy", "https_proxy")


class RecordingProxy(socketserver.ThreadingTCPServer):
    """A running proxy on loopback; a context manager.

    Args:
        places: where to connect instead of to a host, by the host's name.
    """

    daemon_threads = True

    def __init__(self, places):
        super().__init__(("127.0.0.1", 0), _Forward)
        self.places = places
        self.heads = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def variables(self):
        """The variables that make clients use it, in both spellings."""
        return {spelt: self.url for name in _NAMED_TWICE for spelt in (name, name.upper())}

    def saw(self, secret):
        return any(secret.encode() in head for head in self.heads)


class _Forward(socketserver.StreamRequestHandler):
    rbufsize = 0  # so that what follows the head is left in the socket

    def handle(self):
        head = self.rfile.readline()
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            head += line
        self.server.heads.append(head)
        method, target = head.split(b" ", 2)[:2]
        if method == b"CONNECT":
            host, _, port = target.decode().rpartition(":")
            upstream, first = self._connect(host, port), b""
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            url = urlsplit(target.decode())
            upstream = self._connect(url.hostname, url.port or 80)
            origin = url.path + (f"?{url.query}" if url.query else "")
            # One request a connection, so that the next one is recorded, too.
            head = re.sub(rb"(?im)^(proxy-)?connection:.*\r\n", b"", head)
            first = head.replace(target, origin.encode(), 1) + b"Connection: close\r\n\r\n"
        with upstream, contextlib.suppress(OSError):
            upstream.sendall(first)
            self._relay(upstream)

    def _connect(self, host, port):
        return socket.create_connection((self.server.places.get(host, host), int(port)), 10)

    def _relay(self, upstream):
        pairs = {self.connection: upstream, upstream: self.connection}
        while True:
            for ready in select.select(list(pairs), [], [], 60)[0] or [None]:
                data = ready and ready.recv(65536)
                if not data:
                    return
                pairs[ready].sendall(data)
