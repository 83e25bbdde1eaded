"""What a sign-in, its end and its limits do to role sessions."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from jupyter_wb_aws.errors import RoleSessionNotFound, SignInRequired, TokenInvalid, WbAwsError
from jupyter_wb_aws.identity.oidc_source import OidcTokenSource
from jupyter_wb_aws.role_sessions import ending, refresher
from jupyter_wb_aws.role_sessions.registry import READY_TIMEOUT
from jupyter_wb_aws.role_sessions.schedule import next_refresh
from jupyter_wb_aws.role_sessions.store import Store
from tests.conftest import FakeClock
from tests.openid import CLIENT, REDIRECT_URI, OpenIdProvider, failing, hanging
from tests.role_sessions.conftest import Site
from tests.role_sessions.support import ANALYST, AUDITOR, asleep, eventually


@pytest.fixture
def provider():
    with OpenIdProvider() as provider:
        yield provider


@pytest.fixture
def now_site(tmp_path):
    """A machine whose clock is right, since the provider's is."""
    return Site(tmp_path, FakeClock(datetime.now(UTC)))


@pytest.fixture
def make_source(provider, now_site):
    def make_source(**settings):
        kind = type("Source", (OidcTokenSource,), {"clock": now_site.clock})
        source = kind(issuer=provider.issuer, client_id=CLIENT, **settings)
        source.registered_redirect_uri = lambda: REDIRECT_URI
        return source

    return make_source


async def sign_in(source, provider, user="alice"):
    begun = await source.sign_in.begin_code()
    await source.sign_in.finish_code(
        provider.authorize(begun.authorization_url, user), {begun.cookie_name: begun.cookie}
    )


async def test_a_sign_in_is_taken_over_before_it_is_reported(now_site, make_source, provider):
    source = make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        session, _ = await manager.starter.start(ANALYST)
        await sign_in(source, provider, "bob")
        assert session.ended.reason == "identity_changed"
        assert now_site.files() == []
        assert [e["state"] for e in now_site.emitted("sign_in_changed")][-1] == "signed_in"
        names = [name for name, _ in now_site.events]
        assert names.index("session_ended") < len(names) - 1 - names[::-1].index("sign_in_changed")


async def test_role_sessions_come_back_with_the_sign_in_after_a_restart(
    now_site, make_source, provider
):
    source = make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        session, _ = await manager.starter.start(ANALYST)
    source = make_source()
    async with now_site.server(source) as manager:
        await asleep(now_site.clock)
        (back,) = manager.sessions.living()
        assert manager.sessions.state_of(back) == "sign_in_required"
        assert now_site.files() == []
        await sign_in(source, provider)
        assert (back.id, manager.sessions.state_of(back)) == (session.id, "active")
        assert back.token_file.read_text() in provider.issued


async def test_somebody_else_after_a_restart_ends_them(now_site, make_source, provider):
    source = make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        await manager.starter.start(ANALYST)
    source = make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider, "bob")
        assert manager.sessions.living() == []
        assert now_site.files() == []


async def test_the_greatest_age_is_seen_without_a_refresh_that_is_due(
    now_site, make_source, provider
):
    source = make_source(max_sign_in_age=600.0)
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        session, _ = await manager.starter.start(ANALYST)
        await asleep(now_site.clock)
        asked = len(provider.asked)
        now_site.clock.advance(601)
        await eventually(lambda: manager.sessions.state_of(session) == "sign_in_required")
        assert len(provider.asked) == asked
        with pytest.raises(SignInRequired, match="maximum age"):
            await manager.starter.start(ANALYST)


async def test_waiting_for_the_user_is_reported_once(now_site, make_source, provider):
    source = make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        await manager.starter.start(ANALYST)
        provider.refresh_tokens.clear()
        for _ in range(5):
            await asleep(now_site.clock)
            now_site.clock.advance(3000)
        await asleep(now_site.clock)
        assert len(now_site.emitted("refresh_failed")) == 1


