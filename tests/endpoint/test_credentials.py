"""The endpoint's cache: how often it asks STS, what it gives meanwhile, and what becomes of a failure."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import traceback
from dataclasses import fields, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_wb_aws.aws.credential_options import CredentialOptions
from jupyter_wb_aws.aws.sts import Credentials
from jupyter_wb_aws.endpoint.credentials import CredentialCache, CredentialKey, CredentialsNotReady
from jupyter_wb_aws.errors import (
    RoleSessionEnded,
    StsBadAnswer,
    StsRejected,
    StsUnavailable,
    Throttled,
    TokenRefused,
    TrustRefused,
)
from jupyter_wb_aws.role_sessions.role_session import Ended
from jupyter_wb_aws.roles.role import RoleArn
from tests.conftest import NOON, FakeClock
from tests.role_sessions.support import ANALYST, AUDITOR, eventually, make_role, make_session


class Sts:
    """Gives credentials for `life` seconds; while `gate` is clear, it does not answer; `failure` is raised instead."""

    def __init__(self, clock, life=3600):
        self.clock = clock
        self.life = life
        self.failure = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls, self.options = [], []

    async def __call__(self, session, options):
        self.calls.append(self.clock.now())
        self.options.append(options)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return self.issue()

    def issue(self):
        until = self.clock.now() + timedelta(seconds=self.life)
        return Credentials(f"ASIA{len(self.calls)}", "secret", "token", until)


class Site:
    def __init__(self, life=3600, seed=1):
        self.clock = FakeClock()
        self.sts = Sts(self.clock, life)
        self.token = "token-1"
        self.used = True
        self.reports = 0
        self.session = make_session(delivery="endpoint")
        self.cache = CredentialCache(
            self.sts, lambda _: self.token, lambda _: self.used, self._changed,
            self.clock, random.Random(seed),
        )  # fmt: skip

    def _changed(self):
        self.reports += 1

    async def current(self):
        return await self.cache.current(self.session)

    @contextlib.asynccontextmanager
    async def running(self):
        keeping = asyncio.create_task(self.cache.run())
        try:
            await self.settle()
            yield
        finally:
            self.sts.gate.set()
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def settle(self):
        for _ in range(12):
            await asyncio.sleep(0)

    async def pass_time(self, seconds, step=5):
        """Let time pass, as the background loop sees it."""
        for _ in range(0, seconds, step):
            self.clock.advance(step)
            await self.settle()


@pytest.fixture
def site():
    return Site()


# --- How often STS is asked ----------------------------------------------------------------


async def test_many_who_ask_at_once_are_one_call(site):
    site.sts.gate.clear()
    asking = [asyncio.create_task(site.current()) for _ in range(50)]
    await eventually(lambda: site.sts.calls)
    site.sts.gate.set()

    answers = await asyncio.gather(*asking)

    assert {answer.access_key_id for answer in answers} == {"ASIA1"}
    assert len(site.sts.calls) == 1


async def test_the_credentials_of_the_start_are_the_first_answer(site):
    site.cache.add(site.session, replace(site.sts.issue(), access_key_id="ASIASTART"))

    assert (await site.current()).access_key_id == "ASIASTART"
    assert site.cache.peek(site.session).access_key_id == "ASIASTART"
    assert site.sts.calls == []


@pytest.mark.parametrize(("life", "age"), [(900, 300), (3600, 2880), (43200, 34560)])
async def test_they_are_replaced_in_the_background(life, age):
    site = Site(life)
    site.cache.add(site.session, site.sts.issue())
    async with site.running():
        await site.pass_time(age - 30, 30)
        assert site.sts.calls == []

        await site.pass_time(30)

        assert len(site.sts.calls) == 1
        assert site.session.credentials_expire_at == NOON + timedelta(seconds=age + life)
        assert (await site.current()).access_key_id == "ASIA1"


async def test_short_credentials_of_a_store_are_replaced_in_time():
    site = Site(life=15)
    site.cache.add(site.session, site.sts.issue())
    async with site.running():
        for _ in range(60):
            await site.pass_time(1, 1)
            found = await site.current()
            assert found.expiration - site.clock.now() >= timedelta(seconds=9)
    assert len(site.sts.calls) <= 13


async def test_nothing_is_fetched_for_a_role_session_that_nobody_uses(site):
    site.used = False
    site.cache.add(site.session, site.sts.issue())
    async with site.running():
        await site.pass_time(8 * 3600, 300)
        assert site.sts.calls == []

        assert (await site.current()).access_key_id == "ASIA1"


async def test_it_goes_on_in_the_loop_of_another_thread():
    """The loop of a thread that dies leaves a call behind that never ends."""
    site = Site()
    hung = asyncio.Event()
    site.sts.gate = hung

    def first_thread():
        loop = asyncio.new_event_loop()
        asking = loop.create_task(site.cache.current(site.session))
        for _ in range(5):
            loop.run_until_complete(asyncio.sleep(0))
        assert site.sts.calls
        return loop, asking

    first = await asyncio.to_thread(first_thread)
    site.sts.gate = asyncio.Event()
    site.sts.gate.set()

    assert (await site.current()).access_key_id == "ASIA2"
    loop, asking = first
    assert not asking.done()
    await asyncio.to_thread(_drop, loop)


def _drop(loop):
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


# --- While STS is slow ---------------------------------------------------------------------


async def test_a_first_answer_waits_a_second_and_a_half_while_the_one_call_goes_on(site):
    site.sts.gate.clear()
    asking = asyncio.create_task(site.current())
    await site.settle()
    site.clock.advance(1.4)
    await site.settle()
    assert not asking.done()

    site.clock.advance(0.1)
    with pytest.raises(CredentialsNotReady):
        await asking

    site.sts.gate.set()
    assert (await site.current()).access_key_id == "ASIA1"
    assert len(site.sts.calls) == 1


async def test_whoever_leaves_does_not_end_the_call(site):
    site.sts.gate.clear()
    asking = asyncio.create_task(site.current())
    await eventually(lambda: site.sts.calls)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    site.sts.gate.set()

    assert (await site.current()).access_key_id == "ASIA1"
    assert len(site.sts.calls) == 1


async def test_credentials_that_are_there_are_given_at_once_while_ten_minutes_are_left(site):
    site.cache.add(site.session, site.sts.issue())
    site.sts.gate.clear()
    site.clock.advance(2950)

    found = await site.current()

    assert found.expiration - site.clock.now() == timedelta(seconds=650)
    await eventually(lambda: site.sts.calls)
    site.sts.gate.set()


async def test_with_less_left_one_request_waits_and_those_after_it_do_not(site):
    site.cache.add(site.session, site.sts.issue())
    site.sts.gate.clear()
    site.clock.advance(3100)
    asking = asyncio.create_task(site.current())
    await site.settle()
    assert not asking.done()
    site.clock.advance(1.5)

    assert (await asking).access_key_id == "ASIA0"
    late = asyncio.create_task(site.current())
    await site.settle()
    site.clock.advance(0.001)
    assert (await late).access_key_id == "ASIA0"
    site.sts.gate.set()
    await site.settle()
    assert (await site.current()).access_key_id == "ASIA1"


# --- Failures of STS -----------------------------------------------------------------------


@pytest.mark.parametrize("failure", [StsUnavailable(), Throttled(), StsBadAnswer()], ids=repr)
async def test_an_outage_of_nine_minutes_takes_no_credentials_of_900_s_away(failure):
    site = Site(life=900)
    site.cache.add(site.session, site.sts.issue())
    async with site.running():
        await site.pass_time(295)
        site.sts.failure = failure
        for _ in range(540 // 5):
            await site.pass_time(5)
            assert (await site.current()).expiration > site.clock.now() + timedelta(seconds=1)
        assert site.session.credential_problem is failure
        tries = len(site.sts.calls)
        assert 9 <= tries <= 120

        site.sts.failure = None
        await site.pass_time(30)

        assert (await site.current()).expiration - site.clock.now() > timedelta(seconds=600)
        assert len(site.sts.calls) == tries + 1
        assert site.session.credential_problem is None
    assert site.reports == 2


async def test_without_credentials_an_outage_is_named_and_asked_about_with_growing_pauses(site):
    site.sts.failure = StsUnavailable("AWS STS can't be reached.")
    async with site.running():
        with pytest.raises(StsUnavailable):
            await site.current()
        for _ in range(100):  # a client in a loop
            with pytest.raises(StsUnavailable):
                await site.current()
        assert len(site.sts.calls) == 1

        await site.pass_time(3600)

        pauses = [b - a for a, b in zip(site.sts.calls[4:], site.sts.calls[5:], strict=False)]
        assert max(pauses) <= timedelta(seconds=65)
        assert len(site.sts.calls) > 50


@pytest.mark.parametrize(
    "refusal", [TrustRefused(), TokenRefused(), StsRejected("PackedPolicyTooLarge")], ids=repr
)
async def test_a_refusal_is_not_asked_about_again_until_something_changes(site, refusal, caplog):
    site.sts.failure = refusal
    site.cache.add(site.session)
    async with site.running():
        await site.pass_time(6 * 3600, 60)
        for _ in range(20):
            with pytest.raises(type(refusal)):
                await site.current()
        assert len(site.sts.calls) == 1
        assert "asked again with the next token" in caplog.text

        site.token = "token-2"
        site.cache.wake()
        await site.pass_time(60)
        assert len(site.sts.calls) == 2

        with pytest.raises(type(refusal)):
            await site.cache.fetch_now(site.session)
        assert len(site.sts.calls) == 3

        site.sts.failure = None
        await site.cache.fetch_now(site.session)
        assert (await site.current()).access_key_id == "ASIA4"


async def test_a_refusal_that_is_repeated_takes_no_additional_memory(site):
    site.sts.failure = TrustRefused("Not you.")
    for _ in range(20):
        with pytest.raises(TrustRefused) as refused:
            await site.current()

    assert len(list(traceback.walk_tb(refused.value.__traceback__))) < 5


async def test_a_refusal_leaves_the_credentials_that_there_are(site):
    site.cache.add(site.session, site.sts.issue())
    site.sts.failure = TrustRefused()
    async with site.running():
        await site.pass_time(3590, 10)
        assert (await site.current()).access_key_id == "ASIA0"

        await site.pass_time(10)
        with pytest.raises(TrustRefused):
            await site.current()
    assert len(site.sts.calls) == 1


async def test_credentials_that_have_expired_already_are_never_given(site):
    site.sts.life = -5
    with pytest.raises(StsBadAnswer):
        await site.current()
    assert site.cache.peek(site.session) is None


async def test_a_defect_is_logged_and_tried_again(site, caplog):
    site.sts.failure = RuntimeError("a bug")
    async with site.running():
        with pytest.raises(Exception, match="went wrong"):
            await site.current()
        site.sts.failure = None
        await site.pass_time(10)
        assert (await site.current()).access_key_id == "ASIA2"
    assert site.session.id in caplog.text


# --- Ends, and what makes credentials differ -----------------------------------------------


def end(session):
    session.ended = Ended(NOON, "by_user", NOON)


async def test_an_ended_role_session_has_no_credentials_even_for_those_who_wait(site):
    site.sts.gate.clear()
    asking = asyncio.create_task(site.current())
    await eventually(lambda: site.sts.calls)
    end(site.session)
    site.sts.gate.set()

    with pytest.raises(RoleSessionEnded):
        await asking
    with pytest.raises(RoleSessionEnded):
        await site.current()
    with pytest.raises(RoleSessionEnded):
        await site.cache.fetch_now(site.session)
    assert site.cache.peek(site.session) is None


async def test_an_ended_role_session_is_not_refreshed(site):
    site.cache.add(site.session, site.sts.issue())
    async with site.running():
        end(site.session)
        site.cache.wake()
        await site.pass_time(3600, 60)
    assert site.sts.calls == []


KEY = CredentialKey.of(make_session(delivery="endpoint"))
OTHERS = {
    "owner": ("https://idp.example.com", "bob"),
    "session_id": "f" * 16,
    "session_name": "alice-2",
    "role": RoleArn.parse(AUDITOR),
    "region": "us-east-1",
    "options": CredentialOptions(policy="{}"),
    "environment": (("AWS_ENDPOINT_URL", "https://store.example.com"),),
}


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_the_key_differs_in_everything_that_makes_credentials_differ(name):
    assert [field.name for field in fields(CredentialKey)] == list(OTHERS)
    assert replace(KEY, **{name: OTHERS[name]}) != KEY


async def test_another_lifetime_in_the_roles_file_means_other_credentials(site):
    assert (await site.current()).access_key_id == "ASIA1"
    site.session.role = make_role(ANALYST, credential_lifetime=900)

    assert (await site.current()).access_key_id == "ASIA2"
    site.session.role = make_role(ANALYST)
    assert (await site.current()).access_key_id == "ASIA3"


def test_no_secret_is_in_a_repr_or_the_log(caplog):
    async def asked():
        site = Site()
        caplog.set_level(logging.DEBUG)
        found = await site.current()
        return f"{site.cache!r} {found!r} {CredentialKey.of(site.session)!r} {caplog.text}"

    assert "secret" not in asyncio.run(asked()).replace("secret_access_key", "")


# --- For any lifetime, and any pause of the machine ----------------------------------------


@settings(max_examples=40)
@given(
    st.integers(min_value=900, max_value=43200),
    st.lists(st.integers(min_value=0, max_value=50_000), min_size=1, max_size=12),
    st.booleans(),
)
def test_ten_minutes_always_remain(life, pauses, in_background):
    """However long a laptop slept, or nobody asked: as long as STS answers."""

    async def asked():
        site = Site(life)
        site.cache.add(site.session, site.sts.issue())
        async with site.running() if in_background else contextlib.nullcontext():
            for pause in pauses:
                site.clock.advance(pause)
                found = await site.current()
                assert found.expiration - site.clock.now() >= timedelta(seconds=600)

    asyncio.run(asked())


async def test_a_call_is_made_with_the_options_that_its_key_has(site):
    """An entry that changes between the two must not put its credentials under the key of the other."""
    site.session.role = make_role(ANALYST, credential_lifetime=900)
    asking = asyncio.create_task(site.cache.current(site.session))
    await asyncio.sleep(0)  # the key is known, and the call has not begun
    site.session.role = make_role(ANALYST)
    await asking

    assert [options.duration for options in site.sts.options] == [900]
