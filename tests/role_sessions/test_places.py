"""Who else could put a folder in the place of ours, and what is passed over."""

from __future__ import annotations

import contextlib
import os
from types import SimpleNamespace

import pytest

from jupyter_wb_aws.private_folder import PrivateFolder, make_private
from jupyter_wb_aws.role_sessions import places
from jupyter_wb_aws.role_sessions.places import exposed_folders, may_exist, require_own, steps_to

NOBODY = 65534


@pytest.fixture
def way(tmp_path, monkeypatch):
    """A folder within folders, all of this user's; what is above the test's own does not count."""
    folder = tmp_path / "above" / "parent" / "ours"
    folder.mkdir(parents=True)
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o700)
    real = places.steps_to

    def below_the_tests_own(path):
        return [step for step in real(path) if tmp_path in step.parents]

    monkeypatch.setattr(places, "steps_to", below_the_tests_own)
    return folder


def test_folders_of_this_user_and_of_root_are_safe(way):
    assert exposed_folders(way) == []


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o775, 0o770, 0o733])
def test_a_folder_above_that_others_can_write_to_is_named_with_its_mode(way, mode, monkeypatch):
    monkeypatch.setattr(
        places.grp, "getgrgid", lambda _: SimpleNamespace(gr_name="staff", gr_mem=["alice", "bob"])
    )
    way.parents[1].chmod(mode)

    assert exposed_folders(way) == [
        f"Others can write to {way.parents[1]} (mode {mode:04o}, not sticky)"
    ]


def test_a_sticky_folder_above_is_safe_as_tmp_is(way):
    way.parent.chmod(0o1777)

    assert exposed_folders(way) == []


def test_our_own_folder_is_not_above_itself(way):
    way.chmod(0o777)

    assert exposed_folders(way) == []


def test_a_folder_above_of_another_user_is_named(way, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    if os.getuid() == 0:
        os.chown(way.parent, NOBODY, -1)

    assert any("belongs to the user" in sentence for sentence in exposed_folders(way))


def test_an_owner_that_this_container_does_not_know_cannot_write(way, monkeypatch, tmp_path):
    (tmp_path / "uid_map").write_text("         0     100000       1000\n")
    monkeypatch.setattr(places, "UID_MAP", tmp_path / "uid_map")
    real = os.lstat

    def unmapped(path):
        status = list(real(path))
        status[4] = NOBODY
        return os.stat_result(status)

    monkeypatch.setattr(os, "lstat", unmapped)

    assert exposed_folders(way) == []


def test_a_folder_that_holds_a_link_on_the_way_counts_and_so_does_where_it_leads(way, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (elsewhere / "link").symlink_to(way.parent)
    elsewhere.chmod(0o777)
    way.parents[1].chmod(0o777)

    named = exposed_folders(elsewhere / "link" / "ours")

    assert [sentence.split()[4] for sentence in named] == [str(elsewhere), str(way.parents[1])]


def test_every_folder_in_which_a_name_is_looked_up_is_a_step(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "up").symlink_to("../a")

    steps = steps_to(tmp_path / "b" / "up" / "x")

    assert steps[-3:] == [tmp_path / "b", tmp_path / "b" / "up", tmp_path / "a"]


def test_a_loop_of_links_comes_to_an_end(tmp_path):
    (tmp_path / "loop").symlink_to("loop")

    assert tmp_path in steps_to(tmp_path / "loop" / "x")


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o277])
def test_parents_that_we_make_are_0700_regardless_of_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        PrivateFolder.open(tmp_path / "a" / "b" / "ours").close()
    finally:
        os.umask(before)

    made = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "ours"]
    assert [folder.stat().st_mode & 0o7777 for folder in made] == [0o700] * 3


def test_parents_that_were_there_keep_their_mode(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o755)

    make_private(tmp_path / "a" / "ours")

    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o755


