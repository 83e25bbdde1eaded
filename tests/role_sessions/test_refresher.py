"""The background loop: what is refreshed when, what is reported, and what a failure changes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from jupyter_wb_aws.errors import SignInRequired, TokenSourceFailed
from jupyter_wb_aws.role_sessions.role_session import State
from tests.role_sessions.support import (
    ANALYST,
    AUDITOR,
    NOON,
    ScriptedSource,
    asleep,
    eventually,
    make_token,
)

MINUTE = 60


def states(site):
    """Return the states that were announced, in order."""
    return [data["state"] for data in site.emitted("state_changed")]


async def test_a_token_is_replaced_in_its_file_before_it_expires(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        old = session.token_file.read_text()

        site.clock.advance(41 * MINUTE)
        await manager.refresher.step()
        assert session.token_file.read_text() == old

        site.clock.advance(7 * MINUTE)
        await manager.refresher.step()
        assert session.token_file.read_text() == manager.token_cache.status(ANALYST).token.reveal()
        assert session.token_file.read_text() != old
        assert manager.sessions.state_of(session) is State.ACTIVE


async def test_a_refresh_is_reported_once(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        site.clock.advance(48 * MINUTE)

        await asyncio.gather(
            *(manager.refresher.step() for _ in range(3)), manager.refresher.refresh(session.id)
        )

        assert site.emitted("token_refreshed") == [
            {"session_id": session.id, "expires_at": "2026-11-24T13:48:00Z"}
        ]  # fmt: skip


async def test_no_event_and_no_log_line_gives_a_token_away(site, caplog):
    caplog.set_level("DEBUG")
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        site.clock.advance(48 * MINUTE)
        await manager.refresher.step()
        token = session.token_file.read_text()
        await manager.ending.end_by_user(session.id)

    reported = f"{site.events} {caplog.text} {session!r}"
    assert not [part for part in token.split(".") if part in reported]


async def test_the_loop_refreshes_by_itself(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        old = session.token_file.read_text()

        await asleep(site.clock)
        site.clock.advance(48 * MINUTE)
        await eventually(lambda: session.token_file.read_text() != old)


async def test_a_laptop_that_wakes_up_gets_a_token_within_thirty_seconds(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        pause = await manager.refresher.step()
        assert pause <= 30

        await asleep(site.clock)
        # It slept for a day; its timers stood still, and the one that runs has 30 s left at most.
        site.clock.advance(24 * 60 * MINUTE)
        assert manager.sessions.state_of(session) is State.EXPIRED
        await eventually(lambda: manager.sessions.state_of(session) is State.ACTIVE)


async def test_a_clock_that_was_set_back_makes_a_fetch_due(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        site.clock.set(NOON - timedelta(days=1))

        await manager.refresher.step()

        assert len(manager.token_cache.source.requests) == 2


async def test_nothing_is_fetched_before_it_is_due(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        for _ in range(41):
            site.clock.advance(MINUTE)
            await manager.refresher.step()

        assert len(manager.token_cache.source.requests) == 1


def running(name):
    return any(task.get_name() == name for task in asyncio.all_tasks())


async def test_without_role_sessions_nothing_is_fetched(site):
    async with site.server() as manager:
        await eventually(lambda: not running("wb-aws default role"))
        site.clock.advance(24 * 60 * MINUTE)

        assert await manager.refresher.step() == 30
        assert manager.token_cache.source.requests == []


async def test_a_failing_source_degrades_then_expires_and_comes_back_by_itself(site):
    source = site.fresh()
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        old = session.token_file.read_text()
        fresh = source.answers[0]

        source.answers[:] = [TokenSourceFailed("the provider is down")]
        site.clock.advance(48 * MINUTE)
        await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.DEGRADED
        assert session.token_file.read_text() == old

        site.clock.advance(12 * MINUTE)
        await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.EXPIRED

        source.answers[:] = [fresh]
        site.clock.advance(MINUTE)
        await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.ACTIVE
        assert session.token_file.read_text() != old
        assert states(site) == ["degraded", "expired", "active"]


async def test_a_state_is_reported_once_however_often_it_is_looked_at(site):
    source = site.fresh()
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        source.answers[:] = [TokenSourceFailed()]
        site.clock.advance(48 * MINUTE)
        for _ in range(5):
            await manager.refresher.step()

        assert site.emitted("state_changed") == [
            {"session_id": session.id, "state": "degraded", "before": "active"}
        ]


async def test_a_failure_is_reported_with_its_count_and_followed_by_a_pause(site):
    source = site.fresh()
    async with site.server(source) as manager:
        await manager.starter.start(ANALYST)
        source.answers[:] = [TokenSourceFailed("the provider is down")]
        site.clock.advance(48 * MINUTE)
        pause = await manager.refresher.step()

        assert pause >= 1
        assert site.emitted("refresh_failed") == [
            {"code": "token_source_failed", "detail": "the provider is down", "failures": 1}
        ]


async def test_a_failing_source_is_asked_at_most_once_a_second(site):
    source = site.fresh()
    async with site.server(source) as manager:
        await manager.starter.start(ANALYST)
        source.answers[:] = [TokenSourceFailed()]
        site.clock.advance(48 * MINUTE)
        asked = len(source.requests)
        for _ in range(10):
            await manager.refresher.step()
            site.clock.advance(0.09)

        assert len(source.requests) == asked + 1


async def test_signed_out_at_the_provider_loses_nothing(site):
    source = site.fresh()
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        fresh = source.answers[0]
        source.answers[:] = [SignInRequired()]
        site.clock.advance(48 * MINUTE)
        await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.SIGN_IN_REQUIRED
        assert session.token_file.exists()
        assert manager.sessions.is_default(session)

        source.answers[:] = [fresh]
        site.clock.advance(MINUTE)
        await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.ACTIVE


async def test_a_file_that_another_program_refreshes_is_followed_without_being_called_failing(site):
    refreshed_at = NOON + timedelta(minutes=52)
    old, refreshed = make_token(), make_token(iat=refreshed_at)
    source = ScriptedSource(lambda: old if site.clock.now() < refreshed_at else refreshed)
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        for _ in range(2 * 53):
            site.clock.advance(30)
            await manager.refresher.step()

        assert session.token_file.read_text() == refreshed.reveal()
        assert site.emitted("refresh_failed") == []
        assert states(site) == []


async def test_a_late_refresh_by_another_program_degrades_when_little_is_left(site):
    async with site.server(ScriptedSource(make_token())) as manager:
        session, _ = await manager.starter.start(ANALYST)
        site.clock.advance(53 * MINUTE)
        await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.ACTIVE

        site.clock.advance(2 * MINUTE)
        await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.DEGRADED

        site.clock.advance(5 * MINUTE)
        await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.EXPIRED


async def test_a_hundred_role_sessions_are_one_fetch(site):
    async with site.server() as manager:
        await asyncio.gather(
            *(manager.starter.start(ANALYST, f"us-{name}-{n}") for name in ("east", "west", "north", "south")
              for n in range(1, 26))
        )  # fmt: skip
        assert len(manager.sessions.living()) == 100
        site.clock.advance(48 * MINUTE)

        await manager.refresher.step()

        assert len(manager.token_cache.source.requests) == 2
        token = manager.token_cache.status(ANALYST).token.reveal()
        assert {session.token_file.read_text() for session in manager.sessions.living()} == {token}
        assert len(site.emitted("token_refreshed")) == 100


async def test_tokens_bound_to_roles_are_refreshed_one_by_one(site):
    class Binding(ScriptedSource):
        binds_role = True
        failing = ()

        async def fetch(self, request):
            self.requests.append(request)
            if request.role_arn in self.failing:
                raise TokenSourceFailed
            return make_token(site.clock.now(), iat=site.clock.now(), role=request.role_arn)

    async with site.server(Binding(None)) as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        auditor, _ = await manager.starter.start(AUDITOR)
        manager.token_cache.source.failing = (AUDITOR,)
        site.clock.advance(48 * MINUTE)

        await manager.refresher.step()

        assert manager.sessions.state_of(analyst) is State.ACTIVE
        assert manager.sessions.state_of(auditor) is State.DEGRADED
        assert manager.token_cache.status(ANALYST).token.claims["role"] == ANALYST


async def test_a_bug_in_one_look_does_not_end_the_loop(site, monkeypatch, caplog):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        old, real = session.token_file.read_text(), manager.refresher.step
        looks = []

        async def broken():
            looks.append(1)
            raise RuntimeError("a bug")

        monkeypatch.setattr(manager.refresher, "step", broken)
        manager.sessions.changed.set()
        await eventually(lambda: looks)
        monkeypatch.setattr(manager.refresher, "step", real)
        assert "a bug" in caplog.text

        await asleep(site.clock)
        site.clock.advance(48 * MINUTE)
        await eventually(lambda: session.token_file.read_text() != old)


async def test_a_forced_refresh_fetches_at_once(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        old = session.token_file.read_text()
        site.clock.advance(MINUTE)

        assert await manager.refresher.refresh(session.id) is session

        assert session.token_file.read_text() != old


async def test_a_forced_refresh_that_fails_says_why_and_keeps_the_old_token(site):
    source = site.fresh()
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        old = session.token_file.read_text()
        source.answers[:] = [TokenSourceFailed("the provider is down")]

        with pytest.raises(TokenSourceFailed, match="the provider is down"):
            await manager.refresher.refresh(session.id)

        assert session.token_file.read_text() == old
        assert states(site) == ["degraded"]


async def test_an_ended_role_session_needs_no_further_fetches(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.ending.end_by_user(session.id)
        site.clock.advance(48 * MINUTE)

        await manager.refresher.step()

        assert len(manager.token_cache.source.requests) == 1
