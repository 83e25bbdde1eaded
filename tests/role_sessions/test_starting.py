"""Starting role sessions: one call, one role session, and nothing left of what failed."""

from __future__ import annotations

import asyncio
import os
import stat
import threading

import pytest

from jupyter_wb_aws.errors import (
    InvalidRegion,
    InvalidRoleArn,
    RoleNotAllowed,
    RoleSessionNotFound,
    SignInRequired,
    StartTimeout,
    StsTimeout,
    TokenFolderRefused,
    TokenSourceFailed,
    TrustRefused,
)
from jupyter_wb_aws.role_sessions.records import SAVE_TIMEOUT
from jupyter_wb_aws.role_sessions.role_session import State
from jupyter_wb_aws.role_sessions.role_session_sts import RoleSessionSts
from jupyter_wb_aws.role_sessions.store import NO_ROLE, NOTHING_CHOSEN
from tests.role_sessions.support import (
    ANALYST,
    AUDITOR,
    CALLER,
    ScriptedSource,
    asleep,
    eventually,
    full_disk,
    make_session,
    make_token,
)

FINANCE = "arn:aws:iam::111122223333:role/finance"


# --- A role session that starts --------------------------------------------------------------


async def test_a_started_role_session_has_its_token_in_a_private_file(site):
    async with site.server() as manager:
        session, created = await manager.starter.start(ANALYST)

        token = manager.token_cache.status(ANALYST).token
        assert created
        assert session.token_file.read_text() == token.reveal()
        assert stat.S_IMODE(session.token_file.stat().st_mode) == 0o600
        assert session.token_file.parent == site.token_dir


