"""Who may ask the credential endpoint: endpoint tokens, their files, switches, and what is left running."""

from __future__ import annotations

import asyncio
import pickle
import shutil
import stat
from datetime import timedelta

import pytest

from jupyter_wb_aws.endpoint.clients import EndpointClients, EndpointToken
from jupyter_wb_aws.endpoint.processes import Program
from jupyter_wb_aws.errors import (
    EndpointClientNotFound,
    EndpointUnavailable,
    LeftRunning,
    TokenFolderRefused,
)
from jupyter_wb_aws.role_sessions.placeholders import endpoint_placeholders
from jupyter_wb_aws.role_sessions.role_session import Ended
from jupyter_wb_aws.variables import ENDPOINT_TOKEN_FILE
from tests.conftest import NOON
from tests.role_sessions.conftest import Site
from tests.role_sessions.support import full_disk, make_session
from tests.waiting import until

URI = "http://127.0.0.1:40123/credentials"
HOUR = timedelta(hours=1)


@pytest.fixture
def site(tmp_path, clock):
    return Site(tmp_path, clock)


@pytest.fixture
def manager(site):
    return site.manager()


@pytest.fixture
def clients(manager, clock):
    return EndpointClients(manager.files, clock, lambda: URI)


def written(clients, client):
    return asyncio.wait_for(asyncio.wrap_future(clients.write_files(client)), 10)


async def test_a_token_is_in_its_private_file_and_nowhere_else(clients, caplog):
    client = clients.client_for("kernel", "k1", make_session())
    await written(clients, client)

    path = client.access.token_file
    assert client.access.uri == URI
    assert path.read_text() == client.token.reveal()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert client.token.reveal() not in f"{client!r} {client.token!s} {caplog.text}"
    assert client.token.reveal() not in str(path)
    with pytest.raises(TypeError):
        pickle.dumps(client.token)


async def test_all_clients_share_the_placeholders_for_the_users_own_files(clients, site):
    both = [clients.client_for("kernel", name, make_session()) for name in ("k1", "k2")]
    for client in both:
        await written(clients, client)

    tokens = [client.access.token_file for client in both]
    placeholders = endpoint_placeholders(tokens[0])
    assert endpoint_placeholders(tokens[1]) == placeholders
    assert site.files() == sorted(path.name for path in (*tokens, *placeholders))
    assert all(path.read_text().startswith("#") for path in placeholders)


async def test_only_the_whole_token_finds_its_client(clients):
    client = clients.client_for("kernel", "k1", make_session())
    text = client.token.reveal()

    assert clients.find(text) is client
    for wrong in ("", text[:-1], text + "x", text.swapcase(), client.id, "ü", "\udcff"):
        assert clients.find(wrong) is None
    assert EndpointToken.make().reveal() != EndpointToken.make().reveal()


async def test_a_restarted_kernel_keeps_its_token_and_path_and_another_kernel_has_its_own(clients):
    first = clients.client_for("kernel", "k1", make_session())
    other = clients.client_for("kernel", "k2", make_session())

    again = clients.client_for("kernel", "k1", make_session(id="b" * 16))

    assert again is first
    assert again.session.id == "b" * 16
    assert other.token.reveal() != first.token.reveal()


async def test_a_deleted_file_comes_back_with_the_same_token_at_the_next_look(clients, manager):
    client = clients.client_for("kernel", "k1", make_session())
    await written(clients, client)
    client.access.token_file.unlink()

    await manager.files.mark_missing()

    assert client.access.token_file.read_text() == client.token.reveal()


async def test_a_file_that_could_not_be_written_is_written_later_and_said_until_then(
    clients, manager, monkeypatch, caplog
):
    client = clients.client_for("kernel", "k1", make_session())
    with monkeypatch.context() as broken:
        broken.setattr("os.fchmod", full_disk)
        with pytest.raises(TokenFolderRefused):
            await written(clients, client)
        assert "endpoint_token_missing" in dict(manager.notices)
        assert "No space left on device" in caplog.text

    await manager.files.mark_missing()

    assert client.access.token_file.read_text() == client.token.reveal()
    assert "endpoint_token_missing" not in dict(manager.notices)


async def test_when_the_server_stops_no_file_stays_and_none_is_written_any_more(site, clock):
    async with site.server() as manager:
        clients = EndpointClients(manager.files, clock, lambda: URI)
        client = clients.client_for("kernel", "k1", make_session())
        await written(clients, client)

    await written(clients, client)

    assert site.files() == []


async def test_without_an_endpoint_there_is_no_client(manager, clock):
    with pytest.raises(EndpointUnavailable):
        EndpointClients(manager.files, clock, lambda: None).client_for(
            "kernel", "k", make_session()
        )


# --- Switches --------------------------------------------------------------------------------


async def test_a_switch_is_in_force_at_once_and_says_how_long_old_answers_live(clients, clock):
    analyst, auditor = make_session(), make_session(id="b" * 16)
    client = clients.client_for("kernel", "k1", analyst)
    assert clients.assign(client, auditor) is None
    assert clients.may_answer(client, auditor, NOON + HOUR)

    assert clients.assign(client, None) == NOON + HOUR

    assert clients.find(client.token.reveal()).session is None
    assert not clients.may_answer(client, auditor, NOON + HOUR)
    clock.set(NOON + HOUR)
    assert clients.assign(client, analyst) is None


