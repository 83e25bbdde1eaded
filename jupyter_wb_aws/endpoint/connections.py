"""The endpoint's connections: each brings one request, gets one answer, and is closed.

Not tornado's `HTTPServer`: it logs what strangers send (`tornado.general`) into Jupyter's log, answers unreadable
requests without JSON, and has no limit on connections. Its parser is used (`endpoint/requests.py`).
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable

from jupyter_wb_aws.endpoint.answers import Answer, Refusal, encoded
from jupyter_wb_aws.endpoint.limits import Limits, Pace
from jupyter_wb_aws.endpoint.requests import (
    END,
    MAX_HEAD_BYTES,
    check_beginning,
    read_authorization,
)

log = logging.getLogger(__name__)

AnswerCall = Callable[[str | None], Awaitable[Answer]]


def _failed() -> Refusal:
    return Refusal(
        503,
        "EndpointFailed",
        "The credential endpoint of this Jupyter server failed; its log says why.",
    )


def _too_slow() -> Refusal:
    return Refusal(408, "RequestTimeout", "The request was not complete in time.")


def _too_large() -> Refusal:
    return Refusal(431, "RequestTooLarge", "The headers of the request are too large.")


def _too_many() -> Refusal:
    return Refusal(
        429,
        "TooManyRequests",
        "This process and its relatives ask for credentials too often; wait a second.",
    )


# What is still received after a refusal is dropped for a moment: closing at once would reset the connection, and the
# client would lose the answer.
LINGER_SECONDS, LINGER_BYTES = 1.0, 65536
# Of the event loop: asyncio makes an accepted connection in four, and closes an aborted one in the next.
CLOSING_STEPS = 6


class Connections:
    """All connections of one run of the server.

    When there are too many, the oldest one that has not yet sent its request is closed: whoever opens connections and
    leaves them pushes out their own, while an SDK sends its request within a millisecond.

    Args:
        answer: gives the answer to an Authorization header.
        port: the endpoint's own.
        limits: those of the endpoint.
    """

    def __init__(self, answer: AnswerCall, port: int, limits: Limits) -> None:
        self.answer = answer
        self.port = port
        self.limits = limits
        self.pace = Pace(limits)
        self.tasks: set[asyncio.Task[None]] = set()
        self._open: set[Connection] = set()
        self._idle: dict[Connection, None] = {}  # the oldest first
        self._logged: set[str] = set()
        self._closing = False

    def opened(self, connection: Connection) -> None:
        """Count a connection; close another one, or this one, if there are too many."""
        self._open.add(connection)
        self._idle[connection] = None
        if self._closing:
            connection.abort()
        elif len(self._open) > self.limits.connections:
            next(iter(self._idle)).abort()

    def asked(self, connection: Connection) -> None:
        """Keep a connection, because its request has come."""
        self._idle.pop(connection, None)

    def answered(self, connection: Connection) -> None:
        """Let a connection be closed again if there are too many."""
        if connection in self._open:
            self._idle[connection] = None

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        self._idle.pop(connection, None)

    def refused(self, refusal: Refusal) -> None:
        """Log a refusal, each kind once: what strangers send must not fill Jupyter's log."""
        if refusal.code not in self._logged:
            self._logged.add(refusal.code)
            log.info("The credential endpoint refused a request: %s", refusal.message)

    def failed(self, error: Exception) -> None:
        """Log an unexpected error by its class and place: its text might hold what was sent."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__} in {place.name}, line {place.lineno} of {place.filename}"
        if kind not in self._logged:
            self._logged.add(kind)
            log.error("The credential endpoint could not answer a request: %s.", kind)

    async def close(self) -> None:
        """Close all connections, answered or not."""
        self._closing = True
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for connection in list(self._open):
            connection.abort()
        for _ in range(CLOSING_STEPS):
            await asyncio.sleep(0)


class Connection(asyncio.BufferedProtocol):
    """One connection: its request is read, then answered.

    Args:
        connections: the server's.
    """

    def __init__(self, connections: Connections) -> None:
        self._all = connections
        self._buffer = bytearray(MAX_HEAD_BYTES)
        self._received = 0
        self._reading = True
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._all.limits.seconds, self._late)
        self._all.opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return where the next bytes go; what comes after the request is not looked at."""
        return memoryview(self._buffer)[self._received if self._reading else 0 :]

    def buffer_updated(self, nbytes: int) -> None:
        """Read the request if it is complete, and begin to answer it."""
        self._received += nbytes
        if not self._reading:
            if self._received > LINGER_BYTES:
                self.abort()
            return
        received = bytes(memoryview(self._buffer)[: self._received])
        try:
            if END in received[-nbytes - len(END) :]:
                self._begin_answer(read_authorization(received, self._all.port))
            elif self._received == MAX_HEAD_BYTES:
                raise _too_large()
            else:
                check_beginning(received)
        except Refusal as refusal:
            self._refuse(refusal)

    def eof_received(self) -> bool:
        """Return whether to keep the connection: the client sends no more, but may wait for its answer."""
        return self._is_answering()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget it. An answer that is being made goes on, because others may wait for the same."""
        if not self._is_answering():
            self._deadline.cancel()
        self._all.closed(self)

    def abort(self) -> None:
        """Close it at once."""
        self._deadline.cancel()
        self._all.closed(self)
        self._transport.abort()

    def _is_answering(self) -> bool:
        return self._task is not None and not self._task.done()

    def _begin_answer(self, authorization: str | None) -> None:
        client = hash(authorization)  # the token itself is kept nowhere
        loop = asyncio.get_running_loop()
        wait = self._all.pace.begin(client, loop.time())
        if wait is None:
            raise _too_many()
        self._reading = False
        self._all.asked(self)
        self._task = loop.create_task(self._answer(authorization, client, wait))
        self._all.tasks.add(self._task)
        self._task.add_done_callback(self._all.tasks.discard)

    async def _answer(self, authorization: str | None, client: int, wait: float) -> None:
        try:
            if wait:
                await asyncio.sleep(wait)
            answer = await self._all.answer(authorization)
            sent = encoded(answer)
        except Refusal as refusal:
            sent = encoded(refusal.answer())
            # One that is raised again and again would collect the frames of every connection.
            refusal.__traceback__ = None
        except asyncio.CancelledError:  # it is late, or the server stops
            sent = encoded(_failed().answer())
        except Exception as error:  # noqa: BLE001 - an SDK gets an answer that it understands
            self._all.failed(error)
            sent = encoded(_failed().answer())
        finally:
            self._all.pace.end(client)
        if self._transport.is_closing():  # the client has gone
            self._deadline.cancel()
            return
        self._send(sent)
        self._transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        self._reading = False
        self._all.refused(refusal)
        self._send(encoded(refusal.answer()))
        self._transport.write_eof()
        self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.abort)

    def _send(self, answer: bytes) -> None:
        self._all.answered(self)
        self._transport.write(answer)

    def _late(self) -> None:
        if self._reading:
            self._refuse(_too_slow())
        elif self._task and self._is_answering():
            self._task.cancel()
            self._deadline = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.abort)
        else:  # the client does not read its answer
            self.abort()
