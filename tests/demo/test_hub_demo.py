"""`jupyter wb-aws demo --hub`: a real hub with two users, as a newcomer uses it."""

from __future__ import annotations

import json
import os
import stat
import urllib.parse

import httpx
import pytest

from jupyter_wb_aws.demo.names import ACCOUNT_ID, role_arn
from tests.running_hub_demo import WHO, started_hub_demo, without_root

pytestmark = pytest.mark.long  # test_hub_demo_command.py has one demo, up and down


@pytest.fixture(scope="module")
def hub_demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub-demo")
    with started_hub_demo(folder, run_by=without_root()) as demo:
        yield demo


@pytest.fixture(scope="module")
def alice(hub_demo):
    return hub_demo.server_of("alice")


@pytest.fixture(scope="module")
def bob(hub_demo):
    return hub_demo.server_of("bob")


def test_alice_has_analyst_without_a_sign_in_and_her_kernel_calls_aws_with_it(alice):
    roles = {role["label"]: role["arn"] for role in alice("GET", "/aws/roles")["roles"]}
    assert roles["Analyst"] == role_arn("analyst")
    session = alice.start(role_arn("analyst"), default=True)
    assert session["state"] == "active", session
    arn = alice.run(alice.kernel(), f"!{WHO}").strip()
    assert arn.startswith(f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/analyst/")


@pytest.mark.skipif(os.geteuid() == 0 and not without_root(), reason="root, and can't be less")
def test_neither_the_hub_nor_its_servers_need_root(alice):
    assert alice.run(alice.kernel(), "!id -u").strip() != "0"


def test_bob_is_offered_no_role_and_given_none(bob):
    assert bob("GET", "/aws/roles")["roles"] == []
    assert bob.start(role_arn("analyst"))["code"] == "role_not_allowed"
    assert ":assumed-role/" not in bob.run(bob.kernel(), f"!{WHO}")


def test_a_failure_of_the_role_that_is_set_up_wrongly_is_explained(alice):
    problem = alice.start(role_arn("misconfigured"))
    assert problem["code"] == "trust_refused", problem


@pytest.mark.parametrize(
    ("name", "role"),
    [("aws-in-a-notebook.ipynb", "analyst"), ("parquet-with-pandas.ipynb", "engineer")],
)
def test_a_sample_notebook_is_in_alices_server_and_its_code_runs(alice, name, role):
    content = alice("GET", f"/api/contents/{name}")["content"]
    alice.start(role_arn(role), default=True)
    kernel = alice.kernel()
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            said = alice.run(kernel, "".join(cell["source"]))
            assert "Error" not in said, said


def test_a_terminal_finds_the_server_and_aws(alice):
    alice.start(role_arn("analyst"), default=True)
    assert "Analyst" in alice.terminal("jupyter wb-aws roles")
    assert ":assumed-role/analyst/" in alice.terminal(WHO)


def test_only_a_browser_that_opened_the_link_can_log_in(hub_demo):
    with hub_demo.browser(lets_in=False) as stranger:
        refused = hub_demo.log_in(stranger, "alice")
        assert refused.status_code == 403
        assert "Open the link that the demo printed" in refused.text
        assert stranger.get("/hub/demo", params={"token": "guessed"}).status_code == 403
        assert hub_demo.log_in(stranger, "alice").status_code == 403


def test_nobody_but_alice_and_bob_can_log_in(hub_demo):
    with hub_demo.browser() as browser:
        assert hub_demo.log_in(browser, "mallory").status_code == 403


def test_a_password_is_of_no_use_to_make_a_token_without_the_link(hub_demo):
    body = {"auth": {"username": "alice", "password": ""}}
    answer = httpx.post(f"{hub_demo.url}/hub/api/users/alice/tokens", json=body, trust_env=False)
    assert answer.status_code == 403


def test_the_link_sends_who_is_logged_in_to_their_server(hub_demo, alice):
    with hub_demo.browser() as browser:
        hub_demo.log_in(browser, "alice")
        assert browser.get(hub_demo.link).url.path.startswith("/user/alice/")


def test_the_terminal_says_what_to_try_and_that_the_users_are_not_separated(hub_demo):
    said = " ".join(hub_demo.said.split())
    assert "Log in to the hub as alice: a name is enough" in said
    assert "log in as bob" in said
    assert "Both servers run as the same system user" in said
    assert "not separated here" in said


def test_no_command_line_has_the_links_token(hub_demo, alice):
    token = urllib.parse.parse_qs(urllib.parse.urlsplit(hub_demo.link).query)["token"][0]
    for process in hub_demo.processes():
        assert token not in " ".join(process.cmdline())


def test_no_server_has_the_aws_keys_of_who_started_the_demo(hub_demo, alice):
    said = alice.run(alice.kernel(), "!env")
    assert "DECOY" not in said
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:" in said


def test_files_of_the_hub_are_private(hub_demo):
    config = hub_demo.state / "jupyterhub_config.json"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(hub_demo.state.stat().st_mode) == 0o700


def test_the_services_audit_has_alices_tokens_and_none_of_bobs(hub_demo, alice, bob):
    alice.start(role_arn("auditor"))
    bob.start(role_arn("auditor"))
    lines = [json.loads(line) for line in (hub_demo.state / "audit.jsonl").read_text().splitlines()]
    assert {line["user"] for line in lines if line["event"] == "token"} == {"alice"}
