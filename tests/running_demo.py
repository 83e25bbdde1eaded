"""A running demo, as `jupyter wb-aws demo` starts it."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_wb_aws.demo.names import role_arn
from tests.running_server import RunningServer

# The virtual environment whose Jupyter is tested: this one, or one with the wheel and another JupyterLab.
TESTED = Path(os.environ.get("WB_AWS_TESTED_VENV", sys.prefix)).absolute()
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


class Demo(RunningServer):
    """A running demo and how a client talks to it."""

    def __init__(self, process, port, folder):
        super().__init__(process, port, TOKEN)
        self.folder = folder

    def start(self, role="analyst", **body):
        return super().start(role_arn(role), **body)


@contextmanager
def started_demo(folder, *options):
    """Run a demo in a folder of its own; `options` are the command's."""
    (folder / "tmp").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = ["--no-browser", "--port", str(port), "--token", TOKEN, *options]
    ambient = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "JUPYTER", "JPY"))}
    process = subprocess.Popen(
        [TESTED / "bin/jupyter-wb-aws", "demo", *given],
        cwd=folder,
        env={**ambient, **DECOYS, "TMPDIR": str(folder / "tmp")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    said = "".join(itertools.takewhile(lambda line: "Ctrl-C" not in line, process.stdout))
    assert f":{port}/lab?token=" in said
    yield Demo(process, port, folder)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with started_demo(
        tmp_path_factory.mktemp("demo"), "--token-lifetime", str(TOKEN_LIFETIME)
    ) as demo:
        yield demo
