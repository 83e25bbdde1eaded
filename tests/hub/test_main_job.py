"""The job of the hub service, in short: a user's own server has the role of their group, and no other.

The other modules of this folder, which `make test-long` runs, show the rest with hubs of their own.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.hub.hub_site import ANALYST, AUDITOR, CONTENT, FINANCE, READ, HubSite
from tests.hub.running_hub import until

pytestmark = pytest.mark.hub5


@pytest.fixture(scope="module")
def site(start_hub):
    with contextlib.ExitStack() as stack:
        site = HubSite(stack)
        site.start(start_hub)
        yield site


def active(server):
    """Return the active role sessions of a server."""
    sessions = server("GET", "/aws/sessions")["sessions"]
    return [session for session in sessions if session["state"] == "active"]


def test_a_user_works_with_a_role_and_finds_it_again_after_a_stop_and_a_start(site):
    alice = site.hub.start_server("alice")
    assert {role["arn"] for role in alice("GET", "/aws/roles")["roles"]} == {ANALYST, AUDITOR}
    session = alice.start(ANALYST, default=True)
    assert session.get("state") == "active", session
    assert alice.run(alice.kernel(), READ) == f"{CONTENT}\n"
    token_file = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
    before = token_file.read_text()
    assert site.assume(before, ANALYST) == "accepted"
    assert site.assume(before, AUDITOR) == "InvalidIdentityToken"
    assert alice("POST", "/aws/sessions", {"role_arn": FINANCE})["code"] == "role_not_allowed"

    alice.stop()

    assert not token_file.exists()
    alice = site.hub.start_server("alice")
    again = until(lambda: active(alice), "the role session does not come back")
    assert [(found["id"], found["default"]) for found in again] == [(session["id"], True)]
    assert token_file.read_text() != before
    assert alice.run(alice.kernel(), READ) == f"{CONTENT}\n"
    users = {(line["user"], line["role"]) for line in site.audit() if line["event"] == "token"}
    assert users == {("alice", ANALYST)}
