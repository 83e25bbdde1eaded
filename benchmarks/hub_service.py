"""How many tokens the hub service signs in a second, beside how often its hub can say who somebody is.

A real JupyterHub and the real service, each in a process of its own; 100 connections ask at once. The hub is asked
at each call, so it sets the pace: tokens in a second are compared with the hub's own answers in a second, in
the same run and in turn. Callers *repeat* if they have asked within 30 s; for all others the hub also writes down
that their token was used. The last measurement has the service's default limit: it counts in the hub's own log
how many questions arrive in any second.

    python benchmarks/hub_service.py [SECONDS]
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from _load import Load, request, send
from _support import MIB, folder, free_port, print_figure, role_arn

from jupyter_wb_aws.hub.app import HubServiceApp

CONNECTIONS = 100
CAP = HubServiceApp.hub_requests_per_second.default_value
NO_CAP = 10_000
ROUNDS = 3
ADMIN = "benchmark"
SERVICE = "/services/aws/"
# A hub may answer more. Then the measurement is shorter: each of these tokens is used once.
NEW_CALLERS_PER_SECOND = 200
HUB_CONFIG = """
from jupyterhub.proxy import Proxy


class NoProxy(Proxy):
    should_start = False

    async def add_route(self, routespec, target, data):
        pass

    async def delete_route(self, routespec):
        pass

    async def get_all_routes(self):
        return {{}}


c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}/hub/"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{{"name": "aws"}}, {{"name": "benchmark", "api_token": "{admin}"}}]
c.JupyterHub.load_roles = [
    {{"name": "benchmark", "scopes": ["admin:users", "tokens"], "services": ["benchmark"]}},
    {{"name": "user", "scopes": ["self", "access:services!service=aws"]}},
]
"""
SERVICE_CONFIG = """
c.HubServiceApp.issuer = "https://hub.example.com/services/aws"
c.HubServiceApp.roles_file = "roles.toml"
c.HubServiceApp.keys_dir = "keys"
c.HubServiceApp.audit_log = "audit.jsonl"
c.HubServiceApp.hub_api_url = "http://127.0.0.1:{hub}/hub/api"
c.HubServiceApp.port = {port}
c.HubServiceApp.hub_requests_per_second = {cap}
c.HubServiceApp.tokens_per_minute = 100000
"""


@dataclass(frozen=True)
class Running:
    """A process that answers at a port of loopback, and its log."""

    port: int
    pid: int
    log: Path

    def cpu(self) -> float:
        """Return the seconds of CPU that it has used."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


def main(seconds: float, base: Path) -> None:
    """Measure and report."""
    with ExitStack() as stack:
        hub = stack.enter_context(running_hub(base))
        service = stack.enter_context(running_service(base, hub, NO_CAP))
        users = [f"user-{number:03}" for number in range(CONNECTIONS)]
        repeating = make_tokens(hub, users)
        for measure in (who_am_i, sign):
            measure(hub if measure is who_am_i else service, repeating, 1)  # the first are slower
        compare("repeating", hub, service, lambda: repeating, seconds)
        each = int(seconds * NEW_CALLERS_PER_SECOND / len(users))
        compare("different", hub, service, lambda: make_tokens(hub, users * each), seconds)
        memory = psutil.Process(service.pid).memory_info().rss / MIB
        print_figure("memory of the service", [memory], "MiB")
        limited = stack.enter_context(running_service(base, hub, CAP))
        began = datetime.now()  # noqa: DTZ005 - as the hub's log has it
        load = sign(limited, repeating, 2 * seconds)
        print_figure(f"limit of {CAP}: tokens in a second", [load.per_second(201)], "/s")
        print_figure(f"limit of {CAP}: answers with 503 in a second", [load.per_second(503)], "/s")
        most = most_in_a_second(hub.log, began)
        print_figure("the most questions to the hub in any second", [most], "/s", f"{CAP}")


def compare(
    name: str, hub: Running, service: Running, tokens: Callable[[], list[str]], seconds: float
) -> None:
    """Measure hub and service in turn, and report them beside one another.

    Args:
        name: of the callers.
        hub, service: what is measured.
        tokens: gives the callers' tokens.
        seconds: of one measurement.
    """
    asked, signed, cpu = [], [], []
    for _ in range(ROUNDS):
        asked.append(who_am_i(hub, tokens(), seconds))
        callers, before = tokens(), service.cpu()
        signed.append(sign(service, callers, seconds))
        cpu.append((service.cpu() - before) / signed[-1].statuses[201] * 1000)
    hubs = [load.per_second(200) for load in asked]
    services = [load.per_second(201) for load in signed]
    ratios = [one / other for one, other in zip(services, hubs, strict=True)]
    print_figure(f"{name} callers: the hub's 'who am I' in a second", hubs, "/s")
    print_figure(f"{name} callers: tokens in a second", services, "/s")
    print_figure(f"{name} callers: tokens over 'who am I'", ratios, "")
    print_figure(f"{name} callers: p50", [load.percentile(50) for load in signed], "ms")
    print_figure(f"{name} callers: p99", [load.percentile(99) for load in signed], "ms")
    print_figure(f"{name} callers: CPU of the service for a token", cpu, "ms")
    others = sum(load.statuses.total() - load.statuses[201] for load in signed)
    print_figure(f"{name} callers: answers without a token", [others], "", "0")


