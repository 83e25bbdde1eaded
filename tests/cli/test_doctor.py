"""What the doctor asks a server, and makes of its answers."""

from __future__ import annotations

import json

import pytest

from tests.cli.contract_server import health, problem, role_session, token_source


@pytest.fixture(autouse=True)
def process(monkeypatch, tmp_path):
    """A terminal's variables, with a role session of which there is no token file."""
    env = {
        "HOME": str(tmp_path),
        "AWS_EC2_METADATA_DISABLED": "true",  # the doctor sets it in its own process
        "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/analyst",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ROLE_SESSION_NAME": "alice-1",
        "AWS_REGION": "us-east-2",
        "AWS_DEFAULT_REGION": "us-east-2",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "JUPYTER_WB_AWS_ROLE": "Analyst",
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)


def codes(ran):
    return {finding["code"] for finding in json.loads(ran.out)["findings"]}


def test_a_server_with_role_sessions_is_asked_for_its_health_and_them_and_for_nothing_else(
    server, run
):
    server.sessions = [role_session("analyst")]
    run("doctor", "--json")
    assert [one.method for one in server.asked] == ["GET", "GET"]
    assert {one.target.rpartition("/")[2] for one in server.asked} == {"health", "sessions"}


def test_a_user_without_any_role_is_sent_to_the_administrator(server, run, monkeypatch):
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")
    monkeypatch.delenv("AWS_ROLE_ARN")
    monkeypatch.delenv("JUPYTER_WB_AWS_ROLE")
    assert "jupyter wb-aws start ROLE (" in run("doctor").out
    server.roles = []
    out = run("doctor").out
    assert "-> No AWS role is offered to you. Ask your administrator for one." in out
    assert "wb-aws start" not in out


def test_why_there_is_no_list_of_roles_is_reported(server, run):
    """Such as a user without access to the hub service: nothing has asked it for a token yet."""
    server.fail("GET /aws/roles", "token_source_failed", "The hub gives you no access.")
    assert "The hub gives you no access." in run("doctor").out


def test_a_hub_service_that_is_away_is_a_warning_although_the_token_still_works(server, run):
    """The server notices it when it asks for the roles, every five minutes; the doctor asks now."""
    code, detail = "identity_provider_unavailable", "The hub service can't be reached."
    server.health = health(token_source=token_source(name="jupyterhub"))
    server.sessions = [role_session("analyst", environment={"AWS_ROLE_SESSION_NAME": "alice-1"})]
    failing = token_source(name="jupyterhub", problem=problem(code, detail))
    server.health_after_roles = {"token_source": failing}
    findings = json.loads(run("doctor", "--json").out)["findings"]
    (failing,) = (one for one in findings if one["code"] == "token_source_failing")
    assert (failing["severity"], detail in failing["message"]) == ("warning", True)


def test_what_is_wrong_with_the_token_source_comes_before_what_follows_from_it(
    server, run, monkeypatch
):
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "JUPYTER_WB_AWS_ROLE"):
        monkeypatch.delenv(name)
    why = problem("token_source_failed", "The program failed.")
    server.health = health(token_source=token_source(problem=why))
    ran = run("doctor", "--json")
    findings = json.loads(ran.out)["findings"]
    assert [one["code"] for one in findings][:2] == ["token_source_failing", "no_role"]
    assert [one["code"] for one in findings].count("token_source_failing") == 1
    assert (ran.code, findings[0]["severity"]) == (1, "error")


def test_a_role_session_that_the_server_no_longer_knows_is_reported(server, run):
    ran = run("doctor", "--json")
    assert ran.code == 1
    assert ran.out.startswith('{\n  "status": "error",\n')
    assert {"session_over", "token_file_missing", "call_failed"} <= codes(ran)


def test_a_role_session_that_needs_attention_is_reported_with_the_servers_reason(server, run):
    environment = {"AWS_ROLE_SESSION_NAME": "alice-1"}
    wrong = problem("sign_in_required", "Nobody is signed in.")
    server.sessions = [
        role_session("analyst", environment=environment, state="sign_in_required", problem=wrong)
    ]
    out = run("doctor").out
    assert "sign_in_required" in out
    assert "Nobody is signed in." in out
    assert "-> Run: jupyter wb-aws sign-in" in out


def test_problems_of_the_token_source_and_the_roles_file_are_reported(server, run):
    wrong = problem("token_source_failed", "It is down.")
    broken = {"line": 3, "reason": "no such key"}
    server.health = health(
        token_source=token_source(problem=wrong),
        catalogue={"path": "/r.toml", "loaded_at": None, "roles": 0, "problem": broken},
    )
    assert {"token_source_failing", "roles_file_broken"} <= codes(run("doctor", "--json"))


def test_a_server_where_nothing_is_set_up_is_an_info(server, run):
    server.health = health(status="not_configured", message="AWS roles are not set up here.")
    assert "server_not_set_up" in codes(run("doctor", "--json"))


def test_without_a_server_all_else_is_looked_at(run):
    found = codes(run("doctor", "--json"))
    assert {"server_not_found", "token_file_missing", "sts_unreachable"} <= found


def test_a_name_of_others_can_not_steer_the_terminal(server, run, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "\x1b[31mred")
    assert "\x1b" not in run("doctor").out
