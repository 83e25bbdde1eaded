"""The commands for roles that the credential endpoint delivers, and in processes that have an endpoint token."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jupyter_wb_aws.cli import endpoint_request
from jupyter_wb_aws.cli import exec as exec_command
from jupyter_wb_aws.cli.switching import what_stays
from tests.cli.contract_server import endpoint_client, role_session, sign_in, switch

SECRET = "endpoint-t0ken"
CREDENTIALS = {
    "AccessKeyId": "ASIA1",
    "SecretAccessKey": "s3cret-key",
    "Token": "t0ken",
    "Expiration": "2026-11-24T14:16:00Z",
    "AccountId": "111122223333",
    "RoleArn": "arn:aws:iam::111122223333:role/analyst",
}


def by_endpoint(name, **more):
    return role_session(
        name, **{"delivery": "endpoint", "lease": 960, "environment": {}, "token_expires_at": None} | more
    )  # fmt: skip


def refusal(status, code, message):
    return status, {"Code": code, "Message": message, "code": code, "message": message}


@contextmanager
def answering(*answers):
    """A credential endpoint that gives these answers, one after the other; the last one stays."""
    left, asked = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            asked.append(self.headers["Authorization"])
            status, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    endpoint = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{endpoint.server_port}/credentials", asked
    finally:
        endpoint.shutdown()
        thread.join()
        endpoint.server_close()


@pytest.fixture
def start_answers(server, tmp_path):
    """Have a start answer with a role session by the endpoint at `uri`."""
    token_file = tmp_path / "s1_c1.endpoint"
    token_file.write_text(SECRET)

    def set_answer(uri="http://127.0.0.1:9/credentials", **more):
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": uri,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
            "JUPYTER_WB_AWS_ROLE": "analyst",
        }
        server.started = {
            "delivery": "endpoint", "lease": 960, "environment": {**environment, **more}
        }  # fmt: skip

    set_answer()
    return set_answer


# --- credential-process --------------------------------------------------------------------


def test_credential_process_asks_the_endpoint_with_the_role_sessions_own_token(start_answers, run):
    with answering((200, CREDENTIALS)) as (uri, asked):
        start_answers(uri)
        ran = run("credential-process", "analyst")

    assert (ran.code, ran.err, asked) == (0, "", [SECRET])
    assert json.loads(ran.out) == {
        "Version": 1,
        "AccessKeyId": "ASIA1",
        "SecretAccessKey": "s3cret-key",
        "SessionToken": "t0ken",
        "Expiration": "2026-11-24T14:16:00Z",
        "AccountId": "111122223333",
    }


def test_credential_process_waits_for_credentials_that_are_on_their_way(
    start_answers, run, monkeypatch
):
    monkeypatch.setattr(endpoint_request, "PAUSE", 0.01)
    slow = refusal(503, "CredentialsNotReady", "AWS has not answered yet.")
    with answering(slow, slow, (200, CREDENTIALS)) as (uri, asked):
        start_answers(uri)
        ran = run("credential-process", "analyst")

    assert (ran.code, len(asked)) == (0, 3)


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (refusal(403, "RoleSessionEnded", "The role session has ended."), 4, "The role session has ended."),
        (refusal(403, "AccessDenied", "AWS refused the role."), 1, "AWS refused the role."),
        ((200, {**CREDENTIALS, "Token": None}), 1, "does not answer as it should"),
        ((200, b"<html>"), 1, "does not answer as it should"),
    ],
)  # fmt: skip
def test_credential_process_explains_what_the_endpoint_refuses(
    start_answers, run, answer, code, said
):
    with answering(answer) as (uri, _):
        start_answers(uri)
        ran = run("credential-process", "analyst")

    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert SECRET not in ran.err
    assert "s3cret-key" not in ran.err


def test_credential_process_explains_an_endpoint_that_has_gone(start_answers, run):
    ran = run("credential-process", "analyst")  # nobody listens at port 9

    assert (ran.code, ran.out) == (1, "")
    assert "credential endpoint of the Jupyter server can't be asked" in ran.err


@pytest.mark.parametrize(
    "uri", ["http://192.0.2.1/credentials", "https://example.com/c", "file:///etc/passwd", "http://[", ""]
)  # fmt: skip
def test_an_endpoint_on_another_machine_is_refused(start_answers, run, uri):
    start_answers(uri)
    ran = run("credential-process", "analyst")

    assert (ran.code, ran.out) == (1, "")
    assert "The server's answer is refused. Its credential endpoint is not on this machine." in ran.err  # fmt: skip


# --- exec and env --------------------------------------------------------------------------


def test_exec_gives_the_command_the_endpoint_and_nothing_that_overrides_it(
    start_answers, run, monkeypatch
):
    became = []
    monkeypatch.setattr(exec_command, "become", lambda *call: became.append(call))
    for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CREDENTIAL_FILE"):
        monkeypatch.setenv(name, "another role's")

    run("exec", "analyst", "--", "true")

    ((_, environment),) = became
    assert environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "http://127.0.0.1:9/credentials"
    assert not environment.keys() & {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CREDENTIAL_FILE"}  # fmt: skip
    # The proxies of this environment must not see the endpoint token.
    assert "127.0.0.1" in environment["NO_PROXY"].split(",")
    assert "127.0.0.1" in environment["no_proxy"].split(",")


def test_env_prints_the_endpoint_and_removes_what_overrides_it(start_answers, run):
    lines = run("env", "analyst").out.splitlines()

    assert "export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9/credentials" in lines
    assert "unset AWS_ROLE_ARN" in lines
    assert "unset AWS_ACCESS_KEY_ID" in lines
    assert any(line.startswith("export NO_PROXY=") for line in lines)
    assert SECRET not in "".join(lines)


def test_a_dotenv_file_has_the_endpoint_and_names_what_must_not_be_set(start_answers, run):
    _, names, *lines = run("env", "analyst", "--format", "dotenv").out.splitlines()

    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9/credentials" in lines
    assert {"AWS_ROLE_ARN", "AWS_PROFILE", "BOTO_CONFIG"} <= set(names.split())


def test_an_endpoint_token_that_cannot_be_read_here_is_explained(start_answers, run, tmp_path):
    start_answers(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "gone"))
    ran = run("env", "analyst")

    assert (ran.code, ran.out) == (2, "")
    assert "can't be read here" in ran.err


# --- In a kernel or terminal with an endpoint token ----------------------------------------


@pytest.fixture
def here(server, monkeypatch):
    """Make this process a kernel or terminal whose endpoint client has a role session."""

    def set_here(kind, session_id="id-auditor", **more):
        name = "kernel-1" if kind == "kernel" else "1"
        server.clients = [endpoint_client(name, kind=kind, session_id=session_id, **more)]
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", f"/run/s_1_c-{name}.endpoint")
        if kind == "kernel":
            monkeypatch.setenv("JPY_PARENT_PID", str(os.getpid()))
            monkeypatch.setenv("JUPYTER_WB_AWS_KERNEL_ID", name)
        else:
            monkeypatch.setenv("JUPYTER_SERVER_URL", server.url)

    return set_here


@pytest.mark.parametrize(
    ("kind", "path", "said"),
    [
        ("kernel", "kernel-1?kind=kernel", "This notebook works with it now, without a restart."),
        ("terminal", "1?kind=terminal", "This terminal works with it now, without a restart."),
    ],
)
def test_start_switches_the_kernel_or_terminal_at_once(
    server, run, here, start_answers, kind, path, said
):
    here(kind)
    server.switch = switch(
        applies="now", at_restart=["AWS_REGION"], old_clients_until="2099-01-01T10:00:00Z"
    )

    out = " ".join(run("start", "analyst").out.split())

    (put,) = [asked for asked in server.asked if asked.method == "PUT"]
    assert put.target.endswith(f"/aws/assignments/{path}")
    assert put.body == {"session_id": "id-analyst"}
    assert said in out
    assert "A boto3 client made before follows by 2099-01-01 09:45." in out
    assert (
        "Other programs that run already may use the previous role until 2099-01-01 10:00." in out
    )
    assert "until a restart: AWS_REGION." in out


def test_a_terminal_that_cannot_be_switched_to_a_role_is_told_to_open_another(server, run, here):
    here("terminal")
    server.fail("PUT /aws/assignments/1", "new_process_needed", "It needs a new one.")

    ran = run("start", "analyst")

    assert ran.code == 0
    assert "This terminal does not change: open a new one." in ran.out


@pytest.mark.parametrize(
    ("left", "to_role", "said"),
    [
        # What boto3 has is refreshed 15 minutes before it expires, and is used until 10 minutes before.
        (timedelta(minutes=11), True, "A boto3 client made before follows at its next call."),
        (timedelta(minutes=16, seconds=30), True, "A boto3 client made before follows by"),
        (timedelta(minutes=9), False, "A boto3 client stops at its next call."),
        (
            timedelta(minutes=11, seconds=30),
            False,
            "(in 1 min). Other programs that run already may",
        ),
    ],
)
def test_boto3_and_other_programs_are_told_apart(left, to_role, said):
    until = (datetime.now(UTC) + left).isoformat()

    assert said in " ".join(what_stays(switch(old_clients_until=until), to_role=to_role))


def test_a_start_that_is_not_the_default_switches_nothing(server, run, here, start_answers):
    here("terminal")
    run("start", "analyst", "--no-default")

    assert not [asked for asked in server.asked if asked.method == "PUT"]


DEFAULT, OTHER = by_endpoint("analyst", default=True), by_endpoint("auditor")


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("kernel", {}, "This kernel has the role auditor. `!jupyter wb-aws start ROLE` in a cell, or the notebook's toolbar, changes it at once."),
        ("terminal", {}, "This terminal has the role auditor; a new one gets analyst. `jupyter wb-aws start ROLE` changes it at once."),
        ("terminal", {"state": "left_running"}, "This terminal has the role auditor and keeps it: what was left running can't be switched."),
        ("terminal", {"session_id": None, "label": None}, "This terminal has no AWS role. `jupyter wb-aws start analyst` gives it analyst at once."),
        ("kernel", {"session_id": "id-gone", "label": "writer"}, "The role session of writer, which this kernel worked with, has ended. `!jupyter wb-aws start writer` in a cell, or the notebook's toolbar, gives it writer at once."),
    ],
)  # fmt: skip
def test_what_this_place_has_now_is_asked_of_the_server(server, run, here, kind, more, said):
    """Its variables still are those of the role that it was started with."""
    server.sessions = [DEFAULT, OTHER]
    here(kind, **more)

    for command in ("status", "identity"):
        assert said in run(command).out.splitlines()


def test_a_process_whose_access_was_ended_is_told_so(server, run, here, monkeypatch):
    server.sessions = [DEFAULT]
    here("kernel")
    server.clients = []
    monkeypatch.setenv("JUPYTER_WB_AWS_ROLE", "analyst")

    out = " ".join(run("status").out.split())

    assert (
        "This kernel had the role analyst, but its access was ended, or the server was restarted."
        in out
    )
    assert "gives it analyst when the kernel restarts" in out


@pytest.mark.parametrize(
    ("kind", "said"),
    [("kernel", "eu-west-1, only after a restart."), ("terminal", "eu-west-1, only in a new terminal.")],
)  # fmt: skip
def test_status_says_that_a_switch_left_the_region(server, run, here, monkeypatch, kind, said):
    server.sessions = [by_endpoint("auditor", default=True, region="eu-west-1")]
    here(kind)
    monkeypatch.setenv("AWS_REGION", "us-east-2")

    assert f"This {kind} uses the region us-east-2; that of its role, {said}" in run("status").out

    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert "uses the region" not in run("status").out


def test_a_process_that_has_the_default_role_by_a_switch_is_not_remarked(server, run, here):
    server.sessions = [DEFAULT, OTHER]
    here("terminal", session_id="id-analyst")

    assert "This terminal" not in run("status").out


# --- status and end ------------------------------------------------------------------------


def test_status_shows_the_delivery_and_what_is_left_running(server, run):
    server.sessions = [by_endpoint("analyst", default=True), role_session("auditor")]
    asked, opened = {"last_request_at": "2099-01-01T10:00:00Z"}, "2099-01-01T09:00:00Z"
    left = {"kind": "terminal", "state": "left_running", "label": "auditor", "started_at": opened}
    commands = [{"pid": 41, "name": "python3"}, {"pid": 42, "name": "sleep"}]
    server.clients = [
        endpoint_client("1", **left, processes=3, commands=commands, **asked),
        endpoint_client("2", **left, processes=0),
        endpoint_client("3", **left, processes=None, **asked),
        endpoint_client("4", kind="kernel"),
        endpoint_client("5", **left, processes=None),  # never used AWS
        endpoint_client("6", **left | {"session_id": "id-ended"}, processes=1, **asked),
    ]

    lines = [line.split() for line in run("status").out.splitlines()]

    assert ["*", "analyst", "active", "us-east-2", "refreshed", "automatically", "endpoint", "id-analyst"] in lines  # fmt: skip
    assert ["auditor", "active", "us-east-2", "refreshed", "automatically", "web", "identity", "id-auditor"] in lines  # fmt: skip
    rows = [line for line in lines if line[-1:] and line[-1].startswith("c-")]
    by = ["of", "2099-01-01", "09:00"]
    assert rows == [
        ["auditor", "terminal", "1,", *by, "python3", "(41),", "sleep", "(42),", "1", "more", "2099-01-01", "10:00", "c-1"],
        ["auditor", "terminal", "3,", *by, "?", "2099-01-01", "10:00", "c-3"],
    ]  # fmt: skip


def test_after_a_sign_out_status_still_says_what_this_place_has(server, run, here):
    server.sign_ins = [sign_in("signed_out")]
    here("kernel", session_id="id-gone", label="writer")

    out = " ".join(run("status").out.split())

    assert "You are not signed in." in out
    assert "The role session of writer, which this kernel worked with, has ended." in out


def test_a_shell_that_got_its_role_by_env_is_not_told_to_switch(server, run, here):
    server.sessions = [DEFAULT]
    here("terminal", session_id="id-gone", label="writer")
    server.clients[0]["kind"] = "environment"

    out = run("status").out

    assert "which this terminal worked with, has ended." in out
    assert '`eval "$(jupyter wb-aws env writer)"` gives it writer.' in out


def test_a_site_without_the_endpoint_sees_nothing_of_it(server, run):
    server.sessions = [role_session("analyst", default=True)]
    out = run("status").out

    assert "DELIVERY" not in out
    assert "Left running" not in out


def test_end_says_when_aws_and_when_the_clients_stop(server, run):
    server.sessions = [by_endpoint("analyst", default=True)]
    server.ended = {
        "credentials_expire_at": "2099-01-01T11:00:00Z",
        "clients_stop_by": "2099-01-01T10:16:00Z",
    }

    out = " ".join(run("end").out.split())

    assert (
        "A boto3 client stops by 2099-01-01 10:06. Other programs stop by 2099-01-01 10:16 at"
        in out
    )
    assert "AWS itself takes credentials that were copied elsewhere until 2099-01-01 11:00" in out


@pytest.mark.parametrize("command", [["end"], ["end", "--all"], ["sign-out"]])
def test_an_end_says_that_no_program_had_credentials_of_the_endpoint(server, run, command):
    server.sessions = [by_endpoint("analyst", default=True)]
    answer = {"credentials_expire_at": "2099-01-01T11:00:00Z", "clients_stop_by": None}
    server.ended = answer
    server.signed_out |= answer

    out = " ".join(run(*command).out.split())

    assert "No program has AWS credentials from it that it could still use." in out
    assert "Programs that already have" not in out


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("kernel", "To give it a role again, run `!jupyter wb-aws start ROLE` here."),
        ("terminal", "`jupyter wb-aws start ROLE` gives it a role again."),
    ],
)
def test_end_says_how_this_place_gets_a_role_again_without_a_restart(server, run, here, kind, said):
    server.sessions = [by_endpoint("auditor", default=True)]
    here(kind)

    assert said in run("end").out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("2099-01-01T10:00:00Z", "A boto3 client stops by 2099-01-01 10:06. Other programs stop by 2099-01-01 10:16 at the latest."),
        ("2026-01-01T10:00:00Z", "None of them has AWS credentials that it could still use."),
        (None, "when they next ask for AWS credentials. Its role session and everything else"),
    ],
)  # fmt: skip
def test_one_client_can_be_ended(server, run, asked, said):
    server.sessions = [by_endpoint("analyst")]
    server.clients = [endpoint_client("1", last_request_at=asked)]
    ran = run("end", "--client", "c-1")

    (deleted,) = [asked for asked in server.asked if asked.method == "DELETE"]
    assert deleted.target == "/user/alice/aws/endpoint/clients/c-1"
    assert ran.code == 0
    assert "refused when they next ask" in " ".join(ran.out.split())
    assert said in " ".join(ran.out.split())
    assert json.loads(run("end", "--client", "c-1", "--json").out) == {"id": "c-1"}


def test_a_client_that_there_is_not_is_explained(server, run):
    server.fail("DELETE /aws/endpoint/clients/c-9", "endpoint_client_not_found", "No such client.")
    ran = run("end", "--client", "c-9")

    assert ran.code == 4
    assert "No such client." in ran.err
    assert "`jupyter wb-aws status` lists what was left running" in ran.err
    assert "GET /aws" not in ran.err
