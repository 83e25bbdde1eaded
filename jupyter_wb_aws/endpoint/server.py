"""The HTTP server of the credential endpoint: on loopback, in a thread and event loop of its own.

Its port is in the environments of kernels, so it stays the same as long as Jupyter Server runs: the listening socket
belongs to `EndpointServer`, and outlives a thread that dies. Each thread listens on a duplicate of it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from jupyter_wb_aws.endpoint.connections import AnswerCall, Connection, Connections
from jupyter_wb_aws.endpoint.limits import Limits
from jupyter_wb_aws.endpoint.requests import PATH
from jupyter_wb_aws.errors import ServerStopping

T = TypeVar("T")

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
# Connections that the system accepts for us while all are busy; more would have to try again after a second.
BACKLOG = 256
ACCEPTED_AT_ONCE = 16
# The server's stop waits no longer for the thread. It is a daemon, so it can't delay the end of the process.
STOP_SECONDS = 5.0


class EndpointServer:
    """The endpoint's server. Its methods are called in Jupyter's thread, and none of them waits but `close`.

    Args:
        answer: awaited in the server's own loop with the Authorization header of each request, as it was sent, or None
            if there was none. It may raise `Refusal`. It is cancelled when it takes longer than `limits.seconds`, so
            work that several requests share has to be shielded.
        limits: how much one client may ask.
    """

    def __init__(self, answer: AnswerCall, limits: Limits | None = None) -> None:
        self._answer = answer
        self._limits = limits or Limits()
        self._listener: socket.socket | None = None
        self._port: int | None = None
        self._run: _Run | None = None
        self._closed = False
        self.problem: tuple[str, str] | None = None

    @property
    def port(self) -> int | None:
        """The port, or None before the first start."""
        return self._port

    @property
    def uri(self) -> str | None:
        """What `AWS_CONTAINER_CREDENTIALS_FULL_URI` is set to, or None before the first start."""
        return None if self._port is None else f"http://{HOST}:{self._port}{PATH}"

    @property
    def running(self) -> bool:
        """Whether its thread is alive."""
        return self._run is not None and self._run.thread.is_alive()

    def ensure_running(self) -> bool:
        """Start the server, or its thread again if it died, on the same port.

        Returns:
            whether it runs; if not, `problem` says why.

        Raises:
            ServerStopping: if it was closed.
        """
        if self._closed:
            raise ServerStopping
        if self.running:
            return True
        try:
            listener = self._duplicate()
        except OSError as error:
            self.problem = _problem(error, self._port)
            return False
        if self._run is not None:
            log.warning("The thread of the credential endpoint ended, and was started again.")
        self.problem = None
        self._port = listener.getsockname()[1]
        self._run = _Run(listener, Connections(self._answer, self._port, self._limits))
        self._run.thread.start()
        return True

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine in the server's loop.

        Raises:
            ServerStopping: if the server does not run.
        """
        if self._run is None or not self.running:
            work.close()
            raise ServerStopping
        return asyncio.run_coroutine_threadsafe(work, self._run.loop)

    async def close(self) -> None:
        """Stop: all connections, the thread and the port are closed. It can't be started again."""
        self._closed = True
        self._release()
        if self._run is not None:
            await self._run.stop()

    def _duplicate(self) -> socket.socket:
        """Return a duplicate of the listening socket, which is bound at first use.

        Raises:
            OSError: if the port can't be bound.
        """
        if self._listener is not None and _listens(self._listener, self._port):
            return self._listener.dup()
        self._release()
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, self._port or 0))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        return listener.dup()

    def _release(self) -> None:
        if self._listener is not None:
            if _listens(self._listener, self._port):
                self._listener.close()
            self._listener.detach()


class _Run:
    """One thread of the server, with its loop. The loop exists before the thread runs, so nobody waits for it."""

    def __init__(self, listener: socket.socket, connections: Connections) -> None:
        self.loop = asyncio.SelectorEventLoop()
        self.loop.set_exception_handler(_log_once())
        self.thread = threading.Thread(
            target=self._serve, args=(listener, connections), name="wb-aws endpoint", daemon=True
        )
        self._stop = asyncio.Event()
        self._ended: Future[None] = Future()

    def _serve(self, listener: socket.socket, connections: Connections) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
                runner.run(self._listen(listener, connections))
        except BaseException as error:  # noqa: BLE001 - the thread's end; a traceback could show a token
            log.error("The thread of the credential endpoint ended: %s.", type(error).__name__)
        finally:
            listener.close()
            self._ended.set_result(None)

    async def _listen(self, listener: socket.socket, connections: Connections) -> None:
        # asyncio accepts as many at once as may wait, before it reads from any of them. With fewer, a request that has
        # come is read before newer connections push out its own.
        server = await self.loop.create_server(
            lambda: Connection(connections), sock=listener, backlog=ACCEPTED_AT_ONCE
        )
        listener.listen(BACKLOG)
        try:
            await self._stop.wait()
        finally:
            server.close()
            await connections.close()

    async def stop(self) -> None:
        """End the thread, unless it is stuck; then it ends with the process."""
        with suppress(RuntimeError):  # its loop is closed already
            self.loop.call_soon_threadsafe(self._stop.set)
        await asyncio.wait([asyncio.wrap_future(self._ended)], timeout=STOP_SECONDS)
        if self._ended.done():
            self.thread.join()


def _listens(listener: socket.socket, port: int | None) -> bool:
    """Return whether it is still this socket: a library that closes all files leaves its number to another one."""
    try:
        return bool(listener.getsockname() == (HOST, port))
    except OSError:
        return False


def _problem(error: OSError, port: int | None) -> tuple[str, str]:
    if error.errno == errno.EADDRINUSE:
        what_to_do = "Restart the Jupyter server, and then its kernels."
        return "endpoint_port_taken", (
            f"Another program has taken port {port} of the credential endpoint. {what_to_do}"
        )
    return "endpoint_not_running", (
        f"The credential endpoint can't listen on {HOST}: {error.strerror}."
    )


def _log_once() -> Any:
    """Return an exception handler that logs each kind of failure once, without a traceback.

    Clients that go away are no failure, and what ends the thread is logged by the thread.
    """
    logged: set[str] = set()

    def handle(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        kind = f"{context['message']} ({type(error).__name__})"
        expected = isinstance(error, ConnectionError) or not isinstance(error, Exception | None)
        if kind not in logged and not expected:
            logged.add(kind)
            log.warning("In the loop of the credential endpoint: %s", kind)

    return handle
