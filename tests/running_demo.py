"""A running demo, as `jupyter wb-aws demo` starts it, and how a client talks to it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path

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
