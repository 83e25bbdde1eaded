"""What outlives a server, and whose it is."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.private_folder import PrivateFolder
from jupyter_wb_aws.role_sessions import store as store_module
from jupyter_wb_aws.role_sessions.store import (
    NO_ROLE,
    NOTHING_CHOSEN,
    DefaultChoice,
    Record,
    Snapshot,
    Store,
    names_of_slots,
    slot_name,
)

RECORD = Record(
    id="0123456789abcdef",
    role_arn="arn:aws:iam::111122223333:role/analyst",
    region=None,
    session_name="alice-0123456789abcdef",
    issuer="https://idp.example.com",
    subject="alice",
    started_at="2026-11-24T12:00:00+00:00",
    credential_lifetime=3600.0,
    caller={"UserId": "AROA:alice", "Account": "111122223333", "Arn": "arn:aws:sts::1:x"},
)
SERVER = """
import sys
from pathlib import Path
from jupyter_wb_aws.role_sessions.store import Snapshot, Store
store = Store.open(Path(sys.argv[1]), Path(sys.argv[2]))
store.save(Snapshot())
print(store.slot, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def other_server(folder):
    """Start another process that holds a slot; gives the process and the slot's name."""
    processes = []

    def start(root):
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(folder), str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def opened(folder, root, server_name=""):
    return contextlib.closing(Store.open(folder, root, server_name))


def killed(process):
    process.send_signal(signal.SIGKILL)
    process.wait(20)


def swept(store):
    """Clear leftovers; return the slots of the dead."""
    found = []
    store.clear_leftovers(found.extend)
    return found


# --- Over a restart --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "default", [NOTHING_CHOSEN, NO_ROLE, DefaultChoice(chosen=True, session_id=RECORD.id)]
)
def test_the_next_server_of_the_same_folder_reads_what_the_last_one_kept(folder, home, default):
    kept = Snapshot(default, (RECORD,))
    with opened(folder, home) as store:
        store.save(Snapshot())
        store.save(kept)

    with opened(folder, home) as store:
        assert store.load() == kept


def test_a_first_server_ever_finds_nothing(folder, home):
    with opened(folder, home) as store:
        assert store.load() == Snapshot(NOTHING_CHOSEN, ())


def test_a_server_of_another_folder_finds_nothing(folder, home, tmp_path):
    with opened(folder, home) as store:
        store.save(Snapshot(NO_ROLE, (RECORD,)))

    with opened(folder, tmp_path / "other") as store:
        assert store.load() == Snapshot()


def test_two_names_of_one_folder_are_one_folder(tmp_path, home):
    home.mkdir()
    (tmp_path / "link").symlink_to(home)

    assert slot_name(tmp_path / "link") == slot_name(home)


# The names that JupyterHub's users may give their servers are any text.
NAMES = ["work", "Work", "arbeit/\u00fcbung", "..", "a b", "\udcff", "x" * 255]


@pytest.mark.parametrize("name", NAMES)
def test_a_named_server_never_finds_what_the_default_one_kept(folder, home, name):
    with opened(folder, home) as default, opened(folder, home, name) as named:
        default.save(Snapshot(NO_ROLE, (RECORD,)))
        assert not named.temporary
        assert named.load() == Snapshot()
        named.save(Snapshot(NOTHING_CHOSEN, ()))

    with opened(folder, home) as default:
        assert default.load() == Snapshot(NO_ROLE, (RECORD,))
    with opened(folder, home, name) as named:
        assert named.load() == Snapshot(NOTHING_CHOSEN, ())


def test_each_name_has_a_slot_of_its_own(folder, home):
    slots = {slot_name(home, name) for name in ("", *NAMES)}

    assert len(slots) == len(NAMES) + 1
    assert all(re.fullmatch("[0-9a-f]{16}", slot) for slot in slots)


