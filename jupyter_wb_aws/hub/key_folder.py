"""The folder with the hub service's keys: one file for each, named after its `kid`.

A folder of the service's own has mode 0700, its files 0600. All changes are made under a lock, and each
replaces one file as a whole. Or the service can't write to the folder, such as the mount of a Kubernetes
Secret: then it belongs to root, and its files may be links within it and be readable by a group of the
service's, but not by everybody.

A file that can't be used is skipped, and reported with the reason.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from jupyter_wb_aws.hub.file_lock import lock_until
from jupyter_wb_aws.hub.key_files import MAX_BYTES, as_file, file_name, from_file, is_file_name
from jupyter_wb_aws.hub.rotation import Key
from jupyter_wb_aws.hub.service_settings import MAX_TOKEN_LIFETIME
from jupyter_wb_aws.private_folder import TEMPORARY, PrivateFolder, refusal

LOCK = ".lock"
# Seconds that a token was ever valid, at most: so long must a key be published after its last signature.
LONGEST_TOKEN_LIFETIME = "longest-token-lifetime"  # noqa: S105 - a file's name

# What may be in a folder without a key: our own, and what file systems make.
_NO_MATTER = {LONGEST_TOKEN_LIFETIME, "lost+found"}


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in the folder.

    Args:
        keys: the keys that can be used.
        refused: why other files can't be used, by their names.
        longest_lifetime: the longest that a token was ever valid.
        read_only: whether the service can't write to the folder.
        problem: why nothing in the folder can be used, if that is so.
    """

    keys: tuple[Key, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    longest_lifetime: timedelta = timedelta()
    read_only: bool = False
    problem: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the folder has no key, not even one that can't be used."""
        return not (self.keys or self.problem or any(map(is_file_name, self.refused)))


class KeyFolder:
    """The folder with the keys. Blocking; failures are OSErrors, whose `strerror` says why."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def make(self) -> None:
        """Make the folder where it is missing, and private where others can read it.

        Raises:
            OSError: if that can't be done, or it is another user's, or was not made for keys, such as `/etc`.
        """
        contents = self.read()
        if contents.is_empty and contents.refused.keys() - _NO_MATTER:
            raise refusal(
                "has other files and no key; HubServiceApp.keys_dir must be a folder for the keys alone"
            )
        PrivateFolder.open(self.path).close()

    def fingerprint(self) -> object:
        """Return what differs after any change in the folder."""
        try:
            with os.scandir(self.path) as entries:
                return _stamp(self.path), {entry.name: _stamp(entry) for entry in entries}
        except OSError as error:
            return error.errno

    def read(self) -> Contents:
        """Read all files."""
        try:
            if why := self._explain_refusal():
                return Contents(problem=why)
            read_only = self._is_read_only()
            names = sorted(os.listdir(self.path))
        except OSError as error:
            return Contents(problem=f"can't be read ({error.strerror})")
        keys, refused, lifetime = [], {}, timedelta()
        for name in names:
            if name.startswith("."):
                continue  # the lock, and what Kubernetes makes a volume of
            try:
                if name == LONGEST_TOKEN_LIFETIME:
                    lifetime = _lifetime(self._read_file(name, read_only=read_only))
                elif is_file_name(name):
                    keys.append(from_file(name, self._read_file(name, read_only=read_only)))
                else:
                    refused[name] = "is not a key of this service"
            except FileNotFoundError:
                pass  # removed meanwhile
            except (OSError, ValueError) as error:
                refused[name] = getattr(error, "strerror", None) or str(error)
            except Exception as error:  # noqa: BLE001 - one odd file must not stop the others
                refused[name] = f"can't be read ({type(error).__name__})"
        return Contents(tuple(keys), refused, lifetime, read_only)

    @contextlib.contextmanager
    def lock(self, seconds: float = 0.0) -> Iterator[bool]:
        """Hold the lock under which all changes are made, and yield whether it is held.

        Args:
            seconds: for how long to try while another process holds it. That may be stopped, and hold it for ever.

        Raises:
            OSError: if the folder can't be used or written to.
        """
        # A lock that root left in another account's folder would keep that account out.
        if why := self._explain_refusal():
            raise refusal(why)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path / LOCK, flags, 0o600)
        except PermissionError:
            if not os.path.lexists(self.path / LOCK):
                raise
            raise refusal(f"its file {LOCK} is not this account's; remove that file") from None
        try:
            yield lock_until(descriptor, time.monotonic() + seconds)
        finally:
            os.close(descriptor)  # unlocks it

    def write(self, key: Key) -> None:
        """Write a key's file, or replace it as a whole.

        Raises:
            OSError: if it can't be written; an earlier file stays then.
        """
        self._write_file(file_name(key.kid), as_file(key))

    def write_longest_lifetime(self, lifetime: timedelta) -> None:
        """Remember how long tokens are valid.

        Raises:
            OSError: if it can't be written.
        """
        self._write_file(LONGEST_TOKEN_LIFETIME, f"{lifetime.total_seconds():.0f}\n".encode())

    def remove(self, kid: str) -> None:
        """Remove a key's file.

        Raises:
            OSError: if it can't be removed.
        """
        (self.path / file_name(kid)).unlink(missing_ok=True)

    def remove_temporary_files(self) -> None:
        """Remove what a process left that was killed while it wrote: it may hold a private key.

        Raises:
            OSError: if it can't be removed.
        """
        for name in filter(TEMPORARY.match, os.listdir(self.path)):
            (self.path / name).unlink(missing_ok=True)

    def _write_file(self, name: str, content: bytes) -> None:
        folder = PrivateFolder.open(self.path)
        try:
            folder.write(name, content)
        finally:
            folder.close()

    def _read_file(self, name: str, *, read_only: bool) -> bytes:
        path = self.path / name
        if path.is_symlink():
            if not _resolved(path).is_relative_to(self.path.resolve()):
                raise refusal("is a link that leads out of the folder")
            if not path.exists():
                raise refusal("is a link to nothing")
        # O_NONBLOCK: a FIFO must not make us wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if why := _explain_file(os.fstat(descriptor), read_only=read_only):
                raise refusal(why)
            with open(descriptor, "rb", closefd=False) as stream:
                content = stream.read(MAX_BYTES + 1)
        finally:
            os.close(descriptor)
        if len(content) > MAX_BYTES:
            raise refusal(f"is longer than {MAX_BYTES} bytes")
        return content

    def _is_read_only(self) -> bool:
        return self._is_on_read_only_file_system() or self.path.lstat().st_uid != os.geteuid()

    def _is_on_read_only_file_system(self) -> bool:
        return bool(os.statvfs(self.path).f_flag & os.ST_RDONLY)

    def _explain_refusal(self) -> str | None:
        status = self.path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            return "is not a folder, or is a symbolic link"
        if why := _explain_owner(status):
            return why
        # Kubernetes leaves the folder of a volume open to all, and makes the file system read-only.
        if status.st_mode & 0o022 and not self._is_on_read_only_file_system():
            return "can be written to by others"
        return None


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except RuntimeError:  # of Python before 3.13
        raise refusal("is a link to itself") from None


def _explain_file(status: os.stat_result, *, read_only: bool) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if why := _explain_owner(status):
        return why
    if status.st_mode & stat.S_IRWXO:
        return "can be read by every user of this machine; treat its key as compromised"
    ours = read_only and status.st_gid in {os.getegid(), *os.getgroups()}
    if status.st_mode & stat.S_IRWXG and not (ours and not status.st_mode & stat.S_IWGRP):
        return "can be read or written by a group"
    return None


def _explain_owner(status: os.stat_result) -> str | None:
    if status.st_uid in {0, os.geteuid()}:
        return None
    try:
        return f"belongs to another user ({pwd.getpwuid(status.st_uid).pw_name})"
    except KeyError:
        return f"belongs to another user ({status.st_uid})"


def _stamp(path: Path | os.DirEntry[str]) -> object:
    try:
        # Any change of the content, the owner or the mode sets ctime; another file has another inode.
        status = path.stat()
    except OSError as error:
        return error.errno
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns


def _lifetime(content: bytes) -> timedelta:
    try:
        seconds = int(content)
    except ValueError:
        raise ValueError("is not a number of seconds") from None
    if not 0 < seconds <= MAX_TOKEN_LIFETIME:
        raise ValueError(f"is not a number of seconds up to {MAX_TOKEN_LIFETIME}")
    return timedelta(seconds=seconds)
