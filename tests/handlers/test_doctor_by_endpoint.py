"""The doctor where a real server delivers the role by its credential endpoint."""

from __future__ import annotations

import json

import pytest

from tests.handlers.doctor_site import DOCTOR, STATIC, codes, make_home, set_environment
from tests.site import ANALYST


@pytest.fixture
def home(tmp_path):
    return make_home(tmp_path)


@pytest.fixture
def jp_server_config(site_config, home, aws, monkeypatch):
    set_environment(monkeypatch, home, aws)
    site_config["WbAwsApp"]["delivery"] = "endpoint"
    return site_config


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
