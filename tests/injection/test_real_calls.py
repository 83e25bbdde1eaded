"""Real AWS calls from a real kernel and a real terminal, with nothing but the environment."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.injection.terminals import terminal
from tests.site import ANALYST, AUDITOR

WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
PUT = "boto3.client('s3').put_object(Bucket='colorado-projects', Key='k', Body=b'1')"


@pytest.fixture
def jp_server_config(site_config, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # the aws command keeps a cache there
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    (tmp_path / "home").mkdir(exist_ok=True)
    site_config["ServerApp"]["terminado_settings"] = {
        "shell_command": [shutil.which("bash"), "--norc"]
    }
    return site_config


async def test_a_kernel_calls_aws_as_the_chosen_role_and_as_another_after_a_restart(api, run):
    analyst, auditor = await api.start(ANALYST), await api.start(AUDITOR)
    kernel_id = (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]

    assert await run(kernel_id, WHO) == analyst["identity"]["Arn"]
    assert await run(kernel_id, f"{PUT}['ResponseMetadata']['HTTPStatusCode']") == ""

    await api("PUT", f"/aws/assignments/{kernel_id}", {"session_id": auditor["id"]})
    assert (await api("POST", f"/api/kernels/{kernel_id}/restart")).status == 200

    assert await run(kernel_id, WHO) == auditor["identity"]["Arn"]
    assert "AccessDenied" in await run(kernel_id, PUT)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("~/.aws/config", b"\xef\xbb\xbf[default]\nregion = eu-west-1\n"),
        ("~/.aws/config", b"[default]\n# f\xfcr\nregion = eu-west-1\n"),
        (
            "$HOME/work.cfg",
            b"[default]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = default\n",
        ),
        ("$HOME/work.cfg", b"[default]\nmax_attempts = x\n"),
        (
            "~/.aws/credentials",
            b"[default]\nendpoint_url = http://127.0.0.1:9\nretry_mode = junk\n",
        ),
    ],
)
async def test_a_kernel_works_as_the_role_with_any_user_files(
    api, run, tmp_path, monkeypatch, name, content
):
    home = tmp_path / "home"
    file = Path(name.replace("~", str(home)).replace("$HOME", str(home)))
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    if "work" in name:
        monkeypatch.setenv("AWS_CONFIG_FILE", name)
    session = await api.start(ANALYST)
    kernel_id = (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]

    assert await run(kernel_id, WHO) == session["identity"]["Arn"]


async def test_a_server_that_runs_under_another_role_still_hides_its_users_files(
    api, run, tmp_path, monkeypatch
):
    (tmp_path / "home" / ".aws").mkdir(exist_ok=True)
    (tmp_path / "home" / ".aws" / "credentials").write_text("[default]\nretry_mode = junk\n")
    stand_in = tmp_path / "stand-in"
    stand_in.touch()
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(stand_in))  # as `exec` sets it
    monkeypatch.setenv("JUPYTER_WB_AWS_VARIABLES", "AWS_SHARED_CREDENTIALS_FILE")
    session = await api.start(ANALYST)
    kernel_id = (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]

    assert await run(kernel_id, WHO) == session["identity"]["Arn"]
    assert [notice["code"] for notice in session["notices"]] == ["own_aws_files_set_aside"]


async def test_a_terminal_calls_aws_with_the_aws_command(api, jp_ws_fetch):
    session = await api.start()
    name = (await api("POST", "/api/terminals")).data["name"]

    said = await terminal(jp_ws_fetch, name, "aws sts get-caller-identity --output json", "}")

    assert json.loads(said)["Arn"] == session["identity"]["Arn"]
    assert {"kind": "terminal", "id": name} == {
        k: (await api("GET", "/aws/assignments")).data["assignments"][0][k] for k in ("kind", "id")
    }


async def test_a_terminal_can_have_another_role_than_the_default(api, jp_ws_fetch):
    await api.start(ANALYST)
    auditor = await api.start(AUDITOR)

    answer = await api("POST", f"/aws/sessions/{auditor['id']}/terminals")

    assert answer.status == 201
    said = await terminal(
        jp_ws_fetch, answer.data["name"], 'echo "{$JUPYTER_WB_AWS_ROLE $AWS_ROLE_ARN}"', "}"
    )
    assert said == f"{{Auditor {AUDITOR}}}"
    plain = (await api("POST", "/api/terminals")).data["name"]
    said = await terminal(jp_ws_fetch, plain, 'echo "{$AWS_ROLE_ARN}"', "}")
    assert said == f"{{{ANALYST}}}"


async def test_a_clients_extra_env_does_not_restore_a_key(api, jp_ws_fetch):
    await api.start()
    body = {"extra_env": {"AWS_ACCESS_KEY_ID": "AKIACLIENT", "MINE": "kept"}}
    name = (await api("POST", "/api/terminals", body)).data["name"]

    said = await terminal(jp_ws_fetch, name, 'echo "{$AWS_ACCESS_KEY_ID,$MINE}"', "}")

    assert said == "{,kept}"
