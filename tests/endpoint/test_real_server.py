"""A real Jupyter Server whose roles come by the endpoint: killed, and flooded by one of its own kernels."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.endpoint.asking import ask
from tests.peers.jupyter_server import JupyterServer
from tests.site import ANALYST, AUDITOR

HERE = Path(__file__).parent
URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"

pytestmark = pytest.mark.long


@pytest.fixture
def start(site_config, tmp_path):
    """Start a server; each start is the next of the same user."""
    site_config["WbAwsApp"]["delivery"] = "endpoint"
    (tmp_path / "site").mkdir()
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(JupyterServer(tmp_path / "site", site_config))


def port_of(environment):
    return urlsplit(environment[URI]).port


def asked(environment, token):
    return asyncio.run(ask(port_of(environment), token=token))[0]


def test_a_killed_server_leaves_a_dead_port_and_a_token_that_the_next_one_refuses_and_removes(
    start,
):
    server = start()
    environment = server.start(ANALYST)["environment"]
    old_file = Path(environment[TOKEN_FILE])
    old_token = old_file.read_text()
    assert asked(environment, old_token) == 200

    server.process.send_signal(signal.SIGKILL)
    server.process.wait(60)

    with pytest.raises(ConnectionRefusedError):
        asked(environment, old_token)
    following = start()
    new = following.start(ANALYST)["environment"]
    assert port_of(new) != port_of(environment)
    assert asked(new, old_token) == 403
    assert asked(new, Path(new[TOKEN_FILE]).read_text()) == 200
    assert not old_file.exists() or old_file.read_text() != old_token


def in_another_thread(work, *arguments):
    results = []
    thread = threading.Thread(target=lambda: results.append(work(*arguments)))
    thread.start()
    return thread, results


def durations_of_honest_program(environment, seconds):
    ended = subprocess.run(
        [sys.executable, HERE / "honest.py", str(port_of(environment)), str(seconds)],
        env={**os.environ, **environment}, capture_output=True, check=True,
    )  # fmt: skip
    return [float(duration) for duration in json.loads(ended.stdout)]


@pytest.mark.parametrize("rate", [2000, 1e9], ids=["2000_a_second", "as_fast_as_it_can"])
def test_a_hostile_kernel_leaves_other_programs_and_jupyter_their_answers(start, rate):
    server = start()
    others = server.start(AUDITOR)["environment"]
    own = server.start(ANALYST)
    server("PUT", "/aws/default", {"session_id": own["id"]})
    kernel = server.kernel()
    arguments = f"{port_of(others)} its_own_token 6 {rate:.0f} 400"
    flood = f"import subprocess, sys; print(subprocess.check_output([sys.executable, {str(HERE / 'hostile.py')!r}, *{arguments.split()!r}], text=True))"

    thread, made = in_another_thread(server.run, kernel, flood)
    honest_thread, honest = in_another_thread(durations_of_honest_program, others, 5)
    jupyters = []
    while thread.is_alive():
        began = time.monotonic()
        assert server("GET", "/api/status")["kernels"] == 1
        jupyters.append(time.monotonic() - began)
        time.sleep(0.05)
    honest_thread.join(60)

    assert int(made[0]) > 500
    # On a machine that stalls, newer connections may push out one whose request is on its way; SDKs try again.
    assert honest[0].count(float("inf")) <= len(honest[0]) / 50
    print(
        f"{int(made[0]) / 6:.0f} requests/s; others: median {statistics.median(honest[0]) * 1000:.1f} ms;"
        f" Jupyter: median {statistics.median(jupyters) * 1000:.1f} ms, longest {max(jupyters) * 1000:.0f} ms"
    )
    assert statistics.median(honest[0]) < 0.2
    assert statistics.median(jupyters) < 0.2
