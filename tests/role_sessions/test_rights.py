"""A role that the user has lost, by the token or by the roles file, ends its role session."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from jupyter_wb_aws.errors import HubUserDiffers, RoleSessionEnded
from jupyter_wb_aws.role_sessions import rights
from jupyter_wb_aws.role_sessions.role_session import State
from jupyter_wb_aws.role_sessions.server_owner import ServerOwner
from jupyter_wb_aws.role_sessions.store import NO_ROLE
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile
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
RULES = f"""
[[roles]]
arn = "{ANALYST}"
label = "Analyst"
region = "us-east-2"
allow = [{{ groups = ["analysts"] }}]

[[roles]]
arn = "{AUDITOR}"
allow = [{{ claims = {{ audits = true }} }}]
"""
NOBODY = RULES.replace("analysts", "nobody")


@pytest.fixture
def site(site):
    site.roles_file.write_text(RULES)
    return site


def new_tokens(site, **claims):
    return lambda: make_token(site.clock.now(), iat=site.clock.now(), **claims)


# --- By the token ----------------------------------------------------------------------------


async def test_a_token_without_the_group_ends_the_role_session_at_the_next_refresh(site, caplog):
    caplog.set_level("INFO")
    source = ScriptedSource(new_tokens(site))
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        source.answers[:] = [new_tokens(site, groups=["interns"])]
        site.clock.advance(48 * MINUTE)

        await manager.refresher.step()

        assert session.ended.reason == "role_withdrawn"
        await eventually(lambda: manager.sessions.default == NO_ROLE)
        assert site.files() == []
        assert [event["reason"] for event in site.emitted("session_ended")] == ["role_withdrawn"]
        assert f"Role session {session.id} ({ANALYST}) ended: role_withdrawn" in caplog.text


async def test_a_claim_that_changed_ends_only_what_needed_it(site):
    source = ScriptedSource(new_tokens(site, audits=True))
    async with site.server(source) as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        auditor, _ = await manager.starter.start(AUDITOR)
        source.answers[:] = [new_tokens(site, audits=False)]
        site.clock.advance(48 * MINUTE)

        await manager.refresher.step()

        assert manager.sessions.living() == [analyst]
        assert auditor.ended.reason == "role_withdrawn"
        assert analyst.token_file.read_text() == manager.token_cache.status(None).token.reveal()


async def test_a_token_of_a_withdrawn_role_is_never_in_its_file(site):
    source = ScriptedSource(new_tokens(site))
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        source.answers[:] = [new_tokens(site, groups=[])]

        with pytest.raises(RoleSessionEnded, match="no longer in your list of roles"):
            await manager.refresher.refresh(session.id)

        assert site.emitted("token_refreshed") == []


async def test_a_kernel_of_a_withdrawn_role_has_none_at_its_next_start(site):
    source = ScriptedSource(new_tokens(site))
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        manager.choices.assign_to_kernel("kernel")
        source.answers[:] = [new_tokens(site, groups=[])]
        with pytest.raises(RoleSessionEnded):
            await manager.refresher.refresh(session.id)

        assert manager.choices.assign_to_kernel("kernel").kind == "no_role"
        assert site.emitted("kernel_without_role")


async def test_a_role_that_the_claim_names_no_longer_ends(site):
    site.roles_file.write_text(
        '[roles_from_claim]\nclaim = "aws"\naccounts = ["111122223333"]\ncolor = "red"\n'
    )
    source = ScriptedSource(new_tokens(site, aws=[ANALYST, AUDITOR]))
    async with site.server(source) as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        auditor, _ = await manager.starter.start(AUDITOR)
        source.answers[:] = [new_tokens(site, aws=[AUDITOR])]
        site.clock.advance(48 * MINUTE)

        await manager.refresher.step()

        assert analyst.ended.reason == "role_withdrawn"
        assert (auditor.ended, auditor.role.color) == (None, "red")


# --- By the roles file -----------------------------------------------------------------------


async def test_a_role_taken_from_the_user_ends_within_half_a_minute(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(site.clock)
        site.roles_file.write_text(NOBODY)

        site.clock.advance(30)
        await eventually(lambda: session.ended)

        assert session.ended.reason == "role_withdrawn"
        assert len(manager.token_cache.source.requests) == 1


async def test_a_role_taken_out_of_the_file_ends(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(site.clock)
        site.roles_file.write_text("roles = []")

        await manager.refresher.step()

        assert session.ended.reason == "role_withdrawn"


@pytest.mark.parametrize("broken", ["", "broken [", "[[roles]]\narn = 7", None])
async def test_a_broken_or_unreadable_file_takes_no_role_away(site, broken):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(site.clock)
        site.roles_file.unlink() if broken is None else site.roles_file.write_text(broken)
        site.clock.advance(48 * MINUTE)

        await manager.refresher.step()

        assert manager.sessions.state_of(session) is State.ACTIVE
        await eventually(lambda: len(site.emitted("token_refreshed")) == 1)


async def test_a_token_that_lost_the_group_counts_while_the_file_is_broken(site):
    source = ScriptedSource(new_tokens(site))
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(site.clock)
        site.roles_file.write_text("broken [")
        source.answers[:] = [new_tokens(site, groups=[])]
        site.clock.advance(48 * MINUTE)

        await manager.refresher.step()

        assert session.ended.reason == "role_withdrawn"


async def test_a_file_that_is_just_being_written_is_read_again_before_a_role_is_withdrawn(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(site.clock)
        site.roles_file.write_text("roles = [] # the first half of")
        os.utime(site.roles_file, (NOON.timestamp(), NOON.timestamp()))
        looking = asyncio.create_task(manager.refresher.step())
        await eventually(lambda: manager.catalogue.last_good.roles() == [])
        site.roles_file.write_text(RULES)

        await eventually(lambda: site.clock.advance(0.1) or looking.done())

        assert session.ended is None


async def test_a_file_that_its_server_dates_ahead_withdraws_a_role_a_second_later(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(site.clock)
        site.roles_file.write_text("roles = []")
        ahead = NOON.timestamp() + 200
        os.utime(site.roles_file, (ahead, ahead))
        looking = asyncio.create_task(manager.refresher.step())
        await eventually(
            lambda: (site.clock.wakes_within(1) and site.clock.advance(1)) or looking.done()
        )

        assert session.ended.reason == "role_withdrawn"


@pytest.fixture
def hang(monkeypatch):
    """The file system that hangs: what it is patched with, and the looks that are stuck in it."""
    monkeypatch.setattr(rights, "ROLES_FILE_TIMEOUT", 0.05)
    may_go_on, looks = threading.Event(), []

    def look(_file):
        looks.append(1)
        assert may_go_on.wait(20)

    look.may_go_on, look.looks = may_go_on, looks
    return look


async def test_a_file_system_that_hangs_does_not_stop_the_refreshes(site, hang, monkeypatch):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        old = session.token_file.read_text()
        monkeypatch.setattr(CatalogueFile, "_read_if_changed", hang)
        site.clock.advance(48 * MINUTE)
        for _ in range(3):
            await manager.refresher.step()
        written = session.token_file.read_text()
        hang.may_go_on.set()

    assert written != old
    assert len(hang.looks) == 1


async def test_a_token_is_judged_by_the_last_good_file_while_the_file_system_hangs(
    site, hang, monkeypatch
):
    source = ScriptedSource(new_tokens(site))
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        monkeypatch.setattr(CatalogueFile, "_read_if_changed", hang)
        source.answers[:] = [new_tokens(site, groups=[])]
        site.clock.advance(48 * MINUTE)
        await manager.refresher.step()
        hang.may_go_on.set()

    assert session.ended.reason == "role_withdrawn"


async def test_what_the_file_says_of_a_role_holds_for_the_running_role_session(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(site.clock)
        changed = RULES.replace('"Analyst"', '"Data analyst"').replace("us-east-2", "eu-west-1")
        site.roles_file.write_text(f'{changed}extra_environment = {{ A = "b" }}\n')

        await manager.refresher.step()

        assert session.role.label == "Data analyst"
        assert session.region == "us-east-2"
        assert session.key == (ANALYST, "us-east-2", "web_identity")


async def test_another_users_token_is_judged_as_such_and_not_by_its_roles(site):
    source = ScriptedSource(new_tokens(site))
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        source.answers[:] = [new_tokens(site, sub="bob", groups=[])]
        site.clock.advance(48 * MINUTE)

        await manager.refresher.step()

        assert session.ended.reason == "identity_changed"


async def test_without_a_change_nothing_is_judged_twice(site, monkeypatch):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        await manager.refresher.step()
        judged = []
        monkeypatch.setattr(manager.token_cache, "identity_of", judged.append)

        await manager.refresher.step()

        assert judged == []


# --- A typo withdraws nothing -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ('label = "Analyst"', 'lable = "Analyst"'), ('region = "us-east-2"', 'region = "us east"'), ("groups", "group"),
        (ANALYST, ANALYST.replace("iam", "iarn")), (ANALYST, ANALYST.replace(":role/", ":rol/")), (f'arn = "{ANALYST}"', ""),
        ("[[roles]]", "[[role]]"), ("[[roles]]", "[[roles]]\narn = 7\n[[roles]]"), ('[{ groups = ["analysts"] }]', '"everyon"'),
    ],
)  # fmt: skip
async def test_a_typo_in_an_entry_ends_no_role_session_on_a_running_or_a_new_server(
    site, good, bad
):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(site.clock)
        site.roles_file.write_text(RULES.replace(good, bad, 1))
        site.clock.advance(48 * MINUTE)
        await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.ACTIVE

    async with site.server() as manager:
        await manager.refresher.step()
        assert [restored.id for restored in manager.sessions.living()] == [session.id]

        site.roles_file.write_text("roles = []")
        await manager.refresher.step()
        assert manager.sessions.living() == []


async def test_a_token_that_lost_the_group_counts_while_the_entry_is_bad(site):
    source = ScriptedSource(new_tokens(site))
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)
        await asleep(site.clock)
        site.roles_file.write_text(RULES.replace('[{ groups = ["analysts"] }]', "7"))
        source.answers[:] = [new_tokens(site, groups=[])]
        site.clock.advance(48 * MINUTE)

        await manager.refresher.step()

        assert session.ended.reason == "role_withdrawn"


async def test_a_bad_entry_of_one_role_withdraws_no_other_and_keeps_no_deleted_one(site):
    source = ScriptedSource(new_tokens(site, audits=True))
    async with site.server(source) as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        auditor, _ = await manager.starter.start(AUDITOR)
        await asleep(site.clock)
        site.roles_file.write_text(
            RULES.partition('[[roles]]\narn = "' + AUDITOR)[0] + "color = 7\n"
        )

        await manager.refresher.step()

        assert analyst.ended is None
        assert auditor.ended.reason == "role_withdrawn"


# --- The owner of the server -----------------------------------------------------------------


async def test_a_role_session_of_another_user_than_the_servers_owner_ends_where_that_is_refused(
    site,
):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

    bobs = ServerOwner("bob", refuses=True)
    async with site.server(server_owner=bobs) as manager:
        await eventually(lambda: manager.sessions.get(session.id).ended is not None)

        assert manager.sessions.get(session.id).ended.reason == "identity_changed"
        with pytest.raises(HubUserDiffers, match="belongs to 'bob'"):
            await manager.starter.start(ANALYST)
        with pytest.raises(HubUserDiffers):
            await manager.rights.offered_roles()


async def test_a_role_session_of_the_servers_owner_goes_on(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

    alices = ServerOwner("Alice", refuses=True)
    async with site.server(server_owner=alices) as manager:
        await eventually(lambda: manager.sessions.state_of(session) is State.ACTIVE)
        assert (await manager.starter.start(ANALYST))[0].id == session.id
