"""A disk that does not answer: nobody waits long, nothing is given that was not chosen, all comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading

import pytest

from jupyter_wb_aws.errors import LastRunUnknown, StartTimeout, TokenFolderRefused
from jupyter_wb_aws.role_sessions import ending, refresher, session_files
from jupyter_wb_aws.role_sessions import manager as manager_module
from jupyter_wb_aws.role_sessions.registry import READY_TIMEOUT
from jupyter_wb_aws.role_sessions.role_session import State
from jupyter_wb_aws.role_sessions.store import NO_ROLE, Store
from jupyter_wb_aws.role_sessions.token_folder import TokenFolder
from jupyter_wb_aws.role_sessions.token_folders import TokenFolders
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile
from tests.role_sessions.support import ANALYST, AUDITOR, asleep, eventually


class HangingDisk:
    """Calls of the methods that hang on it come back when `answer` is called."""

    def __init__(self, monkeypatch):
        self._answers = threading.Event()
        self._monkeypatch = monkeypatch
        self.asked = threading.Event()

    def hang(self, owner, name):
        real = getattr(owner, name)

        def hanging(*args, **kwargs):
            self.asked.set()
            assert self._answers.wait(60)
            return real(*args, **kwargs)

        self._monkeypatch.setattr(owner, name, hanging)

    def answer(self):
        self._answers.set()


def slot_is_free(site):
    with contextlib.closing(Store.open(site.state_dir, site.home)) as store:
        return not store.temporary


@pytest.fixture
def disk(monkeypatch):
    hanging = HangingDisk(monkeypatch)
    yield hanging
    hanging.answer()


@contextlib.asynccontextmanager
async def late_server(site, disk, **settings):
    """Run a server whose disk hangs, from the moment on at which nobody waits for it any longer."""
    disk.hang(Store, "load")
    manager = site.manager(**settings)
    opening = asyncio.create_task(manager.open())
    await asleep(site.clock)
    site.clock.advance(READY_TIMEOUT)
    await asyncio.wait_for(opening, 20)
    try:
        yield manager
    finally:
        disk.answer()
        await manager.close()


async def after_patience(site, waiting):
    """Let a request wait as long as any may, and return what became of it."""
    task = asyncio.ensure_future(waiting)
    await asleep(site.clock)
    site.clock.advance(READY_TIMEOUT)
    (answer,) = await asyncio.gather(task, return_exceptions=True)
    return answer


async def test_a_kernel_of_then_has_no_credentials_and_its_next_restart_asks_again(site, disk):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)

    async with late_server(site, disk) as manager:
        assert await after_patience(site, manager.sessions.wait_until_ready()) is False
        given = manager.choices.assign_to_kernel("k")
        assert given.kind == "no_role"
        assert site.emitted("kernel_without_role") == [{"kernel_id": "k", "session_id": None}]
        assert "last_run_unknown" in dict(manager.notices)

        disk.answer()
        assert await manager.sessions.wait_until_ready()
        assert manager.choices.assign_to_kernel("k").kind == "role"
        assert manager.notices == []


async def test_where_nothing_was_ever_chosen_a_kernel_of_then_is_not_left_to_the_machines_role(
    site, disk
):
    async with late_server(site, disk) as manager:
        assert manager.choices.assign_to_kernel("k").kind == "no_role"
        assert manager.choices.assign_to_process().kind == "no_role"

        disk.answer()
        assert await manager.sessions.wait_until_ready()
        assert manager.choices.assign_to_kernel("k").kind == "untouched"


@pytest.mark.parametrize(
    "ask",
    [
        lambda manager: manager.starter.start(ANALYST),
        lambda manager: manager.starter.start_unshared(ANALYST),
        lambda manager: manager.choices.set_default(None),
        lambda manager: manager.ending.end_by_user("0" * 16),
        lambda manager: manager.sessions.require_ready(),
    ],
    ids=["start", "start_unshared", "set_default", "end", "require_ready"],
)
async def test_what_needs_the_last_run_is_an_explained_503(site, disk, ask):
    async with late_server(site, disk) as manager:
        problem = await after_patience(site, ask(manager))

        assert isinstance(problem, LastRunUnknown)
        assert problem.status == 503
        assert str(site.state_dir) in problem.admin_hint
        assert "WbAwsApp.state_dir" in problem.admin_hint


async def test_when_the_disk_answers_everything_is_back(site, disk):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)

    async with late_server(site, disk) as manager:
        disk.answer()
        await manager.sessions.require_ready()
        await eventually(
            lambda: manager.sessions.state_of(manager.sessions.get(session.id)) is State.ACTIVE
        )
        again, created = await manager.starter.start(ANALYST)
        assert (again.id, created) == (session.id, False)


async def test_a_disk_that_never_answers_does_not_keep_the_server_from_stopping(
    site, disk, monkeypatch
):
    monkeypatch.setattr(manager_module, "CLOSE_TIMEOUT", 0.01)
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        disk.hang(TokenFolder, "write")
        disk.hang(Store, "save")
        starting = asyncio.ensure_future(manager.starter.start(AUDITOR))
        await asyncio.to_thread(disk.asked.wait, 20)

        await asyncio.wait_for(manager.close(), 20)

    await asyncio.gather(starting, return_exceptions=True)


async def test_another_place_that_hangs_leaves_no_token_file_behind(site, disk):
    disk.hang(TokenFolders, "open_others")
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        await asyncio.to_thread(disk.asked.wait, 20)

    assert site.files() == []


async def test_the_end_of_a_role_session_does_not_wait_for_its_files(site, disk, monkeypatch):
    monkeypatch.setattr(ending, "REMOVAL_TIMEOUT", 0.01)
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        disk.hang(type(manager.files), "_remove")

        await asyncio.wait_for(manager.ending.end_by_user(session.id), 20)

        assert manager.choices.assign_to_process().kind == "no_role"
        disk.answer()
        await eventually(lambda: not session.token_file.exists())


async def test_disks_that_hang_take_none_of_the_threads_that_all_of_jupyter_shares(site, disk):
    async with late_server(site, disk) as manager:
        waiting = [asyncio.ensure_future(manager.sessions.wait_until_ready()) for _ in range(100)]
        await asyncio.sleep(0)

        assert await asyncio.to_thread(lambda: "free") == "free"

        disk.answer()
        assert all(await asyncio.gather(*waiting))


async def test_the_bug_that_a_new_kind_of_failure_is_keeps_nobody_waiting(site, monkeypatch):
    def fail(_store):
        raise MemoryError

    monkeypatch.setattr(Store, "load", fail)
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        assert manager.sessions.state_of(session) is State.ACTIVE


async def test_the_choice_of_no_aws_role_holds_while_the_disk_hangs_and_after(site, disk):
    async with site.server() as manager:
        await manager.choices.set_default(None)

    async with late_server(site, disk) as manager:
        assert manager.choices.assign_to_kernel("k").kind == "no_role"
        disk.answer()
        await manager.sessions.require_ready()
        assert manager.sessions.default == NO_ROLE


async def test_a_server_that_stops_before_the_disk_answers_leaves_the_records_as_they_were(
    site, monkeypatch
):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
    monkeypatch.setattr(manager_module, "CLOSE_TIMEOUT", 0.01)
    with monkeypatch.context() as while_it_hangs:
        disk = HangingDisk(while_it_hangs)
        disk.hang(Store, "load")
        manager = site.manager()
        opening = asyncio.create_task(manager.open())
        await asyncio.to_thread(disk.asked.wait, 20)
        closing = asyncio.create_task(manager.close())
        await asyncio.wait_for(asyncio.gather(opening, closing, return_exceptions=True), 20)
        disk.answer()
        await eventually(lambda: slot_is_free(site))

    async with site.server() as manager:
        await eventually(
            lambda: manager.sessions.state_of(manager.sessions.get(session.id)) is State.ACTIVE
        )


async def test_a_roles_file_that_hangs_keeps_no_role_session_of_the_last_run_back(
    site, disk, monkeypatch
):
    monkeypatch.setattr(manager_module, "ROLES_FILE_TIMEOUT", 0.01)
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
    disk.hang(CatalogueFile, "_read_if_changed")

    async with site.server() as manager:
        assert manager.sessions.get(session.id).region == "us-east-2"
        assert manager.choices.assign_to_kernel("k").session is manager.sessions.get(session.id)
        disk.answer()


async def test_while_a_roles_file_hangs_nothing_is_left_to_the_machines_role(
    site, disk, monkeypatch
):
    monkeypatch.setattr(manager_module, "ROLES_FILE_TIMEOUT", 0.01)
    disk.hang(CatalogueFile, "_read_if_changed")

    async with site.server() as manager:
        assert manager.choices.assign_to_kernel("k").kind == "no_role"
        disk.answer()
        await eventually(lambda: manager.choices.assign_to_kernel("k").kind == "untouched")


async def test_a_token_folder_that_hangs_is_named_by_a_start_and_heals(site, disk, monkeypatch):
    monkeypatch.setattr(session_files, "FOLDER_TIMEOUT", 0.01)
    disk.hang(TokenFolder, "open")

    async with site.server() as manager:
        with pytest.raises(TokenFolderRefused, match="its disk does not answer"):
            await manager.starter.start(ANALYST)
        assert manager.files.problem is not None
        assert site.sts.requests == []

        monkeypatch.setattr(session_files, "FOLDER_TIMEOUT", 20)
        disk.answer()
        session, _ = await manager.starter.start(ANALYST)
        assert manager.sessions.state_of(session) is State.ACTIVE
        assert manager.files.problem is None


async def test_a_folder_that_cannot_be_listed_takes_no_token_away_and_fails_no_stop(
    site, monkeypatch, caplog
):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        real = os.listdir

        def fail(folder="."):
            if isinstance(folder, int):  # ours are read through their descriptors
                raise OSError(5, "Input/output error")
            return real(folder)

        monkeypatch.setattr(os, "listdir", fail)
        await manager.refresher.step()
        assert manager.sessions.state_of(session) is State.ACTIVE
        assert session.token_file.exists()

    assert "can't be read: Input/output error" in caplog.text
    assert "Token files stay in" in caplog.text


async def test_a_refresh_says_that_the_disk_of_the_token_files_does_not_answer(
    site, disk, monkeypatch
):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        monkeypatch.setattr(refresher, "DELIVERY_TIMEOUT", 0.01)
        disk.hang(type(manager.files), "_without_file")

        with pytest.raises(TokenFolderRefused, match="its disk does not answer"):
            await asyncio.wait_for(manager.refresher.refresh(session.id), 20)

        monkeypatch.setattr(refresher, "DELIVERY_TIMEOUT", 20)
        disk.answer()
        assert await manager.refresher.refresh(session.id) is session
        assert manager.sessions.state_of(session) is State.ACTIVE
        assert manager.files.problem is None


async def test_a_start_whose_token_file_hangs_names_the_disk_and_not_sts(site, disk):
    async with site.server(start_timeout=0.5) as manager:
        await manager.starter.start(ANALYST)
        disk.hang(TokenFolder, "write")

        with pytest.raises(StartTimeout, match="its disk does not answer"):
            await asyncio.wait_for(manager.starter.start(AUDITOR), 20)

        disk.answer()


async def test_a_start_whose_token_folder_hangs_names_the_disk_and_not_sts(site, disk, monkeypatch):
    monkeypatch.setattr(session_files, "FOLDER_TIMEOUT", 0.01)
    disk.hang(TokenFolder, "open")
    async with site.server(start_timeout=0.5) as manager:
        monkeypatch.setattr(session_files, "FOLDER_TIMEOUT", 20)

        with pytest.raises(StartTimeout, match="its disk does not answer"):
            await asyncio.wait_for(manager.starter.start(ANALYST), 20)

        assert site.sts.requests == []
        disk.answer()


async def test_a_process_that_ends_does_not_wait_for_it(site, disk, monkeypatch, caplog):
    monkeypatch.setattr(session_files, "EXIT_TIMEOUT", 0.05)
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        disk.hang(TokenFolders, "all_open")

        manager.files.close_at_exit()

        assert "token files of this server may stay behind" in caplog.text
        disk.answer()
    assert site.files() == []