def who_am_i(hub: Running, tokens: list[str], seconds: float) -> Load:
    """Ask the hub whose tokens these are."""
    asked = (request(hub.port, "GET", "/hub/api/user", token) for token in endless(tokens))
    return send(hub.port, asked, CONNECTIONS, seconds)


def sign(service: Running, tokens: list[str], seconds: float) -> Load:
    """Ask the service for web identity tokens."""
    body = json.dumps({"role_arn": role_arn(0)})
    asked = (
        request(service.port, "POST", f"{SERVICE}tokens", token, body) for token in endless(tokens)
    )
    return send(service.port, asked, CONNECTIONS, seconds)


def endless(tokens: list[str]) -> Iterator[str]:
    """Repeat the tokens of repeating callers; those of others are used once."""
    return itertools.cycle(tokens) if len(tokens) == CONNECTIONS else iter(tokens)


def most_in_a_second(log: Path, began: datetime) -> int:
    """Return how many questions at most have reached the hub in any second since then.

    The log has when each was answered, and how long that took. It cuts times to milliseconds, so two that are
    a second apart may look like 999 ms.
    """
    line = re.compile(
        r"^\[I (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) .* 200 GET /hub/api/user .* ([\d.]+)ms$",
        re.MULTILINE,
    )
    asked = [
        datetime.fromisoformat(answered).timestamp() - float(took) / 1000
        for answered, took in line.findall(log.read_text())
    ]
    times = sorted(time for time in asked if time >= began.timestamp())
    first, most = 0, 0
    for last, now in enumerate(times):
        while now - times[first] > 0.998:
            first += 1
        most = max(most, last - first + 1)
    return most


# --- The hub and the service -----------------------------------------------------------------------


def ask_as_admin(hub: Running, method: str, path: str, body: object = None) -> Any:
    """Ask the hub's API; return the answer."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{hub.port}/hub/api{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"token {ADMIN}"},
        method=method,
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.load(answer)


def make_tokens(hub: Running, users: list[str]) -> list[str]:
    """Return a token for each of the users, such as their servers have. The users are made where they are missing."""
    existing = {user["name"] for user in ask_as_admin(hub, "GET", "/users")}
    if new := sorted(set(users) - existing):
        ask_as_admin(hub, "POST", "/users", {"usernames": new})
    scopes = "access:servers!server={}/", "access:services!service=aws"
    return [
        ask_as_admin(hub, "POST", f"/users/{user}/tokens", {"scopes": [s.format(user) for s in scopes]})["token"]
        for user in users
    ]  # fmt: skip


@contextmanager
def running_hub(base: Path) -> Iterator[Running]:
    """Run a hub without a proxy."""
    home, port = base / "hub", free_port()
    home.mkdir()
    (home / "jupyterhub_config.py").write_text(HUB_CONFIG.format(port=port, admin=ADMIN))
    with running(["jupyterhub"], home, port, "/hub/api/") as hub:
        yield hub


@contextmanager
def running_service(base: Path, hub: Running, cap: int) -> Iterator[Running]:
    """Run the service with a limit for its questions to the hub."""
    home, port = base / f"service-{cap}", free_port()
    home.mkdir()
    role = f'[[roles]]\narn = "{role_arn(0)}"\nlabel = "Role"\nallow = "everyone"\n'
    (home / "roles.toml").write_text(role)
    config = SERVICE_CONFIG.format(hub=hub.port, port=port, cap=cap)
    (home / "config.py").write_text(config)
    command = ["jupyter_wb_aws.hub.app", "--config=config.py"]
    with running(command, home, port, f"{SERVICE}health") as service:
        yield service


@contextmanager
def running(module: list[str], home: Path, port: int, path: str) -> Iterator[Running]:
    """Run a Python module until it is no longer needed.

    Args:
        module: its name, and arguments.
        home: an empty folder, in which it runs.
        port, path: where it answers once it has started.

    Raises:
        RuntimeError: if it does not start.
    """
    log = home / "log"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "JUPYTER", "JPY_"))}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *module], cwd=home, env=kept, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not answers(port, path):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text()[-3000:])
            time.sleep(0.1)
        yield Running(port, process.pid, log)
    finally:
        process.terminate()
        process.wait(20)


def answers(port: int, path: str) -> bool:
    """Return whether a server answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    with folder() as base:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 6, base)
