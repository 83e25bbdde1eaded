"""The whole main job, as a newcomer meets it: the demo's command, its notebook, its terminal."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import psutil
import pytest
import websocket

from jupyter_wb_aws.demo.names import role_arn
from tests.site import execute_request

TOKEN = "the-demos-token"
TOKEN_LIFETIME = 10
DECOYS = {
    "AWS_ACCESS_KEY_ID": "AKIADECOY",
    "AWS_SECRET_ACCESS_KEY": "decoy",
    "AWS_SESSION_TOKEN": "decoy",
    "AWS_PROFILE": "decoy",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/decoy",
}


class Demo:
    """A running demo and how a client talks to it."""

    def __init__(self, process, port, folder):
        self.process = process
        self.port = port
        self.folder = folder

    def __call__(self, method, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            content = error.read()
        return json.loads(content) if content else None

    def start(self, role="analyst", **body):
        return self("POST", "/aws/sessions", {"role_arn": role_arn(role), **body})

    def socket(self, path):
        return websocket.create_connection(
            f"ws://127.0.0.1:{self.port}{path}",
            header=[f"Authorization: token {TOKEN}"],
            timeout=60,
        )

    def run(self, kernel_id, code):
        """Run code in a kernel over its websocket; return what it printed, drew, or failed with."""
        channel = self.socket(f"/api/kernels/{kernel_id}/channels")
        message_id = uuid.uuid4().hex
        channel.send(execute_request(message_id, code))
        said = []
        while True:
            message = json.loads(channel.recv())
            if message["parent_header"].get("msg_id") != message_id:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
            elif message["msg_type"] in {"display_data", "execute_result"}:
                said.append(" ".join(content["data"]))
            elif message["msg_type"] == "error":
                said.append(f"{content['ename']}: {content['evalue']}")
            elif content.get("execution_state") == "idle":
                channel.close()
                return "".join(said)

    def terminal(self, command, name=None):
        """Run a command in a terminal; return what it printed."""
        name = name or self("POST", "/api/terminals")["name"]
        pty = self.socket(f"/terminals/websocket/{name}")
        pty.send(json.dumps(["set_size", 50, 400]))
        pty.send(json.dumps(["stdin", f"printf 'BEG''IN'; {command}; printf 'E''ND'\r"]))
        said = ""
        while "END" not in said.partition("BEGIN")[2]:
            kind, *content = json.loads(pty.recv())
            said += content[0] if kind == "stdout" else ""
        pty.close()
        return said.partition("BEGIN")[2].partition("END")[0].replace("\r", "")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    (folder / "tmp").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [
        "--no-browser",
        "--port",
        str(port),
        "--token",
        TOKEN,
        "--token-lifetime",
        str(TOKEN_LIFETIME),
    ]
    ambient = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "JUPYTER", "JPY"))}
    process = subprocess.Popen(
        [Path(sys.executable).with_name("jupyter-wb-aws"), "demo", *options],
        cwd=folder,
        env={**ambient, **DECOYS, "TMPDIR": str(folder / "tmp")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    said = "".join(itertools.takewhile(lambda line: "Ctrl-C" not in line, process.stdout))
    assert f":{port}/lab/tree/" in said
    yield Demo(process, port, folder)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()


@pytest.fixture(autouse=True)
def _no_role_sessions_left(demo):
    yield
    for session in demo("GET", "/aws/sessions")["sessions"]:
        demo("DELETE", f"/aws/sessions/{session['id']}")
    for kernel in demo("GET", "/api/kernels"):
        demo("DELETE", f"/api/kernels/{kernel['id']}")


# First, while nothing was chosen yet.
def test_before_anything_is_chosen_a_kernel_is_left_as_it_is(demo):
    kernel = demo("POST", "/api/kernels")

    said = demo.run(
        kernel["id"], "import os; print(os.environ['AWS_PROFILE'], os.environ.get('AWS_ROLE_ARN'))"
    )

    assert said.strip() == "decoy None"


def test_the_sample_notebook_runs_from_top_to_bottom(demo):
    path = demo.folder / ".demo" / "aws-in-a-notebook.ipynb"
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    document = {"path": path.name, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    kernel_id = demo("POST", "/api/sessions", document)["kernel"]["id"]

    said = []
    for number, cell in enumerate(cells):
        if number == 2:
            demo("POST", f"/api/kernels/{kernel_id}/restart")
        said.append(demo.run(kernel_id, "".join(cell["source"])))

    whole = "\n".join(said)
    assert "Error" not in whole.partition("misconfigured")[0]
    assert "assumed-role/analyst/alice-" in said[2]
    assert "README" in said[3] or "rainfall" in said[3]
    assert "image/png" in said[5]
    assert "assumed-role/analyst/alice-" in said[6]
    assert "data.csv" in said[7]
    assert "trust policy" in said[8]
    demo("DELETE", f"/api/sessions/{demo('GET', '/api/sessions')[0]['id']}")


def test_the_command_line_does_the_job_from_a_terminal(demo):
    assert "analyst" in demo.terminal("jupyter wb-aws roles")
    assert "assumed-role/analyst/" in demo.terminal("jupyter wb-aws start analyst")
    assert "active" in demo.terminal("jupyter wb-aws status")
    session = json.loads(demo.terminal("jupyter wb-aws identity --json"))
    assert (
        json.loads(demo.terminal("aws sts get-caller-identity --output json"))["Arn"]
        == session["Arn"]
    )
    assert "colorado-projects" in demo.terminal(
        "aws s3 ls s3://colorado-projects/ && echo colorado-projects"
    )
    refused = demo.terminal("jupyter wb-aws start finance-admin; echo status $?")
    assert "status 2" in refused or "status 1" in refused
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
    # Around the extension, with the user's own token:
    kernel = demo("POST", "/api/kernels")["id"]
    code = (
        "import boto3; from botocore import UNSIGNED; from botocore.config import Config\n"
        f"boto3.client('sts', endpoint_url={url!r}, config=Config(signature_version=UNSIGNED))"
        f".assume_role_with_web_identity(RoleArn={role_arn('finance-admin')!r}, RoleSessionName='xx',"
        f" WebIdentityToken=open({token_file!r}).read())"
    )
    assert "AccessDenied" in demo.run(kernel, code)


def test_over_a_refresh_the_token_file_is_never_torn_empty_or_missing(demo):
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
