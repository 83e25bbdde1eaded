"""A hostile process floods the endpoint, while others work and Jupyter's own loop does too. Real processes."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from jupyter_wb_aws.endpoint.answers import Answer
from tests.endpoint.asking import CREDENTIALS, UNKNOWN, running
from tests.endpoint.hostile import SENT

HERE = Path(__file__).parent
SECONDS = 5
CONNECTIONS = 400  # more than the endpoint allows
MIB = 1024 * 1024

pytestmark = pytest.mark.long


async def answer(authorization):
    if authorization not in ("honest", "hostile"):
        raise UNKNOWN
    return Answer(200, CREDENTIALS)


async def program(name, *arguments):
    return await asyncio.create_subprocess_exec(
        sys.executable, HERE / name, *map(str, arguments), stdout=asyncio.subprocess.PIPE
    )


async def output(process):
    return json.loads((await process.communicate())[0])


@asynccontextmanager
async def delays_of_this_loop():
    """Yield a list of how late (s) this loop, which stands for Jupyter's, came to each step."""

    async def steps():
        while True:
            due = time.monotonic() + 0.01
            await asyncio.sleep(0.01)
            found.append(time.monotonic() - due)

    found = []
    task = asyncio.create_task(steps())
    try:
        yield found
    finally:
        task.cancel()


@pytest.mark.parametrize("kind", sorted(SENT))
@pytest.mark.parametrize("rate", [2000, 1e9], ids=["2000_a_second", "as_fast_as_it_can"])
async def test_a_flood_leaves_others_and_jupyter_their_answers(kind, rate):
    memory = psutil.Process()
    async with running(answer) as server:
        await output(await program("hostile.py", server.port, kind, 1, rate, CONNECTIONS))
        before = memory.memory_info().rss
        flood = await program("hostile.py", server.port, kind, SECONDS + 1, rate, CONNECTIONS)
        async with delays_of_this_loop() as delays:
            durations = await output(await program("honest.py", server.port, SECONDS))
        made = await output(flood)
        grown = (memory.memory_info().rss - before) / MIB
        open_files = memory.num_fds()

    durations = [float(duration) for duration in durations]
    refused = durations.count(float("inf"))
    print(
        f"{kind}: {made / (SECONDS + 1):.0f} connections/s; others' answers: {refused} of {len(durations)} refused,"
        f" median {statistics.median(durations) * 1000:.1f} ms; this loop's delay: median"
        f" {statistics.median(delays) * 1000:.1f} ms, largest {max(delays) * 1000:.0f} ms; memory +{grown:.1f} MiB"
    )
    assert made > SECONDS * 100
    # On a machine that stalls, newer connections may push out one whose request is on its way; SDKs try again.
    assert refused <= len(durations) / 50
    assert statistics.median(durations) < 0.2
    assert statistics.median(delays) < 0.05
    assert max(delays) < 5
    assert grown < 20
    assert open_files < 400


async def test_it_answers_while_jupyters_loop_is_blocked_for_a_minute():
    """Busy in Python, so that it holds the interpreter's lock whenever it gets it; the worst case."""
    async with running(answer) as server:
        asking = await program("honest.py", server.port, 60)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            sum(range(10_000))
        durations = [float(duration) for duration in await output(asking)]

    assert len(durations) > 100
    assert durations.count(float("inf")) == 0
    assert statistics.median(durations) < 0.5
