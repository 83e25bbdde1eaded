"""What `exec`, `env` and `credential-process` have in common, and how they fail."""

from __future__ import annotations

import os

import pytest

from jupyter_wb_aws.cli import exec as exec_command
from jupyter_wb_aws.role_sessions.owner_process import find


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "slot_1.token"
    path.touch()
    return path


@pytest.fixture
def became(monkeypatch):
    """What the process would have become: the command and its environment."""
    calls = []
    monkeypatch.setattr(exec_command, "become", lambda *call: calls.append(call))
    return calls


def test_exec_asks_for_a_role_session_of_its_own_with_its_process(server, run, token_file, became):
    server.started = {"environment": {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file)}}

    run("exec", "analyst", "--region", "eu-west-1", "--", "make", "-j")

    assert server.asked[-1].body == {
        "role_arn": "arn:aws:iam::111122223333:role/analyst",
        "shared": False,
        "process": {"pid": os.getpid(), "started": find(os.getpid()).started},
        "region": "eu-west-1",
    }
    assert became[0][0] == ["make", "-j"]


@pytest.mark.parametrize(
    "words", [["analyst"], ["analyst", "--"], ["analyst", "ls"], ["analyst", "ls", "--", "-l"]]
)
def test_exec_without_a_command_says_where_it_stands(server, run, words):
    ran = run("exec", *words)
    assert ran.code == 2
    assert "after `--`" in ran.err
    assert server.asked == []


def test_exec_without_a_role_shows_how_it_goes(server, run):
    ran = run("exec", "--", "ls")
    assert ran.code == 2
    assert "ROLE -- COMMAND [ARGUMENT ...]" in ran.err


def test_a_folder_of_path_that_cannot_be_searched_is_passed_over(tmp_path):
    (tmp_path / "there").touch()
    denied, path = PermissionError(13, "Permission denied"), {"PATH": str(tmp_path)}

    assert exec_command.os_refusal("nothing", denied, path).exit_code == 127
    assert exec_command.os_refusal("there", denied, path).exit_code == 126
    assert exec_command.os_refusal("/nothing", denied, path).exit_code == 126


@pytest.mark.parametrize("words", [["exec", "analyst", "--", "ls"], ["env", "analyst"]])
def test_a_server_on_another_machine_is_reported(server, run, words, tmp_path):
    server.started = {"environment": {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "none")}}
    ran = run(*words)
    assert (ran.code, ran.out) == (2, "")
    assert "can't be read here" in ran.err


MASKED = {
    "HTTPS_PROXY": "http://***@proxy:3128",
    "http_proxy": "***@proxy",
    "PLAIN": "http://proxy",
}


def test_a_password_that_the_server_masks_is_taken_from_here(
    server, run, token_file, became, monkeypatch
):
    server.started = {"environment": {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file), **MASKED}}
    monkeypatch.setenv("HTTPS_PROXY", "http://alice:s3cret@proxy:3128")
    monkeypatch.setenv("http_proxy", "alice:s3@cret@proxy")
    ran = run("exec", "analyst", "--", "x")
    assert became[0][1]["HTTPS_PROXY"] == "http://alice:s3cret@proxy:3128"
    assert became[0][1]["http_proxy"] == "alice:s3@cret@proxy"
    assert became[0][1]["PLAIN"] == "http://proxy"
    assert ran.err == ""


def test_a_password_that_is_not_known_here_is_said_to_be_missing(
    server, run, token_file, became, monkeypatch
):
    server.started = {"environment": {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file), **MASKED}}
    monkeypatch.delenv("HTTPS_PROXY")
    ran = run("exec", "analyst", "--", "x")
    assert "HTTPS_PROXY" not in became[0][1]
    assert "HTTPS_PROXY of this role contains a password" in ran.err


def test_end_and_identity_by_a_role_mean_the_shared_role_session(server, run):
    from tests.cli.contract_server import role_session

    own = role_session("analyst", id="own", shared=False)
    server.sessions = [own, role_session("analyst", id="default", default=True)]
    run("end", "analyst")
    assert server.asked[-1].target.endswith("/sessions/default")
    run("end", "own")
    assert server.asked[-1].target.endswith("/sessions/own")
    server.sessions = [own]
    run("end", "analyst")
    assert server.asked[-1].target.endswith("/sessions/own")


def test_status_shows_which_are_for_one_program(server, run):
    from tests.cli.contract_server import role_session

    server.sessions = [role_session("analyst", id="own", shared=False)]
    assert "analyst (for one program)  active" in run("status").out
