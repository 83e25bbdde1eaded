"""AWS for code inside the server: which role session it gets, under which name, and until when."""

from __future__ import annotations

import gc
import re
import weakref
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.aws.sts import Credentials
from jupyter_wb_aws.errors import (
    NoDefaultRoleSession,
    RoleSessionEnded,
    RoleSessionNotFound,
    RoleSessionNotShared,
    SignInRequired,
    TokenSourceFailed,
)
from jupyter_wb_aws.role_sessions.boto3_sessions import (
    CONSUMER,
    Boto3Sessions,
    consumer_session_name,
)
from jupyter_wb_aws.role_sessions.role_session import session_name
from tests.role_sessions.support import (
    ANALYST,
    AUDITOR,
    ScriptedSource,
    identity,
    make_session,
    make_token,
)


class BlockingStsClient:
    """Gives credentials for an hour; `requests` is what it was asked."""

    def __init__(self, clock):
        self.clock = clock
        self.requests = []

    def credentials(self, request):
        self.requests.append(request)
        expires_at = self.clock.now() + timedelta(hours=1)
        return Credentials(f"ASIA{len(self.requests)}", "secret", "token", expires_at)


@pytest.fixture
def sts(clock):
    return BlockingStsClient(clock)


def boto3_sessions_of(manager, sts):
    return Boto3Sessions(manager.context, manager.sessions, manager.choices, sts)


def key_of(session):
    return session.get_credentials().get_frozen_credentials().access_key


async def test_the_default_role_session_is_meant_unless_one_is_named(site, sts):
    async with site.server() as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        auditor, _ = await manager.starter.start(AUDITOR, default=False)
        boto3_sessions = boto3_sessions_of(manager, sts)

        key_of(boto3_sessions.boto3_session("s3-browser"))
        key_of(boto3_sessions.boto3_session("s3-browser", auditor.id))
        await manager.choices.set_default(auditor.id)
        key_of(boto3_sessions.boto3_session("assistant"))

    assert [(str(r.role), r.session_name) for r in sts.requests] == [
        (ANALYST, f"{analyst.session_name}-s3-browser"),
        (AUDITOR, f"{auditor.session_name}-s3-browser"),
        (AUDITOR, f"{auditor.session_name}-assistant"),
    ]


async def test_asking_again_asks_sts_nothing(site, sts):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        boto3_sessions = boto3_sessions_of(manager, sts)

        first, again = boto3_sessions.boto3_session("a"), boto3_sessions.boto3_session("a")

        assert first is again
        assert key_of(first) == key_of(again) == "ASIA1"


async def test_a_refresh_sends_the_token_that_is_in_the_file_by_then(site, sts):
    async with site.server() as manager:
        role_session, _ = await manager.starter.start(ANALYST)
        session = boto3_sessions_of(manager, sts).boto3_session("a")
        assert key_of(session) == "ASIA1"
        first = role_session.token_file.read_text()

        site.clock.advance(50 * 60)
        await manager.refresher.refresh(role_session.id)

        assert key_of(session) == "ASIA2"
        assert role_session.token_file.read_text() != first
    sent = [request.token.reveal() for request in sts.requests]
    assert sent[0] == first
    assert sent[1] != first


async def test_region_and_variables_are_those_of_the_role_session(site, sts):
    async with site.server(extra_environment={"AWS_ENDPOINT_URL": "https://a.example"}) as manager:
        await manager.starter.start(ANALYST)
        boto3_sessions = boto3_sessions_of(manager, sts)
        session = boto3_sessions.boto3_session("a")
        assert session.region_name == "us-east-2"
        assert session.client("s3").meta.endpoint_url == "https://a.example"
        key_of(session)
        assert sts.requests[0].environment == {"AWS_ENDPOINT_URL": "https://a.example"}

        extra = '\nextra_environment = { AWS_ENDPOINT_URL = "https://b.example" }\n'
        site.roles_file.write_text(
            site.roles_file.read_text().replace('label = "Analyst"\n', f'label = "Analyst"{extra}')
        )
        site.clock.advance(60)
        await manager.refresher.refresh(manager.sessions.living()[0].id)

        assert (
            boto3_sessions.boto3_session("a").client("s3").meta.endpoint_url == "https://b.example"
        )


