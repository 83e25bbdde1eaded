"""The main job from start to end: the demo's command, its notebook and its terminal."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import psutil
import pytest

from jupyter_wb_aws.demo.names import role_arn
from tests.running_demo import TOKEN_LIFETIME


@pytest.fixture(autouse=True)
def _no_role_sessions_left(demo):
    yield
    for session in demo("GET", "/aws/sessions")["sessions"]:
        demo("DELETE", f"/aws/sessions/{session['id']}")
    for kernel in demo("GET", "/api/kernels"):
        demo("DELETE", f"/api/kernels/{kernel['id']}")


# Before anything is chosen.
def test_before_anything_is_chosen_a_kernel_is_left_as_it_is(demo):
    kernel = demo("POST", "/api/kernels")

    said = demo.run(
        kernel["id"], "import os; print(os.environ['AWS_PROFILE'], os.environ.get('AWS_ROLE_ARN'))"
    )

    assert said.strip() == "decoy None"
    demo("DELETE", f"/api/kernels/{kernel['id']}")


def test_before_anything_is_chosen_a_terminal_calls_only_the_local_aws(demo):
    # Without the providers before the machine's own role in boto's chain, then without keys too.
    keys = "env -u AWS_PROFILE -u AWS_CONTAINER_CREDENTIALS_FULL_URI"
    nothing = f"{keys} -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN"
    ask = "aws sts get-caller-identity --debug 2>&1 | grep -E 'Starting new HTTP|Unable to locate'"

    with_keys = demo.terminal(f"{keys} {ask}").split("\n")
    with_nothing = demo.terminal(f"{nothing} {ask}")

    connections = [line for line in with_keys if "Starting new HTTP" in line]
    assert connections
    assert all("127.0.0.1" in line for line in connections)
    assert "Unable to locate credentials" in with_nothing
    assert "Starting new HTTP" not in with_nothing


def test_the_sample_notebook_runs_from_top_to_bottom(demo):
    path = demo.folder / ".demo" / "aws-in-a-notebook.ipynb"
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    document = {"path": path.name, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    demo.start("analyst", default=True)  # as the launcher does
    kernel_id = demo("POST", "/api/sessions", document)["kernel"]["id"]

    said = [demo.run(kernel_id, "".join(cell["source"])) for cell in cells]

    assert "Error" not in "\n".join(said)
    assert "assumed-role/analyst/alice-" in said[0]
    assert "README" in said[1]
    assert "Saved." in said[2]
    assert "image/png" in said[3]
    assert "assumed-role/analyst/alice-" in said[4]
    assert "data.csv" in said[5]
    assert "Analyst" in said[6]

    # The end of the notebook: another role, started with a command in a cell.
    assert "This server needs no sign-in" in demo.run(kernel_id, "!jupyter wb-aws sign-in")
    demo.run(kernel_id, "!jupyter wb-aws start auditor")
    demo("POST", f"/api/kernels/{kernel_id}/restart")
    who = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    assert "assumed-role/auditor/alice-" in demo.run(kernel_id, who)
    demo("DELETE", f"/api/sessions/{demo('GET', '/api/sessions')[0]['id']}")


def test_the_notebook_with_pandas_runs_and_follows_the_toolbar_without_a_restart(demo):
    path = demo.folder / ".demo" / "parquet-with-pandas.ipynb"
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    who, write, read, load, as_auditor = ("".join(cell["source"]) for cell in cells)
    document = {"path": path.name, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    engineer = demo.start("engineer", default=True)
    assert engineer["delivery"] == "endpoint"
    kernel_id = demo("POST", "/api/sessions", document)["kernel"]["id"]

    assert "assumed-role/engineer/alice-" in demo.run(kernel_id, who)
    assert demo.run(kernel_id, write) == "Saved.\n"
    assert demo.run(kernel_id, read) == "Most visitors: 4435 thousand in 2021\n"

    # One cell as another role, and the notebook's own role after it.
    demo.run(kernel_id, load)
    assert "assumed-role/auditor/alice-" in demo.run(kernel_id, as_auditor)
    assert "assumed-role/engineer/alice-" in demo.run(kernel_id, who)

    # The end of the notebook: what the toolbar asks the server.
    auditor = demo.start("auditor", default=False)
    switch = demo("PUT", f"/aws/assignments/{kernel_id}", {"session_id": auditor["id"]})
    assert switch["applies"] == "now", switch
    assert "assumed-role/auditor/alice-" in demo.run(kernel_id, who)
    assert "ACCESS_DENIED" in demo.run(kernel_id, write)
    for session_id, said in ((None, "ACCESS_DENIED"), (engineer["id"], "Most visitors: 4435")):
        switch = demo("PUT", f"/aws/assignments/{kernel_id}", {"session_id": session_id})
        assert switch["applies"] == "now", switch
        assert said in demo.run(kernel_id, read)
    assert demo.run(kernel_id, "print(len(frame))") == "5\n"


def test_the_command_line_does_the_job_from_a_terminal(demo):
    assert "analyst" in demo.terminal("jupyter wb-aws roles")
    assert "assumed-role/analyst/" in demo.terminal("jupyter wb-aws start analyst")
    assert "active" in demo.terminal("jupyter wb-aws status")
    session = json.loads(demo.terminal("jupyter wb-aws identity --json"))
    assert (
        json.loads(demo.terminal("aws sts get-caller-identity --output json"))["Arn"]
        == session["Arn"]
    )
    listed = demo.terminal("aws s3 ls s3://colorado-projects/; echo status $?")
    assert "README.txt" in listed
    assert "status 0" in listed
    refused = demo.terminal("jupyter wb-aws start finance-admin; echo status $?")
    assert "status 2" in refused
    assert "until" in demo.terminal("jupyter wb-aws end")
    assert "status 4" in demo.terminal("jupyter wb-aws identity; echo status $?")


def test_a_kernel_reads_and_an_auditor_may_not_write(demo):
    analyst, auditor = demo.start("analyst", default=True), demo.start("auditor", default=False)
    plain = demo("POST", "/api/kernels")["id"]
    other = demo("POST", f"/aws/sessions/{auditor['id']}/kernels")["id"]
    who = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    put = "boto3.client('s3').put_object(Bucket='colorado-projects', Key='k', Body=b'1'); print('saved')"

    assert demo.run(plain, who).strip() == analyst["identity"]["Arn"]
    assert demo.run(plain, put).strip() == "saved"
    assert demo.run(other, who).strip() == auditor["identity"]["Arn"]
    assert "AccessDenied" in demo.run(other, put)


def test_the_trust_policy_is_the_boundary(demo):
    refused = demo.start("misconfigured")
    assert refused["code"] == "trust_refused"
    analyst = demo.start()
    token_file, url = (
        analyst["environment"][k] for k in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL")
    )
    # Without the extension, with the user's own token:
    kernel = demo("POST", "/api/kernels")["id"]
    code = (
        "import boto3; from botocore import UNSIGNED; from botocore.config import Config\n"
        f"boto3.client('sts', endpoint_url={url!r}, config=Config(signature_version=UNSIGNED))"
        f".assume_role_with_web_identity(RoleArn={role_arn('finance-admin')!r}, RoleSessionName='xx',"
        f" WebIdentityToken=open({token_file!r}).read())"
    )
    assert "AccessDenied" in demo.run(kernel, code)


def test_during_a_refresh_the_token_file_is_never_torn_empty_or_missing(demo):
    session = demo.start()
    path = session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"]
    seen, wrong = set(), []
    deadline = time.monotonic() + 2 * TOKEN_LIFETIME
    while len(seen) < 2 and time.monotonic() < deadline:
        try:
            text = Path(path).read_text()
        except OSError as error:
            wrong.append(repr(error))
        else:
            seen.add(text)
            if text.count(".") != 2 or text.strip() != text:
                wrong.append(text[:20])

    assert wrong == []
    assert len(seen) == 2
    assert demo("GET", f"/aws/sessions/{session['id']}")["state"] == "active"


def test_no_process_shows_a_secret_on_its_command_line(demo):
    stop, seen = threading.Event(), set()

    def watch():
        while not stop.is_set():
            for process in psutil.Process(demo.process.pid).children(recursive=True):
                try:
                    seen.update(process.cmdline())
                except psutil.Error:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    session = demo.start()
    token = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text()
    demo("POST", f"/aws/sessions/{session['id']}/refresh")
    demo.terminal("jupyter wb-aws status")
    stop.set()
    watcher.join()

    assert not [word for word in seen if token in word or "eyJ" in word]
