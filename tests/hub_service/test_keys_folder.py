"""The folder with the hub service's keys: who may read it, what is not used, and what a failed write leaves."""

import contextlib
import errno
import json
import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from jupyter_wb_aws.hub.errors import KeysReadOnly, KeysUnavailable, RotationRefused
from tests.hub_service.signing_keys import (
    LEAD,
    change_file,
    codes,
    kids,
    open_keys,
    private_files,
    sign,
    snapshot,
    verify,
    write_key,
)

AS_ROOT = os.geteuid() == 0
NEEDS_ROOT = pytest.mark.skipif(not AS_ROOT, reason="only root gives files to others and mounts")
NOBODY, OUR_GROUP, ANOTHER_GROUP = 65534, 64001, 64002


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    return folder


def details(keys):
    return "\n".join(problem.detail for problem in keys.problems)


# --- Files that can't be used -----------------------------------------------------------------------------


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def first_line(path):
    """Return the line with which the private key of a file begins, and nothing of the key."""
    return json.loads(path.read_text())["private_key"].partition("\n")[0]


def outside(path):
    target = path.parent.parent / "elsewhere.json"
    path.rename(target)
    path.symlink_to(target)


def dangling(path):
    path.unlink()
    path.symlink_to("nowhere")


def fifo(path):
    path.unlink()
    os.mkfifo(path)


def directory(path):
    path.unlink()
    path.mkdir()


def renamed(path):
    path.rename(path.with_name(f"{'A' * 43}.json"))


def copied(path):
    shutil.copy(path, path.with_name("copy of a key.json"))


BROKEN = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: os.truncate(path, 200),
    "not-text": lambda path: path.write_bytes(b"\xff\xfe\x00" * 50),
    "not-an-object": lambda path: path.write_text("[1, 2]"),
    "deep": lambda path: path.write_text("[" * 8000),
    "huge": lambda path: path.write_bytes(b" " * 10_000_000 + path.read_bytes()),
    "no-time": lambda path: change_file(path, made_at=None),
    "odd-time": lambda path: change_file(path, signs_from="tomorrow"),
    "time-without-zone": lambda path: change_file(path, signs_from="2026-11-24T12:00:00"),
    "time-of-another-type": lambda path: change_file(path, signs_from=[1]),
    "no-public-key": lambda path: change_file(path, public_key=None),
    "odd-public-key": lambda path: change_file(path, public_key={"kty": "EC", "crv": 5}),
    "point-off-the-curve": lambda path: change_file(
        path, public_key={"kty": "EC", "crv": "P-256", "x": "AA", "y": "AQ"}
    ),
    "public-key-with-more": lambda path: change_file(
        path, public_key={**json.loads(path.read_text())["public_key"], "d": "AAAA"}
    ),
    "weak": lambda path: change_file(
        path, public_key={"kty": "RSA", "n": "wxyz" * 40, "e": "AQAB"}
    ),
    "private-key-of-another": lambda path: change_file(
        path, private_key=pem(ec.generate_private_key(ec.SECP256R1()))
    ),
    "private-key-of-another-kind": lambda path: change_file(
        path, private_key=pem(ed25519.Ed25519PrivateKey.generate())
    ),
    "rsa-private-key-for-ec": lambda path: change_file(
        path, private_key=pem(rsa.generate_private_key(65537, 2048))
    ),
    "odd-private-key": lambda path: change_file(path, private_key=first_line(path)),
    "no-longer-published-but-can-sign": lambda path: change_file(
        path, published_until="2001-01-01T00:00:00+00:00"
    ),
    "readable-by-everybody": lambda path: path.chmod(0o604),
    "readable-by-a-group": lambda path: path.chmod(0o640),
    "link-that-leads-outside": outside,
    "link-to-nowhere": dangling,
    "fifo": fifo,
    "folder": directory,
    "named-after-another-key": renamed,
    "copy": copied,
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_a_file_that_can_not_be_used_is_named_and_stops_no_other(folder, clock, caplog, kind):
    path = write_key(folder, clock)
    secret = json.loads(path.read_text())["private_key"].splitlines()[1]
    good = write_key(folder, clock).stem
    BROKEN[kind](path)
    keys = open_keys(folder, clock)

    assert keys.signing_key().kid in {good, path.stem}
    assert good in kids(keys)
    (problem,) = keys.problems
    assert problem.code == "key_file_refused"
    names = {name for name in os.listdir(folder) if name.split(".")[0] != good}
    assert problem.detail.split(" in the folder")[0] in names
    assert problem.detail in caplog.text
    assert secret not in caplog.text + problem.detail
    assert str(folder) not in problem.detail  # anybody may ask for the health


