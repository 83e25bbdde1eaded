"""A server's events, and waiting for them."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from socket import SHUT_RDWR

import websocket

SECONDS = 60


class Heard:
    """The events that a server emitted, in order.

    Each wait continues where the one before it found its event, so that none between them is lost.
    """

    def __init__(self):
        self.all = []
        self._next = 0
        self._came = threading.Condition()

    def add(self, schema_id, data):
        with self._came:
            self.all.append((schema_id.rpartition(":")[2], dict(data)))
            self._came.notify_all()

    def forget(self):
        """Let the next wait ignore the events so far."""
        with self._came:
            self._next = len(self.all)

    def wait(self, name, **data):
        """Wait for the next event of that name whose data hold these; return all of its data."""
        with self._came:
            found = self._came.wait_for(lambda: self._find(name, data), SECONDS)
            assert found, f"No {name} with {data} in {SECONDS} s; heard: {self.all}"
            return found

    def _find(self, name, wanted):
        while self._next < len(self.all):
            heard, data = self.all[self._next]
            self._next += 1
            if heard == name and wanted.items() <= data.items():
                return data
        return None


@contextmanager
def listening(socket):
    """Hear what comes over a websocket of `/api/events/subscribe`, until the block ends."""
    heard = Heard()
    socket.settimeout(None)  # a server may emit nothing for a long time

    def listen():
        try:
            while message := socket.recv():
                event = json.loads(message)
                heard.add(event.pop("schema_id"), event)
        except (websocket.WebSocketException, OSError):
            pass  # the server, or the test, has ended it

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield heard
    finally:
        if (connection := socket.sock) is not None:  # the server has not ended it
            connection.shutdown(SHUT_RDWR)
        thread.join()
        socket.close()
