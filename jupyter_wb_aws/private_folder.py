"""A folder that only this user can read or write, accessed through its descriptor.

How a file is written (after the kubelet's atomic_writer.go):

1. Create a new file under a temporary name in the same folder, with mode 0600 (a script: 0700)
   regardless of the umask.
2. Write its content and flush it to the disk, so that after a power loss the name never points to
   nothing.
3. Rename it over the old file. POSIX makes that atomic: a reader that has the old file open reads the
   old content to its end.

Concurrent writers of one name each use a temporary name of their own, and the last rename wins. All
steps go through a descriptor of the folder, so that nobody can put another folder in its place.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import secrets
import shutil
import stat
from pathlib import Path
from typing import Self

log = logging.getLogger(__name__)

TEMPORARY = re.compile(r"\.tmp-[0-9a-f]{16}-")
# Copies that Jupyter's contents API and its extensions put beside the files that they open.
JUPYTER_COPIES = re.compile(r"\.ipynb_checkpoints|\.virtual_documents|\.~.*")


class OpenToOthers(OSError):
    """A file or folder of this user's that others can write to: it may hold something of theirs."""


class PrivateFolder:
    """Our own folder, mode 0700. Blocking; failures are OSErrors, whose `strerror` says why."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the folder, and make it and its parents (0700) where they are missing.

        The checkpoints that Jupyter's file browser left in it are removed: they are copies of our files.

        Raises:
            OSError: if it is another user's, group- or world-writable, a symbolic link, not a folder,
                or can't be made.
        """
        if not path.is_absolute():
            raise refusal("is not an absolute path")
        try:
            make_private(path)
        except OSError as error:
            raise refusal(f"can't be made ({error.strerror})", error) from None
        folder = cls(path, _descriptor_of(path))
        folder._remove_jupyter_copies()
        return folder

    def write(self, name: str, content: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
        """Replace a file's content; see the steps in the module's docstring.

        Args:
            name: the file's name in the folder.
            content: what it holds from then on.
            mode: its permissions.
            durable: whether it has to be whole after a power loss.

        Raises:
            OSError: if the file can't be written (a full disk, a folder that is gone).
        """
        replace_file(self._descriptor, name, content, mode, durable=durable)

    def read(self, name: str, limit: int) -> bytes:
        """Return a file's content.

        Raises:
            FileNotFoundError: if there is no such file.
            OSError: if it is not a regular file of this user's that others can't write to, or is
                longer than `limit` bytes.
        """
        # O_NONBLOCK: a FIFO must not make us wait for its writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, dir_fd=self._descriptor)
        except FileNotFoundError:
            raise
        except OSError as error:
            link = error.errno == errno.ELOOP
            why = "is a symbolic link" if link else f"can't be opened ({error.strerror})"
            raise refusal(why, error) from None
        with open(descriptor, "rb") as stream:
            require_own_file(stream.fileno())
            content = stream.read(limit + 1)
        if len(content) > limit:
            raise refusal(f"is longer than {limit} bytes")
        return content

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        try:
            os.unlink(name, dir_fd=self._descriptor)
        except FileNotFoundError:
            pass
        except OSError as error:
            log.error("%s can't be removed: %s", self.path / name, error.strerror)

    def names(self) -> list[str]:
        """Return the names of the files in the folder."""
        return os.listdir(self._descriptor)

    def is_gone(self) -> bool:
        """Return whether somebody deleted or moved the folder: its path leads elsewhere."""
        try:
            there, here = os.lstat(self.path), os.fstat(self._descriptor)
        except OSError:
            return True
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)

    def close(self) -> None:
        """Close the folder; its files stay."""
        os.close(self._descriptor)

    def _remove_jupyter_copies(self) -> None:
        with contextlib.suppress(OSError):  # a folder that can't be listed fails at its first use
            for name in filter(JUPYTER_COPIES.fullmatch, self.names()):
                self._remove_whole(name)

    def _remove_whole(self, name: str) -> None:
        """Remove a file, a link, or a folder with its contents; links are not followed."""
        try:
            status = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                shutil.rmtree(name, dir_fd=self._descriptor)
            else:
                os.unlink(name, dir_fd=self._descriptor)
        except (OSError, RecursionError) as error:
            log.error("%s can't be removed: %s", self.path / name, error)
        else:
            log.warning("Removed %s, which Jupyter's file browser had made", self.path / name)


def replace_file(
    folder: int, name: str, content: bytes, mode: int, *, durable: bool = True
) -> None:
    """Replace a file's content; see the steps in the module's docstring.

    Args:
        folder: a descriptor of the file's folder. It may be one that others write to: no link of theirs is followed.
        name: the file's name in the folder.
        content: what it holds from then on.
        mode: its permissions.
        durable: whether it has to be whole after a power loss; if not, the disk is not waited for.

    Raises:
        OSError: if the file can't be written.
    """
    # The name is part of it, so that its owner is known after a power loss.
    temporary = f".tmp-{secrets.token_hex(8)}-{name}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(temporary, flags, 0o600, dir_fd=folder)  # 1
    try:
        with open(file, "wb") as stream:
            os.fchmod(file, mode)
            stream.write(content)  # 2
            stream.flush()
            if durable:
                os.fsync(file)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)  # 3
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def make_private(path: Path) -> None:
    """Make a folder and its missing parents, each with mode 0700 regardless of the umask.

    Raises:
        OSError: if that can't be done.
    """
    try:
        os.mkdir(path, 0o700)  # noqa: PTH102 - Path.mkdir makes parents with the umask's mode
    except FileExistsError:
        return
    except FileNotFoundError:
        if path.parent == path:
            raise
        make_private(path.parent)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)  # noqa: PTH102 - missing again where a link above leads nowhere
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_uid == os.geteuid():
                os.fchmod(descriptor, 0o700)
        finally:
            os.close(descriptor)


def require_own_file(descriptor: int) -> None:
    """Accept a regular file of this user's that others can't write to.

    Raises:
        OSError: if it is anything else.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise refusal("is not a regular file")
    _require_own(status)


def refusal(why: str, cause: OSError | None = None) -> OSError:
    """Return an OSError that says why; its number is that of the cause, or EACCES."""
    return OSError((cause and cause.errno) or errno.EACCES, why)


def _descriptor_of(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        # Linux says ENOTDIR of a symbolic link, macOS ELOOP.
        other = error.errno in (errno.ENOTDIR, errno.ELOOP)
        why = "is not a folder, or is a symbolic link" if other else "can't be opened"
        raise refusal(f"{why} ({error.strerror})", error) from None
    try:
        _require_own(os.fstat(descriptor))
        try:
            os.fchmod(descriptor, 0o700)
        except OSError as error:
            raise refusal(f"can't be made private ({error.strerror})", error) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_own(status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise refusal("belongs to another user")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OpenToOthers(errno.EACCES, "can be written to by others")