def test_the_default_server_has_the_slot_of_versions_that_knew_no_names(home):
    of_an_older_version = hashlib.sha256(f"{os.getuid()}:{home}".encode()).hexdigest()[:16]

    assert slot_name(home) == of_an_older_version


# --- Several servers -------------------------------------------------------------------------


def test_a_second_server_at_the_same_time_has_a_slot_of_its_own_that_goes_with_it(folder, home):
    with opened(folder, home) as first:
        first.save(Snapshot(NO_ROLE, (RECORD,)))
        with opened(folder, home) as second:
            assert second.slot != first.slot
            assert second.load() == Snapshot()
            second.save(Snapshot(NOTHING_CHOSEN, ()))
        assert first.load() == Snapshot(NO_ROLE, (RECORD,))

    assert not [path for path in folder.iterdir() if second.slot in path.name]


def test_a_second_server_in_another_process_is_known_by_its_lock(folder, home, other_server):
    _, slot = other_server(home)

    with opened(folder, home) as second:
        assert slot == slot_name(home)
        assert second.slot != slot


def test_the_slot_of_a_killed_server_is_free_at_once(folder, home, other_server):
    process, slot = other_server(home)
    killed(process)

    with opened(folder, home) as store:
        assert store.slot == slot


# --- Leftovers -------------------------------------------------------------------------------


def test_the_slot_of_a_killed_second_server_is_cleared(folder, home, other_server):
    with opened(folder, home) as store:
        process, slot = other_server(home)
        assert swept(store) == []
        killed(process)

        assert swept(store) == [slot]
        assert swept(store) == []
        assert not [path for path in folder.iterdir() if slot in path.name]


def test_a_killed_server_of_another_folder_leaves_its_records_for_its_next_run(
    folder, home, tmp_path, other_server
):
    process, slot = other_server(tmp_path / "other")
    killed(process)

    with opened(folder, home) as store:
        assert swept(store) == [slot]

    assert (folder / f"{slot}.json").exists()


def test_nobody_can_take_a_dead_servers_slot_while_it_is_swept(folder, home, other_server):
    process, slot = other_server(home)
    killed(process)
    with opened(folder, home / "sub") as store:

        def sweep(dead):
            assert dead == [slot]
            lock = os.open(folder / f"{slot}.lock", os.O_RDWR)
            with pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(lock)

        store.clear_leftovers(sweep)

    with opened(folder, home) as again:
        assert again.slot == slot


def test_a_server_that_starts_during_a_sweep_waits_for_its_own_slot(folder, home, other_server):
    process, slot = other_server(home)
    killed(process)
    started = []
    with opened(folder, home / "sub") as store:
        store.clear_leftovers(lambda _: started.append(subprocess.Popen(
            [sys.executable, "-c", SERVER, str(folder), str(home)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )))  # fmt: skip

    assert started[0].stdout.readline().strip() == slot
    started[0].communicate("")


def test_half_a_save_of_a_server_that_died_is_removed(folder, home):
    folder.mkdir()
    half = folder / f"{slot_name(home)}.0a1b2c3d.tmp"
    half.write_text('{"version"')

    with opened(folder, home) as store:
        assert store.load() == Snapshot()

    assert not half.exists()


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        ("aaaa_0123.token", True),
        ("aaaa_0123.config", True),
        (".tmp-0123456789abcdef-aaaa_0123.token", True),
        ("aaaa-11_0123.token", False),
        ("bbbb_0123.token", False),
        ("aaaa", False),
        ("", False),
        (".tmp-aaaa_0123.token", False),
    ],
)
def test_files_are_known_by_the_slot_in_their_names(name, belongs):
    assert names_of_slots([name], ["aaaa"]) == ([name] if belongs else [])


# --- Garbage and faults ----------------------------------------------------------------------

