"""Role sessions whose identity, roles and tokens come from the hub service: one token for each role, no roles file."""

from __future__ import annotations

import contextlib
import random
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from jupyter_wb_aws.errors import (
    IdpUnavailable,
    InvalidRoleArn,
    RoleNotAllowed,
    TooManyRoleSessions,
    WbAwsError,
)
from jupyter_wb_aws.identity.jupyterhub_source import JupyterHubTokenSource
from jupyter_wb_aws.identity.token_cache import TokenCache
from jupyter_wb_aws.role_sessions.manager import RoleSessionManager
from jupyter_wb_aws.role_sessions.role_session import State
from jupyter_wb_aws.role_sessions.settings import RoleSessionSettings
from jupyter_wb_aws.role_sessions.store import NO_ROLE
from jupyter_wb_aws.roles.service_catalogue import ServiceCatalogue
from tests.hub_stand_in import ROLES_CLAIM, HubStandIn, entry, refused
from tests.openid import failing, say
from tests.role_sessions.support import ANALYST, AUDITOR, asleep, eventually

MINUTE = 60
CHECK_EVERY = 300.0
HTML = b"<html>Service Unavailable</html>"
REFUSED = refused(403, "role_not_allowed", "It is not offered to alice.")


@pytest.fixture
def hub(clock, monkeypatch):
    with HubStandIn(clock.now) as hub:
        hub.roles["alice"] = [entry(ANALYST, region="us-east-2"), entry(AUDITOR)]
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", hub.api_token)
        yield hub


@pytest.fixture
def serve(site, hub, clock):
    """Run a server of alice's on the hub, from its start to its clean stop; again after a stop."""

    def make(**settings):
        source = type("Source", (JupyterHubTokenSource,), {"clock": clock})(
            service_url=hub.service_url, **settings.pop("source", {})
        )
        usual = {"token_dir": site.token_dir, "state_dir": site.state_dir, "root_dir": site.home}
        return RoleSessionManager(
            RoleSessionSettings(**{**usual, **settings}),
            TokenCache(source, clock, random.Random(1)),
            ServiceCatalogue(source, clock, random.Random(1)),
            clock=clock,
            rng=random.Random(),
            emit=lambda name, data: site.events.append((name, data)),
            sts=site.sts,
        )

    @contextlib.asynccontextmanager
    async def serve(**settings):
        manager = make(**settings)
        await manager.open()
        try:
            yield manager
        finally:
            await manager.close()

    return serve


def take(hub, arn):
    """Take a role from alice in the service's catalogue."""
    hub.roles["alice"] = [role for role in hub.roles["alice"] if role["arn"] != arn]


async def confirmed(manager, clock):
    """Let the refresher step; a withdrawal is confirmed by a second look a moment later."""
    step = manager.context.tasks.begin(manager.refresher.step(), "step")
    await eventually(lambda: (clock.wakes_within(1.0) and clock.advance(1.0)) or step.done())
    return step.result()


# --- A start ---------------------------------------------------------------------------------


async def test_each_role_session_has_its_own_token_and_its_owner_is_the_hub_user(serve, hub):
    async with serve() as manager:
        identity, roles = await manager.rights.offered_roles()
        analyst, _ = await manager.starter.start(ANALYST)
        auditor, _ = await manager.starter.start(AUDITOR)

        assert [str(role.arn) for role in roles] == [ANALYST, AUDITOR]
        assert analyst.owner == identity
        assert (identity.issuer, identity.subject) == (hub.issuer, "alice")
        assert identity.groups == ("analysts",)
        assert analyst.region == "us-east-2"
        tokens = [manager.sessions.token_for(session) for session in (analyst, auditor)]
        assert [token.claims[ROLES_CLAIM] for token in tokens] == [[ANALYST], [AUDITOR]]
        assert [s.token_file.read_text() for s in (analyst, auditor)] == [
            t.reveal() for t in tokens
        ]


async def test_a_role_that_is_not_offered_is_refused_before_aws_is_asked(serve, hub, site):
    take(hub, AUDITOR)
    async with serve() as manager:
        with pytest.raises(RoleNotAllowed, match="not offered") as refusal:
            await manager.starter.start(AUDITOR)

        assert refusal.value.request_url == "https://ask.example.com"
        assert site.sts.requests == []
        assert [event["code"] for event in site.emitted("role_denied")] == ["role_not_allowed"]


