"""The commands against a real server whose roles are delivered by the credential endpoint."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.live import in_shell
from tests.site import ANALYST, AUDITOR
from tests.waiting import until

WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"


@pytest.fixture
def site_config(site_config):
    site_config["WbAwsApp"]["delivery"] = "endpoint"
    return site_config


@pytest.fixture
def token_file(tmp_path):
    """Find the file of a client's endpoint token."""

    def find(client):
        (path,) = (tmp_path / "run").rglob(f"*_{client['id']}.endpoint")
        return str(path)

    return find


async def clients_of(api, kind):
    listed = (await api("GET", "/aws/endpoint/clients")).data["clients"]
    return [client for client in listed if client["kind"] == kind]


async def test_credential_process_gives_what_the_endpoint_gives(api, wb_aws):
    ran = await wb_aws("credential-process", "analyst")
    again = await wb_aws("credential-process", ANALYST)

    document = json.loads(ran.out)
    (session,) = (await api("GET", "/aws/sessions")).data["sessions"]
    assert (ran.code, ran.err) == (0, "")
    assert document["AccountId"] == ANALYST.split(":")[4]
    assert document["AccessKeyId"] == json.loads(again.out)["AccessKeyId"]  # one call to STS
    until = datetime.fromisoformat(document["Expiration"])
    assert until <= datetime.now(UTC) + timedelta(seconds=session["lease"])


async def test_a_command_and_a_shell_work_with_the_role(api, wb_aws):
    hostile = {"AWS_ROLE_ARN": AUDITOR, "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"}
    ran = await wb_aws("exec", "analyst", "--", sys.executable, "-c", WHO, env=hostile)
    script = f'eval "$(jupyter-wb-aws env auditor)"; {sys.executable} -c "{WHO}"; env'
    shell = await in_shell(script, {**wb_aws.environment, **hostile})

    assert (ran.code, ran.err) == (0, "")
    assert ":assumed-role/analyst/" in ran.out
    assert any(":assumed-role/auditor/" in name for name in shell)
    assert "AWS_ROLE_ARN" not in shell


async def test_commands_that_have_ended_leave_no_role_session_client_or_file(api, wb_aws):
    command = ("exec", "analyst", "--", "sh", "-c", f"echo ${TOKEN_FILE}; read wait")
    process = await wb_aws.begin(*command)
    token_file = Path((await process.stdout.readline()).decode().strip())
    (client,) = await clients_of(api, "exec")
    assert (client["state"], client["name"]) == ("running", client["session_id"])
    assert token_file.exists()

    await process.communicate(b"\n")
    for _ in range(2):
        assert (await wb_aws("exec", "analyst", "--", "true")).code == 0

    async def nothing_is_left():
        sessions = (await api("GET", "/aws/sessions")).data["sessions"]
        return not sessions and not [*token_file.parent.glob("*.endpoint")]

    await until(nothing_is_left)
    assert await clients_of(api, "exec") == []
    kept = (await api("GET", f"/aws/sessions/{client['session_id']}")).data
    assert kept["end_reason"] == "process_ended"


async def test_a_terminal_is_switched_left_and_ended(api, wb_aws, token_file):
    await api.start(ANALYST, default=True)
    terminal = (await api("POST", "/api/terminals")).data["name"]
    (client,) = await clients_of(api, "terminal")
    in_terminal = {TOKEN_FILE: token_file(client), "JUPYTER_WB_AWS_ROLE": "Analyst"}

    started = await wb_aws("start", "auditor", env=in_terminal)
    assert "This terminal works with it now, without a restart." in started.out
    (client,) = await clients_of(api, "terminal")
    assert client["role_arn"] == AUDITOR

    job = await asyncio.create_subprocess_exec(
        "sleep", "60", env={**wb_aws.environment, **in_terminal}
    )
    try:
        await api("DELETE", f"/api/terminals/{terminal}")
        left = await wb_aws("status", env=in_terminal)
        assert "Left running" in left.out
        assert any(line.split()[-1:] == [client["id"]] for line in left.out.splitlines())

        assert (await wb_aws("end", "--client", client["id"])).code == 0
        assert "Left running" not in (await wb_aws("status")).out
    finally:
        job.kill()
        await job.wait()


async def test_an_end_says_both_times_and_leaves_no_token(api, wb_aws):
    ran = await wb_aws("env", "analyst", "--format", "dotenv")
    (line,) = [line for line in ran.out.splitlines() if line.startswith(TOKEN_FILE)]
    token = Path(line.partition("=")[2]).read_text()
    await wb_aws("credential-process", ANALYST)

    ended = await wb_aws("end", "analyst")

    said = " ".join(ended.out.split())
    assert "A boto3 client stops by" in said
    assert "Other programs stop by" in said
    assert "AWS itself takes credentials that were copied elsewhere until" in said
    assert token not in ran.out + ended.out