GOOD = {"version": 1, "default": {"chosen": True, "session_id": None}, "records": []}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\0\0",
        b"\xff\xfe{}",
        b"[]",
        b"null",
        b"7",
        b"{}",
        b"[" * 100_000,
        json.dumps({**GOOD, "version": 2}).encode(),
        json.dumps({**GOOD, "default": None}).encode(),
        pytest.param(json.dumps({**GOOD, "default": {"chosen": True}}).encode(), id="no session_id"),
        pytest.param(json.dumps({**GOOD, "default": {"chosen": True, "session_id": ["a"]}}).encode(), id="session_id is a list"),
        pytest.param(json.dumps({**GOOD, "default": {"chosen": "yes", "session_id": None}}).encode(), id="chosen is a text"),
        json.dumps({**GOOD, "records": [{"id": "a"}]}).encode(),
        json.dumps({**GOOD, "records": 5}).encode(),
        json.dumps(GOOD).encode()[:-5],
    ],
)  # fmt: skip
def test_an_invalid_file_counts_as_no_aws_role_and_is_reported(folder, home, content, caplog):
    with opened(folder, home) as store:
        (folder / f"{store.slot}.json").write_bytes(content)

        # It may have said "no AWS role": then nothing else may take its place.
        assert store.load() == Snapshot(NO_ROLE)
        assert "are lost" in caplog.text
        assert "are lost" in store.problem
        store.save(Snapshot(NO_ROLE))
        assert store.load() == Snapshot(NO_ROLE)


