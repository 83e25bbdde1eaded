"""Loaded by an interpreter that has this folder in PYTHONPATH: notes every address it connects to."""

import os
import sys


def note(event, args):
    if event in {"socket.connect", "socket.getaddrinfo"}:
        with open(os.environ["WATCHED_LOG"], "a") as log:
            log.write(
                f"{event} {args[1:]!r}\n" if event == "socket.connect" else f"{event} {args!r}\n"
            )


sys.addaudithook(note)
