"""The hub service beside a real JupyterHub, run by itself: odd names, restarts of the hub, another base URL."""

from __future__ import annotations

import urllib.parse

import jwt
import pytest

from tests.hub_service.running_service import ANALYST, AUDITOR, RunningService, until

pytestmark = [pytest.mark.long, pytest.mark.hub5]
SCOPE = "access:services!service=aws-tokens"
NAMES = ["alice", "alice:role:auditor", "a*b", "${aws:username}", "ålice", "al%69ce", "alice!server=bob"]  # fmt: skip


@pytest.fixture(scope="module")
def hub(start_hub):
    return start_hub(
        users=NAMES,
        groups={"analysts": NAMES},
        base_url="/team/hubs/",
        own_uids=False,
        roles=[
            {"name": "user", "scopes": ["self", SCOPE]},
            {"name": "server", "scopes": ["users:activity!user", "access:servers!server", SCOPE]},
            {"name": "rotating", "services": ["rotating"], "scopes": ["custom:jupyter-wb-aws:keys"]},
        ],
        services=[
            {"name": "aws-tokens"},
            {"name": "rotating", "api_token": "rotating-token-of-the-tests"},
        ],
        config="""
c.JupyterHub.custom_scopes = {"custom:jupyter-wb-aws:keys": {"description": "Rotate the keys"}}
""",
    )  # fmt: skip


@pytest.fixture(scope="module")
def service(hub, tmp_path_factory):
    """The service as systemd or Kubernetes run it, behind a proxy that is not the hub's."""
    running = RunningService(
        tmp_path_factory.mktemp("service"),
        hub_api_url=f"{hub.url}hub/api",
        service_name="aws-tokens",
        prefix="/team/hubs/services/aws-tokens/",
        issuer="https://hub.example.org/team/hubs/services/aws-tokens",
        hub_requests_per_second=1000,
    )
    try:
        yield running.start()
    finally:
        running.stop()


def server_token(hub, name, **more):
    """A token with what the service asks of a server's."""
    return hub.token(name, scopes=[f"access:servers!server={name}/", SCOPE], **more)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_a_hub_takes_gets_a_subject_of_its_own(hub, service, name):
    answer = service.token(server_token(hub, name))

    assert answer.status_code == 201, answer.text
    claims = jwt.decode(answer.json()["token"], options={"verify_signature": False})
    assert claims["sub"] == f"user:{urllib.parse.quote(name, safe='@+=,')}"
    assert claims["preferred_username"] == name
    assert service.token(server_token(hub, name), AUDITOR).json()["code"] == "role_not_allowed"
    line = [line for line in service.audit if line["event"] == "token"][-1]
    assert (line["user"], line["server"]) == (name, "")
    ids = {token["id"] for token in hub.api("GET", f"/users/{urllib.parse.quote(name, safe='')}/tokens").json()["api_tokens"]}  # fmt: skip
    assert line["hub_token_id"] in ids


def test_a_real_server_gets_a_token_until_it_stops(hub, service):
    server = hub.start_server("alice", "second")
    token = server.api_token
    assert service.token(token).status_code == 201
    assert service.audit[-1]["server"] == "second"
    server.stop()
    assert service.token(token).json()["code"] == "not_authenticated"


def test_a_user_token_without_a_server_and_a_token_without_the_scope_get_nothing(hub, service):
    assert service.token(hub.token("alice", scopes=[SCOPE])).json()["code"] == "not_a_server"
    assert service.token(hub.token("alice")).json()["code"] == "not_a_server"
    scopes = ["access:servers!server=alice/"]
    assert service.token(hub.token("alice", scopes=scopes)).json()["code"] == "scope_missing"
    assert service.token("rotating-token-of-the-tests").json()["code"] == "not_a_user"
    assert service.token("0" * 32).json()["code"] == "not_authenticated"


def test_a_token_that_has_expired_or_was_revoked_is_not_known(hub, service):
    token = server_token(hub, "alice", expires_in=1)
    until(lambda: service.token(token).status_code == 401, "the token has not expired")
    token = server_token(hub, "alice")
    assert service.token(token).status_code == 201
    hub_id = service.audit[-1]["hub_token_id"]
    assert hub.api("DELETE", f"/users/alice/tokens/{hub_id}").status_code == 204
    assert service.token(token).json()["code"] == "not_authenticated"


def test_a_service_of_the_hub_with_the_custom_scope_rotates_the_keys(hub, service):
    before = {key["kid"] for key in service.ask("GET", "keys").json()["keys"]}
    answer = service.ask("POST", "keys", "rotating-token-of-the-tests", {})
    assert answer.status_code == 201, answer.text
    after = {key["kid"] for key in service.ask("GET", "keys").json()["keys"]}
    assert after - before == {answer.json()["kid"]}
    line = service.audit[-1]
    assert (line["kind"], line["user"]) == ("service", "rotating")
    assert service.ask("POST", "keys", server_token(hub, "alice"), {}).json()["code"] == "scope_missing"  # fmt: skip


def test_while_the_hub_restarts_callers_are_to_come_back_and_then_get_their_token(hub, service):
    token = server_token(hub, "alice")
    assert service.token(token).status_code == 201
    hub.stop()
    try:
        for answer in (service.token(token), service.roles(token)):
            assert (answer.status_code, answer.json()["code"]) == (503, "hub_unavailable")
        assert service.ask("GET", "keys").status_code == 200
        until(lambda: service.ask("GET", "health").status_code == 503, "the health does not say it")
    finally:
        hub.start()
    assert service.token(token, ANALYST).status_code == 201
    until(lambda: service.ask("GET", "health").status_code == 200, "the health is not back")
    assert service.process.poll() is None
