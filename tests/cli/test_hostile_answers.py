"""Answers that a server of ours never gives: nothing of them reaches a shell, a program or a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from jupyter_wb_aws.cli import exec as exec_command
from jupyter_wb_aws.cli import transport
from tests.cli.contract_server import sign_in
from tests.cli.live import WB_AWS, in_shell

BAD_NAMES = [
    "x;touch hacked",
    "A B",
    "A=B",
    "A\nB",
    "$(touch hacked)",
    "`touch hacked`",
    "-p",
    "1A",
    "",
    "Ä",
    "BASH_FUNC_ls%%",
    "a[$(touch hacked)]",
]
# What would win over the role, and what only a server can have given to itself.
NOT_A_ROLES = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]
COMMANDS = [
    ["env", "analyst"],
    ["env", "analyst", "--format", "dotenv"],
    ["exec", "analyst", "--", "ls"],
    ["credential-process", "analyst"],
]


@pytest.fixture
def answer(server, tmp_path):
    """Have the server answer with these variables."""
    token_file = tmp_path / "token"
    token_file.touch()

    def set_answer(**more):
        environment = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file), **more}
        server.started = {"environment": environment}

    return set_answer


@pytest.fixture(autouse=True)
def became(monkeypatch):
    calls = []
    monkeypatch.setattr(exec_command, "become", lambda *call: calls.append(call))
    return calls


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("name", BAD_NAMES + NOT_A_ROLES)
def test_a_variable_that_a_role_session_cannot_set_is_refused(
    server, answer, run, became, words, name
):
    answer(**{name: "x"})
    ran = run(*words)
    assert (ran.code, ran.out, became) == (1, "", [])
    assert "The server's answer is refused" in ran.err
    server.violations.clear()  # the contract does not know such names


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("value", ["a\0b", 7, ["a"], {"a": "b"}, True, "\ud800"])
def test_a_value_that_no_variable_can_have_is_refused(server, answer, run, became, words, value):
    answer(ODD=value)
    ran = run(*words)
    assert (ran.code, ran.out, became) == (1, "", [])
    assert "The value of ODD is not text" in ran.err
    server.violations.clear()


@pytest.mark.parametrize("environment", [None, [], "AWS_ROLE_ARN=x", {}])
def test_an_answer_without_variables_ends_with_a_sentence(server, run, environment):
    session = {"environment": environment, "role_arn": "arn:aws:iam::1:role/x", "region": None}
    answer = (201, "application/json", json.dumps(session).encode())
    server.answers["POST /aws/sessions"] = answer
    ran = run("env", "analyst")
    assert (ran.code, ran.out) == (1, "")
    assert "same version" in ran.err


def test_what_the_site_sets_is_taken(answer, run, became):
    answer(LD_LIBRARY_PATH="/opt/site/lib", PYTHONPATH="/opt/site", AWS_ENDPOINT_URL="http://s3")
    run("exec", "analyst", "--", "ls")
    assert became[0][1]["LD_LIBRARY_PATH"] == "/opt/site/lib"


LINES = "one\nLD_PRELOAD=/tmp/evil.so\nexport PATH=/tmp"


def test_a_value_of_several_lines_stays_one_value_in_a_shell(answer, run, tmp_path):
    answer(ODD=LINES)
    (tmp_path / "out").write_text(run("env", "analyst").out)
    script = f'eval "$(cat {tmp_path}/out)"; printf "is=%s" "$ODD" | tr "\\n" "|"'
    theirs = asyncio.run(in_shell(script, {"PATH": "/usr/bin:/bin"}))
    assert theirs["is"] == LINES.replace("\n", "|")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\u2028"])
def test_a_value_of_several_lines_is_not_written_to_a_dotenv_file(answer, run, end):
    """docker's --env-file takes every line for a variable, quoted or not."""
    answer(ODD=f"one{end}LD_PRELOAD=/tmp/evil.so")
    ran = run("env", "analyst", "--format", "dotenv")
    assert (ran.code, ran.out) == (1, "")
    assert "The value of ODD has several lines" in ran.err


