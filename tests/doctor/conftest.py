"""A process that runs the doctor: its home folder, its variables, and a strict local AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_wb_aws.demo.names import REGION
from tests.identity.conftest import certificate  # noqa: F401 - a fixture
from tests.site import ANALYST

WATCHED = Path(__file__).parent / "watched"


@dataclass
class Asked:
    code: int
    out: str
    err: str
    connected: str

    @property
    def report(self) -> Any:
        return json.loads(self.out)

    def codes(self, *severities: str) -> list[str]:
        return [f["code"] for f in self.report["findings"] if f["severity"] in severities]


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home/.aws").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def token_file(home, client_file):
    command = [sys.executable, "-m", "jupyter_wb_aws.demo.print_token", str(client_file)]
    token = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    path = home / "the.token"
    path.write_text(token)
    path.chmod(0o600)
    return path


@pytest.fixture
def plain_env(home, aws, tmp_path):
    """The environment of a process without a role: a region, and the address of AWS."""
    return {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


@pytest.fixture
def role_env(plain_env, token_file):
    """The environment with a role session."""
    return {
        **plain_env,
        "AWS_ROLE_ARN": ANALYST,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
        "AWS_ROLE_SESSION_NAME": "alice-1",
    }


@pytest.fixture
def ask(tmp_path):
    """Run `jupyter wb-aws doctor` in a process, and record its connections."""

    def ask(env, *words):
        log = tmp_path / "connected"
        log.write_text("")
        watched = {"PYTHONPATH": str(WATCHED), "WATCHED_LOG": str(log)}
        done = subprocess.run(
            [Path(sys.executable).with_name("jupyter-wb-aws"), "doctor", *words],
            env={**env, **watched}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return Asked(done.returncode, done.stdout, done.stderr, log.read_text())

    return ask
