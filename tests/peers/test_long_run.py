"""A notebook that works on while tokens of a minute come and go, and so does the provider.

For longer than four minutes, by hand:
`WB_AWS_LONG_RUN=1800 .venv/bin/python -m pytest -s tests/peers/test_long_run.py`
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack

import pytest

from tests.peers.jupyter_server import jupyter_server
from tests.peers.seaweedfs import ANALYST
from tests.peers.site import READ

SECONDS = int(os.environ.get("WB_AWS_LONG_RUN", "240"))
# Twice in four minutes; and away for long enough to be missed, once in a while.
RESTARTS = max(2, SECONDS // 80 - 1)
AWAY = 5
BETWEEN_CALLS = 3

WORK = f"""
import time
until = time.monotonic() + {SECONDS}
while time.monotonic() < until:
    try:
        {READ.strip().replace(chr(10), chr(10) + " " * 8)}
        print("done")
    except Exception as error:
        print(f"failed at {{time.ctime()}}: {{error}}")
    time.sleep({BETWEEN_CALLS})
"""


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 180)
def test_no_call_fails_while_the_provider_is_restarted(provider, store, tmp_path, new_browser):
    with ExitStack() as stack:
        server = stack.enter_context(jupyter_server(tmp_path, provider, store))
        new_browser().sign_in_at_server(server.url, server.token, "alice")
        server.start(ANALYST)
        worker = stack.enter_context(ThreadPoolExecutor(1))
        work = worker.submit(server.run, server.kernel(), WORK)

        for restart in range(RESTARTS):
            wait([work], SECONDS / (RESTARTS + 1) - AWAY)
            provider.stop()
            wait([work], AWAY)
            provider.restart(new_signing_key=restart % 2 == 1)
        said = work.result()

        events = [(name, data.get("state")) for name, data in server.heard.all]
        calls, refreshes = said.count("done\n"), events.count(("token-refreshed", None))
        failed = events.count(("refresh-failed", None))
        print(
            f"{SECONDS} s: {calls} calls, {refreshes} refreshes, {failed} failed, {RESTARTS} restarts"
        )
        print(f"states: {[state for name, state in events if name == 'state-changed']}")
        assert "failed" not in said, said
        assert calls >= SECONDS / (BETWEEN_CALLS + 3)
        assert refreshes >= SECONDS // 60
        assert ("state-changed", "expired") not in events
        assert ("state-changed", "sign_in_required") not in events