def test_a_line_break_at_the_end_of_a_value_is_one_too(answer, run):
    answer(ODD="one\n")
    assert run("env", "analyst", "--format", "dotenv").code == 1


def test_a_letter_that_the_output_lacks_is_not_changed(answer, monkeypatch):
    answer(ODD="Zürich \u0416")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ran = subprocess.run([WB_AWS, "env", "analyst"], capture_output=True, check=True, timeout=60)
    assert "export ODD='Zürich \u0416'\n".encode() in ran.stdout


@pytest.mark.parametrize("place", ["fifo", "folder", "device"])
def test_a_token_file_that_is_not_a_regular_file_is_not_read(server, run, tmp_path, place):
    path = {"fifo": tmp_path / "fifo", "folder": tmp_path, "device": "/dev/zero"}[place]
    if place == "fifo":
        os.mkfifo(path)
    server.started = {"environment": {"AWS_WEB_IDENTITY_TOKEN_FILE": str(path)}}
    ran = run("credential-process", "analyst")
    assert (ran.code, ran.out) == (2, "")
    assert "can't be read here" in ran.err


@pytest.mark.parametrize("control", ["\x7f", "\x9b31m", "\u202e", "\u2028", "\U000e0001"])
def test_json_that_could_steer_a_terminal_is_escaped_and_stays_the_same_json(server, run, control):
    roles = {"user": {"name": f"a{control}b"}, "roles": []}
    text = json.dumps(roles, ensure_ascii=False, indent=1)
    server.answers["GET /aws/roles"] = (200, "application/json", text.encode())
    ran = run("roles", "--json")
    assert control[0] not in ran.out
    assert json.loads(ran.out) == roles


def test_a_line_break_in_a_device_code_is_not_printed(server, run):
    server.sign_ins = [sign_in("signed_out")]
    server.device = {
        "user_code": "WDJB\nOpen http://evil.example instead:",
        "verification_uri": "https://idp.example.com/\r\nhttp://evil.example",
    }
    out = run("sign-in", "--flow", "device", "--no-wait").out
    assert "enter the code WDJB Open http://evil.example instead::" in out
    assert not any(
        line.strip().startswith(("Open http://evil", "http://evil")) for line in out.splitlines()
    )


def test_a_length_of_thousands_of_digits_is_not_http(server, run):
    answer = b"HTTP/1.0 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}"
    with pytest.raises(ConnectionAbortedError, match="does not speak HTTP"):
        transport.read_answer(answer)


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "{", '"roles"', "null", "7", "[]"])
def test_odd_json_ends_with_a_sentence(server, run, text):
    server.answers["GET /aws/roles"] = (200, "application/json", text.encode())
    for words in (["roles"], ["status"], ["env", "analyst"]):
        ran = run(*words)
        assert ran.code in {0, 1}
        assert "Traceback" not in ran.out + ran.err


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "null",
        '"up"',
        '{"status": "up"}',
        '{"status": "ok", "notices": null}',
        '{"status": "ok", "notices": ["all is well"], "token_source": {}}',
        '{"status": "ok", "notices": [], "token_source": "file"}',
    ],
)
@pytest.mark.parametrize("words", [["status"], ["status", "--verbose"], ["roles"]])
def test_another_programs_json_is_named_as_such(server, run, words, text):
    for path in ("health", "sessions", "roles", "sign-in"):
        server.answers[f"GET /aws/{path}"] = (200, "application/json", text.encode())
    ran = run(*words)
    assert ran.code == 1
    assert "is not jupyter_wb_aws, or another version of it" in ran.err
    assert "Error" not in ran.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said_in_a_sentence(server):
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [WB_AWS, "roles"], stdout=full, stderr=-1, check=False, timeout=60, text=True
        )
    assert ran.returncode == 1
    assert (
        ran.stderr == "jupyter wb-aws: The output could not be written: No space left on device.\n"
    )


def test_a_closed_output_is_not_a_failure(server):
    ran = subprocess.run(
        ["sh", "-c", f'"{WB_AWS}" roles >&-'], stderr=-1, check=False, timeout=60, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")
