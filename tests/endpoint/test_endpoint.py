"""The endpoint with real role sessions behind it: who gets what, and when they are refused; STS is the tests' own."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta

import pytest

from jupyter_wb_aws.endpoint import refusals
from jupyter_wb_aws.endpoint.clients import EndpointClients
from jupyter_wb_aws.endpoint.endpoint import CredentialEndpoint
from jupyter_wb_aws.endpoint.processes import LivingProcesses
from jupyter_wb_aws.errors import (
    LeftRunning,
    RoleSessionEnded,
    SignInRequired,
    StsBadAnswer,
    StsRejected,
    StsTimeout,
    StsUnavailable,
    Throttled,
    TokenFolderRefused,
    TokenRefused,
    TokenSourceFailed,
    TrustRefused,
)
from jupyter_wb_aws.role_sessions.private_files import PrivateFiles
from jupyter_wb_aws.role_sessions.role_session import END_REASON_TEXT, Ended
from jupyter_wb_aws.role_sessions.role_session_sts import RoleSessionSts
from tests.conftest import NOON, FakeClock, ScriptedSource, make_token
from tests.endpoint.asking import ask
from tests.role_sessions.conftest import Site
from tests.role_sessions.support import (
    ANALYST,
    AUDITOR,
    eventually,
    full_disk,
    identity,
    make_role,
    make_session,
)


class ClockOfThreads(FakeClock):
    """Wakes sleepers in the loops that they sleep in."""

    def set(self, now):
        self._now = now
        for due, future in self._sleepers:
            if due <= now and not future.done():
                with contextlib.suppress(RuntimeError):  # that loop is closed
                    future.get_loop().call_soon_threadsafe(_wake, future)


def _wake(future):
    if not future.done():
        future.set_result(None)


class Delivery:
    """Delivers by the endpoint that a test makes."""

    def __init__(self):
        self.made = None

    def open(self, session, credentials):
        return self.made.open(session, credentials)

    def abandon(self, session):
        self.made.abandon(session)

    def refresh(self, session):
        return self.made.refresh(session)

    def credentials(self, session):
        return self.made.credentials_of(session)

    def look(self):
        if self.made is not None:
            self.made.look()


class EndpointSite(Site):
    """A site whose role sessions are delivered by a real endpoint."""

    def __init__(self, folder, clock):
        super().__init__(folder, clock)
        self.endpoint = Delivery()

    @contextlib.asynccontextmanager
    async def endpoint_server(self, source=None, **settings):
        manager = self.manager(source, delivery="endpoint", **settings)
        made = self.endpoint.made = CredentialEndpoint(
            manager.context, manager.sessions, manager.files, self.make_sts, random.Random(1)
        )
        await manager.open()
        try:
            yield manager, made
        finally:
            self.sts.gate.set()
            await made.close()
            await manager.close()

    def tokens(self):
        """Return the names of the files of endpoint tokens."""
        return [name for name in self.files() if name.endswith(".endpoint")]

    def make_sts(self):
        async def environment(_session):
            return {}

        return RoleSessionSts(self.sts, environment, 16)


@pytest.fixture
def site(tmp_path):
    return EndpointSite(tmp_path, ClockOfThreads())


async def asked(made, client):
    status, _, body = await ask(made_port(made), token=client.token.reveal())
    return status, body


def made_port(made):
    return int(made.uri.split(":")[2].partition("/")[0])


async def kernel(made, session, name="k1"):
    made.ensure_running()
    return made.clients.client_for("kernel", name, session)


async def test_two_roles_never_get_each_others_credentials_and_a_switch_is_at_once(site):
    async with site.endpoint_server() as (manager, made):
        analyst, _ = await manager.starter.start(ANALYST)
        auditor, _ = await manager.starter.start(AUDITOR)
        client = await kernel(made, analyst)
        status, body = await asked(made, client)
        assert (status, body["RoleArn"]) == (200, ANALYST)
        assert body["Expiration"] == "2026-11-24T12:16:00Z"

        until = made.clients.assign(client, auditor)

        assert until == NOON + timedelta(seconds=960)
        status, switched = await asked(made, client)
        assert switched["RoleArn"] == AUDITOR
        assert switched["AccessKeyId"] != body["AccessKeyId"]
        made.clients.assign(client, None)
        assert (await asked(made, client))[1]["Code"] == "NoAwsRole"
        assert analyst.clients_stop_by == auditor.clients_stop_by == until


async def test_another_users_role_is_given_neither_by_a_switch_nor_to_what_is_left_running(site):
    async with site.endpoint_server() as (manager, made):
        analyst, _ = await manager.starter.start(ANALYST)
        client = await kernel(made, analyst)
        bobs = make_session(id="b" * 16, owner=identity("bob"), delivery="endpoint")

        with pytest.raises(LeftRunning):
            made.clients.assign(client, bobs)
        restarted = await kernel(made, bobs)

        assert restarted.token.reveal() != client.token.reveal()
        assert (await asked(made, client))[1]["RoleArn"] == ANALYST


async def test_after_a_restart_the_role_session_has_new_credentials_and_a_new_endpoint_token(
    site, caplog
):
    async with site.endpoint_server() as (manager, made):
        first, _ = await manager.starter.start(ANALYST)
        old = first.access.token_file.read_text()
    assert not first.access.token_file.exists()

    async with site.endpoint_server() as (manager, made):
        (back,) = manager.sessions.living()
        await manager.refresher.step()
        token = back.access.token_file.read_text()

        status, _, body = await ask(made_port(made), token=token)
        refused, _, _ = await ask(made_port(made), token=old)

        assert back.id == first.id
        assert (status, body["RoleArn"], refused) == (200, ANALYST, 403)
        assert len(site.sts.requests) == 2
        assert back.credential_problem is None
    assert "No new credentials" not in caplog.text


async def test_a_role_that_is_withdrawn_is_refused_at_once_and_says_why(site):
    async with site.endpoint_server() as (manager, made):
        session, _ = await manager.starter.start(ANALYST)
        client = await kernel(made, session)
        assert (await asked(made, client))[0] == 200

        site.roles_file.write_text("")
        site.clock.advance(60)
        await manager.ending.end(session, "role_withdrawn")

        status, body = await asked(made, client)
        assert (status, body["Code"]) == (403, "RoleSessionEnded")
        assert "no longer in your list of roles" in body["Message"]
        assert session.ended.clients_stop_by == NOON + timedelta(seconds=960)


async def test_requests_count_as_use_and_a_silent_role_session_ends(site):
    async with site.endpoint_server(idle_timeout=timedelta(hours=1)) as (manager, made):
        session, _ = await manager.starter.start(ANALYST)
        client = await kernel(made, session)
        for _ in range(3):
            site.clock.advance(40 * 60)
            await manager.refresher.step()
            assert (await asked(made, client))[0] == 200

        site.clock.advance(61 * 60)
        await manager.refresher.step()

        assert (await asked(made, client))[1]["Code"] == "RoleSessionEnded"


async def test_an_outage_of_sts_for_nine_minutes_is_not_seen_by_a_client(site):
    site.roles_file.write_text(
        f'[[roles]]\narn = "{ANALYST}"\nallow = "everyone"\ndelivery = "endpoint"\ncredential_lifetime = 900\n'
    )
    async with site.endpoint_server() as (manager, made):
        session, _ = await manager.starter.start(ANALYST)
        client = await kernel(made, session)
        site.clock.advance(295)
        site.sts.failure = StsUnavailable()
        for _ in range(54):
            site.clock.advance(10)
            status, body = await asked(made, client)
            assert status == 200
            assert body["Expiration"] == "2026-11-24T12:15:00Z"
        assert session.credential_problem is site.sts.failure
        site.sts.failure = None
        await made.refresh(session)

        assert (await asked(made, client))[1]["Expiration"] > "2026-11-24T12:28:00Z"
        assert session.credential_problem is None


async def test_without_a_token_of_the_user_the_endpoint_says_to_sign_in(site):
    source = ScriptedSource(make_token(), SignInRequired("Your sign-in has ended."))
    async with site.endpoint_server(source) as (manager, made):
        session, _ = await manager.starter.start(ANALYST)
        client = await kernel(made, session)
        site.clock.advance(3700)
        await manager.refresher.step()
        site.clock.advance(61)  # the endpoint may have looked before the source had answered

        status, body = await asked(made, client)

        assert (status, body["Code"]) == (403, "SignInRequired")
        assert "Your sign-in has ended" in body["Message"]


async def test_a_refusal_is_one_line_in_the_log_and_no_token_is(site, caplog):
    caplog.set_level("DEBUG")
    async with site.endpoint_server() as (manager, made):
        session, _ = await manager.starter.start(ANALYST)
        client = await kernel(made, session)
        assert client.token.reveal() not in caplog.text
        caplog.clear()
        for _ in range(3):
            assert (await asked(made, client))[0] == 200
        assert "endpoint" not in caplog.text.replace("role_sessions.endpoint", "")
        await manager.ending.end_by_user(session.id)
        for _ in range(3):
            await asked(made, client)

    refused = [r for r in caplog.records if r.name == "jupyter_wb_aws.endpoint.endpoint"]
    assert [(r.levelname, client.id in r.getMessage()) for r in refused] == [("INFO", True)]
    assert client.token.reveal() not in caplog.text


async def test_code_in_another_thread_is_answered_while_the_loop_is_blocked(site):
    async with site.endpoint_server() as (manager, made):
        session, _ = await manager.starter.start(ANALYST)
        site.clock.advance(3590)
        found = []
        asking = threading.Thread(target=lambda: found.append(made.credentials_of(session)))
        asking.start()
        asking.join(30)

        assert found[0].expiration > site.clock.now() + timedelta(minutes=50)


# --- The sentences -------------------------------------------------------------------------

LABEL = 'Data "science" team'
PROBLEMS = {
    "RoleSessionEnded": (403, RoleSessionEnded()),
    "SignInRequired": (403, SignInRequired("Sign in, please.")),
    "AccessDenied": (403, TrustRefused("The role analyst is not set up for you.")),
    "CredentialsRefused": (403, StsRejected('It says: "Packed policy size exceeds 100 %".')),
    "CredentialsNotReady": (503, StsTimeout("AWS STS did not answer.")),
    "CredentialsUnavailable": (503, StsUnavailable("AWS STS can't be reached.")),
}


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_a_refusal_is_one_sentence_without_quotation_marks(code):
    status, problem = PROBLEMS[code]
    session = make_session(role=make_role(label=LABEL))

    refusal = refusals.for_problem(session, problem)

    assert (refusal.status, refusal.code) == (status, code)
    assert "Data science team" in refusal.message
    assert not set(refusal.message) & set("\"'`\\\n")
    assert refusal.message.endswith(".")
    assert ". " not in refusal.message


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (TokenRefused("No."), "CredentialsRefused"),
        (Throttled("Slow down."), "CredentialsUnavailable"),
        (TokenSourceFailed("No token."), "CredentialsUnavailable"),
    ],
    ids=["TokenRefused", "Throttled", "TokenSourceFailed"],
)
def test_other_failures_have_a_code_by_what_can_be_done(problem, code):
    assert refusals.for_problem(make_session(), problem).code == code


@pytest.mark.parametrize("reason", sorted(END_REASON_TEXT))
def test_every_end_names_its_reason(reason):
    session = make_session(ended=Ended(NOON, reason, NOON))

    message = refusals.for_problem(session, RoleSessionEnded()).message

    assert END_REASON_TEXT[reason] in message
    assert ("sign in and start the role again" in message) is (reason == "signed_out")


async def test_a_sign_out_while_the_endpoint_token_is_written_ends_the_start(site, monkeypatch):
    async with site.endpoint_server() as (manager, made):
        write, begun = EndpointClients.write_files, []

        def held(clients, client):
            begun.append((client, Future()))
            write(clients, client).add_done_callback(lambda _: None)
            return begun[-1][1]

        monkeypatch.setattr(EndpointClients, "write_files", held)
        starting = asyncio.create_task(manager.starter.start(ANALYST))
        await eventually(lambda: begun)
        manager.token_cache.clear()  # as a sign-out does
        [(client, written)] = begun
        written.set_result(None)

        with pytest.raises(SignInRequired):
            await starting

        assert manager.sessions.living() == []
        assert (await asked(made, client))[1]["Code"] == "EndpointTokenUnknown"
        await eventually(lambda: site.tokens() == [])


async def test_a_start_whose_endpoint_token_can_not_be_written_leaves_nothing_behind(
    site, monkeypatch
):
    async with site.endpoint_server() as (manager, made):
        with monkeypatch.context() as patch:
            patch.setattr(
                "jupyter_wb_aws.private_folder.PrivateFolder.write", lambda *_, **__: full_disk()
            )
            with pytest.raises(TokenFolderRefused):
                await manager.starter.start(ANALYST)

        await manager.files.mark_missing()

        assert (made.clients.list(), site.tokens()) == ([], [])


async def test_a_start_with_credentials_that_have_expired_leaves_nothing_behind(site):
    async with site.endpoint_server() as (manager, made):
        assume = site.sts.assume

        async def in_the_past(request):
            assumed = await assume(request)
            past = replace(assumed.credentials, expiration=NOON - timedelta(hours=1))
            return replace(assumed, credentials=past)

        site.sts.assume = in_the_past
        with pytest.raises(StsBadAnswer):
            await manager.starter.start(ANALYST)

        assert made.clients.list() == []
        await eventually(lambda: site.tokens() == [])


class MadeAtFirstUse(Delivery):
    """Makes the endpoint when a role session of the last run is opened, as a real server does."""

    def __init__(self, site):
        super().__init__()
        self.site = site
        self.manager = None

    def open(self, session, credentials):
        manager = self.manager
        if self.made is None:
            self.made = CredentialEndpoint(
                manager.context,
                manager.sessions,
                manager.files,
                self.site.make_sts,
                random.Random(1),
            )
        return self.made.open(session, credentials)


async def test_a_disk_that_hangs_delays_neither_the_start_of_a_server_nor_its_refreshes(
    site, monkeypatch
):
    async with site.endpoint_server() as (manager, _):
        await manager.starter.start(ANALYST)
    delivery = site.endpoint = MadeAtFirstUse(site)
    disk = threading.Event()
    write = PrivateFiles.write
    monkeypatch.setattr(PrivateFiles, "write", lambda *args: disk.wait(60) and write(*args))
    delivery.manager = manager = site.manager(delivery="endpoint")
    try:
        await asyncio.wait_for(manager.open(), 20)
        [back] = manager.sessions.living()
        await eventually(lambda: manager.token_cache.status(ANALYST).token)
        delivery.made.look()
        assert back.access is None

        disk.set()
        await eventually(lambda: back.access is not None)
        await eventually(lambda: back.credentials_expire_at)
        assert len(site.sts.requests) == 2  # of the two runs
    finally:
        disk.set()
        await delivery.made.close()
        await asyncio.wait_for(manager.close(), 20)


async def test_an_end_does_not_fail_where_no_thread_can_be_started(site, monkeypatch):
    async with site.endpoint_server() as (manager, made):
        session, _ = await manager.starter.start(ANALYST)
        client = await kernel(made, session)
        made.clients.leave(client)
        site.clock.advance(2 * 3600)

        with monkeypatch.context() as patch:
            patch.setattr(LivingProcesses, "begin", _no_thread)
            manager.ending.mark([session], "by_user")

        assert session.ended.reason == "by_user"


def _no_thread(_):
    raise RuntimeError("can't start new thread")