@pytest.mark.parametrize("name", ["README", "key.pem", "keys.json", "lost+found", "é.json"])
def test_a_foreign_file_is_named_and_stops_nothing(folder, clock, name):
    open_keys(folder, clock)
    (folder / name).write_text("hello")
    keys = open_keys(folder, clock)

    assert keys.signing_key().kid in kids(keys)
    assert details(keys) == (
        f"{name} in the folder with the keys is not used: it is not a key of this service."
    )


def test_very_many_foreign_files_are_counted(folder, clock):
    keys = open_keys(folder, clock)
    for number in range(1000):
        (folder / f"{number:04}").touch()

    assert keys.signing_key()
    assert len(keys.problems) == 21
    assert keys.problems[-1].detail == "980 more files are not used either."


def test_a_problem_is_logged_once_and_again_after_it_was_mended(folder, clock, caplog):
    keys = open_keys(folder, clock)
    for _ in range(2):
        (folder / "README").write_text("hello")
        keys.signing_key()
        keys.signing_key()
        assert codes(keys) == ["key_file_refused"]
        (folder / "README").unlink()
        assert keys.problems == []

    assert caplog.text.count("README") == 2


def test_a_key_whose_file_is_no_longer_private_does_not_sign_from_the_next_call_on(folder, clock):
    keys = open_keys(folder, clock)
    path = folder / f"{keys.signing_key().kid}.json"
    path.chmod(0o644)

    with pytest.raises(KeysUnavailable) as refused:
        keys.signing_key()
    assert "keys_unavailable" in codes(keys)
    assert (
        f"{path.name} in the folder with the keys is not used: it can be read by every"
        in details(keys)
    )
    assert (refused.value.status, refused.value.code) == (503, "keys_unavailable")
    path.chmod(0o600)
    assert keys.signing_key().kid == path.stem
    assert keys.problems == []


def test_no_key_takes_the_place_of_one_that_can_not_be_read_until_somebody_asks_for_it(
    folder, clock
):
    """A mended file goes on; a new key would end the tokens that the old one has signed."""
    broken = write_key(folder, clock, mode=0o644)
    keys = open_keys(folder, clock)

    with pytest.raises(KeysUnavailable):
        keys.signing_key()
    with pytest.raises(KeysUnavailable):
        keys.public_keys()
    assert keys.rotate().signs_from == clock.now()
    assert keys.signing_key().kid != broken.stem


def test_a_folder_that_was_emptied_gets_a_new_first_key(folder, clock):
    keys = open_keys(folder, clock)
    old = keys.signing_key().kid
    (folder / f"{old}.json").unlink()

    assert keys.signing_key().kid != old
    assert keys.problems == []


def test_what_a_killed_process_left_half_written_is_removed_at_a_start(folder, clock):
    keys = open_keys(folder, clock)
    good = keys.signing_key().kid
    (folder / f".tmp-{'0' * 16}-{good}.json").write_bytes((folder / f"{good}.json").read_bytes())
    open_keys(folder, clock)

    assert private_files(folder) == [f"{good}.json"]


def test_a_broken_number_of_the_longest_lifetime_is_named_and_written_again(folder, clock):
    open_keys(folder, clock)
    (folder / "longest-token-lifetime").write_text("soon")
    keys = open_keys(folder, clock)

    assert keys.problems == []
    assert (folder / "longest-token-lifetime").read_text() == "3600\n"


# --- The folder -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o1777, 0o702])
def test_a_folder_that_others_can_write_to_is_not_used(folder, clock, mode):
    write_key(folder, clock)
    folder.chmod(mode)
    keys = open_keys(folder, clock)

    with pytest.raises(KeysUnavailable):
        keys.signing_key()
    assert "can be written to by others" in details(keys)
    assert not (folder / ".lock").exists()
    folder.chmod(0o700)
    clock.advance(60)
    assert keys.signing_key()


