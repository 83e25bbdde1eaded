"""Token files where the first place can't be used, and over restarts of such a server."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from jupyter_wb_aws.errors import TokenFolderRefused
from jupyter_wb_aws.private_folder import PrivateFolder
from jupyter_wb_aws.role_sessions.places import Place
from jupyter_wb_aws.role_sessions.role_session import State
from tests.role_sessions.support import ANALYST, AUDITOR, asleep, eventually


@pytest.fixture
def first(tmp_path):
    return tmp_path / "first"


@pytest.fixture
def second(tmp_path):
    return tmp_path / "second" / "ours"


@pytest.fixture
def places(first, second):
    return {
        "token_places": [
            Place(first / "ours", "XDG_RUNTIME_DIR", below=first),
            Place(second, "Jupyter's runtime folder"),
        ]
    }


def a_file(path):
    path.touch()


def a_dangling_link(path):
    path.symlink_to(path.with_name("nowhere"))


def a_link_to_itself(path):
    path.symlink_to(path.name)


def with_a_file_in_our_place(path):
    path.mkdir()
    (path / "ours").touch()


def with_a_link_in_our_place(path):
    path.mkdir()
    path.with_name("target").mkdir()
    (path / "ours").symlink_to(path.with_name("target"))


@pytest.mark.parametrize(
    "spoil",
    [
        a_file, a_dangling_link, a_link_to_itself, with_a_file_in_our_place, with_a_link_in_our_place,
    ],
)  # fmt: skip
async def test_where_the_first_place_cannot_be_used_the_next_one_is_and_a_notice_says_why(
    site, first, second, places, spoil, caplog
):
    spoil(first)

    async with site.server(**places) as manager:
        session, _ = await manager.starter.start(ANALYST)

        assert session.token_file.parent == second
        assert session.token_file.exists()
        sentence = dict(manager.notices)["token_dir_fallback"]
        assert str(first) in sentence
        assert "XDG_RUNTIME_DIR" in sentence
        assert sentence in caplog.text
        assert manager.files.problem is None


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EPERM, errno.EACCES]
)
@pytest.mark.parametrize("call", ["mkdir", "open", "fsync", "rename", "fchmod"])
async def test_a_disk_that_fails_at_any_call_is_passed_over(
    site, first, second, places, monkeypatch, number, call
):
    first.mkdir()
    real, failing = getattr(os, call), fails_below(first, number)
    monkeypatch.setattr(os, call, lambda *args, **kwargs: failing(real, *args, **kwargs))

    async with site.server(**places) as manager:
        session, _ = await manager.starter.start(ANALYST)

        assert session.token_file.parent == second
        assert session.token_file.exists()
        sentence = dict(manager.notices)["token_dir_fallback"]
        assert f"since {first / 'ours'} (XDG_RUNTIME_DIR) can't be " in sentence
        assert os.strerror(number) in sentence


def fails_below(folder, number):
    """Make a call fail on this folder, whether it is given by a path or by a descriptor."""

    def call(real, what, *args, **kwargs):
        for each in (kwargs.get("dir_fd"), kwargs.get("src_dir_fd"), what):
            path = Path(f"/proc/self/fd/{each}").readlink() if isinstance(each, int) else each
            if path is not None and Path(path).is_relative_to(folder):
                raise OSError(number, os.strerror(number))
        return real(what, *args, **kwargs)

    return call


async def test_after_a_fallback_the_next_run_has_its_role_sessions_again(site, first, places):
    first.touch()
    async with site.server(**places) as manager:
        session, _ = await manager.starter.start(ANALYST)

    async with site.server(**places) as manager:
        back = manager.sessions.get(session.id)
        await eventually(lambda: manager.sessions.state_of(back) is State.ACTIVE)
        assert (back.token_file, back.session_name) == (session.token_file, session.session_name)


async def test_a_first_place_that_can_be_used_again_takes_the_role_sessions_back(
    site, first, second, places
):
    first.touch()
    async with site.server(**places) as manager:
        session, _ = await manager.starter.start(ANALYST)
    leftover = second / session.token_file.name
    leftover.write_text("of a server that died")
    first.unlink()

    async with site.server(**places) as manager:
        back = manager.sessions.get(session.id)
        await eventually(lambda: manager.sessions.state_of(back) is State.ACTIVE)
        assert back.token_file.parent == first / "ours"
        assert manager.notices == []


async def test_leftovers_at_the_other_places_are_removed(site, first, second, places):
    first.touch()
    async with site.server(**places) as manager:
        session, _ = await manager.starter.start(ANALYST)
    stale = second / session.token_file.name.replace(session.id, "0" * 16)
    stale.write_text("of a server that died")
    first.unlink()

    async with site.server(**places):
        await eventually(lambda: not stale.exists())


async def test_a_folder_that_is_gone_for_good_moves_its_role_sessions_to_the_next_place(
    site, first, second, places
):
    async with site.server(**places) as manager:
        session, _ = await manager.starter.start(ANALYST)
        assert session.token_file.parent == first / "ours"
        shutil.rmtree(first)
        first.touch()

        await asleep(site.clock)
        site.clock.advance(30)
        await eventually(lambda: session.token_file.parent == second)
        await eventually(lambda: manager.sessions.state_of(session) is State.ACTIVE)

        stem = session.token_file.stem
        assert sorted(path.name for path in second.iterdir()) == [
            f"{stem}.config", f"{stem}.credentials", f"{stem}.token",
        ]  # fmt: skip
        later, _ = await manager.starter.start(AUDITOR)
        assert later.token_file.parent == second
    assert list(second.iterdir()) == []


async def test_while_its_token_lives_a_role_session_stays_where_processes_read_it(
    site, first, second, places, monkeypatch
):
    async with site.server(**places) as manager:
        session, _ = await manager.starter.start(ANALYST)
        failing, real = fails_below(first, errno.ENOSPC), os.fsync
        monkeypatch.setattr(os, "fsync", lambda descriptor: failing(real, descriptor))

        await asleep(site.clock)
        site.clock.advance(49 * 60)
        await eventually(lambda: manager.sessions.state_of(session) is State.DEGRADED)
        assert session.token_file.parent == first / "ours"

        other, _ = await manager.starter.start(AUDITOR)
        assert other.token_file.parent == second

        await asleep(site.clock)
        site.clock.advance(12 * 60)
        await eventually(lambda: manager.sessions.state_of(session) is State.ACTIVE)
        assert session.token_file.parent == second


async def test_where_no_place_can_be_used_the_error_names_each_and_what_to_set(
    site, first, second, places
):
    first.touch()
    second.parent.touch()

    async with site.server(**places) as manager:
        with pytest.raises(TokenFolderRefused) as refused:
            await manager.starter.start(ANALYST)

    assert str(first) in refused.value.detail
    assert str(second) in refused.value.detail
    assert "Set WbAwsApp.token_dir" in refused.value.admin_hint


async def test_a_place_below_another_users_folder_is_passed_over(
    site, first, second, places, monkeypatch
):
    first.mkdir()
    real = os.stat

    def of_another(path, *args, **kwargs):
        status = real(path, *args, **kwargs)
        if path == first:
            status = os.stat_result([*status[:4], 4711, *status[5:]])
        return status

    monkeypatch.setattr(os, "stat", of_another)
    monkeypatch.setattr(Path, "stat", of_another)

    async with site.server(**places) as manager:
        session, _ = await manager.starter.start(ANALYST)
        assert session.token_file.parent == second


async def test_a_relative_folder_is_passed_over(site, second, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = [Place(Path("run/ours"), "XDG_RUNTIME_DIR"), Place(second, "TMPDIR")]

    async with site.server(token_places=places) as manager:
        session, _ = await manager.starter.start(ANALYST)

        assert session.token_file.parent == second
        assert "is not an absolute path" in dict(manager.notices)["token_dir_fallback"]
    assert not (tmp_path / "run").exists()


async def test_a_folder_of_ours_that_others_can_write_to_is_not_passed_over(
    site, first, second, places
):
    (first / "ours").mkdir(parents=True)
    (first / "ours").chmod(0o777)

    async with site.server(**places) as manager:
        with pytest.raises(TokenFolderRefused, match="can be written to by others") as refused:
            await manager.starter.start(ANALYST)

        assert f"chmod 700 {first / 'ours'}" in refused.value.admin_hint
        assert not second.exists()


async def test_a_folder_above_that_others_can_write_to_is_a_notice(site, caplog):
    site.token_dir.parent.mkdir()
    site.token_dir.parent.chmod(0o777)

    async with site.server() as manager:
        await manager.starter.start(ANALYST)

        sentence = dict(manager.notices)["token_dir_exposed"]
        assert f"Others can write to {site.token_dir.parent} (mode 0777, not sticky)" in sentence
        assert "WbAwsApp.token_dir" in sentence
        assert sentence in caplog.text


async def test_a_folder_above_the_records_that_others_can_write_to_is_a_notice(site, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)

    async with site.server(state_dir=tmp_path / "data" / "ours") as manager:
        assert "WbAwsApp.state_dir" in dict(manager.notices)["store_dir_exposed"]


# --- A root folder with everything in it -----------------------------------------------------


async def test_with_the_root_folder_slash_a_hidden_folder_is_taken(site, tmp_path):
    below = tmp_path / "run"
    place = Place(below / "ours", "XDG_RUNTIME_DIR", hidden_path=below / ".ours")

    async with site.server(root_dir=Path("/"), token_places=[place]) as manager:
        session, _ = await manager.starter.start(ANALYST)

        assert session.token_file.parent == below / ".ours"
        assert manager.notices == []
    async with site.server(root_dir=Path("/"), token_places=[place]) as manager:
        assert manager.sessions.get(session.id).token_file == session.token_file


@pytest.mark.parametrize(
    ("root", "allow_hidden", "remedy"),
    [
        ("/", False, "to a hidden folder"),
        ("/", True, "ContentsManager.allow_hidden to False"),
        (None, False, "outside of"),
    ],
)
async def test_the_hint_against_a_visible_folder_can_be_followed(
    site, tmp_path, root, allow_hidden, remedy
):
    settings = {"root_dir": Path(root or tmp_path), "allow_hidden": allow_hidden}

    async with site.server(token_dir=tmp_path / "tokens", **settings) as manager:
        with pytest.raises(TokenFolderRefused) as refused:
            await manager.starter.start(ANALYST)

    assert remedy in refused.value.admin_hint
    assert ("outside of" in refused.value.admin_hint) is (remedy == "outside of")


# --- Checkpoints ------------------------------------------------------------------------------


async def test_checkpoints_in_the_folders_of_tokens_and_records_go_when_a_server_starts(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
    for folder in (site.token_dir, site.state_dir):
        (folder / ".ipynb_checkpoints").mkdir()
        (folder / ".ipynb_checkpoints" / "a-checkpoint.token").write_text("a copy")

    async with site.server():
        assert not (site.token_dir / ".ipynb_checkpoints").exists()
        assert not (site.state_dir / ".ipynb_checkpoints").exists()


# --- Records where the first place can't be used ----------------------------------------------


async def test_records_are_kept_at_the_next_place_and_found_there_again(site, tmp_path):
    (tmp_path / "data").touch()
    places = [
        Place(tmp_path / "data" / "ours", "Jupyter's data folder"),
        Place(tmp_path / "run" / "records", "XDG_RUNTIME_DIR"),
    ]
    async with site.server(store_places=places) as manager:
        session, _ = await manager.starter.start(ANALYST)
        assert manager.records.problem is None
        assert "Jupyter's data folder" in dict(manager.notices)["store_fallback"]

    async with site.server(store_places=places) as manager:
        assert manager.sessions.is_default(manager.sessions.get(session.id))


@pytest.mark.parametrize("chosen", [None, AUDITOR])
async def test_what_was_chosen_while_the_first_place_could_not_be_used_holds_after_it(
    site, tmp_path, chosen
):
    data = tmp_path / "data"
    places = [
        Place(data / "ours", "Jupyter's data folder"),
        Place(tmp_path / "run" / "records", "XDG_RUNTIME_DIR"),
    ]
    async with site.server(store_places=places) as manager:
        await manager.starter.start(ANALYST)
    data.rename(tmp_path / "away")
    data.touch()
    async with site.server(store_places=places) as manager:
        if chosen is None:
            await manager.choices.set_default(None)
        else:
            await manager.starter.start(chosen, default=True)
    data.unlink()
    (tmp_path / "away").rename(data)

    for _ in range(2):
        async with site.server(store_places=places) as manager:
            given = manager.choices.assign_to_process()
            assert (str(given.session.role.arn) if given.session else None) == chosen
            assert manager.notices == []

    async with site.server(store_places=places) as manager:
        await manager.starter.start(ANALYST, default=True)
    async with site.server(store_places=places) as manager:
        assert str(manager.choices.assign_to_process().session.role.arn) == ANALYST


async def test_records_that_may_be_where_nothing_can_be_read_give_no_role_away(site, tmp_path):
    places = [Place(tmp_path / "data", "a"), Place(tmp_path / "run", "b")]
    async with site.server(store_places=places) as manager:
        await manager.choices.set_default(None)
    (tmp_path / "data").chmod(0o777)

    async with site.server(store_places=places) as manager:
        assert manager.choices.assign_to_process().kind == "no_role"


def test_a_folder_that_cannot_be_opened_leaves_no_descriptor(tmp_path, monkeypatch):
    before = len(os.listdir("/dev/fd"))

    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fchmod", fail)
    for _ in range(5):
        with pytest.raises(OSError, match="Input/output error"):
            PrivateFolder.open(tmp_path / "ours")

    assert len(os.listdir("/dev/fd")) == before
