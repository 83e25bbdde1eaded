"""`env ROLE`: what makes a shell, or what reads a .env file, be the role."""

from __future__ import annotations

import asyncio
import shlex

import pytest

from tests.cli.live import WB_AWS, in_shell
from tests.site import ANALYST, AUDITOR

HOSTILE = {
    "AWS_ACCESS_KEY_ID": "AKIAHOSTILE",
    "AWS_SESSION_TOKEN": "hostile",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9",
    "AWS_CONTAINER_x;echo hacked": "1",
}


async def test_a_shell_that_takes_it_over_is_the_role(api, wb_aws):
    script = f'eval "$({WB_AWS} env analyst)"; env'

    theirs = await in_shell(script, {**wb_aws.environment, **HOSTILE})

    assert theirs["AWS_ROLE_ARN"] == ANALYST
    assert theirs["AWS_REGION"] == "us-east-2"
    assert not {name for name in HOSTILE if name.isidentifier()} & theirs.keys()


async def test_another_role_afterwards_takes_back_what_the_first_has_set(api, wb_aws):
    script = f'for role in {ANALYST} {AUDITOR}; do eval "$({WB_AWS} env --region eu-west-1 $role)"; done; env'
    theirs = await in_shell(script, wb_aws.environment)
    assert (theirs["AWS_ROLE_ARN"], theirs["AWS_REGION"]) == (AUDITOR, "eu-west-1")

    script = f'eval "$({WB_AWS} env --region eu-west-1 {ANALYST})"; eval "$({WB_AWS} env {AUDITOR})"; env'
    assert (await in_shell(script, wb_aws.environment)).get("AWS_REGION") != "eu-west-1"


async def test_it_is_the_shared_role_session_and_not_the_default(api, wb_aws):
    ran = await wb_aws("env", "analyst")

    (session,) = (await api("GET", "/aws/sessions")).data["sessions"]
    assert (session["shared"], session["default"]) == (True, False)
    assert (await wb_aws("env", "analyst")).out == ran.out
    assert (await api("GET", "/aws/default")).data["chosen"] is False


async def test_every_line_is_an_export_or_an_unset_and_no_value_can_break_out(api, wb_aws):
    ran = await wb_aws("env", "analyst", env=HOSTILE)

    lines = [shlex.split(line) for line in ran.out.splitlines()]
    assert {line[0] for line in lines} == {"export", "unset"}
    assert {len(line) for line in lines} == {2}
    assert "hacked" not in ran.out
    assert ["unset", "AWS_PROFILE"] in lines  # also where it is not set here


async def test_a_dotenv_file_has_the_variables_and_says_what_must_not_be_set(api, wb_aws, tmp_path):
    ran = await wb_aws("env", "analyst", "--format", "dotenv", env=HOSTILE)
    (tmp_path / ".env").write_text(ran.out)

    theirs = await in_shell(f"set -a; . {tmp_path}/.env; env", wb_aws.environment)

    assert theirs["AWS_ROLE_ARN"] == ANALYST
    assert "export" not in ran.out
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in ran.out.splitlines()[1]
    assert f"AWS_ROLE_ARN={ANALYST}" in ran.out.splitlines()


@pytest.mark.parametrize("form", ["shell", "dotenv"])
def test_a_value_with_anything_in_it_survives(server, run, tmp_path, form):
    token_file = tmp_path / "token"
    token_file.touch()
    odd = "a b'c\"d$(echo hacked)`e`\\f"
    environment = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file), "ODD": odd, "PLAIN": "x y"}
    server.started = {"environment": environment}

    ran = run("env", "analyst", "--format", form)

    file = tmp_path / "file"
    file.write_text(ran.out)
    theirs = asyncio.run(in_shell(f"set -a; . {file}; env", {"PATH": "/usr/bin:/bin"}))
    assert (theirs["ODD"], theirs["PLAIN"]) == (odd, "x y")