def test_a_folder_that_others_can_only_list_is_made_private(folder, clock):
    folder.chmod(0o755)
    open_keys(folder, clock)

    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_something_else_gets_no_key_and_stays_as_it_is(folder, clock, caplog):
    """Such as /etc by mistake: the service would make it private, too."""
    folder.chmod(0o755)
    (folder / "passwd").write_text("root")
    keys = open_keys(folder, clock)

    with pytest.raises(KeysUnavailable):
        keys.signing_key()
    assert os.listdir(folder) == ["passwd"]
    assert folder.stat().st_mode & 0o777 == 0o755
    assert "HubServiceApp.keys_dir must be a folder for the keys alone" in caplog.text


def test_a_new_disk_is_a_folder_for_keys(folder, clock):
    (folder / "lost+found").mkdir(parents=True)
    assert open_keys(folder, clock).signing_key().kid


def test_a_link_in_place_of_the_folder_is_not_used(folder, clock, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(folder)

    assert "keys_unavailable" in codes(open_keys(link, clock))
    assert list(folder.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_not_used(tmp_path, clock):
    (tmp_path / "keys").write_text("hello")

    assert "is not a folder" in details(open_keys(tmp_path / "keys", clock))


@NEEDS_ROOT
def test_the_folder_of_another_user_is_not_used_even_by_root(folder, clock):
    write_key(folder, clock)
    os.chown(folder, NOBODY, NOBODY)
    keys = open_keys(folder, clock)

    assert "belongs to another user" in details(keys)
    assert "keys_unavailable" in codes(keys)
    assert not (folder / ".lock").exists()
    with pytest.raises(RotationRefused, match="belongs to another user"):
        keys.rotate()


@NEEDS_ROOT
def test_a_file_of_another_user_is_not_used(folder, clock):
    foreign = write_key(folder, clock)
    write_key(folder, clock)
    os.chown(foreign, NOBODY, NOBODY)
    keys = open_keys(folder, clock)

    assert (
        f"{foreign.name} in the folder with the keys is not used: it belongs to another user"
        in details(keys)
    )
    assert foreign.stem not in kids(keys)


def test_a_folder_that_is_removed_is_named_and_comes_back(folder, clock):
    keys = open_keys(folder, clock)
    key = keys.signing_key()
    folder.rename(folder.with_name("away"))

    with pytest.raises(KeysUnavailable):
        keys.signing_key()
    assert codes(keys) == ["keys_dir_refused", "keys_unavailable"]
    folder.with_name("away").rename(folder)
    assert keys.signing_key().kid == key.kid


# --- The mount of a Kubernetes Secret -------------------------------------------------------------------------


def as_secret(folder, files, stamp, mode=0o400, uid=0, gid=None):
    """Write files as the kubelet does: in a folder of their own, which `..data` is swapped to."""
    inner = folder / f"..{stamp}"
    inner.mkdir(mode=0o755)
    for name, content in files.items():
        (inner / name).write_bytes(content)
        if gid is not None:
            os.chown(inner / name, uid, gid)
        (inner / name).chmod(mode)
    (folder / "..data_tmp").symlink_to(inner.name)
    (folder / "..data_tmp").rename(folder / "..data")
    for name in {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")} - set(
        files
    ):
        (folder / name).unlink()
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    for old in folder.glob("..2*"):
        if old != inner:
            shutil.rmtree(old)


class Secret:
    """A Secret's mount: open to all as the kubelet leaves it, on a file system that is read-only."""

    def __init__(self, path, monkeypatch):
        self.path, self._stamp = path, 20261124120000
        self._really = AS_ROOT and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", path], check=False
        ).returncode == 0  # fmt: skip
        path.chmod(0o1777)
        if not self._really:
            flags = os.statvfs(path)
            read_only = os.statvfs_result([*flags[:8], flags.f_flag | os.ST_RDONLY, *flags[9:10]])
            real = os.statvfs
            monkeypatch.setattr(os, "statvfs", lambda p: read_only if Path(p) == path else real(p))

    def put(self, *made, **options):
        self._remount("rw")
        self._stamp += 1
        files = {path.name: path.read_bytes() for path in made}
        as_secret(self.path, files, self._stamp, **options)
        self._remount("ro")

    def _remount(self, how):
        if self._really:
            subprocess.run(["mount", "-o", f"remount,{how}", self.path], check=True)

    def unmount(self):
        if self._really:
            subprocess.run(["umount", self.path], check=True)


@pytest.fixture
def secret(monkeypatch):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # other users come to the mount
        (folder / "keys").mkdir()
        mount = Secret(folder / "keys", monkeypatch)
        yield mount
        mount.unmount()


@pytest.fixture
def workshop(tmp_path):
    """Where an administrator makes keys for the Secret."""
    folder = tmp_path / "made"
    folder.mkdir()
    return folder


@contextlib.contextmanager
def as_user(uid, groups):
    """Let this process read files as another user."""
    before = os.getgroups()
    os.setgroups(groups)
    os.setegid(NOBODY)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def test_the_keys_of_a_secret_are_used(secret, workshop, clock):
    made = write_key(workshop, clock, signs_in=LEAD)
    secret.put(made)
    keys = open_keys(secret.path, clock)

    assert keys.signing_key().kid == made.stem  # before its time: it is the only one
    assert kids(keys) == [made.stem]
    assert keys.problems == []


def test_the_keys_of_a_secret_are_not_rotated_in_place_and_it_is_said_how(secret, workshop, clock):
    made = write_key(workshop, clock)
    secret.put(made)
    keys = open_keys(secret.path, clock)

    for compromised in (None, made.stem):
        with pytest.raises(KeysReadOnly) as refused:
            keys.rotate(compromised)
        assert "new-key --out DIR" in refused.value.hint
        assert refused.value.status == 409
    assert f"take {made.name} out of it" in refused.value.hint
    assert kids(keys) == [made.stem]


def test_a_new_key_in_a_secret_is_published_before_it_signs(secret, workshop, clock):
    """Also where it comes long after it was made: other processes may see it a minute later."""
    old = write_key(workshop, clock)
    secret.put(old)
    keys = open_keys(secret.path, clock)
    clock.advance(60)
    new = write_key(workshop, clock)
    clock.advance(86400)
    secret.put(old, new)

    assert keys.signing_key().kid == old.stem
    assert kids(keys) == [old.stem, new.stem]
    clock.advance(LEAD)
    assert keys.signing_key().kid == new.stem
    clock.advance(86400)
    assert kids(keys) == [old.stem, new.stem]  # until the old one is taken out of the Secret
    secret.put(new)
    assert kids(keys) == [new.stem]


def test_a_compromised_key_is_replaced_in_a_secret_at_once(secret, workshop, clock):
    old = write_key(workshop, clock)
    secret.put(old)
    keys = open_keys(secret.path, clock)
    keys.signing_key()
    new = write_key(workshop, clock, signs_in=LEAD)
    secret.put(new)

    assert keys.signing_key().kid == new.stem
    assert kids(keys) == [new.stem]


def test_a_secret_that_everybody_can_read_is_not_used(secret, workshop, clock):
    """Its default mode is 0644: the file system is read-only, but its private key is not private."""
    secret.put(write_key(workshop, clock), mode=0o644)
    keys = open_keys(secret.path, clock)

    assert "can be read by every user" in details(keys)
    assert "keys_unavailable" in codes(keys)


def test_an_algorithm_of_which_a_secret_has_no_key_is_named(secret, workshop, clock):
    secret.put(write_key(workshop, clock, "ES256"))
    keys = open_keys(secret.path, clock, "RS256")

    assert keys.signing_key().algorithm == "ES256"
    (problem,) = keys.problems
    assert problem.code == "key_algorithm"
    assert "new-key" in problem.detail


def test_a_secret_without_a_key_is_named(secret, clock):
    secret.put()
    keys = open_keys(secret.path, clock)

    with pytest.raises(KeysUnavailable):
        keys.signing_key()
    assert codes(keys) == ["keys_unavailable"]


@NEEDS_ROOT
@pytest.mark.parametrize(
    ("groups", "mode", "used"),
    [
        ([OUR_GROUP], 0o440, True),
        ([ANOTHER_GROUP, OUR_GROUP], 0o440, True),
        ([ANOTHER_GROUP], 0o440, False),
        ([OUR_GROUP], 0o444, False),
        ([OUR_GROUP], 0o460, False),
    ],
)
def test_a_secret_of_root_is_readable_by_a_group_of_the_service(
    secret, workshop, clock, groups, mode, used
):
    made = write_key(workshop, clock)
    secret.put(made, mode=mode, gid=OUR_GROUP)
    with as_user(NOBODY, groups):
        keys = open_keys(secret.path, clock)
        assert ("keys_unavailable" not in codes(keys)) == used
        if used:
            assert keys.signing_key().kid == made.stem


@NEEDS_ROOT
def test_a_key_of_the_service_that_another_group_can_read_is_not_used(secret, workshop, clock):
    secret.put(write_key(workshop, clock), mode=0o440, uid=NOBODY, gid=ANOTHER_GROUP)
    with as_user(NOBODY, [OUR_GROUP]):
        assert "can be read or written by a group" in details(open_keys(secret.path, clock))


@NEEDS_ROOT
def test_a_folder_of_root_that_the_service_can_only_read_is_used(workshop, clock):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chown(folder, 0, OUR_GROUP)
        folder.chmod(0o750)
        made = write_key(workshop, clock)
        path = shutil.copy(made, folder / made.name)
        os.chown(path, 0, OUR_GROUP)
        path.chmod(0o640)
        with as_user(NOBODY, [OUR_GROUP]):
            keys = open_keys(folder, clock)
            assert keys.signing_key().kid == made.stem
            assert keys.problems == []
            with pytest.raises(KeysReadOnly):
                keys.rotate()


# --- Writes that fail -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def no_space():
    """Let no file grow: a full disk, as far as a process can see."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_refuses_a_rotation_and_leaves_all_as_it_was(folder, clock):
    keys = open_keys(folder, clock)
    before, key = snapshot(folder), keys.signing_key()
    for compromised in (None, key.kid):
        with no_space(), pytest.raises(RotationRefused, match="Nothing has changed") as refused:
            keys.rotate(compromised)
        assert os.strerror(errno.EFBIG) in refused.value.detail
        assert refused.value.status == 503
    assert snapshot(folder) == before
    assert keys.signing_key().kid == key.kid


def test_a_start_on_a_full_disk_recovers_alone(folder, clock):
    with no_space():
        keys = open_keys(folder, clock)
        with pytest.raises(KeysUnavailable):
            keys.signing_key()
        assert codes(keys) == ["keys_dir_not_written", "keys_unavailable"]
    clock.advance(10)

    assert keys.signing_key().kid in kids(keys)
    assert keys.problems == []
    assert (folder / "longest-token-lifetime").exists()


def test_a_full_disk_when_a_key_is_replaced_stops_nothing_and_the_private_half_goes_later(
    folder, clock
):
    keys = open_keys(folder, clock)
    old, new = keys.signing_key(), keys.rotate()
    clock.advance(LEAD)
    with no_space():
        assert keys.signing_key().kid == new.kid
        assert codes(keys) == ["keys_dir_not_written"]
    assert verify(sign(old, sub="user:alice"), keys.public_keys())
    assert len(private_files(folder)) == 2
    clock.advance(10)
    keys.signing_key()

    assert private_files(folder) == [f"{new.kid}.json"]
    assert keys.problems == []


@NEEDS_ROOT
def test_a_disk_that_is_really_full_refuses_a_rotation(tmp_path, clock):
    folder = tmp_path / "keys"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=16k,mode=0700", "tmpfs"]
    if subprocess.run(["mount", *options, folder], check=False).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        keys = open_keys(folder, clock)
        with contextlib.suppress(OSError), open(folder / ".filling", "wb") as file:
            while True:
                file.write(bytes(1024))
                file.flush()
        before = snapshot(folder)
        with pytest.raises(RotationRefused, match="No space left on device.*Nothing has changed"):
            keys.rotate()
        assert snapshot(folder) == before
        assert keys.signing_key().kid in kids(keys)
        (folder / ".filling").unlink()
        assert keys.rotate().kid in kids(keys)
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_folder_that_becomes_read_only_while_it_is_used_refuses_a_rotation(
    secret, workshop, clock
):
    """As a disk does after an error."""
    secret.put(write_key(workshop, clock))
    keys = open_keys(secret.path, clock)

    with pytest.raises(KeysReadOnly, match="Nothing has changed"):
        keys.rotate()
