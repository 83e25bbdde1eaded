"""The doctor where a real server delivers the role by its credential endpoint."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from jupyter_wb_aws.demo.names import REGION
from tests.site import ANALYST

DOCTOR = "import subprocess; print(subprocess.run(['jupyter-wb-aws', 'doctor', '--json'], capture_output=True, text=True).stdout)"
STATIC = "[default]\naws_access_key_id = AKIAUSER\naws_secret_access_key = user-secret\n"


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home/.aws").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def jp_server_config(site_config, home, aws, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    site_config["WbAwsApp"]["delivery"] = "endpoint"
    return site_config


def codes(report, *severities):
    return [f["code"] for f in report["findings"] if f["severity"] in severities]


async def test_what_starts_next_works_as_the_role_by_the_endpoint_also_beside_own_keys(api, home):
    (home / ".boto").write_text(STATIC.replace("default", "Credentials"))
    (home / ".aws/credentials").write_text(STATIC)
    session = await api.start(ANALYST)

    report = (await api("GET", f"/aws/doctor?session_id={session['id']}")).data

    assert codes(report, "error", "warning") == []
    assert report["call"]["provider"] == "container-role"
    assert report["call"]["identity"] == session["identity"]


@pytest.mark.long
async def test_the_command_in_a_kernel_shows_the_endpoints_sentence_after_an_end(api, run):
    session = await api.start(ANALYST)
    kernel_id = (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]
    report = json.loads(await run(kernel_id, DOCTOR))
    assert codes(report, "error") == []
    assert report["call"]["identity"] == session["identity"]

    await api("DELETE", f"/aws/sessions/{session['id']}")
    report = json.loads(await run(kernel_id, DOCTOR))

    said = {f["code"]: f["message"] for f in report["findings"]}
    assert "(RoleSessionEnded): " in said["endpoint_refused"]
    assert "you ended it" in said["endpoint_refused"]
    assert "CredentialRetrievalError: The role session of" in said["call_failed"]
    (remedy,) = [f["remedy"] for f in report["findings"] if f["code"] == "endpoint_refused"]
    assert "%aws_role" in remedy
