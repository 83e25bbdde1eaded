"""Records every address that a Python process connects to, if this folder is in its PYTHONPATH."""

import os
import sys


def note(event, args):
    if event in {"socket.connect", "socket.getaddrinfo"}:
        with open(os.environ["WATCHED_LOG"], "a") as log:
            log.write(
                f"{event} {args[1:]!r}\n" if event == "socket.connect" else f"{event} {args!r}\n"
            )


sys.addaudithook(note)
