"""Real kernels of a real server: started, restarted, crashed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import psutil
import pytest
from jupyter_client.provisioning import KernelProvisionerFactory

from tests.site import ANALYST, AUDITOR

DECOYS = {
    "AWS_ACCESS_KEY_ID": "AKIADECOY",
    "AWS_SECRET_ACCESS_KEY": "decoy",
    "AWS_SESSION_TOKEN": "decoy",
    "AWS_PROFILE": "decoy",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/decoy",
    "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/pod",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/pod",
}

MANAGERS = {
    "async": {},
    "async, pending": {"AsyncMappingKernelManager": {"use_pending_kernels": True}},
    "sync": {
        "ServerApp": {
            "kernel_manager_class": "jupyter_server.services.kernels.kernelmanager.MappingKernelManager"
        }
    },
    "a site's own": {
        "AsyncMappingKernelManager": {
            "kernel_manager_class": "tests.injection.site_kernels.SiteKernelManager"
        }
    },
}


@pytest.fixture
def managers():
    return {}


@pytest.fixture
def jp_server_config(site_config, managers, monkeypatch):
    for name, value in DECOYS.items():
        monkeypatch.setenv(name, value)
    for section, settings in managers.items():
        site_config.setdefault(section, {}).update(settings)
    site_config["KernelRestarter"] = {"time_to_dead": 0.3}
    site_config["AsyncIOLoopKernelRestarter"] = {"time_to_dead": 0.3}
    site_config["IOLoopKernelRestarter"] = {"time_to_dead": 0.3}
    return site_config


@pytest.fixture
def environment(jp_serverapp):
    """Reads the environment of a kernel's process, as soon as it is another one than `last`."""

    async def read(kernel_id, last=None):
        async with asyncio.timeout(30):
            while True:
                kernel = jp_serverapp.kernel_manager.get_kernel(kernel_id)
                pid = getattr(kernel.provisioner, "pid", None)
                if pid and pid != last:
                    found = psutil.Process(pid).environ()
                    if "JPY_PARENT_PID" in found:  # between fork and exec it is still the server's
                        while not kernel.ready.done():
                            await asyncio.sleep(0.02)  # a server that stops meanwhile stumbles
                        return found, pid
                await asyncio.sleep(0.02)

    return read