async def test_a_service_says_how_its_roles_are_delivered_and_an_older_one_does_not(serve, hub):
    by_endpoint = {"delivery": "endpoint", "lease": 660, "credential_lifetime": 900}
    hub.roles["alice"] = [entry(ANALYST, **by_endpoint), entry(AUDITOR)]
    async with serve(delivery="web_identity") as manager:
        _, (analyst, auditor) = await manager.rights.offered_roles()

    assert (analyst.delivery, analyst.lease, analyst.credential_lifetime) == ("endpoint", 660, 900)
    assert (auditor.delivery, auditor.lease, auditor.credential_lifetime) == (None, None, None)


async def test_a_role_with_a_delivery_of_a_newer_service_is_refused_and_never_delivered_otherwise(
    serve, hub, clock
):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        hub.roles["alice"] = [entry(ANALYST, delivery="by_mail"), entry(AUDITOR)]
        clock.advance(CHECK_EVERY)
        await confirmed(manager, clock)

        with pytest.raises(RoleNotAllowed) as refusal:
            await manager.starter.start(ANALYST, region="us-west-2")
        assert "is 'by_mail', and this version knows" in refusal.value.admin_hint
        _, roles = await manager.rights.offered_roles()
        assert [str(role.arn) for role in roles] == [AUDITOR]
        assert manager.sessions.living() == [session]


async def test_a_role_taken_away_can_not_be_started_with_a_token_from_before(serve, hub):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.ending.end_by_user(session.id)
        take(hub, ANALYST)

        with pytest.raises(RoleNotAllowed) as refusal:
            await manager.starter.start(ANALYST)
        assert "give the role in the hub service's roles file" in refusal.value.admin_hint
        assert refusal.value.admin_hint.endswith("of the user on the hub: analysts.")


def replace_key(hub):
    """Withdraw the service's key: a new one signs."""
    hub.key, hub.kid = rsa.generate_private_key(public_exponent=65537, key_size=2048), "k2"


def key_of(session):
    return jwt.get_unverified_header(session.token_file.read_text())["kid"]


async def test_a_running_role_session_has_a_token_of_the_new_key_within_check_every(
    serve, hub, clock
):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(clock)
        replace_key(hub)

        clock.advance(1.2 * CHECK_EVERY)
        await eventually(lambda: clock.advance(0.1) or key_of(session) == "k2")

        assert clock.now() - session.started_at < timedelta(seconds=2 * CHECK_EVERY)
        assert len(hub.issued) == 2


async def test_a_start_after_a_key_was_withdrawn_has_a_token_of_the_new_key(serve, hub, clock):
    async with serve() as manager:
        old, _ = await manager.starter.start(ANALYST)
        await manager.ending.end_by_user(old.id)
        clock.advance(60)
        replace_key(hub)

        new, _ = await manager.starter.start(ANALYST)

        assert key_of(new) == "k2"


async def test_a_withdrawn_key_while_the_service_signs_nothing_is_asked_about_with_pauses(
    serve, hub, clock
):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(clock)
        replace_key(hub)
        hub.always["tokens"] = refused(503, "keys_unavailable", "There is no key.")

        clock.advance(1.2 * CHECK_EVERY)
        await eventually(lambda: clock.advance(0.1) or is_degraded(manager, session))
        hub.asked.clear()
        for _ in range(5):
            await asleep(clock)
            clock.advance(0.1)
        assert len(hub.calls("tokens")) <= 1
        assert key_of(session) == "k1"

        hub.always.clear()
        await eventually(lambda: clock.advance(1) or key_of(session) == "k2")


def is_degraded(manager, session):
    return manager.sessions.state_of(session) is State.DEGRADED


async def test_a_service_that_does_not_say_its_keys_withdraws_no_token(serve, hub, clock):
    hub.changes = {"key_ids": None}
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(clock)
        replace_key(hub)
        hub.asked.clear()
        for count in (1, 2):
            clock.advance(1.2 * CHECK_EVERY)
            await eventually(lambda n=count: clock.advance(0.1) or len(hub.calls("roles")) >= n)
            await asleep(clock)

        assert (key_of(session), len(hub.issued)) == ("k1", 1)


