"""What 100 active role sessions cost in one server: CPU, as a share of one core, and memory.

A real server, whose STS and identity provider are in another process. Memory is measured without a role
session, with one, and with 100. CPU is measured over a period in which nothing is due, beside a server of the same kind
without role sessions, and for a refresh of all 100 with `POST /aws/sessions/{id}/refresh`, which fetches a
new token and writes it to each of the 100 files. A token of 15 minutes is refreshed after 75 % of its life
on average.

    python benchmarks/many_role_sessions.py [SECONDS]
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from _support import FakeAws, Server, ask, folder, print_figure, role_arn, site

SESSIONS = 100
TOKEN_LIFETIME = 900
REFRESHED_AFTER = TOKEN_LIFETIME * 0.75
REFRESHES = 15
SETTLED = 3


def main(seconds: float, base: Path) -> None:
    """Measure and report."""
    aws = FakeAws(TOKEN_LIFETIME)
    busy = Server(base / "busy", site(base / "busy", aws, roles=SESSIONS))
    idle = Server(base / "idle", site(base / "idle", aws, roles=SESSIONS))
    try:
        client = busy.client()
        for server in (busy, idle):
            server.first_answer()
        memory = [settled_memory(busy)]
        ids = []
        for number in range(SESSIONS):
            content = ask(client, "POST", "/aws/sessions", {"role_arn": role_arn(number)})[1]
            ids.append(json.loads(content)["id"])
            if number in (0, SESSIONS - 1):
                memory.append(settled_memory(busy))
        report_memory(memory)
        idle_share = report_idle(busy, idle, seconds)
        refresh = report_refresh(busy, ids)
        share = idle_share + refresh / REFRESHED_AFTER * 100
        print(
            f"{'share of a core, with a token of 15 minutes':<58} {share:9.3f} %    target: under 1 %"
        )
        states = {json.loads(ask(client, "GET", f"/aws/sessions/{i}")[1])["state"] for i in ids}
        print(f"their states at the end: {', '.join(states)}")
        print_figure("memory at the end, USS", [settled_memory(busy)[1]], "MiB")
    finally:
        busy.end()
        idle.end()


def settled_memory(server: Server) -> tuple[float, float]:
    """Return RSS and USS when the server is idle."""
    time.sleep(SETTLED)
    return server.memory()


def report_memory(memory: list[tuple[float, float]]) -> None:
    """Report the memory of the first role session and of the 99 others."""
    none, first, many = memory
    for column, what in ((0, "RSS"), (1, "USS")):
        print_figure(f"{what}, no role session", [none[column]], "MiB")
        print_figure("  the first role session: more", [first[column] - none[column]], "MiB")
        more = [many[column] - first[column]]
        print_figure(f"  {SESSIONS - 1} further ones: more", more, "MiB", "5 MiB at most")
        print_figure(
            f"  {SESSIONS} in all: more", [many[column] - none[column]], "MiB", "5 MiB at most"
        )


def report_idle(busy: Server, idle: Server, seconds: float) -> float:
    """Report the CPU of both servers while nothing is due; return the share in percent.

    Args:
        busy: the server with role sessions.
        idle: the server without.
        seconds: how long to measure.
    """
    before = busy.cpu(), idle.cpu()
    time.sleep(seconds)
    spent = busy.cpu() - before[0], idle.cpu() - before[1]
    print_figure(f"CPU in {seconds:g} s, no role session", [spent[1] * 1000], "ms")
    print_figure(f"  {SESSIONS} role sessions: more", [(spent[0] - spent[1]) * 1000], "ms")
    return max((spent[0] - spent[1]) / seconds * 100, 0)


def report_refresh(busy: Server, ids: list[str]) -> float:
    """Report the CPU of one refresh of all of them; return its median in seconds."""
    client = busy.client()
    taken, command, lasted = [], [], []
    for turn in range(REFRESHES):
        cpu, children, began = busy.cpu(), busy.children_cpu(), time.perf_counter()
        ask(client, "POST", f"/aws/sessions/{ids[turn]}/refresh")
        lasted.append((time.perf_counter() - began) * 1000)
        time.sleep(0.2)  # the request also wakes the refresher
        taken.append(busy.cpu() - cpu)
        command.append((busy.children_cpu() - children) * 1000)
    print_figure("a refresh of all of them: CPU", [seconds * 1000 for seconds in taken], "ms")
    print_figure("  and of the token command, a process of its own", command, "ms")
    print_figure("  the request lasts", lasted, "ms")
    return statistics.median(taken)


if __name__ == "__main__":
    with folder() as temporary:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 65, temporary)
