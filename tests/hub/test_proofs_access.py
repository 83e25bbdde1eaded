"""Who gets a token of the hub service, and for what it is good: a real hub, a real proxy, the strict local AWS."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from tests.hub.hub_site import (
    ANALYST,
    AUDITOR,
    CONTENT,
    FINANCE,
    READ,
    REPORTING,
    SCOPE,
    HubSite,
)
from tests.hub.running_hub import until

pytestmark = [pytest.mark.long, pytest.mark.hub5]
CHECK_EVERY = 5


@pytest.fixture(scope="module")
def site(start_hub):
    with contextlib.ExitStack() as stack:
        site = HubSite(stack, server_config={"JupyterHubTokenSource": {"check_every": CHECK_EVERY}})
        site.start(start_hub)
        yield site


@pytest.fixture(scope="module")
def servers(site):
    return site.hub.start_servers("alice", "bob")


@pytest.fixture
def alice(servers):
    return servers["alice"]


@pytest.fixture
def bob(servers):
    return servers["bob"]


@pytest.fixture
def out_of_group(site):
    """Take a user out of a group until the test's end."""
    with contextlib.ExitStack() as stack:

        def leave(group, user):
            site.hub.leave(group, user)
            stack.callback(site.hub.join, group, user)

        yield leave


def ended_at(server, session):
    """Return when a role session ended, by its server's log: a busy machine may hear of it later."""
    (line,) = re.findall(
        rf"^\[I ([\d-]+ [\d:.]+) .*Role session {session['id']} .* ended", server.log, re.MULTILINE
    )
    return datetime.fromisoformat(line)


