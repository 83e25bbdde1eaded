"""What the credential endpoint can answer on one core, and the memory that it takes.

A real server has a core for itself, and real clients of real role sessions ask it: each has its endpoint token, and
each request is a new connection, as SDKs make them. STS and the identity provider are stand-ins. For the memory, a
server whose role sessions are delivered as web identity tokens runs in turn.

    python benchmarks/endpoint_server.py [SECONDS]
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from _load import Load, send_anew
from _support import MIB, FakeAws, Server, ask, differences, folder, print_figure, role_arn, site

ROUNDS = 5
CLIENTS = 4
CONNECTIONS = 8


def main(seconds: float, base: Path) -> None:
    """Measure everything.

    Args:
        seconds: how long each round asks.
        base: an empty folder.
    """
    server_core, own_core = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, {own_core})
    aws = FakeAws()
    memory: dict[str, list[float]] = {"web_identity": [], "endpoint": []}
    loads: list[Load] = []
    cpu: list[float] = []
    for number in range(ROUNDS):
        for delivery, found in memory.items():
            server = start(base / f"{delivery}{number}", aws, delivery, server_core)
            try:
                environments = start_roles(server)
                if delivery == "endpoint":
                    before = server.cpu()
                    loads.append(load_of(environments, seconds))
                    cpu.append((server.cpu() - before) / loads[-1].statuses.total() * 1000)
                time.sleep(1)
                found.append(server.process.memory_full_info().uss / MIB)
            finally:
                server.end()
    report(loads)
    print_figure("CPU of the server for an answer", cpu, "ms")
    print_figure(
        "memory that the endpoint adds, after the load",
        differences(memory["web_identity"], memory["endpoint"]),
        "MiB",
        "at most 2",
    )


def start(home: Path, aws: FakeAws, delivery: str, core: int) -> Server:
    """Start a server that has a core for itself."""
    settings = site(home, aws, CLIENTS)
    settings["WbAwsApp"]["delivery"] = delivery
    server = Server(home, settings)
    server.first_answer()
    # Its threads that start from now on stay there, too.
    os.sched_setaffinity(server.process.pid, {core})
    return server


def start_roles(server: Server) -> list[dict[str, str]]:
    """Start role sessions, and return the environments for programs that use them."""
    client = server.client()
    environments = []
    for number in range(CLIENTS):
        _, body = ask(client, "POST", "/aws/sessions", {"role_arn": role_arn(number)})
        environments.append(json.loads(body)["environment"])
    return environments


def load_of(environments: list[dict[str, str]], seconds: float) -> Load:
    """Ask the endpoint with the tokens of some environments, as fast as it answers."""
    url = urlsplit(environments[0]["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
    requests = []
    for environment in environments:
        token = Path(environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text()
        lines = [
            f"GET {url.path} HTTP/1.1", f"Host: {url.netloc}", "Accept-Encoding: identity",
            "Accept: application/json", f"Authorization: {token}", "", "",
        ]  # fmt: skip
        requests.append("\r\n".join(lines).encode())
    assert url.port is not None
    return send_anew(url.port, requests, CONNECTIONS, seconds)


def report(loads: list[Load]) -> None:
    """Print the rates and durations."""
    refused = sum(load.statuses.total() - load.statuses[200] for load in loads)
    print_figure("requests in a second", [load.per_second(200) for load in loads], "", "2,000")
    print_figure("the same, p50", [load.percentile(50) for load in loads], "ms")
    print_figure("the same, p99", [load.percentile(99) for load in loads], "ms", "at most 5")
    print_figure("answers that were not credentials", [refused], "", "0")


if __name__ == "__main__":
    with folder() as base_:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 5, base_)
