"""`credential-process ROLE`: AWS's protocol, for SDKs and tools that know nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jupyter_wb_aws.aws.sts import Credentials
from tests.cli.live import WB_AWS
from tests.site import ANALYST


async def test_it_prints_what_the_protocol_wants_and_nothing_else(api, wb_aws):
    ran = await wb_aws("credential-process", "analyst")

    document = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert document["Version"] == 1
    assert set(document) == {
        "Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"
    }  # fmt: skip
    assert datetime.fromisoformat(document["Expiration"]) > datetime.now(UTC)


async def test_boto3_takes_credentials_from_it(api, wb_aws, aws, tmp_path):
    config = tmp_path / "aws-config"
    config.write_text(
        f"[profile lake]\nregion = us-east-2\ncredential_process = {WB_AWS} credential-process {ANALYST}\n"
    )
    script = "import boto3; print(boto3.Session(profile_name='lake').client('sts').get_caller_identity()['Arn'])"
    environment = {"AWS_CONFIG_FILE": str(config), "AWS_ENDPOINT_URL": aws.url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, env={**wb_aws.environment, **environment}, stdout=-1
    )

    out, _ = await process.communicate()

    (session,) = (await api("GET", "/aws/sessions")).data["sessions"]
    assert out.decode().strip() == session["identity"]["Arn"]
    assert not session["default"]


async def test_what_is_in_the_environment_is_of_no_matter(api, wb_aws):
    hostile = {
        "AWS_ACCESS_KEY_ID": "AKIAHOSTILE",
        "AWS_PROFILE": "missing",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_ROLE_SESSION_NAME": "another",
    }
    assert (await wb_aws("credential-process", "analyst", env=hostile)).code == 0


async def test_a_refused_role_is_reported_on_stderr(api, wb_aws):
    ran = await wb_aws("credential-process", "misconfigured")

    assert (ran.code, ran.out) == (1, "")
    assert "trust policy" in ran.err


async def test_a_refusal_of_the_commands_own_call_to_sts_is_reported_on_stderr(api, wb_aws, idp):
    await api.start(ANALYST)
    (session,) = (await api("GET", "/aws/sessions")).data["sessions"]
    token_file = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
    head, claims, _ = token_file.read_text().split(".")
    token_file.write_text(f"{head}.{claims}.AAAA")

    ran = await wb_aws("credential-process", "analyst")

    assert (ran.code, ran.out) == (1, "")
    assert "did not accept" in ran.err
    assert claims not in ran.err


async def test_nothing_is_printed_on_a_screen(api, wb_aws):
    ours, theirs = pty.openpty()
    ran = await wb_aws("credential-process", "analyst", stdout=theirs)
    os.close(theirs)

    assert ran.code == 2
    assert "must not appear on the screen" in ran.err
    with pytest.raises(OSError, match="5"):  # EIO: nothing was written, and nobody has it open
        os.read(ours, 1)
    os.close(ours)


def test_credentials_do_not_show_what_is_secret():
    shown = repr(Credentials("ASIA1", "s3cret", "t0ken", datetime.now(UTC)))
    assert "s3cret" not in shown
    assert "t0ken" not in shown
