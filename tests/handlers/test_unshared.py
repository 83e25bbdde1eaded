"""`POST /aws/sessions` with `"shared": false`: a role session for its caller alone."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from jupyter_wb_aws.role_sessions.owner_process import find
from tests.site import ANALYST
from tests.waiting import file_removed

OWN = {"role_arn": ANALYST, "shared": False}


@pytest.fixture
def command():
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


async def test_it_is_new_each_time_and_shown_as_what_it_is(api):
    shared = await api.start(ANALYST)
    one = await api("POST", "/aws/sessions", OWN)
    other = await api("POST", "/aws/sessions", OWN)

    assert (one.status, other.status) == (201, 201)
    assert len({shared["id"], one.data["id"], other.data["id"]}) == 3
    assert (shared["shared"], one.data["shared"], one.data["default"]) == (True, False, False)
    assert one.headers["Location"].endswith(f"/aws/sessions/{one.data['id']}")
    again = await api("POST", "/aws/sessions", {"role_arn": ANALYST, "shared": True})
    assert (again.status, again.data["id"]) == (200, shared["id"])


async def test_its_identity_is_the_one_that_aws_reports(api):
    await api.start(ANALYST)
    own = (await api("POST", "/aws/sessions", OWN)).data

    asked = await api("GET", f"/aws/identity?session_id={own['id']}&verify=true")

    reported = {key: asked.data[key] for key in ("UserId", "Account", "Arn")}
    assert reported == own["identity"]
    assert own["environment"]["AWS_ROLE_SESSION_NAME"] in reported["Arn"]


async def test_it_ends_with_its_process(api, command):
    own = await api("POST", "/aws/sessions", {**OWN, "process": {"pid": command.pid}})
    path = f"/aws/sessions/{own.data['id']}"

    command.kill()

    async with asyncio.timeout(10):
        while (shown := (await api("GET", path)).data)["state"] != "ended":
            await asyncio.sleep(0.02)
    assert shown["end_reason"] == "process_ended"
    await file_removed(own.data["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
    refused = await api("POST", f"{path}/refresh")
    assert "the process that it was started for has ended" in refused.data["detail"]


async def test_a_process_is_known_by_its_start_too(api, command):
    started = find(command.pid).started
    process = {"pid": command.pid, "started": started}

    there = await api("POST", "/aws/sessions", {**OWN, "process": process})
    other = await api("POST", "/aws/sessions", {**OWN, "process": {**process, "started": "1"}})

    assert there.status == 201
    assert (other.status, other.data["code"]) == (404, "process_not_found")


async def test_a_process_that_the_server_does_not_see_is_refused(api):
    answer = await api("POST", "/aws/sessions", {**OWN, "process": {"pid": 2**22 + 1}})

    assert (answer.status, answer.data["code"]) == (404, "process_not_found")
    assert (await api("GET", "/aws/sessions")).data["sessions"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"shared": False, "default": True},
        {"process": {"pid": 1}},
        {"shared": True, "process": {"pid": 1}},
        {"shared": False, "process": {}},
        {"shared": False, "process": {"pid": "1"}},
        {"shared": False, "process": {"pid": True}},
        {"shared": False, "process": {"pid": None}},
        {"shared": False, "process": {"pid": 1, "more": 1}},
        {"shared": False, "process": {"started": "1"}},
        {"shared": False, "process": {"pid": 1, "started": 1}},
        {"shared": False, "process": None},
        {"shared": False, "process": 1},
        {"shared": None},
        {"shared": "false"},
    ],
)
async def test_what_makes_no_sense_is_refused(api, body):
    answer = await api("POST", "/aws/sessions", {"role_arn": ANALYST, **body})

    assert (answer.status, answer.data["code"]) == (400, "bad_request")
    assert (await api("GET", "/aws/sessions")).data["sessions"] == []


async def test_nothing_else_can_have_it(api):
    own = (await api("POST", "/aws/sessions", OWN)).data
    kernel_id = (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]
    choice = {"session_id": own["id"]}

    answers = [
        await api("PUT", "/aws/default", choice),
        await api("PUT", f"/aws/assignments/{kernel_id}", choice),
        await api("POST", f"/aws/sessions/{own['id']}/kernels"),
        await api("POST", f"/aws/sessions/{own['id']}/terminals"),
    ]

    assert [(a.status, a.data["code"]) for a in answers] == [(409, "role_session_not_shared")] * 4
    assert (await api("GET", "/aws/default")).data == {
        "session_id": None,
        "chosen": False,
        "ended": None,
    }