async def test_the_limit_counts_the_users_role_sessions_of_all_roles(serve, hub):
    hub.subject = "user:{user}:role:111122223333/analyst"
    async with serve(max_role_sessions=1) as manager:
        await manager.starter.start(ANALYST)
        hub.subject = "user:{user}:role:111122223333/auditor"
        with pytest.raises(TooManyRoleSessions):
            await manager.starter.start(AUDITOR)


async def test_the_subject_in_a_session_name_is_the_hub_user(serve, hub):
    hub.subject = "user:{user}:role:111122223333/analyst"
    async with serve(session_name_template="{subject}-{session_id}") as manager:
        session, _ = await manager.starter.start(ANALYST)
        assert session.session_name == f"alice-{session.id}"


async def test_the_role_that_the_service_marks_starts_with_the_server(serve, hub):
    hub.roles["alice"][1]["default"] = True
    async with serve() as manager:
        await eventually(lambda: manager.sessions.default.session_id)
        assert str(manager.choices.default_session().role.arn) == AUDITOR
        assert len(hub.calls("roles")) <= 2


async def test_a_default_role_is_awaited_while_the_service_is_away(serve, hub, clock):
    hub.roles["alice"][1]["default"] = True
    hub.always["roles"] = failing(503, HTML)
    async with serve() as manager:
        assert manager.choices.next_role().kind == "no_role"
        await asleep(clock)
        hub.always.clear()
        await eventually(lambda: clock.advance(1) or manager.sessions.default.session_id)

    async with serve(default_role="") as manager:
        assert str(manager.choices.default_session().role.arn) == AUDITOR


# --- Withdrawal --------------------------------------------------------------------------------


async def test_a_role_that_is_gone_is_withdrawn_within_check_every(serve, hub, site, clock):
    async with serve() as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        auditor, _ = await manager.starter.start(AUDITOR)
        manager.choices.assign_to_kernel("kernel")
        asked = len(hub.calls("roles"))
        await asleep(clock)
        take(hub, ANALYST)

        clock.advance(1.2 * CHECK_EVERY)
        await eventually(lambda: clock.advance(0.1) or analyst.ended)

        assert analyst.ended.reason == "role_withdrawn"
        assert auditor.ended is None
        assert len(hub.calls("roles")) == asked + 2
        await eventually(lambda: site.emitted("session_ended"))
        assert site.emitted("session_ended")[0]["reason"] == "role_withdrawn"
        await eventually(lambda: manager.sessions.default == NO_ROLE)
        assert manager.choices.assign_to_kernel("kernel").kind == "no_role"


async def test_a_list_that_is_whole_again_a_second_later_withdraws_nothing(serve, hub, clock):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(clock)
        hub.faults["roles"] = [failing(200, {"issuer": hub.issuer, "user": "alice", "roles": []})]
        clock.advance(1.2 * CHECK_EVERY)

        await confirmed(manager, clock)

        assert hub.faults["roles"] == []
        assert session.ended is None


async def test_a_list_that_no_second_answer_confirms_withdraws_nothing(serve, hub, clock):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(clock)
        hub.faults["roles"] = [failing(200, {"issuer": hub.issuer, "user": "alice", "roles": []})]
        hub.faults["roles"] += [failing(503, HTML)] * 3
        clock.advance(1.2 * CHECK_EVERY)

        await confirmed(manager, clock)

        assert session.ended is None


async def test_a_missing_scope_withdraws_every_role(serve, hub, clock):
    async with serve() as manager:
        sessions = [(await manager.starter.start(arn))[0] for arn in (ANALYST, AUDITOR)]
        hub.without_access.add("alice")
        clock.advance(1.2 * CHECK_EVERY)

        await confirmed(manager, clock)

        assert [session.ended.reason for session in sessions] == ["role_withdrawn"] * 2
        with pytest.raises(RoleNotAllowed, match="scopes lack"):
            await manager.rights.offered_roles()
        hub.without_access.clear()
        clock.advance(MINUTE)
        assert len((await manager.rights.offered_roles())[1]) == 2


