"""However a server is stopped, no token stays on the disk."""

from __future__ import annotations

import contextlib
import signal

import pytest

from tests.peers.jupyter_server import JupyterServer
from tests.site import ANALYST, AUDITOR


@pytest.fixture
def start(site_config, tmp_path):
    """Start a server without a terminal; each start is the next of the same user."""
    (tmp_path / "site").mkdir()
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(JupyterServer(tmp_path / "site", site_config))


def token_files(server):
    return sorted((server.folder / "run").glob("**/*.*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_without_a_terminal_that_is_stopped_leaves_no_token_file(start, number):
    server = start()
    ids = [server.start(role)["id"] for role in (ANALYST, AUDITOR)]
    assert {path.name.partition("_")[2].partition(".")[0] for path in token_files(server)} == {*ids}

    server.process.send_signal(number)

    server.process.wait(60)
    assert token_files(server) == []


@pytest.mark.long  # tests/hub/test_main_job.py shows it, with the server that a hub starts
def test_after_a_stop_by_sigint_the_next_server_brings_role_sessions_back(start):
    server = start()
    session = server.start(ANALYST)
    server.process.send_signal(signal.SIGINT)
    server.process.wait(60)

    back = start().start(ANALYST)

    assert (back["id"], back["started_at"]) == (session["id"], session["started_at"])