def test_a_failed_save_keeps_the_last_one_and_leaves_nothing_else(folder, home, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with opened(folder, home) as store:
        store.save(Snapshot(NO_ROLE))
        names = {path.name for path in folder.iterdir()}
        monkeypatch.setattr(os, "fsync", full)

        with pytest.raises(OSError, match="No space left"):
            store.save(Snapshot(NOTHING_CHOSEN, (RECORD,)))

        assert store.load() == Snapshot(NO_ROLE)
        assert {path.name for path in folder.iterdir()} == names


def test_a_file_system_without_locks_is_a_failure_and_no_endless_search(folder, home, monkeypatch):
    def no_locks(_descriptor, operation):
        if operation & fcntl.LOCK_NB:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    before = len(os.listdir("/dev/fd"))

    with pytest.raises(OSError, match="No locks available"):
        Store.open(folder, home)

    assert len(os.listdir("/dev/fd")) == before


def test_where_every_lock_is_taken_the_search_ends_in_a_failure(folder, home, monkeypatch):
    def taken(_descriptor, operation):
        if operation & fcntl.LOCK_NB:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(fcntl, "flock", taken)

    with pytest.raises(OSError, match="could not lock"):
        Store.open(folder, home)


def test_a_symlink_in_the_locks_place_is_not_followed(folder, home, tmp_path):
    folder.mkdir()
    (folder / f"{slot_name(home)}.lock").symlink_to(tmp_path / "victim")

    with pytest.raises(OSError, match="symbolic links"):
        Store.open(folder, home)

    assert not (tmp_path / "victim").exists()


def test_a_lock_that_its_server_has_removed_meanwhile_does_not_count(folder, home, monkeypatch):
    real = fcntl.flock
    with opened(folder, home) as first:
        gone = folder / f"{first.slot}-0000.lock"
        gone.touch()

        def flock_after_removal(descriptor, operation):
            real(descriptor, operation)
            if operation & fcntl.LOCK_NB:
                gone.unlink()

        monkeypatch.setattr(fcntl, "flock", flock_after_removal)

        assert swept(first) == []


def test_a_lock_that_disappears_during_the_search_does_not_count(folder, home, monkeypatch):
    real = os.open
    with opened(folder, home) as first:
        gone = folder / f"{first.slot}-0000.lock"
        gone.touch()

        def open_after_removal(path, *args, **kwargs):
            if path == gone:
                gone.unlink()
            return real(path, *args, **kwargs)

        monkeypatch.setattr(os, "open", open_after_removal)

        assert swept(first) == []


def test_a_lock_that_another_server_made_again_is_not_taken_for_the_old_one(
    folder, home, monkeypatch
):
    real = fcntl.flock
    with opened(folder, home) as first:
        replaced = folder / f"{first.slot}-0000.lock"
        replaced.touch()

        def flock_after_replacement(descriptor, operation):
            real(descriptor, operation)
            if operation & fcntl.LOCK_NB:
                (folder / "new").touch()
                (folder / "new").replace(replaced)

        monkeypatch.setattr(fcntl, "flock", flock_after_replacement)

        assert swept(first) == []
        assert replaced.exists()


texts = st.text()


@given(subject=texts, issuer=texts, region=st.none() | texts, lifetime=st.floats(0, 1e6))
def test_any_users_facts_are_read_as_they_were_kept(
    tmp_path_factory, subject, issuer, region, lifetime
):
    base = tmp_path_factory.getbasetemp()
    record = Record(
        **{
            **{name: getattr(RECORD, name) for name in Record.__slots__},
            "subject": subject,
            "issuer": issuer,
            "region": region,
            "credential_lifetime": lifetime,
        }
    )
    with opened(base / "any-store", base) as store:
        store.save(Snapshot(NO_ROLE, (record,)))

        assert store.load().records == (record,)


# --- Versions --------------------------------------------------------------------------------

RELEASED = Path(__file__).parent / "data" / "store-before-fallbacks.json"


def test_a_store_that_the_version_before_wrote_is_read(folder, home):
    with opened(folder, home) as store:
        shutil.copy(RELEASED, folder / f"{store.slot}.json")
        (folder / f"{store.slot}.json").chmod(0o600)

        snapshot = store.load()

        assert store.problem is None
        assert [record.role_arn.rpartition("/")[2] for record in snapshot.records] == [
            "analyst",
            "auditor",
        ]
        assert snapshot.default == DefaultChoice(chosen=True, session_id=snapshot.records[0].id)
        assert snapshot.records[1].process == {"pid": 4711, "started": "987654"}


def test_a_store_of_a_newer_version_is_kept_aside_when_this_one_saves(folder, home):
    newer = json.dumps({"version": 7, "what": "this version does not know"}).encode()
    with opened(folder, home) as store:
        path = folder / f"{store.slot}.json"
        put(path, newer)

        assert store.load() == Snapshot(NO_ROLE)
        assert "a newer version of jupyter_wb_aws wrote it (format 7" in store.problem
        assert path.read_bytes() == newer

        store.save(Snapshot(NO_ROLE, (RECORD,)))
        store.save(Snapshot(NO_ROLE))

        kept = folder / f"{store.slot}.version-7.json"
        assert kept.read_bytes() == newer
        assert kept.name in store.problem
        assert store.load() == Snapshot(NO_ROLE)


@pytest.mark.parametrize("version", [True, 1.0, "1", 0, -1, None, [1]], ids=repr)
def test_a_version_that_is_not_a_number_is_garbage(folder, home, version):
    with opened(folder, home) as store:
        put(folder / f"{store.slot}.json", json.dumps({**GOOD, "version": version}).encode())

        assert store.load() == Snapshot(NO_ROLE)
        store.save(Snapshot(NO_ROLE))
        assert not list(folder.glob("*.version-*"))


# --- What others may have put there ----------------------------------------------------------


def put(path, content):
    path.write_bytes(content)
    path.chmod(0o600)


def a_fifo(path, _tmp_path):
    os.mkfifo(path, 0o600)


def a_link(path, tmp_path):
    put(tmp_path / "theirs", json.dumps(GOOD).encode())
    path.symlink_to(tmp_path / "theirs")


def a_folder(path, _tmp_path):
    path.mkdir()


def open_to_others(path, _tmp_path):
    put(path, json.dumps(GOOD).encode())
    path.chmod(0o666)


def endless(path, _tmp_path):
    put(path, b"")
    os.truncate(path, store_module.MAX_BYTES + 1)


PUT_THERE = [a_fifo, a_link, a_folder, open_to_others, endless]


@pytest.mark.parametrize("place", PUT_THERE)
def test_records_that_are_not_our_own_file_are_not_read_and_nothing_waits(
    folder, home, tmp_path, place
):
    with opened(folder, home) as store:
        place(folder / f"{store.slot}.json", tmp_path)

        assert store.load() == Snapshot(NO_ROLE)
        assert "are lost" in store.problem


@pytest.mark.parametrize("name", ["lock", "guard"])
def test_a_fifo_in_a_locks_place_is_a_failure_and_nothing_waits(folder, home, name):
    folder.mkdir(mode=0o700)
    os.mkfifo(folder / (f"{slot_name(home)}.lock" if name == "lock" else "guard"), 0o600)

    with pytest.raises(OSError, match="is not a regular file"):
        Store.open(folder, home)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda folder: folder.chmod(0o770), "can be written to by others"),
        (lambda folder: folder.chmod(0o702), "can be written to by others"),
        (lambda folder: (folder.rmdir(), folder.symlink_to("/tmp")), "is a symbolic link"),
        (lambda folder: (folder.rmdir(), folder.touch()), "is not a folder, or is a symbolic link"),
    ],
    ids=["writable for the group", "writable for all", "a link", "a file"],
)
def test_a_folder_that_is_not_safe_is_refused(folder, home, spoil, why):
    folder.mkdir(mode=0o700)
    spoil(folder)

    with pytest.raises(OSError, match=why):
        Store.open(folder, home)