async def test_a_refusal_at_a_refresh_withdraws_the_role_at_once(serve, hub, site, clock):
    async with serve(source={"check_every": 86_400.0}) as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        auditor, _ = await manager.starter.start(AUDITOR)
        take(hub, ANALYST)

        with pytest.raises(RoleNotAllowed, match="not offered to alice"):
            await manager.refresher.refresh(analyst.id)

        assert analyst.ended.reason == "role_withdrawn"
        assert auditor.ended is None
        assert site.emitted("refresh_failed") == []


async def test_a_role_given_back_can_be_started_again(serve, hub, clock):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        before = hub.roles["alice"]
        take(hub, ANALYST)
        with pytest.raises(WbAwsError):
            await manager.refresher.refresh(session.id)
        hub.roles["alice"] = before

        again, created = await manager.starter.start(ANALYST)

        assert created
        assert manager.sessions.state_of(again) is State.ACTIVE


async def test_a_role_lost_while_the_server_was_down_is_withdrawn_as_it_comes_back(
    serve, hub, clock
):
    async with serve() as manager:
        kept, _ = await manager.starter.start(AUDITOR)
        await manager.starter.start(ANALYST)
    take(hub, ANALYST)
    async with serve() as manager:
        assert len(manager.sessions.living()) == 2
        await confirmed(manager, clock)
        assert [session.id for session in manager.sessions.living()] == [kept.id]


async def test_looks_are_spread_and_only_made_while_there_are_role_sessions(serve, hub, clock):
    async with serve() as manager:
        at_start = len(hub.calls("roles"))
        for _ in range(20):
            clock.advance(CHECK_EVERY)
            await manager.refresher.step()
        assert len(hub.calls("roles")) == at_start
        await manager.starter.start(ANALYST)
        pauses = []
        for _ in range(30):
            clock.set(manager.catalogue.next_look(clock.now()))
            await manager.refresher.step()
            pauses.append((manager.catalogue.next_look(clock.now()) - clock.now()).total_seconds())

        assert all(0.8 * CHECK_EVERY <= pause <= 1.2 * CHECK_EVERY for pause in pauses)
        assert max(pauses) - min(pauses) > 0.2 * CHECK_EVERY


async def test_what_the_service_says_of_a_role_holds_for_the_running_role_session(
    serve, hub, clock
):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        hub.roles["alice"] = [entry(ANALYST, label="Data analyst", extra_environment={"A": "b"})]
        clock.advance(1.2 * CHECK_EVERY)
        await manager.refresher.step()
        assert (session.role.label, session.role.extra_environment) == ("Data analyst", {"A": "b"})


async def test_a_typo_in_the_hubs_roles_file_withdraws_nothing(serve, hub, clock):
    async with serve() as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        auditor, _ = await manager.starter.start(AUDITOR)
        take(hub, ANALYST)
        hub.withheld = [ANALYST, "nonsense"]
        hub.always["tokens"] = refused(503, "roles_unavailable", "Its entry has an error.")
        clock.advance(49 * MINUTE)
        await confirmed(manager, clock)

        assert [analyst.ended, auditor.ended] == [None, None]
        assert manager.sessions.state_of(analyst) is State.DEGRADED
        assert [str(role.arn) for role in (await manager.rights.offered_roles())[1]] == [AUDITOR]

        hub.withheld = []
        clock.advance(1.2 * CHECK_EVERY)
        await confirmed(manager, clock)
        assert analyst.ended.reason == "role_withdrawn"
        assert auditor.ended is None


async def test_while_the_hubs_roles_file_can_not_be_read_as_a_whole_no_role_is_known_to_be_gone(
    serve, hub, clock
):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        hub.roles["alice"], hub.incomplete = [], True
        clock.advance(1.2 * CHECK_EVERY)
        await confirmed(manager, clock)

        assert session.ended is None
        assert (await manager.rights.offered_roles())[1] == []


# --- Away, and back ------------------------------------------------------------------------------


AWAY = {
    "HTML": failing(503, HTML, Content_Type="text/html"), "a 404": failing(404, HTML), "a login page": failing(200, HTML),
    "a redirect": failing(302, Location="/hub/login"), "busy": refused(503, "hub_busy", "Busy."),
    "an unknown token": refused(401, "not_authenticated", "The hub does not know this token."),
}  # fmt: skip


