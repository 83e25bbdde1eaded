"""Real kernels and terminals with roles by the credential endpoint: switched while they run, and outlived by jobs."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.endpoint.asking import ask
from tests.injection import job
from tests.injection.terminals import terminal
from tests.role_sessions.support import full_disk
from tests.site import ANALYST, AUDITOR
from tests.waiting import until

JOB = [sys.executable, job.__file__]
URI, TOKEN_FILE = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"


@pytest.fixture
def jp_server_config(site_config):
    site_config["WbAwsApp"]["delivery"] = "endpoint"
    site_config["ServerApp"]["terminado_settings"] = {
        "shell_command": [shutil.which("bash"), "--norc"]
    }
    site_config["AsyncIOLoopKernelRestarter"] = {"time_to_dead": 0.3}
    return site_config


@pytest.fixture
def environment(run):
    """Read the environment of a kernel from inside it."""

    async def read(kernel_id):
        return json.loads(
            await run(kernel_id, "import json, os; print(json.dumps(dict(os.environ)))")
        )

    return read


async def start(api):
    return (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]


async def says(environment):
    """Return whose credentials a process with an environment gets, or why it gets none."""
    token = await asyncio.to_thread(Path(environment[TOKEN_FILE]).read_text)
    _, _, body = await ask(urlsplit(environment[URI]).port, token=token)
    return body.get("RoleArn") or body["Code"]


async def entry_of(api, name):
    listed = (await api("GET", "/aws/assignments")).data["assignments"]
    return next(entry for entry in listed if entry["id"] == name)


async def client_of(api, name):
    listed = (await api("GET", "/aws/endpoint/clients")).data["clients"]
    return next((client for client in listed if client["name"] == name), None)


async def test_a_kernel_is_switched_while_it_runs_and_keeps_its_token_over_restarts(
    api, environment, caplog
):
    await api.start(ANALYST)
    auditor = await api.start(AUDITOR, region="eu-west-1")
    kernel_id = await start(api)
    given = await environment(kernel_id)
    assert await says(given) == ANALYST
    assert not {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"} & given.keys()

    # Another default changes nothing; the user's choice does, at once.
    await api("PUT", "/aws/default", {"session_id": auditor["id"]})
    assert await says(given) == ANALYST
    switched = await api("PUT", f"/aws/assignments/{kernel_id}", {"session_id": auditor["id"]})
    assert await says(given) == AUDITOR
    assert switched.data["applies"] == "now"
    # Not AWS_STS_REGIONAL_ENDPOINTS, nor the label: nobody needs a restart for them.
    assert switched.data["at_restart"] == ["AWS_DEFAULT_REGION", "AWS_REGION"]
    assert switched.data["old_clients_until"] is not None
    assert (
        f"Kernel {kernel_id} gets role session {auditor['id']} now, by the Jupyter user"
        in caplog.text
    )
    entry = await entry_of(api, kernel_id)
    assert entry["running"] == {
        "session_id": auditor["id"], "role_arn": AUDITOR, "label": "Auditor"
    }  # fmt: skip
    assert (entry["given"], entry["delivery"]) == ("role", "endpoint")

    # A restart, by hand or after a crash, brings the rest; token and path stay.
    await api("POST", f"/api/kernels/{kernel_id}/restart")
    restarted = await environment(kernel_id)
    assert restarted["AWS_REGION"] == "eu-west-1"
    assert (restarted[URI], restarted[TOKEN_FILE]) == (given[URI], given[TOKEN_FILE])
    assert await says(given) == AUDITOR

    # "No AWS role" takes effect at once, too, and the default role again.
    none = await api("PUT", f"/aws/assignments/{kernel_id}", {"session_id": None})
    assert await says(given) == "NoAwsRole"
    assert none.data["applies"] == "now"
    assert none.data["at_restart"] == []
    entry = await entry_of(api, kernel_id)
    assert (entry["running"], entry["given"], entry["delivery"]) == (None, "no_role", "endpoint")
    back = await api("DELETE", f"/aws/assignments/{kernel_id}")
    assert (await says(given), back.data["applies"]) == (AUDITOR, "now")
    assert (await entry_of(api, kernel_id))["chosen"] == {
        "session_id": auditor["id"], "how": "by_default"
    }  # fmt: skip

    # An end is said to its clients, and it can be switched to a living role session.
    await api("DELETE", f"/aws/sessions/{auditor['id']}")
    assert await says(given) == "RoleSessionEnded"
    assert (await entry_of(api, kernel_id))["running"]["label"] == "Auditor"
    (analyst,) = (await api("GET", "/aws/sessions")).data["sessions"]
    await api("PUT", f"/aws/assignments/{kernel_id}", {"session_id": analyst["id"]})
    assert await says(given) == ANALYST


@pytest.mark.long
async def test_a_kernel_that_was_lent_a_role_starts_again_with_its_own(api, environment):
    analyst, auditor = await api.start(ANALYST), await api.start(AUDITOR)
    await api("PUT", "/aws/default", {"session_id": analyst["id"]})
    kernel_id = await start(api)
    given = await environment(kernel_id)

    lent = await api(
        "PUT",
        f"/aws/assignments/{kernel_id}",
        {"session_id": auditor["id"], "until_restart": True},
    )

    assert lent.data["applies"] == "now"
    assert await says(given) == AUDITOR
    entry = await entry_of(api, kernel_id)
    assert entry["running"]["session_id"] == auditor["id"]
    assert entry["chosen"] == {"session_id": analyst["id"], "how": "by_default"}

    await api("POST", f"/api/kernels/{kernel_id}/restart")  # as after a crash
    assert (await environment(kernel_id))["JUPYTER_WB_AWS_ROLE"] == analyst["label"]
    assert await says(given) == ANALYST


async def test_a_web_identity_role_reaches_a_kernel_at_its_restart_only(
    api, environment, roles_path
):
    roles_path.write_text(
        roles_path.read_text().replace(
            'label = "Auditor"', 'label = "Auditor"\ndelivery = "web_identity"'
        )
    )
    analyst, auditor = await api.start(ANALYST), await api.start(AUDITOR)
    kernel_id = await start(api)
    given = await environment(kernel_id)

    chosen = await api("PUT", f"/aws/assignments/{kernel_id}", {"session_id": auditor["id"]})
    assert (chosen.data["applies"], chosen.data["old_clients_until"]) == ("at_restart", None)
    assert {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", URI} <= set(chosen.data["at_restart"])
    assert await says(given) == ANALYST
    assert (await entry_of(api, kernel_id))["running"]["session_id"] == analyst["id"]

    await api("POST", f"/api/kernels/{kernel_id}/restart")
    assert (await environment(kernel_id))["AWS_ROLE_ARN"] == AUDITOR
    assert (await entry_of(api, kernel_id))["delivery"] == "web_identity"
    # What it had started before the restart may go on with its token.
    assert (await client_of(api, kernel_id))["state"] == "left_running"
    chosen = await api("PUT", f"/aws/assignments/{kernel_id}", {"session_id": analyst["id"]})
    assert chosen.data["applies"] == "at_restart"


async def test_a_job_goes_on_after_its_kernel_until_it_is_ended(api, run, tmp_path, jp_serverapp):
    session = await api.start(ANALYST)
    kernel_id = await start(api)
    other = await api("POST", f"/aws/sessions/{(await api.start(AUDITOR))['id']}/kernels", {})
    start_job = f"subprocess.Popen({[*JOB, str(tmp_path)]}, start_new_session=True)"
    assert await run(kernel_id, f"import subprocess; _ = {start_job}") == ""
    assert (await job.answer(tmp_path))["RoleArn"] == ANALYST
    client = await client_of(api, kernel_id)
    assert (client["kind"], client["state"], client["processes"]) == ("kernel", "running", 2)
    assert client["last_request_at"] is not None

    await api("DELETE", f"/api/kernels/{kernel_id}")

    assert (await job.answer(tmp_path))["RoleArn"] == ANALYST
    client = await client_of(api, kernel_id)
    assert (client["state"], client["processes"]) == ("left_running", 1)
    (command,) = client["commands"]  # the name of the program, without its arguments
    assert psutil.Process(command["pid"]).cmdline()[1:] == [*JOB[1:], str(tmp_path)]
    assert command["name"] == psutil.Process(command["pid"]).name()
    assert (client["role_arn"], client["session_id"]) == (ANALYST, session["id"])
    app = jp_serverapp.extension_manager.extension_points["jupyter_wb_aws"].app
    assert session["id"] in app.server_state.role_sessions_in_use()  # it does not end as idle
    refused = await api("PUT", f"/aws/assignments/{kernel_id}", {"session_id": None})
    assert (refused.status, refused.data["code"]) == (409, "left_running")

    assert (await api("DELETE", f"/aws/endpoint/clients/{client['id']}")).status == 204
    refusal = await job.answer(tmp_path)
    assert refusal["Code"] == "ClientEnded"
    assert await client_of(api, kernel_id) is None
    again = await api("DELETE", f"/aws/endpoint/clients/{client['id']}")
    assert (again.status, again.data["code"]) == (404, "endpoint_client_not_found")
    # Nobody else is ended.
    assert (await client_of(api, other.data["id"]))["role_arn"] == AUDITOR
    tmp_path.joinpath("stop").touch()


async def test_a_terminal_is_switched_and_what_it_leaves_running_is_not_the_next_terminals(
    api, jp_ws_fetch, tmp_path, jp_serverapp
):
    analyst, auditor = await api.start(ANALYST), await api.start(AUDITOR)
    assert (await api("POST", "/api/terminals", {"name": "work"})).status == 200
    command = f"nohup setsid {JOB[0]} {JOB[1]} {tmp_path} >{tmp_path}/out 2>&1 & echo {{}}"
    await terminal(jp_ws_fetch, "work", command, "}")
    assert (await job.answer(tmp_path))["RoleArn"] == ANALYST

    switched = await api("PUT", "/aws/assignments/work", {"session_id": auditor["id"]})
    assert switched.data["applies"] == "now"
    assert (await job.answer(tmp_path))["RoleArn"] == AUDITOR
    entry = await entry_of(api, "work")
    assert entry["chosen"] == {"session_id": auditor["id"], "how": "by_user"}
    assert entry["running"]["role_arn"] == AUDITOR

    assert (await api("DELETE", "/api/terminals/work")).status == 204
    await api("POST", "/api/terminals", {"name": "brief"})
    await api("DELETE", "/api/terminals/brief")
    assert (await client_of(api, "brief"))["state"] == "left_running"
    await until(lambda: _left_running(api, "work"))
    gone = await api("PUT", "/aws/assignments/work", {"session_id": None})
    assert (gone.status, gone.data["code"]) == (409, "left_running")
    await api("POST", "/api/terminals", {"name": "work"})
    await api("PUT", "/aws/assignments/work", {"session_id": None})

    assert (await job.answer(tmp_path))["RoleArn"] == AUDITOR
    listed = (await api("GET", "/aws/endpoint/clients")).data["clients"]
    assert [
        (client["state"], client["role_arn"]) for client in listed if client["name"] == "work"
    ] == [("left_running", AUDITOR), ("running", None)]
    assert (await api("DELETE", "/aws/assignments/work")).data["applies"] == "now"
    assert (await entry_of(api, "work"))["running"]["session_id"] == analyst["id"]
    tmp_path.joinpath("stop").touch()


async def _left_running(api, name):
    client = await client_of(api, name)
    return client["state"] == "left_running" and client["processes"] == 1


async def test_a_kernel_starts_while_its_token_cant_be_written_and_gets_it_later(
    api, environment, monkeypatch, jp_serverapp, caplog
):
    await api.start(ANALYST)
    with monkeypatch.context() as broken:
        broken.setattr("os.fchmod", full_disk)
        kernel_id = await start(api)
        given = await environment(kernel_id)
        assert not Path(given[TOKEN_FILE]).exists()
        health = (await api("GET", "/aws/health")).data
        assert "endpoint_token_missing" in {notice["code"] for notice in health["notices"]}
        assert "has AWS credentials only once its endpoint token can be written" in caplog.text

    app = jp_serverapp.extension_manager.extension_points["jupyter_wb_aws"].app
    await app.server_state.manager.refresher.step()

    assert await says(given) == ANALYST


async def test_a_kernel_that_starts_without_its_role_as_the_endpoint_does_not_run_is_reported(
    api, environment, jp_serverapp, caplog
):
    heard = []

    async def listen(logger, schema_id, data):
        heard.append(data)

    jp_serverapp.event_logger.add_listener(
        schema_id="urn:jupyter-wb-aws:event:kernel-without-role", listener=listen
    )
    session = await api.start(ANALYST)
    app = jp_serverapp.extension_manager.extension_points["jupyter_wb_aws"].app
    await app.server_state.endpoint.close()

    kernel_id = await start(api)

    await jp_serverapp.event_logger.gather_listeners()
    assert heard == [{"kernel_id": kernel_id, "session_id": session["id"]}]
    assert URI not in await environment(kernel_id)
    assert "A new process (kernel) starts without an AWS role" in caplog.text
    entry = await entry_of(api, kernel_id)
    assert (entry["given"], entry["chosen"]["session_id"]) == ("no_role", session["id"])


IN_A_LOOP = """
import boto3, threading, time
sts, seen = boto3.client("sts"), []
def ask():
    while "stop" not in seen:
        seen.append(sts.get_caller_identity()["Arn"].split("/")[1])
        time.sleep(0.05)
threading.Thread(target=ask, daemon=True).start()
"""
WAIT_FOR = """
until = time.monotonic() + 15
while seen[-1:] != [{0!r}] and time.monotonic() < until:
    time.sleep(0.02)
print(seen[-1])
"""


@pytest.mark.long  # a kernel that imports boto3
async def test_a_running_boto3_client_works_as_the_new_role_after_a_switch(api, run, roles_path):
    """With `lease = 660` boto3 asks at every call; with the default of 960 s, within a minute."""
    short = roles_path.read_text().replace(
        'label = "A', 'delivery = "endpoint"\nlease = 660\nlabel = "A'
    )
    roles_path.write_text(short)
    await api.start(ANALYST)
    auditor = await api.start(AUDITOR)
    kernel_id = await start(api)
    assert await run(kernel_id, IN_A_LOOP + WAIT_FOR.format("analyst")) == "analyst"

    await api("PUT", f"/aws/assignments/{kernel_id}", {"session_id": auditor["id"]})

    assert await run(kernel_id, WAIT_FOR.format("auditor")) == "auditor"
