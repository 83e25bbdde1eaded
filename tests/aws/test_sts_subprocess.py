"""Calling STS from a real child process: what it gets, how it ends, and what the server keeps of it."""

import asyncio
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_wb_aws.aws import sts_subprocess
from jupyter_wb_aws.aws.sts import StsRequest
from jupyter_wb_aws.aws.sts_subprocess import SubprocessStsClient
from jupyter_wb_aws.child_processes import ChildProcesses
from jupyter_wb_aws.errors import (
    HelperProcessFailed,
    StartTimeout,
    StsTimeout,
    StsUnavailable,
    TrustRefused,
)
from jupyter_wb_aws.roles.role import RoleArn
from tests.aws.fake_sts import CREDENTIALS, FakeSts, assumed, error
from tests.conftest import make_token

ROLE = RoleArn.parse("arn:aws:iam::111122223333:role/team/analyst")
TOKEN = make_token()
ASSUME, WHO = "AssumeRoleWithWebIdentity", "GetCallerIdentity"


def request(url, token=TOKEN, **environment):
    usual = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_ENDPOINT_URL": url}
    return StsRequest(ROLE, "us-east-2", "alice-1", token, {**usual, **environment})


@pytest.fixture
def ask():
    return SubprocessStsClient(ChildProcesses())


async def test_a_role_is_assumed_and_the_caller_named(ask, fake):
    got = await ask.assume(request(fake.url))
    assert got.caller.as_json() == {
        "UserId": "AROAFAKE:alice-1",
        "Account": "111122223333",
        "Arn": "arn:aws:sts::111122223333:assumed-role/analyst/alice-1",
    }
    assert got.credentials_expire_at.isoformat() == "2026-11-24T13:00:00+00:00"
    assert (await ask.verify(request(fake.url))).arn == got.caller.arn
    assert fake.actions == [ASSUME, ASSUME, WHO]


async def test_the_proxies_are_those_of_the_given_environment(ask, fake, monkeypatch):
    with FakeSts() as proxy:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # the server's own
        away = {"HTTP_PROXY": proxy.url, "NO_PROXY": "127.0.0.1"}
        await ask.assume(request(fake.url, **away))
        assert proxy.calls == []
        await ask.assume(request("http://sts.elsewhere.example", HTTP_PROXY=proxy.url))
        assert proxy.actions == [ASSUME]


async def test_a_refusal_is_explained_as_in_this_process(ask, fake):
    fake.answers[ASSUME] = error("AccessDenied", 403)
    with pytest.raises(TrustRefused) as refused:
        await ask.assume(request(fake.url))
    assert str(ROLE) in refused.value.admin_hint


async def test_a_store_that_names_no_caller_gets_the_requested_one(ask, fake):
    fake.answers[ASSUME] = assumed(CREDENTIALS)
    fake.answers[WHO] = 405, ""
    caller = (await ask.assume(request(fake.url))).caller
    assert caller.arn == "arn:aws:sts::111122223333:assumed-role/analyst/alice-1"
    assert await ask.verify(request(fake.url)) == caller


async def test_an_sts_that_hangs_is_given_up_at_the_deadline(ask, fake, monkeypatch):
    monkeypatch.setattr(sts_subprocess, "ANSWER_TIMEOUT", 3.0)
    fake.answers[ASSUME] = "hang"
    with pytest.raises(StsTimeout):
        await ask.assume(request(fake.url))


async def test_a_caller_that_stops_waiting_ends_the_child(ask, fake):
    fake.answers[ASSUME] = "hang"
    asking = asyncio.create_task(ask.assume(request(fake.url)))
    async with asyncio.timeout(20):
        while not fake.calls:
            await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not children()


async def test_a_child_that_is_killed_is_explained(ask, fake):
    fake.answers[ASSUME] = "hang"
    asking = asyncio.create_task(ask.assume(request(fake.url)))
    async with asyncio.timeout(20):
        while not fake.calls:
            await asyncio.sleep(0.01)
    for pid in children():
        os.kill(pid, 9)
    with pytest.raises(HelperProcessFailed, match="was killed"):
        await asking


def children():
    """Return the children of this process that call STS."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if sts_subprocess.MODULE.encode() in line and int(parent) == os.getpid():
            found.append(int(folder.name))
    return found


async def test_the_token_is_on_no_command_line_and_in_no_environment(ask, fake):
    fake.answers[ASSUME] = "hang"
    asking = asyncio.create_task(ask.assume(request(fake.url)))
    async with asyncio.timeout(20):
        while not fake.calls:
            await asyncio.sleep(0.01)
    (pid,) = children()
    shown = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert b"AWS_ENDPOINT_URL" in shown
    assert TOKEN.reveal().encode() not in shown


async def test_many_starts_at_once_are_all_answered_four_at_a_time(ask, fake):
    most = 0

    async def watch():
        nonlocal most
        while True:
            most = max(most, len(children()))
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    got = await asyncio.gather(*(ask.assume(request(fake.url)) for _ in range(10)))
    watching.cancel()
    assert len(got) == len(fake.calls) == 10
    assert 1 <= most <= 4


async def test_a_start_without_a_free_slot_says_that_the_server_is_busy(fake):
    children = ChildProcesses(0)
    late = replace(request(fake.url), deadline=asyncio.get_running_loop().time() + 0.01)

    with pytest.raises(StartTimeout, match="This server was busy with other roles") as raised:
        await SubprocessStsClient(children).assume(late)

    assert "at most 4 at once" in raised.value.admin_hint
    assert fake.calls == []


async def test_no_password_of_a_proxy_gets_into_the_answer_or_the_log(ask, caplog):
    caplog.set_level(logging.DEBUG)
    proxy = "http://svc:Winter2026#x@127.0.0.1:9"
    with pytest.raises(StsUnavailable, match="HTTP_PROXY") as failed:
        await ask.assume(request("http://sts.elsewhere.example", HTTP_PROXY=proxy))
    assert "Winter" not in str(failed.value.as_problem()) + caplog.text


def test_the_server_does_not_import_botocore_to_ask(tmp_path):
    program = """
import asyncio, os, sys
from dataclasses import replace
from datetime import UTC, datetime
from jupyter_wb_aws.aws.sts import StsRequest
from jupyter_wb_aws.aws.sts_subprocess import SubprocessStsClient
from jupyter_wb_aws.child_processes import ChildProcesses
from jupyter_wb_aws.errors import WbAwsError
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.roles.role import RoleArn

async def main():
    token = WebIdentityToken.parse(sys.argv[2], datetime.now(UTC))
    env = {**os.environ, "AWS_ENDPOINT_URL": sys.argv[1], "NO_PROXY": "*"}
    request = StsRequest(RoleArn.parse("arn:aws:iam::111122223333:role/a"), None, "alice-1", token, env)
    print((await SubprocessStsClient(ChildProcesses()).assume(request)).caller.user_id)
    request.environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    try:
        await SubprocessStsClient(ChildProcesses()).assume(request)
    except WbAwsError as failed:
        print(failed.code)

asyncio.run(main())
print(sorted({"boto3", "botocore", "urllib3"} & set(sys.modules)))
"""
    with FakeSts() as fake:
        done = subprocess.run(
            [sys.executable, "-c", program, fake.url, TOKEN.reveal()],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert done.stdout.splitlines() == ["AROAFAKE:alice-1", "sts_unavailable", "[]"]
