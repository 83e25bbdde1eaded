"""What keeps an idle server from being culled: the user's acts, and not what a page reads by itself."""

from __future__ import annotations

import pytest

from tests.contract import CONTRACT
from tests.site import AUDITOR, Api

SWITCH = {"$ref": "#/components/parameters/NoTrackActivity"}
# Those that a page reads after an event, or when a timer says so.
READS = sorted(
    path
    for path, item in CONTRACT["paths"].items()
    if SWITCH in item.get("get", {}).get("parameters", [])
)


def test_the_contract_names_the_switch_at_everything_that_a_page_reads():
    assert READS == [
        "/aws/assignments", "/aws/default", "/aws/endpoint/clients", "/aws/identity", "/aws/roles", "/aws/sessions",
        "/aws/sessions/{session_id}", "/aws/sign-in",
    ]  # fmt: skip


@pytest.mark.parametrize("path", READS)
async def test_a_read_is_activity_only_without_the_switch(api: Api, jp_serverapp, path):
    session = await api.start()
    path = path.replace("{session_id}", session["id"])
    before = jp_serverapp.web_app.last_activity()

    assert (await api("GET", f"{path}?no_track_activity=1")).status == 200
    assert jp_serverapp.web_app.last_activity() == before

    assert (await api("GET", path)).status == 200
    assert jp_serverapp.web_app.last_activity() > before


async def test_what_a_user_does_is_activity(api: Api, jp_serverapp):
    before = jp_serverapp.web_app.last_activity()
    await api.start(AUDITOR)
    started = jp_serverapp.web_app.last_activity()
    await api("PUT", "/aws/default", {"session_id": None})

    assert before < started < jp_serverapp.web_app.last_activity()


async def test_a_monitor_that_asks_for_health_keeps_no_server_alive(api: Api, jp_serverapp):
    before = jp_serverapp.web_app.last_activity()

    assert (await api("GET", "/aws/health")).status == 200

    assert jp_serverapp.web_app.last_activity() == before
