"""A hostile program: floods an endpoint over many connections at once. Prints how many it made.

    python hostile.py PORT KIND SECONDS RATE CONNECTIONS

KIND is a key of `SENT`. RATE is connections a second. Its own token is that of its environment, if it has one.
"""

from __future__ import annotations

import os
import secrets
import selectors
import socket
import sys
import time
from pathlib import Path

BEGINNING = "GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n"
# What is sent on each connection, and how often.
SENT = {
    "its_own_token": (BEGINNING + "Authorization: {own}\r\n\r\n", 1),
    "a_wrong_token": (BEGINNING + "Authorization: wrong\r\n\r\n", 1),
    "guessed_tokens": (BEGINNING + "Authorization: {guess}\r\n\r\n", 1),
    "no_token": (BEGINNING + "\r\n", 1),
    "connections_left_open": ("", 1),
    "answers_not_awaited": (BEGINNING + "Authorization: {own}\r\n\r\n", 1),
    "endless_headers": (BEGINNING + "X: a\r\n" * 50, 1000),
}


def own_token(default):
    path = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    return Path(path).read_text() if path else default


class Flood:
    def __init__(self, port, kind):
        self.port = port
        self.kind = kind
        self.token = own_token("hostile")
        self.text, self.times = SENT[kind]
        self.live = 0
        self.ended = 0
        self._selector = selectors.DefaultSelector()

    def connect(self):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", self.port))
        self._selector.register(connection, selectors.EVENT_WRITE, self.times)
        self.live += 1

    def step(self):
        for key, _ in self._selector.select(0.002):
            try:
                self._go_on(key.fileobj, key.data)
            except OSError:
                self._selector.unregister(key.fileobj)
                key.fileobj.close()
                self.live -= 1
                self.ended += 1

    def _go_on(self, connection, left):
        if left:
            guess = secrets.token_urlsafe(32)
            text = self.text.format(port=self.port, own=self.token, guess=guess)
            connection.send(text.encode())
            if self.kind == "answers_not_awaited":
                raise ConnectionAbortedError
            event = selectors.EVENT_WRITE if left > 1 else selectors.EVENT_READ
            self._selector.modify(connection, event, left - 1)
        elif not connection.recv(65536):
            raise ConnectionAbortedError


def main():
    port, kind, seconds, rate, connections = sys.argv[1:]
    flood, made, began = Flood(int(port), kind), 0, time.monotonic()
    while (now := time.monotonic() - began) < float(seconds):
        while flood.live < int(connections) and made < now * float(rate):
            flood.connect()
            made += 1
        flood.step()
    print(made)


if __name__ == "__main__":
    main()
