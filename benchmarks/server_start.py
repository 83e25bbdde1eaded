"""What the extension costs at server start: time to the first answered request, and memory.

Real `jupyter server` processes, with a HOME of their own and no other extension but terminals,
in turn: without the extension, with it installed and not configured, with it configured (a `command`
source, one role, no default role). The differences are taken pair by pair; memory one second after
the first answer. CPU is the server's own, which other load on the machine stretches less. At the end, one
server each under `python -X importtime` tells which modules were imported by then.

    python benchmarks/server_start.py [ROUNDS] [-v]    (-v names the modules)
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from _support import FakeAws, Server, differences, folder, site, told

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
    """Start a server of one kind."""
    home.mkdir(parents=True)
    config: dict[str, Any] = site(home, aws) if kind == "configured" else {}
    return Server(home, config, enabled=kind != "without", python=python)


def measure(home: Path, kind: str, aws: FakeAws) -> dict[str, float]:
    """Start one, and return its figures."""
    server = start(home, kind, aws)
    try:
        seconds, cpu = server.first_answer(), server.cpu()
        time.sleep(SETTLED)
        rss, uss = server.memory()
    finally:
        server.end()
    return {"time": seconds * 1000, "cpu": cpu * 1000, "rss": rss, "uss": uss}


def imported(home: Path, kind: str, aws: FakeAws) -> set[str]:
    """Return the names of the modules that a server of one kind has imported once it has settled."""
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
    """Measure and tell."""
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with folder() as base:
        aws = FakeAws()
        for turn in range(rounds + 1):
            for kind in KINDS if turn % 2 else reversed(KINDS):
                figures = measure(base / f"{kind}-{turn}", kind, aws)
                if turn:  # the first fills the disk's cache and writes byte code
                    found[kind].append(figures)
        modules = {kind: imported(base / f"{kind}-modules", kind, aws) for kind in KINDS}
        connections = aws.connections
    for what, unit, aim in (
        ("time", "ms", "30 ms more at most"),
        ("cpu", "ms", ""),
        ("rss", "MiB", "5 MiB more at most"),
        ("uss", "MiB", "5 MiB more at most"),
    ):
        columns = {kind: [figures[what] for figures in found[kind]] for kind in KINDS}
        told(f"{what}, without the extension", columns["without"], unit)
        for kind in KINDS[1:]:
            told(f"  {kind}: more", differences(columns["without"], columns[kind]), unit, aim)
    print(f"calls to the identity provider or STS: {connections}   aim: 0")
    for kind in KINDS[1:]:
        ours = [name for name in HEAVY if name in modules[kind] - modules["without"]]
        more = len(modules[kind] - modules["without"])
        print(f"{kind}: {more} more modules; of {', '.join(HEAVY)}: {ours or 'none'}   aim: none")
        if "-v" in sys.argv:
            print(*sorted(modules[kind] - modules["without"]))


if __name__ == "__main__":
    main(next((int(word) for word in sys.argv[1:] if word.isdigit()), 10))
