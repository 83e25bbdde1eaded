"""Role sessions that are not shared: one caller's alone, for as long as its process lives."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest

from jupyter_wb_aws.errors import (
    ProcessNotFound,
    RoleNotAllowed,
    RoleSessionNotShared,
    TooManyRoleSessions,
    TrustRefused,
)
from jupyter_wb_aws.role_sessions.role_session import State
from jupyter_wb_aws.role_sessions.role_session_sts import renamed
from jupyter_wb_aws.role_sessions.store import NOTHING_CHOSEN
from tests.role_sessions.support import ANALYST, AUDITOR, CALLER, asleep, eventually

FINANCE = "arn:aws:iam::111122223333:role/finance"


@pytest.fixture
def command():
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


async def ended(session):
    async with asyncio.timeout(10):
        while session.ended is None or session.token_file.exists():
            await asyncio.sleep(0.01)
    return session.ended.reason


# --- Its own -----------------------------------------------------------------------------------


async def test_each_start_is_a_role_session_of_its_own(site):
    async with site.server() as manager:
        one = await manager.starter.start_unshared(ANALYST)
        other = await manager.starter.start_unshared(ANALYST)

        assert one.id != other.id
        assert one.session_name != other.session_name
        assert one.token_file.exists()
        assert other.token_file.exists()


async def test_no_other_start_finds_it(site):
    async with site.server() as manager:
        own = await manager.starter.start_unshared(ANALYST)

        shared, created = await manager.starter.start(ANALYST)

        assert created
        assert shared is not own
        assert (await manager.starter.start(ANALYST))[0] is shared


async def test_it_is_not_a_choice_of_the_user(site):
    async with site.server() as manager:
        own = await manager.starter.start_unshared(ANALYST)

        assert manager.sessions.default == NOTHING_CHOSEN
        with pytest.raises(RoleSessionNotShared):
            await manager.choices.set_default(own.id)


async def test_a_kernel_whose_role_session_has_ended_does_not_get_it(site):
    async with site.server() as manager:
        shared, _ = await manager.starter.start(ANALYST)
        manager.choices.assign_to_kernel("k1")
        await manager.ending.end_by_user(shared.id)

        await manager.starter.start_unshared(ANALYST)

        assert manager.choices.next_role_of_kernel("k1").kind == "no_role"


async def test_the_catalogue_holds_for_it_too(site):
    async with site.server() as manager:
        with pytest.raises(RoleNotAllowed):
            await manager.starter.start_unshared(FINANCE)


async def test_the_limit_holds_for_it_too(site):
    async with site.server(max_role_sessions=1) as manager:
        await manager.starter.start_unshared(ANALYST)
        with pytest.raises(TooManyRoleSessions):
            await manager.starter.start_unshared(ANALYST)


# --- What STS is asked -----------------------------------------------------------------------------


async def test_sts_is_not_asked_again_for_a_role_that_it_has_let_the_user_into(site):
    site.sts.answers_with_the_name = True
    async with site.server() as manager:
        shared, _ = await manager.starter.start(ANALYST)

        own = await manager.starter.start_unshared(ANALYST)

        assert len(site.sts.requests) == 1
        assert own.caller.user_id == f"AROA:{own.session_name}"
        assert own.caller.arn.endswith(f"/analyst/{own.session_name}")
        assert own.credential_lifetime == shared.credential_lifetime


async def test_sts_is_asked_where_no_role_session_speaks_for_it(site):
    site.sts.answers_with_the_name = True
    async with site.server() as manager:
        await manager.starter.start(AUDITOR)
        await manager.starter.start(ANALYST, "eu-west-1")
        before = len(site.sts.requests)

        await manager.starter.start_unshared(ANALYST)
        await manager.starter.start(ANALYST)

        assert len(site.sts.requests) == before + 2


async def test_sts_is_asked_if_the_other_role_session_needs_attention(site):
    site.sts.answers_with_the_name = True
    async with site.server() as manager:
        shared, _ = await manager.starter.start(ANALYST)
        shared.file_problem = TrustRefused()
        assert manager.sessions.state_of(shared) is State.DEGRADED

        await manager.starter.start_unshared(ANALYST)

        assert len(site.sts.requests) == 2


async def test_sts_is_asked_if_its_answer_is_as_old_as_credentials_get(site, clock):
    site.sts.answers_with_the_name = True
    async with site.server() as manager:
        shared, _ = await manager.starter.start(ANALYST)
        clock.advance(3599)
        await manager.refresher.refresh(shared.id)
        await manager.starter.start_unshared(ANALYST)
        assert len(site.sts.requests) == 1

        clock.advance(1)
        await manager.starter.start_unshared(ANALYST)

        assert len(site.sts.requests) == 2


async def test_a_restart_of_the_server_does_not_prolong_the_answer_of_sts(site, clock):
    site.sts.answers_with_the_name = True
    async with site.server() as manager:
        shared, _ = await manager.starter.start(ANALYST)
    clock.advance(3600)

    async with site.server() as manager:
        await manager.refresher.refresh(shared.id)
        await manager.starter.start_unshared(ANALYST)

    assert len(site.sts.requests) == 2


async def test_what_did_not_ask_sts_itself_speaks_for_nobody(site):
    site.sts.answers_with_the_name = True
    async with site.server() as manager:
        shared, _ = await manager.starter.start(ANALYST)
        await manager.starter.start_unshared(ANALYST)
        await manager.ending.end_by_user(shared.id)

        await manager.starter.start_unshared(ANALYST)

        assert len(site.sts.requests) == 2


async def test_sts_is_asked_where_the_caller_identity_does_not_name_the_role_session(site):
    async with site.server() as manager:  # FakeSts always answers with CALLER
        await manager.starter.start(ANALYST)
        await manager.starter.start_unshared(ANALYST)

        assert len(site.sts.requests) == 2


def test_a_caller_identity_is_renamed_at_its_end_only():
    caller = replace(CALLER, user_id="AROA:al", arn="arn:aws:sts::1:assumed-role/al/al")

    assert renamed(caller, "al", "bo").user_id == "AROA:bo"
    assert renamed(caller, "al", "bo").arn == "arn:aws:sts::1:assumed-role/al/bo"
    assert renamed(caller, "l", "bo") is None
    assert renamed(replace(caller, user_id="AROA"), "al", "bo") is None


# --- With its process ------------------------------------------------------------------------------


async def test_it_ends_when_its_process_is_killed(site, command):
    async with site.server() as manager:
        own = await manager.starter.start_unshared(ANALYST, pid=command.pid)
        assert own.ended is None

        command.kill()

        assert await ended(own) == "process_ended"
        await eventually(lambda: site.emitted("session_ended"))
        assert site.emitted("session_ended")[-1]["reason"] == "process_ended"


async def test_it_ends_where_the_process_died_while_it_started(site, command):
    async with site.server() as manager:
        site.sts.gate.clear()
        starting = asyncio.create_task(manager.starter.start_unshared(ANALYST, pid=command.pid))
        await asyncio.to_thread(site.sts.called.wait, 10)
        command.kill()
        command.wait()

        site.sts.gate.set()

        assert await ended(await starting) == "process_ended"


async def test_a_process_that_is_not_there_is_refused_before_anything_is_asked(site):
    async with site.server() as manager:
        with pytest.raises(ProcessNotFound):
            await manager.starter.start_unshared(ANALYST, pid=2**22 + 1)

        assert manager.sessions.living() == []
        assert site.sts.requests == []


async def test_the_other_role_sessions_go_on(site, command):
    async with site.server() as manager:
        shared, _ = await manager.starter.start(ANALYST)
        other = await manager.starter.start_unshared(ANALYST)
        own = await manager.starter.start_unshared(ANALYST, pid=command.pid)

        command.kill()
        await ended(own)

        assert manager.sessions.living() == [shared, other]


async def test_over_a_restart_of_the_server_it_keeps_its_process(site, command):
    async with site.server() as manager:
        own = await manager.starter.start_unshared(ANALYST, pid=command.pid)
        unwatched = await manager.starter.start_unshared(ANALYST)

    async with site.server() as manager:
        back = manager.sessions.get_living(own.id)
        assert (back.shared, back.process, back.token_file) == (False, own.process, own.token_file)
        assert not manager.sessions.get_living(unwatched.id).shared

        command.kill()

        assert await ended(back) == "process_ended"


async def test_after_a_restart_it_ends_where_the_process_went_meanwhile(site, command):
    async with site.server() as manager:
        own = await manager.starter.start_unshared(ANALYST, pid=command.pid)
    command.kill()
    command.wait()

    async with site.server() as manager:
        assert await ended(manager.sessions.get(own.id)) == "process_ended"


async def test_it_is_in_use_while_its_process_lives(site, command, clock):
    async with site.server(idle_timeout=timedelta(minutes=10)) as manager:
        own = await manager.starter.start_unshared(ANALYST, pid=command.pid)
        unwatched = await manager.starter.start_unshared(ANALYST)

        for _ in range(3):
            await asleep(clock)
            clock.advance(300)
        await asleep(clock)

        assert unwatched.ended.reason == "idle"
        assert own.ended is None
