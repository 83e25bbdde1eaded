"""Which connections the hub service keeps: nobody keeps others from it by leaving many of them open.

A connection is *new* until a whole request has come on it, for ten seconds at most. It is *busy* until that is
answered, which takes seconds, and then *idle* until the next request.

There is a highest number of connections, so that files and questions to the hub can always be opened. If one more
comes, one is closed: the oldest new one, else the one that has been idle for longest, else the one that comes.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from tornado import httputil
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream

from jupyter_wb_aws.hub.rate_limits import OncePerMinute

log = logging.getLogger(__name__)

# A connection takes about 10 KiB, and up to 175 with a large request: the service needs 256 MiB at most.
MAX_CONNECTIONS = 1000
# Open files for the rest: 32 questions to the hub, the keys, the audit log, the roles file, Python's own.
OTHER_FILES = 100
# With fewer, the service would be of no use.
MIN_CONNECTIONS = 16
# Seconds that a client may take for its first request.
FIRST_REQUEST_TIMEOUT = 10.0
# Where no file can be opened after all, so many are closed, and so many fewer are allowed for some seconds.
MADE_FREE = 16
FEWER_FOR = 60.0
# Seconds until the next try, if none could be closed.
PAUSE = 1.0


def allow_connections() -> int:
    """Raise this process's limit of open files, if it is low, and return how many connections it has room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_FILES
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < possible:
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    return max(MIN_CONNECTIONS, possible - OTHER_FILES)


class BoundedServer(HTTPServer):
    """tornado's server, with at most `max_connections`. The other arguments are tornado's."""

    def initialize(self, *args: Any, **more: Any) -> None:
        """Make a server without connections."""
        self._allowed: int = more.pop("max_connections")
        self._most = self._allowed
        super().initialize(*args, **more)
        self._open: set[IOStream] = set()
        # Both with the oldest first.
        self._new: dict[IOStream, asyncio.TimerHandle] = {}
        self._idle: dict[IOStream, None] = {}
        self._listening: list[socket.socket] = []
        self._said = OncePerMinute()

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections at these sockets."""
        self._listening = list(sockets)
        asyncio.get_running_loop().set_exception_handler(self._on_loop_error)
        super().add_sockets(self._listening)

    def stop(self) -> None:
        """Accept no more connections."""
        self._listening = []
        super().stop()

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Keep a connection that has come, unless all others are busy."""
        if len(self._open) >= self._most:
            self._say("More than %d connections are open; unused ones are closed.")
            if not self._close_one():
                stream.close()
                return
        self._open.add(stream)
        loop = asyncio.get_running_loop()
        self._new[stream] = loop.call_later(FIRST_REQUEST_TIMEOUT, self._close, stream)
        super().handle_stream(stream, address)

    def start_request(
        self, server_conn: Any, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        """Wait for a connection's first request, or for the next."""
        stream = server_conn.stream
        if stream in self._open and stream not in self._new:
            self._idle[stream] = None
        delegate = super().start_request(server_conn, request_conn)
        return _Whole(delegate, lambda: self._is_no_longer_unused(stream))

    def on_close(self, server_conn: Any) -> None:
        """Forget a connection that is closed."""
        self._is_no_longer_unused(server_conn.stream)
        self._open.discard(server_conn.stream)
        super().on_close(server_conn)

    def _is_no_longer_unused(self, stream: IOStream) -> None:
        self._idle.pop(stream, None)
        if (timer := self._new.pop(stream, None)) is not None:
            timer.cancel()

    def _close_one(self) -> bool:
        unused = next(iter(self._new), None) or next(iter(self._idle), None)
        if unused is not None:
            self._close(unused)
        return unused is not None

    def _close(self, stream: IOStream) -> None:
        self._is_no_longer_unused(stream)
        self._open.discard(stream)
        stream.close()

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in {errno.EMFILE, errno.ENFILE}:
            loop.default_exception_handler(context)
            return
        # Until it can be accepted, the connection is reported again at each turn of the loop.
        self._say("There are too many open files for %d connections.")
        self._most = max(MIN_CONNECTIONS, len(self._open) - MADE_FREE)
        loop.call_later(FEWER_FOR, self._allow_all)
        if not sum(self._close_one() for _ in range(MADE_FREE)):
            for one in self._listening:
                IOLoop.current().update_handler(one, 0)
            loop.call_later(PAUSE, self._accept_again)

    def _allow_all(self) -> None:
        self._most = self._allowed

    def _accept_again(self) -> None:
        for one in self._listening:
            IOLoop.current().update_handler(one, IOLoop.READ)

    def _say(self, what: str) -> None:
        if self._said.is_due(what):
            log.warning(what, self._most)


class _Whole(httputil.HTTPMessageDelegate):
    """Passes a request on, and calls `arrived` once the whole of it has come."""

    def __init__(self, inner: httputil.HTTPMessageDelegate, arrived: Callable[[], None]) -> None:
        self._inner = inner
        self._arrived = arrived

    def headers_received(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
    ) -> Awaitable[None] | None:
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        self._arrived()
        self._inner.finish()

    def on_connection_close(self) -> None:
        self._inner.on_connection_close()
