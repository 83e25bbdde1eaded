"""What a role session adds to the launch of a proxied app.

1. Two real servers with jupyter-server-proxy, in turn: one without the extension, one with it and with a
   default role session. Each round launches one app with its first request. The app reports when its
   first line ran; the figure is the time from the request until then. (The time until its answer is
   printed too, but jupyter-server-proxy looks for the answer only after 10, 30, 70, 150 ms …)
2. The launch itself, many times and without the noise of real processes: a process whose start does
   nothing, with our preparation and without it, in turn. The user has twenty profiles in `~/.aws`. This
   runs once for any app, and once for RStudio's server, for which a script is written too.

    python benchmarks/proxied_app_start.py [ROUNDS]
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from _support import FakeAws, Server, ask, differences, folder, print_figure, role_arn, site

LAUNCHES = 1000
APP = """
import time
began = time.time_ns()
import os, socket, sys
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
body = f'{{"began": {began}, "role": "{os.environ.get("AWS_ROLE_ARN", "")}"}}'
while True:
    asking = listening.accept()[0]
    asking.recv(65536)
    asking.sendall(f"HTTP/1.1 200 OK\\r\\nContent-Length: {len(body)}\\r\\nConnection: close\\r\\n\\r\\n{body}".encode())
    asking.close()
"""


def with_apps(config: dict[str, Any], program: Path, rounds: int) -> dict[str, Any]:
    """Add one app for each round.

    Args:
        config: the server's settings.
        program: the app's program.
        rounds: how many apps.
    """
    command = [sys.executable, "-I", "-S", str(program), "{port}"]
    return {
        **config,
        "ServerProxy": {"servers": {f"app{n}": {"command": command} for n in range(rounds)}},
    }


def launch(client: HTTPConnection, number: int) -> tuple[float, float, str]:
    """Launch an app; return the ms until its first line ran and until it answered, and its role."""
    began, asked = time.time_ns(), time.perf_counter()
    said = json.loads(ask(client, "GET", f"/app{number}/x")[1])
    return (said["began"] - began) / 1e6, (time.perf_counter() - asked) * 1000, said["role"]


def real_servers(rounds: int, base: Path) -> None:
    """Measure and report the first part.

    Raises:
        RuntimeError: if the apps do not have the role session.
    """
    aws = FakeAws()
    (base / "without").mkdir()
    program = base / "app.py"
    program.write_text(APP)
    plain = Server(base / "without", with_apps({}, program, rounds + 1), enabled=False)
    with_role = Server(base / "with", with_apps(site(base / "with", aws), program, rounds + 1))
    try:
        clients = []
        for server in (plain, with_role):
            server.first_answer()
            clients.append(server.client())
        ask(clients[1], "POST", "/aws/sessions", {"role_arn": role_arn(0), "default": True})
        times: list[list[tuple[float, float, str]]] = [[], []]
        for number in range(rounds + 1):
            order = [0, 1] if number % 2 else [1, 0]
            for which in order:
                times[which].append(launch(clients[which], number))
        if {role for *_, role in times[1]} != {role_arn(0)} or times[0][0][2]:
            raise RuntimeError("the apps do not have the role session: nothing was measured")
    finally:
        plain.end()
        with_role.end()
    (without, with_) = (measured[1:] for measured in times)  # the first one imports a lot
    print_figure("request to the app's first line, no extension", [t for t, *_ in without], "ms")
    print_figure("  with a role session", [t for t, *_ in with_], "ms")
    print_figure(
        "  more", differences([t for t, *_ in without], [t for t, *_ in with_]), "ms", "5 ms"
    )
    print_figure("request to the app's answer, more",
         differences([t for _, t, _ in without], [t for _, t, _ in with_]), "ms")  # fmt: skip


async def the_launch_itself(base: Path) -> None:
    """Measure and report the second part.

    Raises:
        RuntimeError: if a launch did not reach the start.
    """
    from _launching import home_with_profiles, started

    from jupyter_wb_aws.injection.environment import InjectionSettings
    from jupyter_wb_aws.injection.proxied_apps import ProxiedApp, ProxiedAppInjection

    environment = {**os.environ, "HOME": str(home_with_profiles(base))}
    for name in ("rserver", "rsession"):
        (base / name).write_text("#!/bin/sh\n")
        (base / name).chmod(0o755)
    starts = 0

    async def start() -> None:
        """Replace simpervisor's; it starts nothing."""
        nonlocal starts
        starts += 1

    async with started(base) as manager:
        apps = ProxiedAppInjection(None, manager, InjectionSettings())
        for what, command in (("an app", ["python"]), ("RStudio", [str(base / "rserver"), "--x"])):
            process = SimpleNamespace(
                start=start, _proc_args=command, _proc_kwargs={"env": environment}
            )
            apps._prepare(ProxiedApp(what, {"proc": process}), process)  # noqa: SLF001
            times: list[list[float]] = [[], []]
            for _ in range(LAUNCHES):
                for each, kept in zip((start, process.start), times, strict=True):
                    began = time.perf_counter()
                    await each()
                    kept.append((time.perf_counter() - began) * 1000)
            print_figure(
                f"the launch itself of {what}, with a role session: more",
                differences(*times),
                "ms",
                "5 ms",
            )
        await apps.r_sessions.close()
    if starts != 4 * LAUNCHES:
        raise RuntimeError("not every launch went through to the start: nothing was measured")


def main(rounds: int) -> None:
    """Measure and report."""
    with folder() as base:
        real_servers(rounds, base)
        asyncio.run(the_launch_itself(base))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