def test_a_folder_of_another_user_is_refused(folder, home, monkeypatch):
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    with pytest.raises(OSError, match="belongs to another user"):
        Store.open(folder, home)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_a_number_is_garbage(folder, home, number):
    with opened(folder, home) as store:
        text = json.dumps({**GOOD, "records": ["x"]}).replace('"x"', number)
        put(folder / f"{store.slot}.json", text.encode())

        assert store.load() == Snapshot(NO_ROLE)


def test_of_more_records_than_anybody_has_the_last_ones_are_read(folder, home, monkeypatch, caplog):
    monkeypatch.setattr(store_module, "MAX_RECORDS", 3)
    many = tuple(replace(RECORD, id=f"{number:016x}") for number in range(5))
    with opened(folder, home) as store:
        store.save(Snapshot(NO_ROLE, many))

        assert store.load().records == many[-3:]
        assert "the last 3 are read" in caplog.text


# --- Others who hang -------------------------------------------------------------------------


def test_a_guard_that_a_server_holds_and_hangs_does_not_keep_others_out(folder, home, caplog):
    with opened(folder, home) as store:
        store.save(Snapshot(NO_ROLE, (RECORD,)))
    guard = os.open(folder / "guard", os.O_RDWR)
    fcntl.flock(guard, fcntl.LOCK_EX)
    pauses = []

    with contextlib.closing(Store.open(folder, home, pause=pauses.append)) as store:
        assert store.load() == Snapshot(NO_ROLE, (RECORD,))
        store.clear_leftovers(lambda _: pytest.fail("swept"), pause=pauses.append)

    os.close(guard)
    assert sum(pauses) == pytest.approx(2 * 40 * 0.05)
    assert "seems to hang" in caplog.text


def test_a_slot_that_a_hanging_server_holds_gives_no_role_away(folder, home):
    with opened(folder, home) as held:
        held.save(Snapshot(NO_ROLE))
        guard = os.open(folder / "guard", os.O_RDWR)
        fcntl.flock(guard, fcntl.LOCK_EX)

        with contextlib.closing(Store.open(folder, home, pause=lambda _: None)) as store:
            assert store.load() == Snapshot(NO_ROLE)
            assert "seems to hang" in store.problem

        os.close(guard)


def test_a_link_in_the_stores_place_is_reported_as_one(tmp_path):
    private = PrivateFolder.open(tmp_path / "ours")
    (tmp_path / "ours" / "x.json").symlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="is a symbolic link"):
        private.read("x.json", 10)
    private.close()