async def test_a_started_role_session_is_active_and_known(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

        assert manager.sessions.state_of(session) is State.ACTIVE
        assert manager.sessions.get(session.id) is session
        assert manager.sessions.living() == [session]
        assert session.caller == CALLER
        assert (session.region, session.role.label) == ("us-east-2", "Analyst")
        assert site.emitted("session_started") == [
            {
                "session_id": session.id,
                "role_arn": ANALYST,
                "session_name": f"alice-{session.id}",
            }
        ]


async def test_sts_is_asked_with_user_role_and_region_and_the_variables_of_site_and_role(site):
    site.roles_file.write_text(
        f'[[roles]]\narn = "{ANALYST}"\nallow = "everyone"\n'
        'extra_environment = { AWS_ENDPOINT_URL_STS = "https://role.example" }\n'
    )
    extra = {"AWS_ENDPOINT_URL_STS": "https://site.example", "AWS_CA_BUNDLE": "/ca.pem"}
    async with site.server(extra_environment=extra) as manager:
        session, _ = await manager.starter.start(ANALYST, "eu-west-1")

        [request] = site.sts.requests
        assert str(request.role) == ANALYST
        assert request.region == "eu-west-1"
        assert request.session_name == session.session_name
        assert request.token is manager.token_cache.status(ANALYST).token
        assert request.environment == {
            "AWS_ENDPOINT_URL_STS": "https://role.example",
            "AWS_CA_BUNDLE": "/ca.pem",
        }


async def test_the_session_name_follows_the_sites_template(site):
    async with site.server(session_name_template="wb.{session_id}.{user}") as manager:
        session, _ = await manager.starter.start(ANALYST)

        assert session.session_name == f"wb.{session.id}.alice"


# --- Asked twice -----------------------------------------------------------------------------


async def test_the_same_role_asked_again_is_the_same_role_session(site):
    async with site.server() as manager:
        first, _ = await manager.starter.start(ANALYST)
        again, created = await manager.starter.start(ANALYST, "us-east-2")

        assert again is first
        assert not created
        assert len(site.sts.requests) == 1


async def test_the_same_role_asked_ten_times_at_once_is_one_start(site):
    async with site.server() as manager:
        site.sts.gate.clear()
        starts = [asyncio.create_task(manager.starter.start(ANALYST)) for _ in range(10)]
        await eventually(site.sts.called.is_set)
        site.sts.gate.set()
        answers = await asyncio.gather(*starts)

        assert len({session.id for session, _ in answers}) == 1
        assert [created for _, created in answers].count(True) == 1
        assert len(site.sts.requests) == 1
        assert len(manager.token_cache.source.requests) == 1
        assert len(manager.sessions.living()) == 1


async def test_another_region_is_another_role_session(site):
    async with site.server() as manager:
        first, _ = await manager.starter.start(ANALYST)
        second, created = await manager.starter.start(ANALYST, "eu-west-1")

        assert created
        assert {first.region, second.region} == {"us-east-2", "eu-west-1"}
        assert first.session_name != second.session_name
        assert first.token_file != second.token_file


async def test_a_role_that_was_ended_starts_again(site):
    async with site.server() as manager:
        first, _ = await manager.starter.start(ANALYST)
        await manager.ending.end_by_user(first.id)
        second, created = await manager.starter.start(ANALYST)

        assert created
        assert second.id != first.id


async def test_many_role_sessions_of_one_user_share_one_fetch(site):
    async with site.server() as manager:
        await asyncio.gather(
            *(manager.starter.start(arn, region) for arn in (ANALYST, AUDITOR) for region in ("us-east-1", "us-west-1"))
        )  # fmt: skip

        assert len(manager.sessions.living()) == 4
        assert len(manager.token_cache.source.requests) == 1


async def test_a_source_that_binds_tokens_to_roles_gives_each_its_own(site):
    class Binding(ScriptedSource):
        binds_role = True

        async def fetch(self, request):
            self.requests.append(request)
            return make_token(role=request.role_arn)

    async with site.server(Binding(None)) as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        auditor, _ = await manager.starter.start(AUDITOR)

        asked = [r.role_arn for r in manager.token_cache.source.requests if r.role_arn]
        assert asked == [ANALYST, AUDITOR]
        assert [r.token.claims["role"] for r in site.sts.requests] == [ANALYST, AUDITOR]
        assert analyst.token_file.read_text() != auditor.token_file.read_text()


async def test_a_role_session_that_needs_attention_is_revived_when_it_is_asked_for_again(site):
    source = site.fresh()
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        source.answers.insert(0, TokenSourceFailed())
        with pytest.raises(TokenSourceFailed):
            await manager.refresher.refresh(session.id)
        assert manager.sessions.state_of(session) is State.DEGRADED

        again, created = await manager.starter.start(ANALYST)

        assert (again, created) == (session, False)
        assert manager.sessions.state_of(session) is State.ACTIVE


async def test_a_degraded_role_session_that_cannot_be_revived_is_still_the_answer(site):
    source = site.fresh()
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        source.answers[:] = [TokenSourceFailed()]
        with pytest.raises(TokenSourceFailed):
            await manager.refresher.refresh(session.id)

        again, created = await manager.starter.start(ANALYST)

        assert (again, created) == (session, False)
        assert manager.sessions.state_of(session) is State.DEGRADED


async def test_an_expired_role_session_that_cannot_be_revived_says_why(site):
    source = site.fresh()
    async with site.server(source) as manager:
        await manager.starter.start(ANALYST)
        source.answers[:] = [TokenSourceFailed("the provider is down")]
        site.clock.advance(3700)

        with pytest.raises(TokenSourceFailed, match="the provider is down"):
            await manager.starter.start(ANALYST)


async def test_another_users_token_never_gets_the_role_session_of_the_first(site, clock):
    source = site.fresh()
    async with site.server(source) as manager:
        alices, _ = await manager.starter.start(ANALYST)
        source.answers[:] = [lambda: make_token(clock.now(), iat=clock.now(), sub="bob")]
        await manager.token_cache.refresh()

        bobs, created = await manager.starter.start(ANALYST)

        assert created
        assert bobs.owner.subject == "bob"
        await eventually(lambda: alices.ended is not None)
        assert alices.ended.reason == "identity_changed"
        await eventually(lambda: not alices.token_file.exists())


async def test_another_users_token_that_comes_during_a_start_is_never_in_its_file(site, clock):
    source = site.fresh()
    async with site.server(source) as manager:
        site.sts.gate.clear()
        start = asyncio.create_task(manager.starter.start(ANALYST))
        await eventually(site.sts.called.is_set)
        source.answers[:] = [lambda: make_token(clock.now(), iat=clock.now(), sub="bob")]
        await manager.token_cache.refresh()
        site.sts.gate.set()

        with pytest.raises(SignInRequired, match="somebody else"):
            await start
        assert site.emitted("session_started") == []
        assert manager.sessions.living() == []
        assert site.files() == []


# --- What is refused -------------------------------------------------------------------------


async def test_a_role_that_is_not_in_the_users_catalogue_is_refused(site):
    async with site.server() as manager:
        with pytest.raises(RoleNotAllowed) as refused:
            await manager.starter.start(FINANCE)

        assert refused.value.request_url == "https://example.com/ask"
        assert site.sts.requests == []
        assert site.emitted("role_denied") == [{"role_arn": FINANCE, "code": "role_not_allowed"}]
        assert manager.sessions.living() == []


async def test_the_catalogue_is_asked_again_at_each_start(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        site.roles_file.write_text(site.roles_file.read_text().replace("everyone", "nobody") + "\n")
        site.roles_file.write_text(f'[[roles]]\narn = "{AUDITOR}"\nallow = "everyone"\n')

        with pytest.raises(RoleNotAllowed):
            await manager.starter.start(ANALYST)


@pytest.mark.parametrize("arn", ["", "analyst", "arn:aws:iam::1:role/x", "arn:aws:s3:::bucket"])
async def test_what_is_not_a_roles_arn_is_never_shown_to_sts(site, arn):
    async with site.server() as manager:
        with pytest.raises(InvalidRoleArn):
            await manager.starter.start(arn)

        assert site.sts.requests == []


@pytest.mark.parametrize("region", ["", "cn-north-1", "us-gov-west-1", "nowhere", "us-east-2\n"])
async def test_a_region_outside_the_roles_partition_is_refused(site, region):
    async with site.server() as manager:
        with pytest.raises(InvalidRegion):
            await manager.starter.start(ANALYST, region)

        assert site.sts.requests == []


# --- Which becomes the default ---------------------------------------------------------------


async def test_the_first_role_session_ever_becomes_the_default(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

        assert manager.sessions.is_default(session)
        assert manager.choices.default_session() is session
        assert site.emitted("default_changed") == [{"session_id": session.id}]


async def test_later_ones_do_not_become_the_default_unless_asked_to(site):
    async with site.server() as manager:
        first, _ = await manager.starter.start(ANALYST)
        second, _ = await manager.starter.start(AUDITOR)
        assert manager.sessions.is_default(first)

        await manager.starter.start(AUDITOR, default=True)
        assert manager.sessions.is_default(second)


async def test_a_role_session_started_aside_never_becomes_the_default(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST, default=False)

        assert manager.sessions.default == NOTHING_CHOSEN


async def test_no_aws_role_once_chosen_is_not_overruled_by_a_start(site):
    async with site.server() as manager:
        await manager.choices.set_default(None)
        await manager.starter.start(ANALYST)
        assert manager.sessions.default == NO_ROLE

        session, _ = await manager.starter.start(ANALYST, default=True)
        assert manager.sessions.is_default(session)


async def test_an_unknown_role_session_can_not_be_made_the_default(site):
    async with site.server() as manager:
        with pytest.raises(RoleSessionNotFound):
            await manager.choices.set_default("0" * 16)

        assert manager.sessions.default == NOTHING_CHOSEN


async def test_choosing_what_is_chosen_already_is_not_reported(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.choices.set_default(session.id)
        await manager.choices.set_default(session.id)

        assert len(site.emitted("default_changed")) == 1


# --- Failures --------------------------------------------------------------------------------


async def test_a_start_that_sts_refuses_leaves_nothing(site):
    async with site.server() as manager:
        site.sts.failure = TrustRefused("AWS said AccessDenied")

        with pytest.raises(TrustRefused):
            await manager.starter.start(ANALYST)

        assert site.files() == []
        assert manager.sessions.living() == []
        assert manager.sessions.default == NOTHING_CHOSEN
        assert site.emitted("role_denied") == [{"role_arn": ANALYST, "code": "trust_refused"}]

    async with site.server() as next_run:
        assert next_run.sessions.living() == []


async def test_a_role_that_failed_to_start_can_be_started_when_the_cause_is_gone(site):
    async with site.server() as manager:
        site.sts.failure = TrustRefused()
        with pytest.raises(TrustRefused):
            await manager.starter.start(ANALYST)
        site.sts.failure = None

        session, created = await manager.starter.start(ANALYST)

        assert created
        assert manager.sessions.state_of(session) is State.ACTIVE


@pytest.mark.parametrize("failure", [SignInRequired(), TokenSourceFailed()])
async def test_without_a_token_there_is_no_start(site, failure):
    async with site.server(ScriptedSource(failure)) as manager:
        with pytest.raises(type(failure)):
            await manager.starter.start(ANALYST)

        assert site.sts.requests == []
        assert site.files() == []


async def test_a_full_disk_leaves_no_half_started_role_session(site, monkeypatch):
    async with site.server() as manager:
        written, real = [], os.fsync

        def full_at_the_token(descriptor):
            written.append(descriptor)
            return real(descriptor) if len(written) < 3 else full_disk()

        monkeypatch.setattr(os, "fsync", full_at_the_token)
        with pytest.raises(TokenFolderRefused, match="No space left"):
            await manager.starter.start(ANALYST)

        assert site.files() == []
        assert manager.sessions.living() == []


async def test_a_start_takes_twenty_seconds_at_most_when_sts_is_silent(site):
    async with site.server() as manager:
        assert manager.settings.start_timeout + 2 * SAVE_TIMEOUT == 20
    async with site.server(start_timeout=0.05) as manager:
        site.sts.gate.clear()

        with pytest.raises(StsTimeout, match=r"within 0\.05 s"):
            await manager.starter.start(ANALYST)

        site.sts.gate.set()
        assert manager.sessions.living() == []
        assert site.files() == []


async def test_a_start_takes_twenty_seconds_at_most_when_the_token_source_is_silent(site):
    class Silent(ScriptedSource):
        async def fetch(self, request):
            await asyncio.Event().wait()

    async with site.server(Silent(None), start_timeout=0.05) as manager:
        with pytest.raises(StartTimeout, match="token did not come in time"):
            await manager.starter.start(ANALYST)


async def test_reviving_takes_twenty_seconds_at_most_too(site):
    class Stuck(ScriptedSource):
        stuck = False

        async def fetch(self, request):
            if self.stuck:
                await asyncio.Event().wait()
            return await super().fetch(request)

    source = Stuck(make_token(), TokenSourceFailed())
    async with site.server(source, start_timeout=0.5) as manager:
        session, _ = await manager.starter.start(ANALYST)
        with pytest.raises(TokenSourceFailed):
            await manager.refresher.refresh(session.id)
        source.stuck = True

        again, _ = await asyncio.wait_for(manager.starter.start(ANALYST), 5)

        assert again is session


async def test_an_expired_role_session_that_cannot_be_revived_in_time_says_so(site, monkeypatch):
    async def stuck(_session_id):
        await asyncio.Event().wait()

    async def cannot_write(_session):
        return False

    async with site.server(ScriptedSource(make_token()), start_timeout=0.5) as manager:
        session, _ = await manager.starter.start(ANALYST)
        # The refresher's own looks must not bring it back meanwhile.
        monkeypatch.setattr(manager.files, "write", cannot_write)
        session.file_fingerprint = session.file_expires_at = None
        session.file_problem = TokenFolderRefused()
        monkeypatch.setattr(manager.refresher, "refresh", stuck)

        with pytest.raises(StartTimeout):
            await manager.starter.start(ANALYST)


async def test_a_write_that_comes_too_late_for_its_start_leaves_no_file(site, monkeypatch):
    may_go_on, real = threading.Event(), os.fsync

    def slow(descriptor):
        assert may_go_on.wait(20)
        real(descriptor)

    async with site.server(start_timeout=0.2) as manager:
        monkeypatch.setattr(os, "fsync", slow)
        start = asyncio.create_task(manager.starter.start(ANALYST))
        await asyncio.wait({start}, timeout=0.5)
        may_go_on.set()

        with pytest.raises(StartTimeout):
            await start

        await eventually(lambda: site.files() == [])
        assert manager.sessions.living() == []


async def test_a_caller_that_hangs_up_cancels_nothing(site):
    async with site.server() as manager:
        site.sts.gate.clear()
        caller = asyncio.create_task(manager.starter.start(ANALYST))
        await eventually(site.sts.called.is_set)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        site.sts.gate.set()

        await eventually(lambda: manager.sessions.default.chosen)

        [session] = manager.sessions.living()
        assert manager.sessions.is_default(session)
        assert session.token_file.exists()


async def test_a_caller_that_hangs_up_takes_nothing_from_one_that_stays(site):
    async with site.server() as manager:
        site.sts.gate.clear()
        first, second = (asyncio.create_task(manager.starter.start(ANALYST)) for _ in range(2))
        await eventually(site.sts.called.is_set)
        first.cancel()
        site.sts.gate.set()

        session, _ = await second

        assert manager.sessions.living() == [session]


async def test_a_stop_in_the_middle_of_a_start_leaves_no_file(site, monkeypatch):
    under_way, may_go_on, real = threading.Event(), threading.Event(), os.fsync

    def slow(descriptor):
        under_way.set()
        assert may_go_on.wait(20)
        real(descriptor)

    async with site.server() as manager:
        monkeypatch.setattr(os, "fsync", slow)
        start = asyncio.create_task(manager.starter.start(ANALYST))
        await eventually(under_way.is_set)
        closing = asyncio.create_task(manager.close())
        await asyncio.gather(start, return_exceptions=True)
        may_go_on.set()
        await closing

    assert site.files() == []


# --- Who we are ------------------------------------------------------------------------------


async def test_the_roles_offered_are_those_of_the_tokens_user(site):
    async with site.server() as manager:
        user, roles = await manager.rights.offered_roles()

        assert user.subject == "alice"
        assert [str(role.arn) for role in roles] == [ANALYST, AUDITOR]


async def test_the_caller_identity_is_known_without_asking_again(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

        assert await manager.starter.caller_identity(session, verify=False) == CALLER
        assert len(site.sts.requests) == 1


async def test_the_caller_identity_can_be_verified_at_sts(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

        assert await manager.starter.caller_identity(session, verify=True) == CALLER
        assert site.sts.requests[1].session_name == session.session_name


async def test_verifying_takes_twenty_seconds_at_most(site):
    async with site.server(start_timeout=0.5) as manager:
        session, _ = await manager.starter.start(ANALYST)
        site.sts.gate.clear()

        with pytest.raises(StsTimeout, match=r"STS did not answer within 0\.5 s"):
            await manager.starter.caller_identity(session, verify=True)


async def test_verifying_does_not_blame_sts_for_a_silent_token_source(site):
    class SilentLater(ScriptedSource):
        silent = False

        async def fetch(self, request):
            if self.silent:
                await asyncio.Event().wait()
            return await super().fetch(request)

    source = SilentLater(make_token())
    async with site.server(source, start_timeout=0.5) as manager:
        session, _ = await manager.starter.start(ANALYST)
        source.silent = True
        site.clock.advance(50 * 60)  # the token is due for a refresh

        with pytest.raises(StartTimeout, match="token did not come in time"):
            await manager.starter.caller_identity(session, verify=True)

        assert len(site.sts.requests) == 1


@pytest.mark.parametrize("call", ["assume", "verify"])
async def test_sts_is_not_blamed_for_an_environment_that_comes_too_late(site, call):
    async def late(_session):
        await asyncio.Event().wait()

    ask = getattr(RoleSessionSts(site.sts, late, 16), call)

    with pytest.raises(StartTimeout, match="environment"):
        await ask(make_session(), make_token(), asyncio.get_running_loop().time() + 0.05)

    assert site.sts.requests == []


# --- The default role ------------------------------------------------------------------------


async def test_a_default_role_starts_by_itself(site):
    async with site.server(default_role=AUDITOR) as manager:
        await eventually(lambda: manager.sessions.default.chosen)

        assert str(manager.choices.default_session().role.arn) == AUDITOR


async def test_the_catalogue_may_name_the_default_role(site):
    site.roles_file.write_text(
        site.roles_file.read_text().replace('label = "Auditor"', "default = true")
    )
    async with site.server() as manager:
        await eventually(lambda: manager.sessions.default.chosen)

        assert str(manager.choices.default_session().role.arn) == AUDITOR


async def test_a_default_role_may_come_by_a_claim_alone(site):
    site.roles_file.write_text(
        '[roles_from_claim]\nclaim = "aws"\naccounts = ["111122223333"]\nregion = "us-east-2"\n'
    )
    async with site.server(site.fresh(aws=[AUDITOR]), default_role=AUDITOR) as manager:
        await eventually(lambda: manager.sessions.default.chosen)

        assert manager.choices.default_session().region == "us-east-2"


async def test_a_role_marked_as_default_may_be_offered_by_a_claim_alone(site):
    site.roles_file.write_text(
        '[roles_from_claim]\nclaim = "aws"\naccounts = ["111122223333"]\n'
        f'[[roles]]\narn = "{AUDITOR}"\ndefault = true\n'
    )
    async with site.server(site.fresh(aws=AUDITOR)) as manager:
        await eventually(lambda: manager.sessions.default.chosen)

        assert str(manager.choices.default_session().role.arn) == AUDITOR


async def test_a_default_role_is_tried_again_until_a_token_is_available(site):
    source = ScriptedSource(SignInRequired(), TokenSourceFailed(), make_token())
    async with site.server(source, default_role=ANALYST) as manager:
        await eventually(lambda: source.requests)
        assert manager.sessions.living() == []
        await eventually(lambda: site.clock.advance(1) or manager.sessions.default.chosen)

        assert str(manager.choices.default_session().role.arn) == ANALYST


async def test_a_default_role_that_aws_refuses_is_not_tried_again(site, caplog):
    site.sts.failure = TrustRefused("AWS said AccessDenied")
    async with site.server(default_role=ANALYST) as manager:
        await eventually(lambda: "did not start" in caplog.text)
        site.clock.advance(3600)
        await manager.refresher.step()

        assert len(site.sts.requests) == 1


async def test_a_default_role_that_is_not_the_users_is_reported_and_not_started(site, caplog):
    async with site.server(default_role=FINANCE) as manager:
        await eventually(lambda: "is not offered to the user" in caplog.text)

        assert manager.sessions.default == NOTHING_CHOSEN


@pytest.mark.parametrize("content", ["broken [", "", None])
async def test_without_a_default_role_a_broken_roles_file_warns_of_none(site, caplog, content):
    site.roles_file.unlink() if content is None else site.roles_file.write_text(content)
    async with site.server() as manager:
        for _ in range(3):
            await asleep(site.clock)
            site.clock.advance(60)
        assert "default role" not in caplog.text
        assert "The roles file" in caplog.text

        site.roles_file.write_text(
            f'[[roles]]\narn = "{ANALYST}"\nallow = "everyone"\ndefault = true\n'
        )
        await eventually(lambda: site.clock.advance(60) or manager.sessions.living())


async def test_a_configured_default_role_that_waits_for_the_roles_file_is_reported(site, caplog):
    site.roles_file.write_text("broken [")
    async with site.server(default_role=ANALYST):
        await eventually(lambda: "The default role did not start" in caplog.text)


async def test_a_default_role_does_not_overrule_no_aws_role(site):
    async with site.server() as manager:
        await manager.choices.set_default(None)

    async with site.server(default_role=ANALYST) as manager:
        await manager.refresher.step()

        assert manager.sessions.default == NO_ROLE
        assert manager.sessions.living() == []


async def test_a_default_role_is_not_started_once_the_user_has_chosen(site):
    source = ScriptedSource(SignInRequired(), make_token())
    async with site.server(source, default_role=ANALYST) as manager:
        await asleep(site.clock)
        await manager.choices.set_default(None)
        site.clock.advance(60)
        await asyncio.sleep(0)

        assert manager.sessions.living() == []
        assert len(source.requests) == 1


async def test_a_default_role_is_not_awaited_by_the_servers_start(site):
    site.sts.gate.clear()
    async with site.server(default_role=ANALYST) as manager:
        assert manager.sessions.living() == []
        await eventually(site.sts.called.is_set)


class StartsAnother:
    """Has another role session appear while it is looked at, as one does in another thread."""

    id = "looked at"

    def __init__(self, sessions):
        self.sessions = sessions

    @property
    def ended(self):
        self.sessions.add(make_session())


async def test_what_starts_in_another_thread_does_not_disturb_a_look(site):
    sessions = site.manager().sessions
    first = StartsAnother(sessions)
    sessions.add(first)

    assert sessions.living() == [first]