def test_a_folder_of_another_user_is_not_ours_to_use(tmp_path, monkeypatch):
    require_own(None)
    require_own(tmp_path / "missing")
    require_own(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    with pytest.raises(OSError, match="belongs to another user"):
        require_own(tmp_path)


def test_a_file_in_the_place_of_a_folder_is_named_as_such_for_any_owner(tmp_path, monkeypatch):
    (tmp_path / "passwd").touch()
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    with pytest.raises(OSError, match="passwd, which is not a folder"):
        require_own(tmp_path / "passwd")


def test_a_folder_that_only_a_log_in_makes_is_not_made_even_by_root(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "RUN_USER", tmp_path)
    (tmp_path / "1000").mkdir()
    require_own(tmp_path / "1000")

    with pytest.raises(OSError, match="does not exist"):
        require_own(tmp_path / "1001")


def test_a_file_where_we_cannot_look_may_exist(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    assert may_exist(tmp_path / "file")
    assert not may_exist(tmp_path / "missing")
    assert not may_exist(tmp_path / "file" / "below")

    def denied(_path):
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(os, "lstat", denied)
    assert may_exist(tmp_path / "missing")


# --- What Jupyter's file browser leaves ------------------------------------------------------


@pytest.fixture
def ours(tmp_path):
    folder = tmp_path / "ours"
    folder.mkdir(mode=0o700)
    return folder


def test_checkpoints_and_half_saved_files_of_jupyter_are_removed_when_the_folder_is_opened(ours):
    checkpoints = ours / ".ipynb_checkpoints"
    checkpoints.mkdir()
    (checkpoints / "a-checkpoint.token").write_text("a copy of a token")
    (ours / ".virtual_documents" / "deep" / "deeper").mkdir(parents=True)
    (ours / ".~a.token").write_text("half a copy")
    (ours / "a.token").write_text("the token")

    with contextlib.closing(PrivateFolder.open(ours)) as folder:
        assert folder.names() == ["a.token"]


def test_a_link_in_the_checkpoints_place_is_removed_and_not_followed(ours, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "kept").touch()
    (ours / ".ipynb_checkpoints").symlink_to(victim)
    (ours / ".virtual_documents").mkdir()
    (ours / ".virtual_documents" / "link").symlink_to(victim)

    PrivateFolder.open(ours).close()

    assert list(ours.iterdir()) == []
    assert (victim / "kept").exists()


def test_checkpoints_that_cannot_be_removed_are_named_and_nothing_fails(ours, monkeypatch, caplog):
    (ours / ".ipynb_checkpoints").mkdir()

    def fail(*_, **__):
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(places.os, "rmdir", fail)
    PrivateFolder.open(ours).close()

    assert f"{ours / '.ipynb_checkpoints'} can't be removed" in caplog.text


def test_a_link_that_goes_while_it_is_followed_fails_nothing(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path)

    def gone(_path):
        raise FileNotFoundError(2, os.strerror(2))

    monkeypatch.setattr(places.os, "readlink", gone)

    assert exposed_folders(tmp_path / "link" / "ours") == []


def owned(way, monkeypatch, uid, gid):
    """Let all folders on the way belong to somebody."""
    real = os.lstat

    def lstat(path):
        status = list(real(path))
        if way.is_relative_to(path):
            status[4:6] = uid, gid
        return os.stat_result(status)

    monkeypatch.setattr(os, "lstat", lstat)


@pytest.mark.parametrize(
    ("own_gid", "gid", "safe"),
    [(1000, 1000, True), (1000, 1001, False), (1000, 1002, False), (1002, 1002, False)],
    ids=["the user's own", "staff", "not the user's first", "with another member"],
)
def test_only_a_group_that_is_the_users_alone_may_write(way, monkeypatch, own_gid, gid, safe):
    alice = SimpleNamespace(pw_name="alice", pw_gid=own_gid)
    groups = {1000: ("alice", []), 1001: ("staff", ["alice", "bob"]), 1002: ("alice", ["bob"])}
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(places.pwd, "getpwuid", lambda _: alice)
    monkeypatch.setattr(
        places.grp, "getgrgid", lambda gid: SimpleNamespace(gr_name=groups[gid][0], gr_mem=groups[gid][1])
    )  # fmt: skip

    way.parent.chmod(0o770)
    owned(way, monkeypatch, 1000, gid)

    assert (exposed_folders(way) == []) == safe


def test_a_user_or_group_without_a_name_is_nobody_special(way, monkeypatch):
    def unknown(_number):
        raise KeyError

    monkeypatch.setattr(places.pwd, "getpwuid", unknown)

    way.parent.chmod(0o770)
    owned(way, monkeypatch, os.geteuid(), 1000)
    assert "Others can write" in exposed_folders(way)[-1]
    owned(way, monkeypatch, 4711, 1000)
    assert "belongs to the user 4711" in exposed_folders(way)[-1]


def test_where_there_is_no_table_of_users_every_owner_may_be_one(way, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "UID_MAP", tmp_path / "missing")
    owned(way, monkeypatch, NOBODY, NOBODY)

    assert "belongs to the user" in exposed_folders(way)[0]
