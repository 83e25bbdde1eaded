"""What a role session adds to a kernel's start, on the server's side.

1. Real servers, in turn: one without the extension, and two with it and with a default role session, by web identity
   and by the credential endpoint.
   `POST /api/kernels` answers when the kernel's process exists; the `kernel_info` reply comes over its
   websocket. Calls to the identity provider or STS in that time are counted.
2. The launch itself, many times and without the noise of real processes: Jupyter's own multi-kernel
   manager with our injection, on kernel managers whose launch does nothing. They are called through the
   wrapper and directly, in turn. The user has twenty profiles in `~/.aws`.

    python benchmarks/kernel_start.py [ROUNDS]
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from _support import (
    TOKEN,
    FakeAws,
    Server,
    ask,
    differences,
    folder,
    print_figure,
    role_arn,
    site,
)
from tornado.websocket import websocket_connect

LAUNCHES = 2000
SETTLED = 0.15  # s, in which the last kernel's processes end


async def start_kernel(server: Server, client: HTTPConnection) -> tuple[float, float]:
    """Start and end a kernel; return the ms until its process exists, and until it replies."""
    await asyncio.sleep(SETTLED)
    began = time.perf_counter()
    kernel_id = json.loads(ask(client, "POST", "/api/kernels", {"name": "python3"})[1])["id"]
    exists = time.perf_counter()
    url = f"ws://127.0.0.1:{server.port}/api/kernels/{kernel_id}/channels?token={TOKEN}"
    channels = await websocket_connect(url)
    header = {"msg_id": "1", "msg_type": "kernel_info_request", "username": "", "session": "1",
              "version": "5.3", "date": "2026-01-01T00:00:00Z"}  # fmt: skip
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": {}}
    await channels.write_message(json.dumps({**message, "channel": "shell", "buffers": []}))
    while json.loads(await channels.read_message() or "{}")["msg_type"] != "kernel_info_reply":
        pass
    replied = time.perf_counter()
    channels.close()
    ask(client, "DELETE", f"/api/kernels/{kernel_id}")
    return (exists - began) * 1000, (replied - began) * 1000


def check_that_kernels_have_the_role(client: HTTPConnection) -> None:
    """Start a kernel, and check that it has the role session; otherwise nothing would be measured.

    Raises:
        RuntimeError: if it does not.
    """
    kernel_id = json.loads(ask(client, "POST", "/api/kernels", {"name": "python3"})[1])["id"]
    listed = json.loads(ask(client, "GET", "/aws/assignments")[1])["assignments"]
    if [entry["running"]["role_arn"] for entry in listed] != [role_arn(0)]:
        raise RuntimeError(f"the kernel does not have the role session: {listed}")
    ask(client, "DELETE", f"/api/kernels/{kernel_id}")


async def real_servers(rounds: int, base: Path) -> None:
    """Measure and report the first part."""
    aws = FakeAws()
    (base / "without").mkdir()
    plain = Server(base / "without", {}, enabled=False)
    with_role = Server(base / "with", site(base / "with", aws))
    by_endpoint = Server(base / "endpoint", site(base / "endpoint", aws, by_endpoint={0}))
    servers = [plain, with_role, by_endpoint]
    try:
        clients = []
        for server in servers:
            server.first_answer()
            clients.append(server.client())
        for client in clients[1:]:
            ask(client, "POST", "/aws/sessions", {"role_arn": role_arn(0)})
            check_that_kernels_have_the_role(client)
        began_with = aws.connections
        found: list[list[tuple[float, float]]] = [[], [], []]
        for turn in range(rounds + 1):
            for which in sorted(range(3), reverse=bool(turn % 2)):
                figures = await start_kernel(servers[which], clients[which])
                if turn:  # the first one imports what any kernel needs
                    found[which].append(figures)
        calls = aws.connections - began_with
    finally:
        for server in servers:
            server.end()
    for column, what, target in (
        (0, "until the process exists", "1 ms"),
        (1, "until kernel_info", ""),
    ):
        one, other, endpoint = ([figures[column] for figures in kind] for kind in found)
        print_figure(f"{what}, without the extension", one, "ms")
        print_figure("  with a role session: more", differences(one, other), "ms", target)
        print_figure("  with one by the endpoint: more", differences(one, endpoint), "ms", target)
    print(f"calls to the identity provider or STS by {rounds + 1} starts: {calls}   target: 0")


class _NoManager:
    """The parts of a kernel manager that the injection uses; its launch does nothing."""

    def __init__(self, provisioner: Any) -> None:
        self.kernel_id = "00000000-0000-0000-0000-000000000000"
        self.provisioner = provisioner

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kwargs: Any) -> None:
        """Launch nothing."""


async def the_launch_itself(base: Path) -> None:
    """Measure and report the second part."""
    from _launching import home_with_profiles, started
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner
    from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

    from jupyter_wb_aws.injection.environment import InjectionSettings
    from jupyter_wb_aws.injection.kernels import KernelInjection

    async with started(base) as manager:
        kernels = AsyncMappingKernelManager()
        provisioner = LocalProvisioner()
        made = _NoManager(provisioner)
        around = made._async_launch_kernel  # noqa: SLF001
        kernels.kernel_manager_factory = lambda *_args, **_kwargs: made
        KernelInjection(kernels, manager, InjectionSettings()).install()
        through = kernels.kernel_manager_factory()._async_launch_kernel  # noqa: SLF001
        environment = {**os.environ, "HOME": str(home_with_profiles(base))}
        times: list[list[float]] = [[], []]
        for _ in range(LAUNCHES):
            for launch, kept in zip((around, through), times, strict=True):
                began = time.perf_counter()
                await launch(["python"], env=dict(environment))
                kept.append((time.perf_counter() - began) * 1000)
    print_figure("the launch itself, with a role session: more", differences(*times), "ms", "1 ms")


async def main(rounds: int) -> None:
    """Measure and report."""
    with folder() as base:
        await real_servers(rounds, base)
        await the_launch_itself(base)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
