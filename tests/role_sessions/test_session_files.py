"""Role sessions whose folder is refused, disappears, and heals."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading

import pytest

from jupyter_wb_aws.errors import TokenFolderRefused
from jupyter_wb_aws.role_sessions.role_session import State
from tests.role_sessions.support import ANALYST, AUDITOR, asleep, eventually, full_disk


async def test_a_role_session_has_its_placeholders_beside_its_token(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        stem = session.token_file.stem

        assert site.files() == [f"{stem}.config", f"{stem}.credentials", f"{stem}.token"]
        for suffix in (".config", ".credentials"):
            content = session.token_file.with_suffix(suffix).read_text()
            assert content.startswith("#")
            assert "analyst" in content


async def test_a_folder_that_others_can_write_to_is_a_clear_error_and_heals(site):
    site.token_dir.mkdir(parents=True)
    site.token_dir.chmod(0o777)

    async with site.server() as manager:
        with pytest.raises(TokenFolderRefused, match="can be written to by others"):
            await manager.starter.start(ANALYST)
        assert site.sts.requests == []
        assert site.files() == []

        site.token_dir.chmod(0o700)
        session, _ = await manager.starter.start(ANALYST)
        assert manager.sessions.state_of(session) is State.ACTIVE


async def test_a_folder_that_the_file_browser_shows_is_a_clear_error(site, caplog):
    async with site.server(token_dir=site.home / "tokens") as manager:
        with pytest.raises(TokenFolderRefused, match="can be seen in Jupyter's file browser"):
            await manager.starter.start(ANALYST)

    assert "Set WbAwsApp.token_dir" in caplog.text
    assert not (site.home / "tokens").exists()


async def test_a_hidden_folder_in_the_root_is_taken_unless_hidden_files_are_shown(site):
    folder = site.home / ".local" / "tokens"

    async with site.server(token_dir=folder) as manager:
        await manager.starter.start(ANALYST)
    async with site.server(token_dir=folder, allow_hidden=True) as manager:
        with pytest.raises(TokenFolderRefused):
            await manager.starter.start(ANALYST, "eu-west-1")


async def test_role_sessions_that_came_back_to_a_refused_folder_heal_with_it(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
    site.token_dir.chmod(0o777)

    async with site.server() as manager:
        back = manager.sessions.get(session.id)
        await eventually(lambda: manager.sessions.state_of(back) is State.EXPIRED)
        assert back.file_problem.code == "token_dir_refused"

        site.token_dir.chmod(0o700)
        await asleep(site.clock)
        site.clock.advance(30)
        await eventually(lambda: manager.sessions.state_of(back) is State.ACTIVE)
        assert back.token_file.exists()


async def test_a_folder_that_was_deleted_is_made_again_with_every_file(site):
    async with site.server() as manager:
        first, _ = await manager.starter.start(ANALYST)
        second, _ = await manager.starter.start(AUDITOR)
        names = site.files()
        shutil.rmtree(site.token_dir)

        await asleep(site.clock)
        site.clock.advance(30)
        await eventually(lambda: first.token_file.exists() and second.token_file.exists())

        await manager.refresher.step()
        assert site.files() == names
        assert manager.sessions.state_of(first) is State.ACTIVE


async def test_a_folder_that_was_replaced_by_an_unsafe_one_gets_no_token(site):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        site.token_dir.rename(site.token_dir.with_name("moved"))
        site.token_dir.mkdir()
        site.token_dir.chmod(0o777)

        await manager.refresher.step()

        assert site.files() == []
        assert manager.sessions.state_of(session) is State.EXPIRED
        assert "can be written to by others" in session.file_problem.detail


async def test_a_full_disk_degrades_and_heals_by_itself(site, monkeypatch):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        old = session.token_file.read_text()

        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", full_disk)
            await asleep(site.clock)
            site.clock.advance(49 * 60)
            await eventually(lambda: manager.sessions.state_of(session) is State.DEGRADED)
            assert session.token_file.read_text() == old

            site.clock.advance(11 * 60)
            assert manager.sessions.state_of(session) is State.EXPIRED

        await asleep(site.clock)
        site.clock.advance(30)
        await eventually(lambda: manager.sessions.state_of(session) is State.ACTIVE)
        assert session.token_file.read_text() != old


async def test_a_full_disk_is_logged_once_while_it_lasts(site, monkeypatch, caplog):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", full_disk)
            site.clock.advance(49 * 60)
            for _ in range(5):
                await manager.refresher.step()

        assert caplog.text.count("No space left on device") == 1


async def test_a_forced_refresh_that_cannot_be_written_says_so(site, monkeypatch):
    async with site.server() as manager:
        session, _ = await manager.starter.start(ANALYST)
        site.clock.advance(60)
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", full_disk)
            with pytest.raises(TokenFolderRefused, match="No space left on device"):
                await manager.refresher.refresh(session.id)


async def test_a_server_without_a_folder_closes_like_any_other(site):
    site.token_dir.parent.mkdir()
    site.token_dir.touch()

    async with site.server() as manager:
        assert manager.sessions.living() == []


# --- A process that ends without its event loop ------------------------------------------------


@pytest.mark.parametrize("starts_threads", [True, False])
def test_a_process_that_ends_without_its_event_loop_leaves_no_file(
    site, monkeypatch, starts_threads
):
    manager = site.manager()

    async def until_the_loop_ends():
        await manager.open()
        await manager.starter.start(ANALYST)
        await manager.context.tasks.cancel()

    asyncio.run(until_the_loop_ends())
    assert site.files() != []
    if not starts_threads:  # as when the interpreter shuts down, from Python 3.12 on

        def refuse(thread):
            raise RuntimeError("can't create new thread at interpreter shutdown")

        monkeypatch.setattr(threading.Thread, "start", refuse)

    manager.files.close_at_exit()

    assert site.files() == []