@pytest.mark.parametrize("how", sorted(AWAY))
async def test_a_service_that_is_away_degrades_role_sessions_which_come_back(
    serve, hub, site, clock, how
):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        token = session.token_file.read_text()
        hub.always = {"roles": AWAY[how], "tokens": AWAY[how]}
        clock.advance(49 * MINUTE)
        await manager.refresher.step()

        assert manager.sessions.state_of(session) is State.DEGRADED
        assert session.token_file.read_text() == token
        assert (await manager.starter.start(ANALYST))[0] is session
        assert manager.catalogue.failure is not None

        hub.always.clear()
        clock.advance(2 * MINUTE)
        await manager.refresher.step()

        assert manager.sessions.state_of(session) is State.ACTIVE
        assert session.token_file.read_text() != token
        assert manager.catalogue.failure is None
        assert site.emitted("session_ended") == []


async def test_while_the_service_is_away_a_role_starts_only_with_a_token_that_the_server_has(
    serve, hub
):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.ending.end_by_user(session.id)
        hub.always = {"roles": failing(503, HTML), "tokens": failing(503, HTML)}

        again, created = await manager.starter.start(ANALYST)
        assert created
        assert manager.sessions.state_of(again) is State.ACTIVE
        with pytest.raises(IdpUnavailable):
            await manager.starter.start(AUDITOR)


async def test_a_service_that_stays_away_lets_the_token_expire_and_is_asked_until_it_is_back(
    serve, hub, clock
):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        hub.always = {"roles": failing(503, HTML), "tokens": failing(503, HTML)}
        for _ in range(62):
            clock.advance(MINUTE)
            await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.EXPIRED
        assert session.ended is None

        hub.always.clear()
        clock.advance(MINUTE)
        await manager.refresher.step()

        assert manager.sessions.state_of(session) is State.ACTIVE


SAYS_AN_HOUR = {
    "a maintenance page": failing(503, HTML, Retry_After="3600"),
    "the service": lambda handler: say(
        handler, {"code": "hub_busy", "detail": "Busy."}, 503, Retry_After="3600"
    ),
}


@pytest.mark.parametrize("who", sorted(SAYS_AN_HOUR))
async def test_an_hour_named_by_a_proxy_or_the_service_delays_neither_tokens_nor_withdrawals_for_so_long(
    serve, hub, clock, who
):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        hub.always = {"roles": SAYS_AN_HOUR[who], "tokens": SAYS_AN_HOUR[who]}
        clock.advance(48 * MINUTE)
        await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.DEGRADED
        look = manager.catalogue.next_look(clock.now())
        assert (look - clock.now()).total_seconds() <= CHECK_EVERY

        hub.always.clear()
        left = manager.sessions.token_status(session).token.expires_at - clock.now()
        clock.advance(left.total_seconds() / 2)
        await manager.refresher.step()

        assert manager.sessions.state_of(session) is State.ACTIVE


async def test_without_an_answer_a_user_is_told_why_there_are_no_roles(serve, hub):
    hub.always["roles"] = failing(503, HTML)
    async with serve() as manager:
        with pytest.raises(
            IdpUnavailable, match="The hub service at .* is not available now: HTTP 503"
        ):
            await manager.rights.offered_roles()
        assert manager.rights.known_user is None


async def test_role_sessions_come_back_after_a_restart_while_the_service_is_away(serve, hub, clock):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
    hub.always = {"roles": failing(503, HTML), "tokens": failing(503, HTML)}
    async with serve() as manager:
        (back,) = manager.sessions.living()
        await manager.refresher.step()
        assert (back.id, back.ended) == (session.id, None)
        hub.always.clear()
        clock.advance(2 * MINUTE)
        await manager.refresher.step()
        assert manager.sessions.state_of(back) is State.ACTIVE
        assert back.role.label == "Analyst"


async def test_a_role_that_is_withheld_while_the_server_starts_comes_back(serve, hub, clock):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
    before = hub.roles["alice"]
    take(hub, ANALYST)
    hub.withheld = [ANALYST]
    hub.always["tokens"] = refused(503, "roles_unavailable", "Its entry has an error.")
    async with serve() as manager:
        await confirmed(manager, clock)
        (back,) = manager.sessions.living()
        assert (back.id, back.ended) == (session.id, None)

        hub.roles["alice"], hub.withheld = before, []
        hub.always.clear()
        clock.advance(2 * MINUTE)
        await manager.refresher.step()
        assert manager.sessions.state_of(back) is State.ACTIVE


