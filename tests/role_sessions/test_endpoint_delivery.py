"""What role sessions ask of the credential endpoint: at their start, at a refresh, and at their end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jupyter_wb_aws.errors import EndpointUnavailable, RoleSessionEnded, StsUnavailable
from jupyter_wb_aws.role_sessions.boto3_sessions import Boto3Sessions
from jupyter_wb_aws.role_sessions.role_session import State
from tests.role_sessions.support import ANALYST, AUDITOR, NOON

ENTRY = """
[[roles]]
arn = "arn:aws:iam::111122223333:role/auditor"
allow = "everyone"
delivery = "endpoint"
credential_lifetime = 900
"""


@pytest.fixture
def by_endpoint(site):
    return site.server(delivery="endpoint")


async def test_the_start_asks_sts_once_and_hands_its_credentials_on(site, by_endpoint):
    async with by_endpoint as manager:
        session, created = await manager.starter.start(ANALYST)
        again, created_again = await manager.starter.start(ANALYST)

        assert (created, created_again) == (True, False)
        assert again is session
        assert site.endpoint.opened[session].access_key_id == "ASIA1"
        assert len(site.sts.requests) == 1
        assert manager.sessions.state_of(session) is State.ACTIVE
        assert site.files() == []


async def test_web_identity_gets_no_credentials_and_no_endpoint(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)

        assert site.endpoint.opened == {}
        assert not site.sts.requests[0].wants_credentials


async def test_an_entry_of_the_roles_file_decides_for_itself(site):
    site.roles_file.write_text(ENTRY)
    async with site.server() as manager:
        session, _ = await manager.starter.start(AUDITOR)

        assert session.delivery == "endpoint"
        assert site.sts.requests[0].options.duration == 900
        assert site.endpoint.opened[session].expiration == NOON + timedelta(seconds=900)


async def test_a_command_of_its_own_has_credentials_of_its_own_name(site, by_endpoint):
    async with by_endpoint as manager:
        shared, _ = await manager.starter.start(ANALYST)
        own = await manager.starter.start_unshared(ANALYST)

        assert [r.session_name for r in site.sts.requests] == [
            shared.session_name,
            own.session_name,
        ]
        assert site.endpoint.opened[own].access_key_id == "ASIA2"


async def test_a_start_that_the_endpoint_refuses_leaves_nothing(site, by_endpoint):
    site.endpoint.failure = EndpointUnavailable()
    async with by_endpoint as manager:
        with pytest.raises(EndpointUnavailable):
            await manager.starter.start(ANALYST)

        assert manager.sessions.all() == []
        assert site.emitted("role_denied")[-1]["code"] == "endpoint_unavailable"


async def test_a_refresh_brings_new_credentials_too_and_says_why_not(site, by_endpoint):
    async with by_endpoint as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.refresher.refresh(session.id)
        assert site.endpoint.refreshed == [session]

        site.endpoint.failure = StsUnavailable()
        with pytest.raises(StsUnavailable):
            await manager.refresher.refresh(session.id)


async def test_credentials_that_cannot_be_fetched_are_the_role_sessions_state(site, by_endpoint):
    async with by_endpoint as manager:
        session, _ = await manager.starter.start(ANALYST)
        session.credential_problem = StsUnavailable()
        assert manager.sessions.state_of(session) is State.DEGRADED

        site.clock.advance(3601)
        await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.EXPIRED

        session.credential_problem = None
        assert manager.sessions.state_of(session) is State.ACTIVE


async def test_an_end_names_the_last_answer_and_the_last_credentials(site, by_endpoint):
    async with by_endpoint as manager:
        session, _ = await manager.starter.start(ANALYST)
        session.clients_stop_by = NOON + timedelta(minutes=16)
        site.clock.advance(60)

        ended = await manager.ending.end_by_user(session.id)

        assert ended.credentials_expire_at == NOON + timedelta(hours=1)
        assert ended.clients_stop_by == NOON + timedelta(minutes=16)
        assert site.emitted("session_ended")[-1]["clients_stop_by"] == "2026-11-24T12:16:00Z"


async def test_clients_that_have_stopped_long_ago_are_not_named(site, by_endpoint):
    async with by_endpoint as manager:
        session, _ = await manager.starter.start(ANALYST)
        session.clients_stop_by = NOON + timedelta(minutes=16)
        site.clock.advance(20 * 60)

        assert (await manager.ending.end_by_user(session.id)).clients_stop_by is None


async def test_code_in_the_server_signs_with_the_endpoints_credentials(site, by_endpoint):
    async with by_endpoint as manager:
        session, _ = await manager.starter.start(ANALYST)
        sts = None  # it is not asked
        inside = Boto3Sessions(manager.context, manager.sessions, manager.choices, sts)
        credentials = inside.boto3_session("assistant").get_credentials()

        assert credentials.get_frozen_credentials().access_key == "ASIA1"
        await manager.ending.end_by_user(session.id)
        with pytest.raises(RoleSessionEnded):
            credentials.get_frozen_credentials()