async def test_a_busy_provider_is_left_in_peace_as_long_as_it_wants(
    now_site, make_source, provider
):
    source = make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        session, _ = await manager.starter.start(ANALYST)
        provider.faults["/token"] = [failing(429, Retry_After="300")]
        await asleep(now_site.clock)
        now_site.clock.advance(3000)
        await eventually(lambda: manager.sessions.state_of(session) == "degraded")
        token_status = manager.token_cache.status(ANALYST)
        wait = next_refresh(token_status, now_site.clock.now()) - now_site.clock.now()
        assert 290 < wait.total_seconds() <= 300
        await asleep(now_site.clock)
        now_site.clock.advance(300)
        await eventually(lambda: manager.sessions.state_of(session) == "active")


async def test_a_default_role_starts_with_the_sign_in(now_site, make_source, provider):
    source = make_source()
    async with now_site.server(source, default_role=ANALYST) as manager:
        await asleep(now_site.clock)
        assert manager.choices.assign_to_process().kind == "no_role"
        await sign_in(source, provider)
        await eventually(lambda: manager.sessions.default.session_id is not None)
        assert manager.choices.assign_to_process().session.role.arn.name == "analyst"


@pytest.mark.parametrize("then", [None, "bob"])
async def test_what_is_being_started_while_the_user_signs_out_comes_to_nothing(
    now_site, make_source, provider, then
):
    source = make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        now_site.sts.gate.clear()
        starting = asyncio.create_task(manager.starter.start(ANALYST, default=True))
        await eventually(now_site.sts.called.is_set)
        await manager.sign_in_changes.sign_out()
        if then:
            await sign_in(source, provider, then)
        now_site.sts.gate.set()
        with pytest.raises(SignInRequired):
            await starting
        assert manager.sessions.living() == []
        assert now_site.files() == []
        assert manager.sessions.default.session_id is None


async def test_no_kernel_of_the_next_user_starts_as_the_former(now_site, make_source, provider):
    source = make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        session, _ = await manager.starter.start(ANALYST)
        given = []
        refresh_all = manager.token_cache.refresh_all

        async def slowly():
            given.append(manager.choices.assign_to_kernel("k1"))
            await refresh_all()
            given.append(manager.choices.assign_to_kernel("k2"))

        manager.token_cache.refresh_all = slowly
        await sign_in(source, provider, "bob")
        assert [g.kind for g in given] == ["no_role", "no_role"]
        assert session.ended.reason == "identity_changed"


async def test_an_end_that_takes_its_time_does_not_end_what_the_next_user_starts(
    now_site, make_source, provider
):
    over = threading.Event()
    source = make_source(timeout=5.0)
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        await manager.starter.start(ANALYST)
        provider.faults["/revoke"] = [hanging(over)]
        leaving = asyncio.create_task(manager.sign_in_changes.sign_out())
        await eventually(lambda: "/revoke" in [path for path, _ in provider.asked])
        await sign_in(source, provider, "bob")
        session, _ = await manager.starter.start(ANALYST)
        over.set()
        await leaving
        assert session.ended is None
        assert session.owner.subject == "bob"
        assert session.token_file.read_text() in provider.issued


async def test_a_sign_in_that_is_being_finished_does_not_hold_up_the_end(
    now_site, make_source, provider
):
    over = threading.Event()
    source = make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        session, _ = await manager.starter.start(ANALYST)
        provider.kid = "k2"  # so that the keys are asked for
        provider.faults["/jwks"] = [hanging(over)]
        again = asyncio.create_task(sign_in(source, provider))
        await eventually(lambda: [path for path, _ in provider.asked].count("/jwks") >= 3)
        leaving = asyncio.create_task(manager.sign_in_changes.sign_out())
        await eventually(lambda: session.ended is not None)
        assert not leaving.done()
        over.set()
        with pytest.raises(WbAwsError):
            await again
        await leaving
        assert source.sign_in.user is None
        await eventually(lambda: provider.refresh_tokens == {})


async def test_no_role_starts_once_the_sign_in_is_over(now_site, make_source, provider):
    source = make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        session, _ = await manager.starter.start(ANALYST)
        provider.refresh_tokens.clear()
        with pytest.raises(SignInRequired):
            await manager.refresher.refresh(session.id)
        with pytest.raises(SignInRequired):
            await manager.starter.start(AUDITOR)
        assert len(manager.sessions.living()) == 1


