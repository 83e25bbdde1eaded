"""A server of the demo, which runs in a thread from its creation until `close`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from http.server import HTTPServer

_POLL_INTERVAL = 0.05


class BackgroundServer:
    """Base class of the demo's servers; a context manager.

    Args:
        server: a server that is already bound to a port of 127.0.0.1.
    """

    def __init__(self, server: HTTPServer) -> None:
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": _POLL_INTERVAL}, daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering, release the port and clear the state. A second call does nothing."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._forget()

    def _forget(self) -> None:
        """Clear state that outlives the server; none by default."""

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self._server.server_port}"
