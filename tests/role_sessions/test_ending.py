"""Ending role sessions, by the user or because they no longer are theirs."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.errors import (
    NoDefaultRoleSession,
    RoleSessionEnded,
    RoleSessionNotFound,
    TokenSourceFailed,
)
from jupyter_wb_aws.role_sessions import registry
from jupyter_wb_aws.role_sessions.role_session import State
from jupyter_wb_aws.role_sessions.store import NO_ROLE
from tests.role_sessions.support import ANALYST, AUDITOR, NOON, make_token

HOUR = timedelta(hours=1)


async def test_an_ended_role_session_leaves_no_file(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

        await manager.ending.end_by_user(session.id)

        assert site.files() == []


async def test_ending_says_until_when_issued_credentials_may_live(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        site.clock.advance(600)

        ended = await manager.ending.end_by_user(session.id)

        assert ended.credentials_expire_at == NOON + timedelta(minutes=10) + HOUR
        assert ended.clients_stop_by is None


async def test_ending_twice_gives_the_same_answer_and_one_event(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        first = await manager.ending.end_by_user(session.id)
        site.clock.advance(600)

        assert await manager.ending.end_by_user(session.id) == first
        assert site.emitted("session_ended") == [
            {
                "session_id": session.id,
                "reason": "by_user",
                "credentials_expire_at": rfc3339(session.ended.credentials_expire_at),
                "clients_stop_by": None,
            }
        ]


async def test_ending_twice_at_once_is_one_end(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

        answers = await asyncio.gather(*(manager.ending.end_by_user(session.id) for _ in range(5)))

        assert len(set(answers)) == 1
        assert len(site.emitted("session_ended")) == 1


async def test_an_end_is_an_end_even_when_its_caller_hangs_up(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        ending = asyncio.create_task(manager.ending.end_by_user(session.id))
        await asyncio.sleep(0)
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)

        await manager.ending.end_by_user(session.id)

        assert site.files() == []
        assert manager.sessions.default == NO_ROLE
        assert len(site.emitted("session_ended")) == 1


async def test_ending_what_never_was_is_not_found(site):
    async with site.server() as manager:
        with pytest.raises(RoleSessionNotFound):
            await manager.ending.end_by_user("0" * 16)


async def test_an_ended_role_session_can_be_looked_at_and_not_used(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.ending.end_by_user(session.id)

        assert manager.sessions.get(session.id) is session
        assert manager.sessions.state_of(session) is State.ENDED
        assert manager.sessions.living() == []
        with pytest.raises(RoleSessionEnded):
            manager.sessions.get_living(session.id)
        with pytest.raises(RoleSessionEnded):
            await manager.refresher.refresh(session.id)
        with pytest.raises(RoleSessionEnded):
            await manager.choices.set_default(session.id)
        with pytest.raises(RoleSessionEnded):
            await manager.starter.caller_identity(session, verify=False)


async def test_ending_the_default_leaves_no_aws_role_behind(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.ending.end_by_user(session.id)

        assert manager.sessions.default == NO_ROLE
        assert site.emitted("default_changed")[-1] == {"session_id": None}
        with pytest.raises(NoDefaultRoleSession, match="The role session of .* has ended"):
            manager.choices.default_session()

        await manager.choices.set_default(None)
        with pytest.raises(
            NoDefaultRoleSession, match=r"^New notebooks and terminals get no AWS role\.$"
        ):
            manager.choices.default_session()


async def test_before_anything_was_chosen_there_is_no_default_role_session(site):
    async with site.server() as manager:
        with pytest.raises(NoDefaultRoleSession, match="No role was chosen yet"):
            manager.choices.default_session()


async def test_ending_another_leaves_the_default_alone(site):
    async with site.server() as manager:
        first, _ = await manager.starter.start(ANALYST)
        second, _ = await manager.starter.start(AUDITOR)
        await manager.ending.end_by_user(second.id)

        assert manager.sessions.is_default(first)


async def test_no_refresh_brings_the_file_of_an_ended_role_session_back(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asyncio.gather(
            manager.refresher.refresh(session.id),
            manager.ending.end_by_user(session.id),
            return_exceptions=True,
        )
        await manager.refresher.step()

        assert site.files() == []


async def test_another_users_token_ends_the_role_session_and_is_never_in_its_file(site, clock):
    source = site.fresh()
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        source.answers[:] = [lambda: make_token(clock.now(), iat=clock.now(), sub="bob")]

        with pytest.raises(RoleSessionEnded):
            await manager.refresher.refresh(session.id)

        assert session.ended.reason == "identity_changed"
        assert site.files() == []
        assert manager.sessions.default == NO_ROLE


async def test_an_end_for_another_reason_at_the_same_time_is_one_end(site, clock):
    source = site.fresh()
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        source.answers[:] = [lambda: make_token(clock.now(), iat=clock.now(), sub="bob")]

        await asyncio.gather(
            manager.refresher.refresh(session.id),
            manager.refresher.step(),
            manager.refresher.refresh(session.id),
            return_exceptions=True,
        )

        assert len(site.emitted("session_ended")) == 1


async def test_ended_role_sessions_are_remembered_up_to_a_limit(site, monkeypatch):
    monkeypatch.setattr(registry, "MAX_ENDED", 2)
    async with site.server() as manager:
        sessions = []
        for region in ("us-east-1", "us-east-2", "us-west-1", "us-west-2"):
            session, _ = await manager.starter.start(ANALYST, region)
            sessions.append(session)
        for session in sessions[:3]:
            await manager.ending.end_by_user(session.id)

        with pytest.raises(RoleSessionNotFound):
            manager.sessions.get(sessions[0].id)
        assert manager.sessions.get(sessions[1].id).ended
        assert manager.sessions.living() == sessions[3:]


async def test_beyond_the_limit_the_earliest_ended_is_forgotten_not_the_earliest_started(
    site, monkeypatch
):
    monkeypatch.setattr(registry, "MAX_ENDED", 1)
    async with site.server() as manager:
        started_first, _ = await manager.starter.start(ANALYST)
        started_last, _ = await manager.starter.start(AUDITOR)
        await manager.ending.end_by_user(started_last.id)
        site.clock.advance(60)
        until = await manager.ending.end_by_user(started_first.id)

        assert await manager.ending.end_by_user(started_first.id) == until
        with pytest.raises(RoleSessionNotFound):
            manager.sessions.get(started_last.id)


async def test_ending_needs_no_token_source(site):
    source = site.fresh()
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        source.answers[:] = [TokenSourceFailed()]
        site.clock.advance(7200)

        await manager.ending.end_by_user(session.id)

        assert manager.sessions.state_of(session) is State.ENDED
