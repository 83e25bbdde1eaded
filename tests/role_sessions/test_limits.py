"""What an administrator limits: role sessions at once, and how long one may be used by nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from jupyter_wb_aws.errors import RoleSessionEnded, TooManyRoleSessions, TrustRefused
from jupyter_wb_aws.role_sessions.store import NO_ROLE
from tests.role_sessions.support import (
    ANALYST,
    AUDITOR,
    NOON,
    eventually,
    make_token,
)

MINUTE = 60
HOUR = timedelta(hours=1)


# --- At once ---------------------------------------------------------------------------------


async def test_one_more_than_there_may_be_is_refused_and_nothing_is_left_of_it(site):
    async with site.server(max_role_sessions=2) as manager:
        await manager.starter.start(ANALYST)
        await manager.starter.start(AUDITOR)
        files = site.files()

        with pytest.raises(
            TooManyRoleSessions,
            match="have 2 role sessions, and this server allows each user 2 at once",
        ):
            await manager.starter.start(ANALYST, "eu-west-1")

        assert len(manager.sessions.living()) == 2
        assert site.files() == files
        assert len(site.sts.requests) == 2
        assert site.emitted("role_denied") == [
            {"role_arn": ANALYST, "code": "too_many_role_sessions"}
        ]


async def test_a_role_session_that_runs_already_is_not_started_again(site):
    async with site.server(max_role_sessions=1) as manager:
        session, _ = await manager.starter.start(ANALYST)

        assert await manager.starter.start(ANALYST) == (session, False)


async def test_an_ended_one_makes_room(site):
    async with site.server(max_role_sessions=1) as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.ending.end_by_user(session.id)

        await manager.starter.start(AUDITOR)


async def test_a_start_that_failed_takes_no_room(site):
    async with site.server(max_role_sessions=1) as manager:
        site.sts.failure = TrustRefused()
        with pytest.raises(TrustRefused):
            await manager.starter.start(ANALYST)
        site.sts.failure = None

        await manager.starter.start(AUDITOR)


async def test_starts_at_the_same_time_are_counted_too(site):
    async with site.server(max_role_sessions=2) as manager:
        regions = ("us-east-1", "us-east-2", "us-west-1", "us-west-2")
        answers = await asyncio.gather(
            *(manager.starter.start(ANALYST, region) for region in regions), return_exceptions=True
        )

        refused = [answer for answer in answers if isinstance(answer, TooManyRoleSessions)]
        assert len(refused) == len(manager.sessions.living()) == 2
        assert "Wait until" in refused[0].hint


async def test_the_hint_names_one_that_nothing_uses_and_spares_the_default(site):
    async with site.server(max_role_sessions=3) as manager:
        default, _ = await manager.starter.start(ANALYST)
        used, _ = await manager.starter.start(ANALYST, "eu-west-1")
        spare, _ = await manager.starter.start(AUDITOR)
        site.in_use = {used.id}

        with pytest.raises(TooManyRoleSessions) as refused:
            await manager.starter.start(AUDITOR, "eu-west-1")
        assert f"`jupyter wb-aws end {spare.id}` ends Auditor, which no" in refused.value.hint

        site.in_use = {default.id, used.id, spare.id}
        with pytest.raises(TooManyRoleSessions) as refused:
            await manager.starter.start(AUDITOR, "eu-west-1")
        assert f"`jupyter wb-aws end {used.id}` ends Analyst, the oldest" in refused.value.hint


async def test_role_sessions_of_before_count_and_none_is_taken_away_by_a_lower_limit(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        await manager.starter.start(AUDITOR)

    async with site.server(max_role_sessions=1) as manager:
        assert len(manager.sessions.living()) == 2
        with pytest.raises(TooManyRoleSessions, match="have 2 role sessions, and .* user 1 at"):
            await manager.starter.start(ANALYST, "eu-west-1")


async def test_another_users_role_sessions_take_no_room(site):
    source = site.fresh()
    async with site.server(source, max_role_sessions=1) as manager:
        await manager.starter.start(ANALYST)
        source.answers[:] = [lambda: make_token(site.clock.now(), iat=site.clock.now(), sub="bob")]
        await manager.token_cache.refresh()

        bobs, created = await manager.starter.start(ANALYST)

        assert created
        assert bobs.owner.subject == "bob"


# --- Idle ------------------------------------------------------------------------------------


async def test_a_role_session_that_nothing_uses_ends_after_that_time_and_not_before(site):
    async with site.server(idle_timeout=HOUR) as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.refresher.step()
        site.clock.advance(59 * MINUTE)
        await manager.refresher.step()
        assert session.ended is None

        site.clock.advance(MINUTE)
        await manager.refresher.step()

        assert session.ended.reason == "idle"
        await eventually(lambda: manager.sessions.default == NO_ROLE)
        assert site.files() == []
        with pytest.raises(RoleSessionEnded, match="nothing used it for a while"):
            manager.sessions.get_living(session.id)


async def test_one_that_a_process_uses_goes_on_and_has_the_full_time_afterwards(site):
    async with site.server(idle_timeout=HOUR) as manager:
        session, _ = await manager.starter.start(ANALYST)
        site.in_use = {session.id}
        for _ in range(3):
            site.clock.advance(59 * MINUTE)
            await manager.refresher.step()
        site.in_use = set()

        site.clock.advance(59 * MINUTE)
        await manager.refresher.step()
        assert session.ended is None

        site.clock.advance(MINUTE)
        await manager.refresher.step()
        assert session.ended.reason == "idle"


async def asked_for_again(manager, session):
    await manager.starter.start(ANALYST)


async def made_the_default(manager, session):
    await manager.choices.set_default(session.id)


async def given_to_a_process(manager, session):
    manager.choices.assign_to_process()


async def given_to_a_kernel_again(manager, session):
    manager.choices.assignments.choose("kernel", session.id)
    manager.choices.assign_to_kernel("kernel")


@pytest.mark.parametrize(
    "use", [asked_for_again, made_the_default, given_to_a_process, given_to_a_kernel_again]
)
async def test_what_shows_that_it_is_wanted_gives_it_the_full_time(site, use):
    async with site.server(idle_timeout=HOUR) as manager:
        session, _ = await manager.starter.start(ANALYST)
        site.clock.advance(59 * MINUTE)
        await use(manager, session)
        site.clock.advance(59 * MINUTE)

        await manager.refresher.step()

        assert session.ended is None


async def test_being_the_default_does_not_count_as_use(site):
    async with site.server(idle_timeout=HOUR) as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.refresher.step()
        assert manager.sessions.is_default(session)
        site.clock.advance(61 * MINUTE)

        await manager.refresher.step()

        assert session.ended.reason == "idle"


async def test_a_kernel_whose_role_session_idled_away_has_the_role_once_it_is_started_again(site):
    async with site.server(idle_timeout=HOUR) as manager:
        first, _ = await manager.starter.start(ANALYST)
        manager.choices.assign_to_kernel("kernel")
        site.clock.advance(61 * MINUTE)
        await manager.refresher.step()
        assert manager.choices.assign_to_kernel("kernel").kind == "no_role"

        again, _ = await manager.starter.start(ANALYST)

        assert first.ended.reason == "idle"
        assert manager.choices.assign_to_kernel("kernel").session is again


async def test_one_that_came_back_after_a_restart_has_the_full_time(site):
    async with site.server(idle_timeout=HOUR) as manager:
        session, _ = await manager.starter.start(ANALYST)
    site.clock.advance(24 * 60 * MINUTE)

    async with site.server(idle_timeout=HOUR) as manager:
        await manager.refresher.step()
        site.clock.advance(59 * MINUTE)
        await manager.refresher.step()
        assert manager.sessions.get(session.id).ended is None


async def test_a_clock_that_was_set_back_does_not_make_one_last_for_ever(site):
    async with site.server(idle_timeout=HOUR) as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.refresher.step()
        site.clock.set(NOON - timedelta(days=365))
        await manager.refresher.step()
        site.clock.advance(61 * MINUTE)

        await manager.refresher.step()

        assert session.ended.reason == "idle"


async def test_without_a_limit_nothing_is_too_idle(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        site.clock.advance(365 * 24 * 60 * MINUTE)

        await manager.refresher.step()

        assert session.ended is None


async def test_an_idle_end_within_seconds_is_not_half_a_minute_late(site):
    async with site.server(idle_timeout=timedelta(seconds=10)) as manager:
        await manager.starter.start(ANALYST)

        assert await manager.refresher.step() == 5
