"""What the extension adds to a server's start: time to the first answer, and memory.

Real `jupyter server` processes, with a HOME of their own and no other extension than terminals, in turn:
without the extension, with it installed but not configured, and with it configured (a `command` source,
one role, no default role). Differences are taken pair by pair, and memory one second after the first
answer. CPU is the server's own, which other load on the machine affects less. At the end, one server of
each kind under `python -X importtime` shows which modules were imported by then.

    python benchmarks/server_start.py [ROUNDS] [-v]    (-v names the modules)
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from _support import FakeAws, Server, differences, folder, print_figure, site

KINDS = ("without", "not configured", "configured")
HEAVY = (
    "boto3",
    "botocore",
    "jwt",
    "httpx",
    "httpx2",
    "authlib",
    "moto",
    "cryptography",
    "urllib.request",
)
SETTLED = 1.0


def start(home: Path, kind: str, aws: FakeAws, *python: str) -> Server:
    """Start a server of one kind.

    Args:
        home: the server's home folder.
        kind: one of `KINDS`.
        aws: the STS and identity provider.
        python: options for the interpreter.
    """
    home.mkdir(parents=True)
    config: dict[str, Any] = site(home, aws) if kind == "configured" else {}
    return Server(home, config, enabled=kind != "without", python=python)


def measure(home: Path, kind: str, aws: FakeAws) -> dict[str, float]:
    """Start a server, and return its figures in ms and MiB.

    Args:
        home: the server's home folder.
        kind: one of `KINDS`.
        aws: the STS and identity provider.
    """
    server = start(home, kind, aws)
    try:
        seconds, cpu = server.first_answer(), server.cpu()
        time.sleep(SETTLED)
        rss, uss = server.memory()
    finally:
        server.end()
    return {"time": seconds * 1000, "cpu": cpu * 1000, "rss": rss, "uss": uss}


def imported(home: Path, kind: str, aws: FakeAws) -> set[str]:
    """Return the names of the modules that a server of one kind imports at its start.

    Args:
        home: the server's home folder.
        kind: one of `KINDS`.
        aws: the STS and identity provider.
    """
    server = start(home, kind, aws, "-X", "importtime")
    try:
        server.first_answer()
        time.sleep(SETTLED * 2)
    finally:
        server.end()
    lines = [
        line for line in server.log.read_text().splitlines() if line.startswith("import time:")
    ]
    return {line.rpartition("|")[2].strip() for line in lines}


def main(rounds: int) -> None:
    """Measure and report."""
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with folder() as base:
        aws = FakeAws()
        for turn in range(rounds + 1):
            for kind in KINDS if turn % 2 else reversed(KINDS):
                figures = measure(base / f"{kind}-{turn}", kind, aws)
                if turn:  # the first one fills the disk's cache and writes byte code
                    found[kind].append(figures)
        modules = {kind: imported(base / f"{kind}-modules", kind, aws) for kind in KINDS}
        connections = aws.connections
    for what, unit, target in (
        ("time", "ms", "30 ms more at most"),
        ("cpu", "ms", ""),
        ("rss", "MiB", "5 MiB more at most"),
        ("uss", "MiB", "5 MiB more at most"),
    ):
        columns = {kind: [figures[what] for figures in found[kind]] for kind in KINDS}
        print_figure(f"{what}, without the extension", columns["without"], unit)
        for kind in KINDS[1:]:
            print_figure(
                f"  {kind}: more", differences(columns["without"], columns[kind]), unit, target
            )
    print(f"calls to the identity provider or STS: {connections}   target: 0")
    for kind in KINDS[1:]:
        ours = [name for name in HEAVY if name in modules[kind] - modules["without"]]
        more = len(modules[kind] - modules["without"])
        print(
            f"{kind}: {more} more modules; of {', '.join(HEAVY)}: {ours or 'none'}   target: none"
        )
        if "-v" in sys.argv:
            print(*sorted(modules[kind] - modules["without"]))


if __name__ == "__main__":
    main(next((int(word) for word in sys.argv[1:] if word.isdigit()), 10))