# --- Another identity ------------------------------------------------------------------------------


async def test_another_issuer_is_another_identity(serve, hub, clock):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        hub.issuer = hub.issuer.replace("127.0.0.1", "localhost")
        clock.advance(1.2 * CHECK_EVERY)
        await manager.refresher.step()

        assert session.ended.reason == "identity_changed"
        again, _ = await manager.starter.start(ANALYST)
        await manager.refresher.step()
        assert (again.owner.issuer, again.ended) == (hub.issuer, None)


async def test_another_subject_for_the_same_hub_user_changes_nothing(serve, hub, clock):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        hub.subject = "user:{user}:role:111122223333/analyst"
        clock.advance(49 * MINUTE)
        await manager.refresher.step()
        assert session.ended is None
        assert manager.sessions.token_for(session).claims["sub"].endswith("/analyst")


async def test_a_renamed_hub_user_is_another_identity(serve, hub, clock):
    async with serve() as manager:
        session, _ = await manager.starter.start(ANALYST)
        hub.users[hub.api_token] = "alicia"
        hub.roles["alicia"] = hub.roles["alice"]
        clock.advance(1.2 * CHECK_EVERY)
        await manager.refresher.step()
        assert session.ended.reason == "identity_changed"


async def test_a_service_that_names_another_issuer_than_the_pinned_one_ends_nothing(
    serve, hub, clock
):
    async with serve(source={"issuer": hub.issuer}) as manager:
        session, _ = await manager.starter.start(ANALYST)
        hub.issuer = hub.issuer.replace("127.0.0.1", "localhost")
        clock.advance(49 * MINUTE)
        await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.DEGRADED
        assert manager.catalogue.failure.code == "token_invalid"


# --- Entries that can't be used ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken", [{"region": 7}, {"extra_environment": {"AWS_PROFILE": "x"}}, {"request_url": "nonsense"}], ids=str
)  # fmt: skip
async def test_a_bad_entry_is_named_and_stays_as_it_was_and_so_do_the_others(
    serve, hub, clock, caplog, broken
):
    async with serve() as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        hub.roles["alice"] = [
            entry(ANALYST, **broken),
            entry(AUDITOR),
            {**entry(AUDITOR), "arn": "nonsense"},
        ]
        clock.advance(1.2 * CHECK_EVERY)
        await manager.refresher.step()

        assert analyst.ended is None
        assert [bad.arn and str(bad.arn) for bad in manager.catalogue.last_good.problems] == [
            ANALYST,
            None,
        ]
        assert "analyst" in caplog.text
        assert len((await manager.rights.offered_roles())[1]) == 2


async def test_members_that_this_version_does_not_know_are_ignored(serve, hub):
    hub.roles["alice"] = [entry(ANALYST, audience="other", later={"any": 1}, allow="nobody")]
    async with serve() as manager:
        _, roles = await manager.rights.offered_roles()
        assert [str(role.arn) for role in roles] == [ANALYST]
        assert manager.catalogue.last_good.problems == ()


async def test_a_list_of_nonsense_offers_nothing_and_says_so(serve, hub):
    hub.roles["alice"] = [7, {"name": "analyst"}, None]
    async with serve() as manager:
        assert (await manager.rights.offered_roles())[1] == []
        assert len(manager.catalogue.last_good.problems) == 3


# --- A third party's source that knows roles --------------------------------------------------------


class Faulty(JupyterHubTokenSource):
    answers: list[object]

    async def identity_and_roles(self):
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.mark.parametrize(
    "answer", [None, ZeroDivisionError("secret"), InvalidRoleArn("No.")], ids=str
)
async def test_a_source_that_fails_in_its_own_way_takes_nothing_away(hub, clock, answer):
    source = Faulty(service_url=hub.service_url)
    good = await JupyterHubTokenSource.identity_and_roles(source)
    source.answers = [good, answer, good]
    catalogue = ServiceCatalogue(source, clock, random.Random(1))
    before = await catalogue.current()

    assert await catalogue.current() is before
    assert "secret" not in str(catalogue.failure)
    assert catalogue.next_look(clock.now()) - clock.now() <= timedelta(seconds=MINUTE)
    assert await catalogue.current() is before
    assert catalogue.failure is None
    await catalogue.close()
    await source.close()