async def start_by_sessions_api(api):
    body = {"path": "a.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    return (await api("POST", "/api/sessions", body)).data["kernel"]["id"]


async def start_by_kernels_api(api):
    return (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]


def role_in(environment):
    return environment.get("AWS_ROLE_ARN")


def without_decoys(environment):
    return not any(environment.get(name) == value for name, value in DECOYS.items())


# By /api/sessions as JupyterLab does it; /api/kernels leads into the same managers.
@pytest.mark.parametrize("managers", MANAGERS.values(), ids=MANAGERS.keys())
@pytest.mark.parametrize(
    "start",
    [
        pytest.param(start_by_sessions_api, id="/api/sessions"),
        pytest.param(start_by_kernels_api, id="/api/kernels", marks=pytest.mark.long),
    ],
)
async def test_a_kernel_has_the_default_role_and_keeps_it_until_the_user_chooses(
    api, environment, run, start
):
    analyst, auditor = await api.start(ANALYST), await api.start(AUDITOR)

    kernel_id = await start(api)
    first, pid = await environment(kernel_id)
    assert role_in(first) == ANALYST
    assert without_decoys(first)
    assert first["AWS_REGION"] == first["AWS_DEFAULT_REGION"] == "us-east-2"

    # Another default changes nothing, at a crash either.
    await api("PUT", "/aws/default", {"session_id": auditor["id"]})
    await crash(pid)
    after_crash, pid = await environment(kernel_id, pid)
    assert role_in(after_crash) == ANALYST
    assert (
        after_crash["AWS_WEB_IDENTITY_TOKEN_FILE"]
        == analyst["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"]
    )

    # The user's choice does.
    await api("PUT", f"/aws/assignments/{kernel_id}", {"session_id": auditor["id"]})
    await run(kernel_id, "pass")  # a restart before it is up would wait for time-outs
    assert (await api("POST", f"/api/kernels/{kernel_id}/restart")).status == 200
    restarted, pid = await environment(kernel_id, pid)
    assert role_in(restarted) == AUDITOR
    assert without_decoys(restarted)

    # And "no AWS role" is not another role.
    await api("PUT", f"/aws/assignments/{kernel_id}", {"session_id": None})
    await crash(pid)
    without, _ = await environment(kernel_id, pid)
    assert role_in(without) is None
    assert without["AWS_EC2_METADATA_DISABLED"] == "true"
    assert not set(without) & (set(DECOYS) - {"AWS_PROFILE"})
    await gone(api, kernel_id)


async def crash(pid):
    os.kill(pid, signal.SIGKILL)


async def gone(api, kernel_id):
    await api("DELETE", f"/api/kernels/{kernel_id}")


@pytest.mark.parametrize("managers", [MANAGERS["a site's own"]])
async def test_a_sites_own_kernel_manager_stays_in_use(api, environment):
    await api.start()

    found, _ = await environment(await start_by_kernels_api(api))

    assert found["SITE"] == "was here"


async def test_without_any_choice_a_kernels_environment_is_unchanged(api, environment):
    found, _ = await environment(await start_by_kernels_api(api))

    assert {name: found.get(name) for name in DECOYS} == DECOYS
    assert "AWS_EC2_METADATA_DISABLED" not in found


async def test_a_kernel_from_before_any_role_takes_the_default_at_its_next_restart(
    api, environment
):
    kernel_id = await start_by_kernels_api(api)
    _, pid = await environment(kernel_id)
    await api.start()

    await crash(pid)

    assert role_in((await environment(kernel_id, pid))[0]) == ANALYST


async def test_a_kernel_whose_role_session_has_ended_never_gets_another_role(
    api, environment, caplog
):
    analyst = await api.start(ANALYST)
    kernel_id = await start_by_kernels_api(api)
    _, pid = await environment(kernel_id)
    await api("DELETE", f"/aws/sessions/{analyst['id']}")
    await api.start(AUDITOR, default=True)

    await crash(pid)

    found, _ = await environment(kernel_id, pid)
    assert role_in(found) is None
    assert found["AWS_EC2_METADATA_DISABLED"] == "true"
    assert f"Kernel {kernel_id} starts without an AWS role" in caplog.text


async def test_choosing_no_aws_role_removes_every_credential(api, environment):
    await api("PUT", "/aws/default", {"session_id": None})

    found, _ = await environment(await start_by_kernels_api(api))

    assert not set(found) & set(DECOYS)
    assert found["AWS_EC2_METADATA_DISABLED"] == "true"


async def test_a_kernel_can_have_another_role_than_the_default(api, environment):
    analyst, auditor = await api.start(ANALYST), await api.start(AUDITOR)

    answer = await api("POST", f"/aws/sessions/{auditor['id']}/kernels", {"name": "python3"})

    assert answer.status == 201
    assert answer.headers["Location"].endswith(f"/api/kernels/{answer.data['id']}")
    assert role_in((await environment(answer.data["id"]))[0]) == AUDITOR
    assert (await api("GET", "/aws/assignments")).data["assignments"] == [
        {
            "kind": "kernel",
            "id": answer.data["id"],
            "chosen": {"session_id": auditor["id"], "how": "by_user"},
            "running": {"session_id": auditor["id"], "role_arn": AUDITOR, "label": "Auditor"},
            "given": "role",
            "delivery": "web_identity",
            "next": {"given": "role", "session_id": auditor["id"]},
        }
    ]
    assert (await api("GET", "/aws/identity")).data["session_id"] == analyst["id"]


async def test_an_untouched_kernel_differs_from_one_without_a_role(api):
    async def shown():
        (entry,) = (await api("GET", "/aws/assignments")).data["assignments"]
        return entry["given"], entry["next"]

    kernel_id = await start_by_kernels_api(api)
    assert await shown() == ("untouched", {"given": "untouched", "session_id": None})

    await api("PUT", f"/aws/assignments/{kernel_id}", {"session_id": None})
    assert await shown() == ("untouched", {"given": "no_role", "session_id": None})

    await api("POST", f"/api/kernels/{kernel_id}/restart")
    assert await shown() == ("no_role", {"given": "no_role", "session_id": None})


async def test_assignments_distinguish_the_chosen_role_from_the_running_one(api, environment):
    analyst, auditor = await api.start(ANALYST), await api.start(AUDITOR)
    kernel_id = await start_by_kernels_api(api)
    put = await api("PUT", f"/aws/assignments/{kernel_id}", {"session_id": auditor["id"]})
    assert (put.status, put.data["applies"], put.data["old_clients_until"]) == (
        200,
        "at_restart",
        None,
    )
    assert {"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"} <= set(
        put.data["at_restart"]
    )

    (entry,) = (await api("GET", "/aws/assignments")).data["assignments"]
    assert entry["chosen"] == {"session_id": auditor["id"], "how": "by_user"}
    assert entry["running"]["session_id"] == analyst["id"]

    back = await api("DELETE", f"/aws/assignments/{kernel_id}")
    assert back.data == {"applies": "at_restart", "at_restart": [], "old_clients_until": None}
    (entry,) = (await api("GET", "/aws/assignments")).data["assignments"]
    assert entry["chosen"] is None


async def test_renaming_a_document_does_not_undo_the_role(api, environment):
    await api.start()
    body = {"path": "a.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    document = (await api("POST", "/api/sessions", body)).data
    kernel_id = document["kernel"]["id"]
    _, pid = await environment(kernel_id)

    await api("PATCH", f"/api/sessions/{document['id']}", {"path": "b.ipynb"})
    await crash(pid)

    found, _ = await environment(kernel_id, pid)
    assert role_in(found) == ANALYST
    assert without_decoys(found)


async def test_a_kernelspec_that_sets_a_key_does_not_override_the_role(
    api, environment, jp_data_dir
):
    spec = jp_data_dir / "kernels" / "keyed"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.joinpath("kernel.json").write_text(
        json.dumps(
            {
                "argv": argv,
                "display_name": "keyed",
                "language": "python",
                "env": {"AWS_ACCESS_KEY_ID": "spec"},
            }
        )
    )
    session = await api.start()

    answer = await api("POST", f"/aws/sessions/{session['id']}/kernels", {"name": "keyed"})

    found, _ = await environment(answer.data["id"])
    assert "AWS_ACCESS_KEY_ID" not in found
    assert role_in(found) == ANALYST


async def test_a_kernel_on_another_machine_is_unchanged_and_reported(
    api, environment, jp_data_dir, jp_serverapp, caplog, monkeypatch
):
    factory = KernelProvisionerFactory.instance(parent=jp_serverapp)
    entry = EntryPoint(
        "far-away", "tests.injection.far_away:FarAway", "jupyter_client.kernel_provisioners"
    )
    monkeypatch.setitem(factory.provisioners, "far-away", entry)
    spec = jp_data_dir / "kernels" / "far"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    metadata = {"kernel_provisioner": {"provisioner_name": "far-away"}}
    spec.joinpath("kernel.json").write_text(
        json.dumps(
            {"argv": argv, "display_name": "far", "language": "python", "metadata": metadata}
        )
    )
    await api.start()

    kernel_id = (await api("POST", "/api/kernels", {"name": "far"})).data["id"]

    found, _ = await environment(kernel_id)
    assert {name: found.get(name) for name in DECOYS} == DECOYS
    assert f"Kernel {kernel_id} gets no AWS role" in caplog.text
    assert (await api("GET", "/aws/assignments")).data == {"assignments": []}


async def test_the_servers_own_environment_never_changes(api, environment):
    before = dict(os.environ)
    session = await api.start()
    await environment(await start_by_kernels_api(api))
    await api("DELETE", f"/aws/sessions/{session['id']}")

    assert dict(os.environ) == before


async def test_own_aws_files_that_conflict_do_not_reach_the_kernel(
    api, environment, monkeypatch, tmp_path
):
    own = tmp_path / "credentials"
    own.write_text("[default]\naws_access_key_id = AKIA\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(own))
    await api.start()

    found, _ = await environment(await start_by_kernels_api(api))

    assert found["AWS_SHARED_CREDENTIALS_FILE"] != str(own)
    assert "aws_access_key_id" not in Path(found["AWS_SHARED_CREDENTIALS_FILE"]).read_text()