async def test_what_is_left_running_keeps_its_role_and_a_new_terminal_of_that_name_is_another(
    clients,
):
    session = make_session()
    client = clients.client_for("terminal", "1", session)

    clients.leave(client)

    with pytest.raises(LeftRunning):
        clients.assign(client, None)
    assert clients.client_for("terminal", "1", make_session(id="b" * 16)) is not client
    assert (client.state, client.session) == ("left_running", session)
    assert clients.may_answer(client, session, NOON + HOUR)


async def test_a_kernel_that_is_just_starting_has_not_gone(clients, clock):
    client = clients.client_for("kernel", "k1", make_session())

    clients.leave_gone("kernel", lambda _: False)
    assert client.state == "running"

    clients.leave_gone("kernel", lambda _: True)
    clients.leave_gone("terminal", lambda _: False)
    assert client.state == "running"
    clients.leave_gone("kernel", lambda _: False)
    assert client.state == "left_running"


async def test_an_ended_client_is_refused_and_no_longer_listed(clients):
    session = make_session()
    client, other = (clients.client_for("kernel", name, session) for name in ("k1", "k2"))

    clients.end(client.id)

    assert clients.list() == [other]
    assert clients.find(client.token.reveal()).state == "ended"
    assert not clients.may_answer(client, session, NOON + HOUR)
    for unknown in (client.id, "nobody"):
        with pytest.raises(EndpointClientNotFound):
            clients.end(unknown)
    assert clients.client_for("kernel", "k1", session) is not client


async def test_a_client_that_nobody_needs_any_more_is_forgotten_with_its_files(
    clients, clock, site
):
    session = make_session()
    gone, computing, kernel = (clients.client_for("kernel", name, session) for name in "abc")
    for client in (gone, computing, kernel):
        await written(clients, client)
    clients.leave(gone)
    clients.leave(computing)
    environment = {ENDPOINT_TOKEN_FILE: str(computing.access.token_file)}
    started = await asyncio.create_subprocess_exec("/bin/sleep", "60", env=environment)
    try:
        programs = await clients.processes.look()
        assert programs[str(computing.access.token_file)] == [Program(started.pid, "sleep")]
        assert clients.left_in_use() == {session.id}

        clients.forget_unused()
        assert clients.find(gone.token.reveal()) is gone  # which counts as a request

        clock.set(NOON + 2 * HOUR)
        clients.forget_unused()
    finally:
        started.kill()
        await started.wait()

    assert clients.find(gone.token.reveal()) is None
    assert clients.list() == [computing, kernel]
    await written(clients, kernel)  # after the removal
    assert not gone.access.token_file.exists()
    assert len(site.files()) == 5  # two tokens, three placeholders


async def test_arguments_that_a_program_puts_into_its_name_are_not_told(tmp_path, clients):
    client = clients.client_for("terminal", "1", make_session())
    titled = shutil.copy("/bin/sleep", tmp_path / "job --key=abc")
    environment = {ENDPOINT_TOKEN_FILE: str(client.access.token_file)}
    started = await asyncio.create_subprocess_exec(titled, "60", env=environment)
    try:
        programs = await clients.processes.look()
    finally:
        started.kill()
        await started.wait()

    assert programs[str(client.access.token_file)] == [Program(started.pid, "job")]


async def test_a_job_that_was_started_after_the_last_count_keeps_its_token(clients, clock):
    await clients.processes.look()  # somebody looked at what is left running, long ago
    clock.advance(60)
    terminal = clients.client_for("terminal", "1", make_session())
    environment = {ENDPOINT_TOKEN_FILE: str(terminal.access.token_file)}
    job = await asyncio.create_subprocess_exec("/bin/sleep", "60", env=environment)
    try:
        clock.set(NOON + 3 * HOUR)
        clients.leave(terminal)

        for _ in range(2):
            clients.forget_unused()
            await clients.processes.look()

        assert clients.find(terminal.token.reveal()) is terminal
    finally:
        job.kill()
        await job.wait()


async def test_the_files_of_commands_do_not_pile_up_although_nobody_looks(clients, clock, site):
    for number in range(3):
        session = make_session(id=f"{number:016}", shared=False)
        await written(clients, clients.client_for("exec", session.id, session))
        session.ended = Ended(clock.now(), "process_ended", clock.now())
    clock.set(NOON + 2 * HOUR)

    async def none_left():
        clients.forget_unused()
        return not [name for name in site.files() if name.endswith(".endpoint")]

    await until(none_left)
    assert clients.list() == []


async def test_a_command_that_has_ended_is_forgotten_at_once_unless_it_left_something_running(
    clients, site
):
    over, computing, runs = (
        clients.client_for("exec", name, make_session(id=name)) for name in "abc"
    )
    for client in (over, computing, runs):
        await written(clients, client)
    assert not clients.has_ended_commands()
    environment = {ENDPOINT_TOKEN_FILE: str(computing.access.token_file)}
    job = await asyncio.create_subprocess_exec("/bin/sleep", "60", env=environment)
    try:
        for client in (over, computing):
            client.session.ended = Ended(NOON, "process_ended", NOON)
        assert clients.list() == [runs]
        assert clients.has_ended_commands()

        await clients.processes.look()
        clients.forget_unused()
        assert clients.find(computing.token.reveal()) is computing  # and is told why it is refused
        assert clients.find(over.token.reveal()) is None
    finally:
        job.kill()
        await job.wait()

    await clients.processes.look()
    clients.forget_unused()
    await written(clients, runs)  # after the removals
    assert not clients.has_ended_commands()
    assert [n for n in site.files() if n.endswith(".endpoint")] == [runs.access.token_file.name]