async def test_nobody_is_signed_in_where_the_next_user_could_not_be(
    now_site, make_source, provider
):
    source = make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        session, _ = await manager.starter.start(ANALYST)
        refresh_all = manager.token_cache.refresh_all

        async def refuse():
            raise TokenInvalid("no")

        manager.token_cache.refresh_all = refuse
        with pytest.raises(TokenInvalid):
            await sign_in(source, provider, "bob")
        manager.token_cache.refresh_all = refresh_all
        assert source.sign_in.user is None
        assert session.ended.reason == "identity_changed"
        await eventually(lambda: provider.refresh_tokens == {})


async def test_a_second_sign_in_that_fails_leaves_the_first(now_site, make_source, provider):
    source = make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        session, _ = await manager.starter.start(ANALYST)
        provider.claims = {"exp": 1}
        with pytest.raises(WbAwsError):
            await sign_in(source, provider)
        provider.claims = {}
        assert source.sign_in.user.subject == "alice"
        await manager.refresher.refresh(session.id)
        assert manager.sessions.state_of(session) == "active"


async def test_signing_out_is_over_at_once_for_kernels_though_the_provider_hangs(
    now_site, make_source, provider
):
    over = threading.Event()
    source = make_source(timeout=0.5)
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        session, _ = await manager.starter.start(ANALYST)
        provider.faults["/revoke"] = [hanging(over)]
        leaving = asyncio.create_task(manager.sign_in_changes.sign_out())
        await eventually(lambda: session.ended is not None)
        assert not leaving.done()
        out, *_ = await leaving
        over.set()
        assert not out.revoked


async def test_a_sign_out_does_not_wait_for_a_disk_that_hangs(
    now_site, make_source, provider, monkeypatch
):
    monkeypatch.setattr(ending, "REMOVAL_TIMEOUT", 0.01)
    answers, source = threading.Event(), make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        session, _ = await manager.starter.start(ANALYST)
        real = type(manager.files)._remove
        monkeypatch.setattr(
            type(manager.files), "_remove", lambda *args: answers.wait(60) and real(*args)
        )

        await asyncio.wait_for(manager.sign_in_changes.sign_out(), 20)

        assert session.ended.reason == "signed_out"
        answers.set()
        await eventually(lambda: now_site.files() == [])


async def test_a_sign_in_does_not_wait_for_a_disk_that_hangs(
    now_site, make_source, provider, monkeypatch
):
    answers, source = threading.Event(), make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        session, _ = await manager.starter.start(ANALYST)
        before = session.file_fingerprint
        monkeypatch.setattr(refresher, "DELIVERY_TIMEOUT", 0.01)
        real = type(manager.files)._without_file
        monkeypatch.setattr(
            type(manager.files), "_without_file", lambda *args: answers.wait(60) and real(*args)
        )

        await asyncio.wait_for(sign_in(source, provider), 20)

        assert source.sign_in.user is not None
        answers.set()
        await eventually(lambda: session.file_fingerprint not in {None, before})


async def test_a_sign_out_while_the_disk_hangs_ends_what_comes_back_from_it(
    now_site, make_source, provider, monkeypatch
):
    source = make_source()
    async with now_site.server(source) as manager:
        await sign_in(source, provider)
        session, _ = await manager.starter.start(ANALYST)
    may_go_on, real = threading.Event(), Store.load

    def slow(store):
        assert may_go_on.wait(60)
        return real(store)

    monkeypatch.setattr(Store, "load", slow)
    source = make_source()
    manager = now_site.manager(source)
    opening = asyncio.create_task(manager.open())
    await asleep(now_site.clock)
    now_site.clock.advance(READY_TIMEOUT)
    await opening
    leaving = asyncio.create_task(manager.sign_in_changes.sign_out())
    await asleep(now_site.clock)
    now_site.clock.advance(READY_TIMEOUT)
    await leaving
    may_go_on.set()
    assert await manager.sessions.wait_until_ready()

    assert manager.sessions.living() == []
    assert manager.choices.assign_to_process().kind == "no_role"
    await manager.close()

    async with now_site.server(make_source()) as manager:
        with pytest.raises(RoleSessionNotFound):
            manager.sessions.get(session.id)
