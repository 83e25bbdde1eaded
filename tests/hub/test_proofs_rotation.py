"""The keys of the hub service are rotated while notebooks call AWS with tokens of half a minute."""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hub.hub_site import ANALYST, CONTENT, FINANCE, READ, ROTATING, HubSite
from tests.hub.running_hub import until

TOKEN_LIFETIME = 30
PUBLISH_LEAD = 5
ROTATIONS = int(os.environ.get("WB_AWS_ROTATIONS", "3"))

# Each call has a session of its own, which asks STS with the token in the file.
WORK = f"""
import pathlib, time
while not pathlib.Path("done").exists():
    try:
        {READ.strip().replace(chr(10), chr(10) + " " * 8)}
    except Exception as error:
        print(f"failed at {{time.ctime()}}: {{error}}")
    time.sleep(0.2)
"""


@pytest.fixture(scope="module")
def site(start_hub):
    with contextlib.ExitStack() as stack:
        lifetimes = {"token_lifetime": TOKEN_LIFETIME, "publish_lead": PUBLISH_LEAD}
        site = HubSite(stack, service=lifetimes)
        site.hub = start_hub(**site.options)
        yield site


def keys_of(site, role):
    """Return the keys that signed the tokens with which a role was taken, oldest first."""
    kids = {line["jti"]: line["kid"] for line in site.audit() if "jti" in line}
    taken = [line["jti"] for line in site.trail.lines if line["role_arn"] == role]
    return list(dict.fromkeys(kids[jti] for jti in taken))


@pytest.mark.long
@pytest.mark.timeout(180 + ROTATIONS * (TOKEN_LIFETIME + PUBLISH_LEAD))
def test_no_call_fails_while_the_keys_are_rotated(site):
    started = site.hub.start_servers("alice", "bob")
    servers = {ANALYST: started["alice"], FINANCE: started["bob"]}
    with ThreadPoolExecutor() as workers:
        said = {}
        for role, server in servers.items():
            server.start(role, default=True)
            said[role] = workers.submit(server.run, server.kernel(), WORK)
        try:
            for rotation in range(ROTATIONS):
                answer = site.ask("POST", "keys", ROTATING, body={})
                assert answer.status_code == 201, answer.text
                for role in servers:
                    until(
                        lambda role=role, rotation=rotation: (
                            len(keys_of(site, role)) >= rotation + 2
                        ),
                        f"{role} is not taken with a token of key {rotation + 2}",
                    )
        finally:
            for server in servers.values():
                server.run(server.kernel(), "import pathlib; pathlib.Path('done').touch()")

    for role in servers:
        calls = said[role].result().splitlines()
        assert set(calls) == {CONTENT}
        assert len(calls) >= 10 * ROTATIONS
    assert {line["error"] for line in site.trail.lines} == {None}
