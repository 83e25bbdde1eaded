"""What a server finds of its last run, and what it leaves for the next."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jupyter_wb_aws.errors import (
    EndpointUnavailable,
    RoleSessionEnded,
    RoleSessionNotFound,
    ServerStopping,
    SignInRequired,
    TokenSourceFailed,
)
from jupyter_wb_aws.role_sessions import records
from jupyter_wb_aws.role_sessions.role_session import State
from jupyter_wb_aws.role_sessions.store import NO_ROLE, NOTHING_CHOSEN, Store, slot_name
from tests.role_sessions.support import ANALYST, AUDITOR, NOON, ScriptedSource, eventually

SERVER = """
import asyncio, random, sys
from pathlib import Path
from jupyter_wb_aws.identity.token_cache import TokenCache
from jupyter_wb_aws.role_sessions.manager import RoleSessionManager
from jupyter_wb_aws.role_sessions.settings import RoleSessionSettings
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile
from tests.role_sessions.support import ANALYST, FakeClock, FakeSts, ScriptedSource, make_token

async def main(tokens, store, home, roles):
    clock = FakeClock()
    token_cache = TokenCache(ScriptedSource(make_token()), clock, random.Random(1))
    manager = RoleSessionManager(
        RoleSessionSettings(Path(tokens), Path(store), Path(home)), token_cache, CatalogueFile(Path(roles), clock),
        clock=clock, rng=random.Random(), emit=lambda name, data: None, sts=FakeSts(clock),
    )
    await manager.open()
    session, _ = await manager.starter.start(ANALYST)
    print(session.id, flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


def killed_server(site, home):
    """Run a server in another process until its role session is there; kill it; return the id."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, site.token_dir, site.state_dir, home, site.roles_file],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    session_id = server.stdout.readline().strip()
    server.kill()
    server.communicate()
    return session_id


def kept(site):
    return json.loads((site.state_dir / f"{slot_name(site.home)}.json").read_text())


def keep(site, change):
    document = kept(site)
    change(document)
    (site.state_dir / f"{slot_name(site.home)}.json").write_text(json.dumps(document))


# --- Over a clean restart --------------------------------------------------------------------


async def test_a_clean_stop_removes_token_files_and_keeps_the_records(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

    assert site.files() == []
    assert [record["id"] for record in kept(site)["records"]] == [session.id]


async def test_role_sessions_come_back_with_the_ids_paths_and_names_they_had(site):
    async with site.server() as manager:
        first, _ = await manager.starter.start(ANALYST)
        await manager.starter.start(AUDITOR, "eu-west-1")
        before = [facts(session) for session in manager.sessions.living()]

    async with site.server() as manager:
        assert [facts(session) for session in manager.sessions.living()] == before
        assert manager.sessions.is_default(manager.sessions.get(first.id))


def facts(session):
    return (
        session.id, session.session_name, session.token_file, session.role, session.region,
        session.caller, session.started_at, session.credential_lifetime,
        session.owner.issuer, session.owner.subject,
    )  # fmt: skip


async def test_role_sessions_that_came_back_get_their_token_by_themselves(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

    async with site.server() as manager:
        back = manager.sessions.get(session.id)
        await eventually(lambda: manager.sessions.state_of(back) is State.ACTIVE)

        assert back.token_file.read_text() == manager.token_cache.status(ANALYST).token.reveal()
        assert len(manager.token_cache.source.requests) == 1
        assert len(site.sts.requests) == 1


async def test_a_role_session_that_came_back_is_the_one_that_a_start_gives(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

    async with site.server() as manager:
        again, created = await manager.starter.start(ANALYST)

        assert (again.id, created) == (session.id, False)


async def test_a_restart_without_a_token_loses_nothing(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

    for _ in range(2):
        async with site.server(ScriptedSource(SignInRequired())) as manager:
            back = manager.sessions.get(session.id)
            await eventually(
                lambda b=back, m=manager: m.sessions.state_of(b) is State.SIGN_IN_REQUIRED
            )

    async with site.server() as manager:
        await eventually(
            lambda: manager.sessions.state_of(manager.sessions.get(session.id)) is State.ACTIVE
        )


async def test_an_ended_role_session_does_not_come_back(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.ending.end_by_user(session.id)

    async with site.server() as manager:
        with pytest.raises(RoleSessionNotFound):
            manager.sessions.get(session.id)
        assert manager.sessions.default == NO_ROLE


async def test_a_choice_of_no_aws_role_lasts_over_restarts(site):
    async with site.server() as manager:
        await manager.choices.set_default(None)

    for _ in range(2):
        async with site.server() as manager:
            assert manager.sessions.default == NO_ROLE
            assert manager.choices.assign_to_process().kind == "no_role"


async def test_where_nothing_was_chosen_nothing_is_chosen_after_a_restart(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST, default=False)

    async with site.server() as manager:
        assert manager.sessions.default == NOTHING_CHOSEN
        assert manager.choices.assign_to_process().kind == "untouched"


async def test_a_role_that_left_the_catalogue_meanwhile_ends_on_its_return(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
    site.roles_file.write_text(f'[[roles]]\narn = "{AUDITOR}"\nallow = "everyone"\n')

    async with site.server() as manager:
        back = manager.sessions.get(session.id)
        await eventually(lambda: back.ended)
        await eventually(lambda: manager.sessions.default == NO_ROLE)

        assert back.ended.reason == "role_withdrawn"
        assert site.files() == []


async def test_an_unreadable_catalogue_takes_no_role_away(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
    site.roles_file.write_text("broken [")

    async with site.server() as manager:
        back = manager.sessions.get(session.id)
        await eventually(lambda: manager.sessions.state_of(back) is State.ACTIVE)

        assert (back.role.label, back.region) == ("analyst", "us-east-2")


async def test_a_role_that_came_back_is_checked_once_the_catalogue_can_be_read(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
    site.roles_file.write_text("broken [")

    async with site.server() as manager:
        back = manager.sessions.get(session.id)
        await eventually(lambda: manager.sessions.state_of(back) is State.ACTIVE)
        site.roles_file.write_text(f'[[roles]]\narn = "{AUDITOR}"\nallow = "everyone"\n')
        site.clock.advance(60)
        with pytest.raises(RoleSessionEnded):
            await manager.refresher.refresh(session.id)

        assert back.ended.reason == "role_withdrawn"


async def test_the_catalogues_words_of_today_hold_for_a_role_that_came_back(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
    site.roles_file.write_text(site.roles_file.read_text().replace('"Analyst"', '"Data analyst"'))

    async with site.server() as manager:
        assert manager.sessions.get(session.id).role.label == "Data analyst"


async def test_a_role_that_a_claim_named_comes_back_with_what_the_file_says_of_such(site):
    site.roles_file.write_text(
        '[roles_from_claim]\nclaim = "aws"\naccounts = ["111122223333"]\ncolor = "red"\n'
    )
    source = site.fresh(aws=[ANALYST])
    async with site.server(source) as manager:
        session, _ = await manager.starter.start(ANALYST)

    async with site.server(source) as manager:
        assert manager.sessions.get(session.id).role.color == "red"
        await eventually(
            lambda: manager.sessions.state_of(manager.sessions.get(session.id)) is State.ACTIVE
        )


async def test_another_user_after_a_restart_gets_nothing_of_the_first(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

    async with site.server(site.fresh(sub="bob")) as manager:
        back = manager.sessions.get(session.id)
        await eventually(lambda: back.ended)

        assert back.ended.reason == "identity_changed"
        assert site.files() == []


# --- Named servers of one user and one home ---------------------------------------------------


@pytest.mark.parametrize("first_up", ["", "work"])
@pytest.mark.parametrize("first_down", ["", "work"])
async def test_default_and_named_servers_keep_their_role_sessions_in_any_order(
    site, first_up, first_down
):
    servers = {}
    for name in sorted(["", "work"], key=lambda name: name != first_up):
        servers[name] = site.manager(server_name=name)
        await servers[name].open()
    role = {"": ANALYST, "work": AUDITOR}
    started = {name: (await servers[name].starter.start(role[name]))[0] for name in servers}
    for name in sorted(servers, key=lambda name: name != first_down):
        await servers[name].close()
        assert all(session.id not in file for session in [started[name]] for file in site.files())

    for name in ("work", ""):
        async with site.server(server_name=name) as again:
            (back,) = again.sessions.living()
            assert (back.id, str(back.role.arn)) == (started[name].id, role[name])
            assert again.sessions.is_default(back)


async def test_a_named_server_leaves_what_an_older_version_kept_to_the_default_one(site):
    async with site.server() as older:
        session, _ = await older.starter.start(ANALYST)

    async with site.server(server_name="work") as named:
        assert named.sessions.living() == []
        assert not named.sessions.default.chosen
    async with site.server() as default:
        assert [back.id for back in default.sessions.living()] == [session.id]


async def test_a_named_server_that_starts_leaves_the_files_of_a_running_one(site):
    async with site.server(server_name="work") as named:
        session, _ = await named.starter.start(ANALYST)
        async with site.server(), site.server(server_name="other"):
            assert session.token_file.exists()
        assert session.token_file.exists()


# --- The store -------------------------------------------------------------------------------


async def test_nothing_secret_is_in_the_store(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        token = session.token_file.read_text()

        for path in site.state_dir.iterdir():
            content = path.read_text()
            assert not [part for part in token.split(".") if part in content]


@pytest.mark.parametrize(
    "change",
    [
        {"role_arn": "arn:aws:s3:::bucket"},
        {"role_arn": 7},
        {"id": "../../../home/alice/x"},
        {"id": None},
        {"started_at": "yesterday"},
        {"started_at": "2026-11-24T12:00:00"},
        {"started_at": None},
        {"caller": {}},
        {"caller": None},
        {"credential_lifetime": "long"},
        {"credential_lifetime": 1e300},
    ],
)
async def test_an_invalid_record_is_lost_and_the_others_are_not(site, change, caplog):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        other, _ = await manager.starter.start(AUDITOR)
    keep(site, lambda document: document["records"][0].update(change))

    async with site.server() as manager:
        assert [session.id for session in manager.sessions.living()] == [other.id]
        assert "its record is invalid" in caplog.text
        assert (
            manager.sessions.default == NO_ROLE
        )  # what was chosen is lost, and nothing else takes its place
        assert manager.choices.assign_to_process().kind == "no_role"


async def test_a_garbage_store_gives_no_role_away_and_is_reported(site):
    async with site.server() as manager:
        await manager.choices.set_default(None)
    (site.state_dir / f"{slot_name(site.home)}.json").write_bytes(b"\0garbage")

    async with site.server() as manager:
        assert manager.sessions.living() == []
        assert manager.choices.assign_to_process().kind == "no_role"
        assert "are lost" in manager.records.problem
        session, _ = await manager.starter.start(ANALYST, default=True)
        assert manager.sessions.is_default(session)


async def test_a_role_session_whose_end_the_stop_cut_short_does_not_come_back(site, monkeypatch):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        held = asyncio.Event()
        monkeypatch.setattr(manager.files, "remove", lambda _session: held.wait())
        ending = asyncio.create_task(manager.ending.end_by_user(session.id))
        await eventually(lambda: session.ended is not None)
    await asyncio.gather(ending, return_exceptions=True)

    async with site.server() as manager:
        assert manager.sessions.living() == []
        assert manager.choices.assign_to_process().kind == "no_role"


async def test_after_the_stop_nothing_is_started_that_would_stay(site):
    async with site.server() as manager:
        pass

    with pytest.raises(ServerStopping):
        await manager.starter.start(ANALYST)

    assert site.files() == []


async def test_while_the_default_role_is_being_started_nothing_else_is_given(site, monkeypatch):
    manager = site.manager(default_role=ANALYST)
    monkeypatch.setattr(manager.starter, "start", lambda _arn: asyncio.Event().wait())

    await manager.open()
    given = manager.choices.assign_to_process()
    await manager.close()

    assert given.kind == "no_role"


async def test_an_unusable_store_never_keeps_a_server_from_starting(site):
    site.state_dir.write_text("a file where the folder should be")

    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

        assert session.token_file.exists()
        assert "can't be kept over a restart" in manager.records.problem
    assert site.files() == []


async def test_a_full_disk_of_the_store_never_fails_a_start_and_heals(site, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    async with site.server() as manager:
        with monkeypatch.context() as broken:
            broken.setattr(Store, "save", fail)
            session, _ = await manager.starter.start(ANALYST)
            assert "No space left on device" in manager.records.problem

        await manager.starter.start(AUDITOR)
        assert manager.records.problem is None

    assert len(kept(site)["records"]) == 2
    assert kept(site)["default"]["session_id"] == session.id


async def test_a_slow_disk_of_the_store_holds_nobody_up_and_is_written_in_the_end(
    site, monkeypatch
):
    monkeypatch.setattr(records, "SAVE_TIMEOUT", 0.01)
    may_go_on, real = threading.Event(), Store.save

    def slow(store, snapshot):
        assert may_go_on.wait(20)
        real(store, snapshot)

    monkeypatch.setattr(Store, "save", slow)
    async with site.server() as manager:
        session, _ = await asyncio.wait_for(manager.starter.start(ANALYST), 5)
        may_go_on.set()

    assert [record["id"] for record in kept(site)["records"]] == [session.id]
    assert kept(site)["default"]["session_id"] == session.id


async def test_two_servers_without_a_store_leave_each_others_files_alone(site):
    site.state_dir.write_text("a file where the folder should be")

    async with site.server() as first:
        session, _ = await first.starter.start(ANALYST)
        async with site.server() as second:
            await second.starter.start(ANALYST)
            assert session.token_file.exists()
        assert session.token_file.exists()


# --- What is asked while the last run is being read ------------------------------------------


async def test_what_is_asked_too_early_waits_for_what_the_last_run_left(site, monkeypatch):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.starter.start(AUDITOR, default=True)
    may_go_on, real = threading.Event(), Store.load

    def slow(store):
        assert may_go_on.wait(20)
        return real(store)

    monkeypatch.setattr(Store, "load", slow)
    manager = site.manager()
    opening = asyncio.create_task(manager.open())
    early = [asyncio.create_task(manager.starter.start(ANALYST)) for _ in range(2)]
    choice = asyncio.create_task(manager.choices.set_default(None))
    await asyncio.sleep(0)
    may_go_on.set()
    await opening
    answers = await asyncio.gather(*early)
    await choice
    await manager.close()

    assert {again.id for again, _ in answers} == {session.id}
    assert len(kept(site)["records"]) == 2
    assert kept(site)["default"] == {"chosen": True, "session_id": None}


async def test_a_kernel_of_a_synchronous_kernel_manager_does_not_wait_for_the_last_run(
    site, monkeypatch
):
    may_go_on, real = threading.Event(), Store.load

    def slow(store):
        assert may_go_on.wait(20)
        return real(store)

    monkeypatch.setattr(Store, "load", slow)
    manager = site.manager()
    opening = asyncio.create_task(manager.open())
    await asyncio.sleep(0)

    # Its launch runs on a loop of its own, in another thread, while the server's stands still.
    async def launch():
        await manager.sessions.wait_until_ready()
        return manager.choices.assign_to_kernel("k")

    given = []
    thread = threading.Thread(target=lambda: given.append(asyncio.run(launch())))
    thread.start()
    thread.join(20)
    may_go_on.set()
    await opening
    await manager.close()

    assert [g.kind for g in given] == ["no_role"]


# --- Several servers -------------------------------------------------------------------------


async def test_a_second_server_of_the_same_folder_begins_with_nothing_and_leaves_nothing(site):
    async with site.server() as first:
        session, _ = await first.starter.start(ANALYST)
        async with site.server() as second:
            assert second.sessions.living() == []
            other, _ = await second.starter.start(ANALYST)
            assert other.token_file != session.token_file
        assert session.token_file.exists()
        assert not other.token_file.exists()

    assert [record["id"] for record in kept(site)["records"]] == [session.id]


async def test_a_server_of_another_folder_begins_with_nothing(site, tmp_path):
    async with site.server() as first:
        await first.starter.start(ANALYST)
    (tmp_path / "other").mkdir()

    async with site.server(root_dir=tmp_path / "other") as other:
        assert other.sessions.living() == []


# --- Servers that died -----------------------------------------------------------------------


async def test_the_next_server_takes_up_the_role_session_of_one_that_was_killed(site):
    session_id = killed_server(site, site.home)
    assert f"{slot_name(site.home)}_{session_id}.token" in site.files()

    async with site.server() as manager:
        await eventually(
            lambda: manager.sessions.state_of(manager.sessions.get(session_id)) is State.ACTIVE
        )
        assert manager.sessions.get(session_id).token_file.exists()

    assert site.files() == []


async def test_files_of_a_killed_server_that_nobody_takes_up_are_cleaned(site):
    killed_server(site, site.home)
    (site.state_dir / f"{slot_name(site.home)}.json").unlink()
    half_written = f".tmp-0123456789abcdef-{slot_name(site.home)}_{'0' * 16}.token"
    (site.token_dir / half_written).write_text("half a tok")

    async with site.server() as manager:
        assert manager.sessions.living() == []
        assert site.files() == []


async def test_token_files_of_a_killed_server_of_another_folder_are_cleaned(site, tmp_path):
    (tmp_path / "other").mkdir()
    session_id = killed_server(site, tmp_path / "other")

    async with site.server():
        assert site.files() == []

    async with site.server(root_dir=tmp_path / "other") as manager:
        assert manager.sessions.get(session_id)


async def test_token_files_of_a_server_that_lives_are_left_alone(site, tmp_path):
    (tmp_path / "other").mkdir()

    async with site.server(root_dir=tmp_path / "other") as living:
        session, _ = await living.starter.start(ANALYST)
        async with site.server():
            assert session.token_file.exists()


async def test_leftovers_that_cannot_be_looked_for_do_not_fail_a_start(site, monkeypatch, caplog):
    def fail(*_):
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(Store, "clear_leftovers", fail)

    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        assert session.token_file.exists()
    assert "Input/output error" in caplog.text


async def test_a_failing_source_at_the_next_start_keeps_what_a_killed_server_left(site):
    session_id = killed_server(site, site.home)

    async with site.server(ScriptedSource(TokenSourceFailed())) as manager:
        await eventually(
            lambda: manager.sessions.state_of(manager.sessions.get(session_id)) is State.EXPIRED
        )
        assert manager.sessions.get(session_id).started_at == NOON


# --- Hostile records -------------------------------------------------------------------------

HOSTILE = {
    "an id that is a path": {"id": "../../../tmp/x"},
    "an id with a newline": {"id": "0123456789abcde\n"},
    "an id in capitals": {"id": "0123456789ABCDEF"},
    "an id that is a number": {"id": 123456789},
    "an ARN of a user": {"role_arn": "arn:aws:iam::111122223333:user/alice"},
    "an ARN with a newline": {"role_arn": f"{ANALYST}\nAWS_ACCESS_KEY_ID=x"},
    "an ARN that is a list": {"role_arn": [ANALYST]},
    "a region with a newline": {"region": "us-east-2\nX=1"},
    "a region that is a host": {"region": "evil.example.com/"},
    "a region that is a number": {"region": 2},
    "a session name with blanks": {"session_name": "alice and bob"},
    "a session name of one letter": {"session_name": "a"},
    "a session name that is too long": {"session_name": "a" * 65},
    "no session name": {"session_name": None},
    "an issuer that is an object": {"issuer": {}},
    "an endless subject": {"subject": "a" * 5000},
    "half a surrogate pair": {"subject": "\ud800"},
    "a time without a zone": {"started_at": "2026-11-24T12:00:00"},
    "a time that is a number": {"started_at": 1764000000},
    "a lifetime of no time": {"credential_lifetime": 0},
    "a negative lifetime": {"credential_lifetime": -3600},
    "a lifetime of centuries": {"credential_lifetime": 1e12},
    "a lifetime that is a truth": {"credential_lifetime": True},
    "a caller without an ARN": {"caller": {"UserId": "x", "Account": "1"}},
    "a caller that is a list": {"caller": ["x"]},
    "a caller of numbers": {"caller": {"UserId": 1, "Account": 2, "Arn": 3}},
    "a truth that is a text": {"shared": "false"},
    "a process of all": {"process": {"pid": -1, "started": "1"}},
    "a process that is a truth": {"process": {"pid": True, "started": "1"}},
    "a process without a start": {"process": {"pid": 4711, "started": None}},
}


@pytest.mark.parametrize("values", HOSTILE.values(), ids=HOSTILE)
async def test_a_value_that_no_client_could_have_sent_loses_its_record_alone(site, values):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        other, _ = await manager.starter.start(AUDITOR)
    keep(site, lambda document: document["records"][0].update(values))

    async with site.server() as manager:
        assert [session.id for session in manager.sessions.living()] == [other.id]
        assert manager.choices.assign_to_process().kind == "no_role"
        assert all(s.token_file.parent == site.token_dir for s in manager.sessions.living())


async def test_of_two_records_with_one_id_the_first_counts(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        await manager.starter.start(AUDITOR)
    keep(site, lambda document: document["records"][1].update(id=session.id))

    async with site.server() as manager:
        assert [str(s.role.arn) for s in manager.sessions.living()] == [ANALYST]


@pytest.mark.parametrize("started_at", ["9999-12-31T23:59:59+00:00", "2026-11-24T12:00:01+00:00"])
async def test_a_role_session_of_the_future_was_started_now(site, started_at):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
    keep(site, lambda document: document["records"][0].update(started_at=started_at))

    async with site.server() as manager:
        assert manager.sessions.get(session.id).started_at == NOON
        await manager.ending.end_by_user(session.id)


async def test_a_store_whose_folder_was_deleted_is_made_again(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        shutil.rmtree(site.state_dir)
        await manager.starter.start(AUDITOR)

        assert len(kept(site)["records"]) == 2
        assert manager.records.problem is None


async def test_a_store_whose_folder_others_opened_meanwhile_is_left_alone(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        shutil.rmtree(site.state_dir)
        site.state_dir.mkdir()
        site.state_dir.chmod(0o777)
        await manager.starter.start(AUDITOR)

        assert list(site.state_dir.iterdir()) == []
        assert "can be written to by others" in manager.records.problem


# --- Delivery by the credential endpoint ---------------------------------------------------


async def test_a_role_session_of_the_endpoint_comes_back_without_credentials(site):
    async with site.server(delivery="endpoint") as manager:
        session, _ = await manager.starter.start(ANALYST)
        before = site.endpoint.opened[session]

    async with site.server() as manager:  # what the site says now is for role sessions to come
        (back,) = manager.sessions.living()
        assert (back.id, back.delivery) == (session.id, "endpoint")
        assert site.endpoint.opened[back] is None
        assert before is not None
        assert site.files() == []
        other, created = await manager.starter.start(ANALYST)
        assert created
        assert other.delivery == "web_identity"


async def test_records_of_an_earlier_version_are_web_identitys(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
    (path,) = site.state_dir.glob("*.json")
    records = json.loads(path.read_text())
    for record in records["records"]:
        del record["delivery"]
    path.write_text(json.dumps(records))

    async with site.server(delivery="endpoint") as manager:
        assert [(s.id, s.delivery) for s in manager.sessions.living()] == [
            (session.id, "web_identity")
        ]


async def test_an_endpoint_that_cannot_be_opened_again_is_the_role_sessions_problem(site):
    async with site.server(delivery="endpoint") as manager:
        await manager.starter.start(ANALYST)
    site.endpoint.failure = EndpointUnavailable("It can't listen.")

    async with site.server(delivery="endpoint") as manager:
        (back,) = manager.sessions.living()
        assert back.credential_problem is site.endpoint.failure
        await manager.refresher.step()
        assert manager.sessions.state_of(back) is State.EXPIRED