async def test_without_a_default_role_session_there_is_no_boto3_session(site, sts):
    async with site.server() as manager:
        boto3_sessions = boto3_sessions_of(manager, sts)
        with pytest.raises(NoDefaultRoleSession):
            boto3_sessions.boto3_session("a")
        with pytest.raises(RoleSessionNotFound):
            boto3_sessions.boto3_session("a", "nothing")


async def test_what_is_for_one_program_alone_is_not_for_the_server(site, sts):
    async with site.server() as manager:
        own = await manager.starter.start_unshared(ANALYST)
        with pytest.raises(RoleSessionNotShared):
            boto3_sessions_of(manager, sts).boto3_session("a", own.id)


async def test_after_the_end_nothing_is_signed_and_nothing_kept(site, sts):
    async with site.server() as manager:
        role_session, _ = await manager.starter.start(ANALYST)
        boto3_sessions = boto3_sessions_of(manager, sts)
        session = boto3_sessions.boto3_session("a")
        key_of(session)
        kept = weakref.ref(session)

        await manager.ending.end_by_user(role_session.id)

        with pytest.raises(RoleSessionEnded) as refused:
            key_of(session)
        with pytest.raises(RoleSessionEnded):
            boto3_sessions.boto3_session("a", role_session.id)
        with pytest.raises(NoDefaultRoleSession):
            boto3_sessions.boto3_session("a")
        await manager.starter.start(AUDITOR, default=True)
        boto3_sessions.boto3_session("a")
        del session, refused
        gc.collect()
        assert kept() is None


async def test_signing_a_request_counts_as_use(site, sts):
    async with site.server(idle_timeout=timedelta(hours=1)) as manager:
        role_session, _ = await manager.starter.start(ANALYST)
        session = boto3_sessions_of(manager, sts).boto3_session("a")
        for _ in range(4):
            site.clock.advance(30 * 60)
            await manager.refresher.refresh(role_session.id)
            key_of(session)
            await manager.refresher.step()
        assert role_session.ended is None

        site.clock.advance(61 * 60)
        await manager.refresher.step()

        assert role_session.ended.reason == "idle"


async def test_a_token_that_has_expired_says_why_there_is_no_other(site, sts):
    source = ScriptedSource(make_token(), SignInRequired("Sign in, please."))
    async with site.server(source) as manager:
        role_session, _ = await manager.starter.start(ANALYST)
        session = boto3_sessions_of(manager, sts).boto3_session("a")
        site.clock.advance(3600)

        with pytest.raises(TokenSourceFailed, match="expired"):
            key_of(session)
        with pytest.raises(SignInRequired):
            await manager.refresher.refresh(role_session.id)
        with pytest.raises(SignInRequired, match="Sign in, please"):
            key_of(session)
    assert sts.requests == []


async def test_a_missing_token_file_is_reported(site, sts):
    async with site.server() as manager:
        role_session, _ = await manager.starter.start(ANALYST)
        session = boto3_sessions_of(manager, sts).boto3_session("a")
        role_session.token_file.unlink()

        with pytest.raises(TokenSourceFailed, match="token file"):
            key_of(session)


@pytest.mark.parametrize("consumer", ["", "s3 browser", "a" * 25, "a/b", "bröwser", "a\n"])
async def test_a_consumer_that_cannot_stand_in_a_session_name_is_refused(site, sts, consumer):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        with pytest.raises(ValueError, match="RoleSessionName"):
            boto3_sessions_of(manager, sts).boto3_session(consumer)


@given(
    st.text(max_size=80),
    st.sampled_from(["{user}-{session_id}", "{session_id}", "{session_id}{user}", "x" * 70]),
    st.from_regex(CONSUMER, fullmatch=True),
)
def test_the_name_of_a_consumer_fits_sts_and_keeps_the_id(user, template, consumer):
    session_id = "0123456789abcdef"
    own = session_name(template, identity(name=user), session_id)

    name = consumer_session_name(make_session(session_name=own), consumer)

    assert re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII)
    assert session_id in name
    assert name.endswith(f"-{consumer}")
