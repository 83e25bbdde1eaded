"""Which role sessions are in use: those of running kernels and terminals."""

from __future__ import annotations

import asyncio

import pytest

from tests.site import ANALYST, AUDITOR


@pytest.fixture
def in_use(jp_serverapp):
    points = jp_serverapp.extension_manager.extension_points
    return points["jupyter_wb_aws"].app.server_state.role_sessions_in_use


async def test_a_kernels_role_session_is_in_use_until_the_kernel_ends(api, in_use):
    session = await api.start(ANALYST)
    assert in_use() == set()
    kernel_id = (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]
    assert in_use() == {session["id"]}

    await api("DELETE", f"/api/kernels/{kernel_id}")

    assert in_use() == set()


async def test_a_role_session_for_a_kernels_next_restart_is_in_use_too(api, in_use):
    analyst, auditor = await api.start(ANALYST), await api.start(AUDITOR)
    kernel_id = (await api("POST", "/api/kernels", {"name": "python3"})).data["id"]

    await api("PUT", f"/aws/assignments/{kernel_id}", {"session_id": auditor["id"]})

    assert in_use() == {analyst["id"], auditor["id"]}


async def test_a_terminals_role_session_is_in_use_until_the_terminal_ends(api, in_use):
    await api.start(ANALYST)
    auditor = await api.start(AUDITOR)
    name = (await api("POST", f"/aws/sessions/{auditor['id']}/terminals")).data["name"]
    assert in_use() == {auditor["id"]}

    await api("DELETE", f"/api/terminals/{name}")

    assert in_use() == set()


async def test_kernels_and_terminals_without_a_role_use_nothing(api, in_use):
    await api("POST", "/api/kernels", {"name": "python3"})
    await api("POST", "/api/terminals")

    assert in_use() == set()


class TestIdleEnd:
    @pytest.fixture
    def jp_server_config(self, site_config):
        site_config["WbAwsApp"]["idle_timeout"] = 3
        return site_config

    async def test_a_role_session_that_nothing_uses_ends_and_one_in_use_does_not(self, api):
        used = await api.start(ANALYST)
        await api("POST", "/api/kernels", {"name": "python3"})
        unused = await api.start(AUDITOR)

        async with asyncio.timeout(30):
            while (await api("GET", f"/aws/sessions/{unused['id']}")).data["end_reason"] is None:
                await asyncio.sleep(0.1)

        ended = (await api("GET", f"/aws/sessions/{unused['id']}")).data
        assert ended["end_reason"] == "idle"
        assert (await api("GET", f"/aws/sessions/{used['id']}")).data["state"] == "active"


class TestMostRoleSessions:
    @pytest.fixture
    def jp_server_config(self, site_config):
        site_config["WbAwsApp"]["max_role_sessions"] = 1
        return site_config

    async def test_one_more_than_there_may_be_is_refused_with_one_to_end(self, api):
        session = await api.start(ANALYST)

        answer = await api("POST", "/aws/sessions", {"role_arn": AUDITOR})

        assert (answer.status, answer.data["code"]) == (409, "too_many_role_sessions")
        assert f"jupyter wb-aws end {session['id']}" in answer.data["hint"]