def refusal(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


# --- What a token is good for ------------------------------------------------------------------------


def test_a_token_for_one_role_is_refused_for_every_other(site, alice, bob):
    token = site.web_identity(alice.api_token, ANALYST)
    assert site.assume(token, ANALYST) == "accepted"
    assert site.assume(token, AUDITOR) == "InvalidIdentityToken"
    assert site.assume(token, FINANCE) == "InvalidIdentityToken"
    assert site.assume(site.web_identity(alice.api_token, AUDITOR), AUDITOR) == "accepted"
    assert site.assume(site.web_identity(bob.api_token, FINANCE), FINANCE) == "accepted"


def test_nobody_gets_a_token_for_a_role_of_another_group(site, alice, bob):
    assert refusal(site.mint(alice.api_token, FINANCE)) == (403, "role_not_allowed")
    assert refusal(site.mint(bob.api_token, ANALYST)) == (403, "role_not_allowed")


def test_each_accepted_assumption_has_exactly_one_audit_line(site, alice, bob):
    for server, role in 2 * [(alice, ANALYST), (bob, FINANCE)]:
        assert site.assume(site.web_identity(server.api_token, role), role) == "accepted"

    issued = [line for line in site.audit() if line["event"] == "token"]
    accepted = [line for line in site.trail.lines if line["error"] is None]
    assert set(Counter(line["jti"] for line in issued).values()) == {1}
    by_jti = {line["jti"]: line for line in issued}
    assert len({line["jti"] for line in accepted}) >= 4
    for line in accepted:
        audit = by_jti[line["jti"]]
        assert line["subject"] == f"user:{audit['user']}"
        assert line["role_arn"] == audit["role"]
        assert line["source_identity"] == audit["source_identity"]
        signed = (audit["tags"] or {}).get("principal_tags", {})
        assert {key: [value] for key, value in line["tags"].items()} == signed


def test_session_tags_and_source_identity_reach_aws_as_the_roles_file_has_them(site, bob):
    assert site.assume(site.web_identity(bob.api_token, FINANCE), FINANCE) == "accepted"

    last = site.trail.lines[-1]
    assert last["tags"] == {"Team": "finance", "Person": "bob"}
    assert last["source_identity"] == "bob"


# --- After the group ---------------------------------------------------------------------------------


def test_the_next_call_of_a_user_who_left_the_group_is_refused(site, alice, bob, out_of_group):
    assert site.mint(alice.api_token).status_code == 201

    out_of_group("analysts", "alice")

    assert refusal(site.mint(alice.api_token)) == (403, "role_not_allowed")
    assert ANALYST not in str(site.ask("GET", "roles", alice.api_token).json()["roles"])
    assert site.mint(alice.api_token, AUDITOR).status_code == 201
    assert site.mint(bob.api_token, FINANCE).status_code == 201


def test_a_user_who_left_the_group_that_gives_the_scope_is_refused_everything(
    site, alice, out_of_group
):
    out_of_group("aws", "alice")

    assert refusal(site.mint(alice.api_token)) == (403, "scope_missing")
    assert refusal(site.ask("GET", "roles", alice.api_token)) == (403, "scope_missing")


def test_a_role_session_is_withdrawn_soon_after_its_user_left_the_group(
    site, alice, bob, out_of_group
):
    def state(server, session):
        return server("GET", f"/aws/sessions/{session['id']}")["state"]

    hers, his = alice.start(ANALYST), bob.start(FINANCE)
    token_file = hers["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"]

    left_at = datetime.now()  # noqa: DTZ005 - local time, as in the logs
    out_of_group("analysts", "alice")

    until(lambda: state(alice, hers) == "ended", "it is not withdrawn")
    # `check_every`, a fifth more at most, and what a busy machine takes to ask and answer once.
    assert (ended_at(alice, hers) - left_at).total_seconds() <= CHECK_EVERY * 1.2 + 2
    assert alice("GET", f"/aws/sessions/{hers['id']}")["end_reason"] == "role_withdrawn"
    assert not Path(token_file).exists()
    assert alice("POST", "/aws/sessions", {"role_arn": ANALYST})["code"] == "role_not_allowed"
    assert state(bob, his) == "active"
    kernel = bob.kernel()
    assert CONTENT in bob.run(kernel, READ)


@pytest.fixture
def auditor_by_endpoint(site, alice):
    """Deliver a role by the credential endpoint until the test's end; wait until alice's server knows."""

    def delivery():
        offered = alice("GET", "/aws/roles")["roles"]
        return [role["delivery"] for role in offered if role["arn"] == AUDITOR]

    path = site.folder / "roles.toml"
    before, as_before = path.read_text(), delivery()
    entry = f'arn = "{AUDITOR}"\n'
    path.write_text(before.replace(entry, f'{entry}delivery = "endpoint"\nlease = 660\n'))
    until(lambda: delivery() == ["endpoint"], "the role is not delivered by the endpoint")
    yield
    path.write_text(before)
    until(lambda: delivery() == as_before, "the role is still delivered by the endpoint")


def test_a_role_by_the_endpoint_works_in_a_kernel_and_is_refused_once_its_user_left_the_group(
    alice, auditor_by_endpoint, out_of_group
):
    session = alice.start(AUDITOR, default=True)
    assert (session["delivery"], session["lease"]) == ("endpoint", 660)
    kernel = alice.kernel()
    assert CONTENT in alice.run(kernel, READ)

    out_of_group("auditors", "alice")
    ended = f"/aws/sessions/{session['id']}"
    until(lambda: alice("GET", ended)["state"] == "ended", "it is not withdrawn")
    said = alice.run(kernel, READ)

    assert "RoleSessionEnded" in said
    assert "the role is no longer in your list of roles" in said


# --- Refused at once ---------------------------------------------------------------------------------


def test_a_servers_own_token_is_refused_once_the_server_is_stopped(site):
    server = site.hub.start_server("carol", "short")
    token = server.api_token
    assert site.mint(token).status_code == 201

    server.stop()

    assert refusal(site.mint(token)) == (401, "not_authenticated")


def test_a_token_of_a_deleted_user_is_refused(site):
    site.hub.api("POST", "/users/dave")
    site.hub.join("aws", "dave")
    site.hub.join("analysts", "dave")
    token = site.by_hand("dave")
    assert site.mint(token).status_code == 201

    site.hub.delete_user("dave")

    assert refusal(site.mint(token)) == (401, "not_authenticated")


def test_a_user_of_the_same_name_gains_nothing_by_the_old_token(site):
    token = {}
    for time in ("first", "again"):
        site.hub.api("POST", "/users/erin")
        site.hub.join("aws", "erin")
        site.hub.join("analysts", "erin")
        token[time] = site.by_hand("erin")
        if time == "first":
            site.hub.delete_user("erin")
    assert site.mint(token["again"]).status_code == 201
    assert refusal(site.mint(token["first"])) == (401, "not_authenticated")


def test_a_service_gets_no_token(site):
    assert refusal(site.mint(REPORTING)) == (403, "not_a_user")
    assert refusal(site.ask("GET", "roles", REPORTING)) == (403, "not_a_user")


def test_a_user_with_whom_a_server_is_shared_mints_nothing_there(site, alice):
    shared = site.hub.api("POST", "/shares/alice/", body={"user": "bob"})
    assert shared.status_code == 200, shared.text
    token = site.hub.token("bob", scopes=["access:servers!server=alice/", SCOPE])
    assert alice.fetch("GET", "/api/contents", token=token).status_code == 200

    for role in (ANALYST, FINANCE):
        assert refusal(site.mint(token, role)) == (403, "not_a_server")


def test_a_token_of_no_server_gets_nothing(site):
    assert refusal(site.mint(site.hub.token("alice", scopes=[SCOPE]))) == (403, "not_a_server")
    # All that alice may do, on each of her servers.
    assert refusal(site.mint(site.hub.token("alice"))) == (403, "not_a_server")


@pytest.mark.parametrize("token", ["", "unknown", "a" * 32, "x y"])
def test_an_unknown_token_is_refused(site, token):
    assert refusal(site.mint(token)) == (401, "not_authenticated")


def test_a_browser_that_is_logged_in_has_no_way_in(site):
    with site.hub.log_in("alice") as browser:
        answer = browser.post("services/aws/tokens", content=json.dumps({"role_arn": ANALYST}))
    assert refusal(answer) == (401, "not_authenticated")
