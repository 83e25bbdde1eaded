"""How long `GET /aws/roles` takes with 5,000 roles, all of them offered to the user.

A real server and a keep-alive client, one request after the other. At the same time, a second process
checks whether the event loop is blocked: every few milliseconds it requests `GET /api`, which does almost
nothing. The time of this request is printed for a quiet server, for the first listing (which reads the
roles file and gets the user's token), for later listings, and for the first one after one entry of the file
has changed, and after all have.

    python benchmarks/roles_listing.py [REQUESTS]
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from _support import FakeAws, Server, ask, folder, print_figure, site

ROLES = 5000
PROBE_INTERVAL = 0.003
CHANGES = 5


def probe(port: int, stop: Connection) -> None:
    """Make a cheap request repeatedly; when asked to stop, send the ms that each took."""
    from http.client import HTTPConnection

    client, taken = HTTPConnection("127.0.0.1", port), []
    ask(client, "GET", "/api")
    stop.send(None)
    while not stop.poll(PROBE_INTERVAL):
        began = time.perf_counter()
        ask(client, "GET", "/api")
        taken.append((time.perf_counter() - began) * 1000)
    stop.send(taken)


@contextmanager
def probed(server: Server, name: str, longest: str = "") -> Iterator[None]:
    """Probe the server meanwhile, and report how long a cheap request took.

    Args:
        server: the server.
        name: what it does meanwhile.
        longest: the most that it may take.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=probe, args=(server.port, theirs))
    process.start()
    ours.recv()
    yield
    ours.send(None)
    taken = ours.recv()
    process.join()
    print(
        f"  a cheap request {name}: median {statistics.median(taken):.2f} ms,"
        f" longest {max(taken):.2f} ms, n={len(taken)}" + f"   target: {longest}" * bool(longest)
    )


def timed(call: Callable[[], object]) -> float:
    """Call, and return the ms that it takes."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def main(requests: int, base: Path) -> None:
    """Measure and report."""
    config = site(base, FakeAws(), roles=ROLES)
    server = Server(base, config)
    try:
        server.first_answer()
        client = server.client()

        def listing() -> bytes:
            return ask(client, "GET", "/aws/roles")[1]

        time.sleep(1)
        with probed(server, "in a quiet server"):
            time.sleep(1)
        with probed(server, "during the first listing"):
            print_figure("the first listing: a token, the catalogue", [timed(listing)], "ms")
        content = listing()
        print(f"{len(json.loads(content)['roles'])} roles, {len(content) / 1024:.0f} KiB")
        taken = [timed(listing) for _ in range(requests)]
        print_figure("GET /aws/roles", taken, "ms")
        p99 = statistics.quantiles(taken, n=100)[-1]
        print(f"{'  p99':<58} {p99:9.2f} ms   target: under 20 ms")
        with probed(server, "during listings"):
            for _ in range(requests // 4):
                listing()
        roles_file = Path(config["WbAwsApp"]["roles_file"])
        for turn in range(CHANGES):
            roles_file.write_text(roles_file.read_text().replace('of team 7"', 'of team 7!"'))
            with probed(server, "while the changed file is read", "20 ms"):
                print_figure(
                    f"the first listing after one entry changed, {turn}", [timed(listing)], "ms"
                )
        for turn in range(CHANGES):
            roles_file.write_text(roles_file.read_text().replace("Reads and", "Reads, and"))
            with probed(server, "while the changed file is read"):
                print_figure(
                    f"the first listing after all entries changed, {turn}", [timed(listing)], "ms"
                )
    finally:
        server.end()


if __name__ == "__main__":
    with folder() as temporary:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, temporary)
