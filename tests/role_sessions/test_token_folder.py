"""The folder of token files: who may have it, and what readers see while it is written to."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import stat
import threading
from pathlib import Path

import pytest

from jupyter_wb_aws.errors import TokenFolderRefused
from jupyter_wb_aws.role_sessions.places import is_shown_by_file_browser
from jupyter_wb_aws.role_sessions.token_folder import TokenFolder

NOBODY = 65534


@pytest.fixture
def directory(tmp_path):
    with contextlib.closing(TokenFolder.open(tmp_path / "tokens")) as opened:
        yield opened


@contextlib.contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# --- Modes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o277])
def test_files_are_0600_in_a_0700_folder_regardless_of_the_umask(tmp_path, mask):
    with umask(mask), contextlib.closing(TokenFolder.open(tmp_path / "tokens")) as directory:
        directory.write("a.token", "secret")

    assert mode(tmp_path / "tokens") == 0o700
    assert mode(tmp_path / "tokens" / "a.token") == 0o600


def test_a_folder_that_others_can_read_is_closed_to_them(tmp_path):
    (tmp_path / "tokens").mkdir(mode=0o755)

    TokenFolder.open(tmp_path / "tokens").close()

    assert mode(tmp_path / "tokens") == 0o700


def test_missing_parents_are_made(tmp_path):
    with contextlib.closing(TokenFolder.open(tmp_path / "a" / "b" / "tokens")) as directory:
        directory.write("a.token", "secret")

    assert (tmp_path / "a" / "b" / "tokens" / "a.token").read_text() == "secret"


# --- Refusals --------------------------------------------------------------------------------


def test_a_symlink_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "tokens").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(TokenFolderRefused, match="is not a folder, or is a symbolic link"):
        TokenFolder.open(tmp_path / "tokens")


def test_a_dangling_symlink_is_refused(tmp_path):
    (tmp_path / "tokens").symlink_to(tmp_path / "nowhere")

    with pytest.raises(TokenFolderRefused, match="is not a folder, or is a symbolic link"):
        TokenFolder.open(tmp_path / "tokens")

    assert not (tmp_path / "nowhere").exists()


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "tokens").touch()

    with pytest.raises(TokenFolderRefused, match="not a folder"):
        TokenFolder.open(tmp_path / "tokens")


def test_another_users_folder_is_refused(tmp_path):
    anothers = Path("/usr")  # root's, unless we are root
    if os.geteuid() == 0:
        anothers = tmp_path / "tokens"
        anothers.mkdir(mode=0o700)
        os.chown(anothers, NOBODY, NOBODY)

    with pytest.raises(TokenFolderRefused, match="belongs to another user"):
        TokenFolder.open(anothers)


@pytest.mark.parametrize("loose", [0o770, 0o702, 0o777, 0o1777])
def test_a_folder_that_others_can_write_to_is_refused_and_left_as_it_is(tmp_path, loose):
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens").chmod(loose)

    with pytest.raises(TokenFolderRefused, match="can be written to by others"):
        TokenFolder.open(tmp_path / "tokens")

    assert mode(tmp_path / "tokens") == loose


def test_a_folder_that_cannot_be_made_is_a_clear_refusal(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(TokenFolderRefused, match="can't be made") as refused:
        TokenFolder.open(tmp_path / "file" / "tokens")

    assert "WbAwsApp.token_dir" in refused.value.admin_hint


def test_a_folder_that_may_not_even_be_looked_at_is_a_clear_refusal(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o700)
    for folder in [tmp_path, *tmp_path.parents][:-2]:
        folder.chmod(folder.stat().st_mode | 0o011)
    answers = multiprocessing.get_context("fork").SimpleQueue()

    def as_nobody():
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        else:
            (tmp_path / "closed").chmod(0)
        try:
            TokenFolder.open(tmp_path / "closed" / "tokens")
        except Exception as error:  # noqa: BLE001 - the test wants to see it
            answers.put((type(error).__name__, str(error)))
        else:
            answers.put(("nothing", ""))

    child = multiprocessing.get_context("fork").Process(target=as_nobody)
    child.start()
    child.join(20)

    kind, reported = answers.get()
    assert kind == "TokenFolderRefused"
    assert "can't be made (Permission denied)" in reported


def test_refusals_leave_no_descriptor_open(tmp_path):
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens").chmod(0o777)
    before = len(os.listdir("/dev/fd"))

    for _ in range(20):
        with pytest.raises(TokenFolderRefused):
            TokenFolder.open(tmp_path / "tokens")

    assert len(os.listdir("/dev/fd")) == before


# --- Writing ---------------------------------------------------------------------------------


def test_the_file_holds_the_token_and_no_trailing_newline(directory):
    directory.write("a.token", "header.payload.signature")

    assert (directory.path / "a.token").read_bytes() == b"header.payload.signature"


def test_a_file_is_replaced_and_no_temporary_one_stays(directory):
    for content in ["first", "second", "3"]:
        directory.write("a.token", content)

    assert (directory.path / "a.token").read_text() == "3"
    assert directory.names() == ["a.token"]


def test_a_reader_that_has_the_file_open_reads_the_old_token_to_its_end(directory):
    directory.write("a.token", "the old token")

    with (directory.path / "a.token").open() as reader:
        start = reader.read(4)
        directory.write("a.token", "new")

        assert start + reader.read() == "the old token"


@pytest.mark.parametrize("call", ["fsync", "rename", "fchmod"])
def test_a_full_disk_is_reported_and_keeps_the_old_token(directory, monkeypatch, call):
    directory.write("a.token", "old")

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(TokenFolderRefused, match="No space left on device") as refused:
        directory.write("a.token", "new-secret")

    assert (directory.path / "a.token").read_text() == "old"
    assert directory.names() == ["a.token"]
    assert "new-secret" not in f"{refused.value!r} {refused.value} {refused.value.as_problem()}"


def test_failed_writes_leave_no_descriptor_open(directory, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "fchmod", fail)
    before = len(os.listdir("/dev/fd"))
    for _ in range(20):
        with pytest.raises(TokenFolderRefused):
            directory.write("a.token", "new")

    assert len(os.listdir("/dev/fd")) == before


def test_a_symlink_in_the_files_place_is_replaced_and_not_followed(directory, tmp_path):
    (tmp_path / "victim").write_text("untouched")
    (directory.path / "a.token").symlink_to(tmp_path / "victim")

    directory.write("a.token", "secret")

    assert (tmp_path / "victim").read_text() == "untouched"
    assert (directory.path / "a.token").read_text() == "secret"
    assert not (directory.path / "a.token").is_symlink()


def test_another_folder_put_in_its_place_gets_no_token(directory, tmp_path):
    directory.path.rename(tmp_path / "moved")
    (tmp_path / "tokens").mkdir(mode=0o777)

    directory.write("a.token", "secret")

    assert list((tmp_path / "tokens").iterdir()) == []
    assert (tmp_path / "moved" / "a.token").read_text() == "secret"


def test_concurrent_writers_leave_one_of_their_tokens_whole(directory):
    tokens = [letter * 5000 for letter in "abcdefgh"]
    threads = [threading.Thread(target=directory.write, args=("a.token", t)) for t in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (directory.path / "a.token").read_text() in tokens
    assert directory.names() == ["a.token"]


# --- Removing and closing --------------------------------------------------------------------


def test_a_removed_file_is_gone_and_can_be_removed_again(directory):
    directory.write("a.token", "secret")

    directory.remove("a.token")
    directory.remove("a.token")

    assert directory.names() == []


def test_a_file_that_cannot_be_removed_is_reported(directory, caplog):
    (directory.path / "a.token").mkdir()

    directory.remove("a.token")

    assert "a.token" in caplog.text


def test_a_folder_that_was_deleted_is_known_to_be_gone(directory):
    assert not directory.is_gone()

    directory.path.rmdir()

    assert directory.is_gone()
    with pytest.raises(TokenFolderRefused):
        directory.write("a.token", "secret")


def test_a_folder_that_was_moved_away_is_known_to_be_gone(directory, tmp_path):
    directory.path.rename(tmp_path / "moved")
    directory.path.mkdir()

    assert directory.is_gone()


# --- Readers in other processes --------------------------------------------------------------


def read_until(stop, path, tokens, ready, answers):
    """Read the file over and over; return how often, and what was wrong with it."""
    reads, wrong = 0, []
    ready.release()
    while not stop.is_set():
        try:
            seen = Path(path).read_bytes()
        except OSError as error:
            wrong.append(f"gap: {error.strerror}")
        else:
            if seen not in tokens:
                wrong.append(f"torn: {len(seen)} bytes")
        reads += 1
    answers.put((reads, wrong[:5]))


def test_readers_in_other_processes_see_only_whole_tokens_and_never_a_gap(directory):
    # Of different lengths, longer than a page: a write in place would show.
    tokens = [b"a" * 9000, b"b" * 5, b"c" * 17000, b"d" * 900]
    directory.write("a.token", tokens[0].decode())
    context = multiprocessing.get_context("spawn")
    stop, ready, answers = context.Event(), context.Semaphore(0), context.SimpleQueue()
    readers = [
        context.Process(
            target=read_until,
            args=(stop, str(directory.path / "a.token"), tokens, ready, answers),
        )
        for _ in range(2)
    ]
    for reader in readers:
        reader.start()
    for _ in readers:
        assert ready.acquire(timeout=30)

    for number in range(600):
        directory.write("a.token", tokens[number % len(tokens)].decode())
    stop.set()
    reported = [answers.get() for _ in readers]
    for reader in readers:
        reader.join(20)

    assert [wrong for _, wrong in reported] == [[], []]
    assert all(reads > 100 for reads, _ in reported)


# --- The file browser ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "allow_hidden", "visible"),
    [
        ("home/tokens", False, True),
        ("home", False, True),
        ("home/.local/share/tokens", False, False),
        ("home/.local/share/tokens", True, True),
        ("home/work/.tokens", False, False),
        ("run/tokens", True, False),
        ("homes/tokens", True, False),
        ("home/../run/tokens", True, False),
        ("run/../home/tokens", False, True),
    ],
)
def test_a_folder_that_the_file_browser_would_show_is_known(tmp_path, path, allow_hidden, visible):
    root = tmp_path / "home"
    root.mkdir()

    assert is_shown_by_file_browser(tmp_path / path, root, allow_hidden=allow_hidden) is visible


def test_a_symlink_on_the_way_does_not_hide_that_a_folder_is_visible(tmp_path):
    (tmp_path / "home" / "tokens").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "home")

    assert is_shown_by_file_browser(
        tmp_path / "link" / "tokens", tmp_path / "home", allow_hidden=False
    )


def test_a_hidden_root_shows_what_is_in_it(tmp_path):
    root = tmp_path / ".home"

    assert is_shown_by_file_browser(root / "tokens", root, allow_hidden=False)


def test_a_loop_of_symlinks_is_not_a_visible_folder(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    assert not is_shown_by_file_browser(tmp_path / "loop", tmp_path / "home", allow_hidden=False)
