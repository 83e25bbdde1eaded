"""The folder of token files: written so that a reader never sees half a token, or none.

How a file is written (after the kubelet's atomic_writer.go):

1. a new file under a temporary name in the same folder, mode 0600 whatever the umask (a script: 0700);
2. its content, flushed to the disk, so that after a power loss the name never points to nothing;
3. a rename over the old file, which POSIX makes atomic: a reader that has the old file open reads
   the old token to its end.

Concurrent writers of one name each use a temporary name of their own; the last rename wins. All of
it goes through a descriptor of the folder, so that nobody can put another folder in its place.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import secrets
import stat
from pathlib import Path

from jupyter_wb_aws.errors import TokenDirectoryRefused

log = logging.getLogger(__name__)

TEMPORARY = re.compile(r"\.tmp-[0-9a-f]{16}-")


class TokenDirectory:
    """Our own folder, mode 0700, that nobody else can write to or read. Blocking."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: Path) -> TokenDirectory:
        """Open the folder, and make it where it is missing.

        Raises:
            TokenDirectoryRefused: if it is another user's, group- or world-writable, a symlink, no
                folder, or can't be made.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
        except OSError as error:
            raise _refused(path, f"can't be made ({error.strerror})") from None
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            # Linux says ENOTDIR of a symbolic link, macOS ELOOP.
            other = error.errno in (errno.ENOTDIR, errno.ELOOP)
            why = "is a symbolic link or no folder" if other else "can't be opened"
            raise _refused(path, f"{why} ({error.strerror})") from None
        try:
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid():
                raise _refused(path, "belongs to another user")
            if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise _refused(path, "can be written to by others")
            os.fchmod(descriptor, 0o700)
        except OSError as error:
            os.close(descriptor)
            raise _refused(path, f"can't be made private ({error.strerror})") from None
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor)

    def write(self, name: str, content: str, *, executable: bool = False) -> None:
        """Replace a file's content; see the steps in the module's docstring.

        Raises:
            TokenDirectoryRefused: if the file can't be written (a full disk, a folder that is gone).
        """
        try:
            self._write(name, content.encode(), 0o700 if executable else 0o600)
        except OSError as error:
            raise TokenDirectoryRefused(
                f"The token file {self.path / name} can't be written: {error.strerror}.",
                hint="Free some disk space, or tell your administrator.",
            ) from None

    def _write(self, name: str, content: bytes, mode: int) -> None:
        # The name is part of it, so that it can be told whose it is after a power loss.
        temporary = f".tmp-{secrets.token_hex(8)}-{name}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(temporary, flags, 0o600, dir_fd=self._descriptor)  # 1
        try:
            with open(file, "wb") as stream:
                os.fchmod(file, mode)
                stream.write(content)  # 2
                stream.flush()
                os.fsync(file)
            os.rename(  # 3
                temporary, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor
            )
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self._descriptor)
            raise

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
        """Tell whether the folder's path leads elsewhere by now: somebody deleted or moved it."""
        try:
            there, here = os.lstat(self.path), os.fstat(self._descriptor)
        except OSError:
            return True
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)

    def close(self) -> None:
        """Let go of the folder; its files stay."""
        os.close(self._descriptor)


def without_temporary_prefix(name: str) -> str:
    """Return the name that a file was to have when its writing was cut short."""
    return TEMPORARY.sub("", name, count=1) if TEMPORARY.match(name) else name


def visible_below(path: Path, root: Path, *, hidden_shown: bool) -> bool:
    """Tell whether Jupyter's file browser, rooted at `root`, would show `path`.

    Source: jupyter_core.paths.is_hidden: a path is hidden where a component begins with a dot, or
    has macOS's flag UF_HIDDEN (as ~/Library has), unless `ContentsManager.allow_hidden` is set.
    """
    real = Path(os.path.realpath(path))  # unlike Path.resolve, at ease with a loop of symlinks
    top = Path(os.path.realpath(root))
    if real != top and top not in real.parents:
        return False
    below = [part for part in (real, *real.parents) if top in part.parents]
    return hidden_shown or not any(part.name.startswith(".") or _flagged(part) for part in below)


def _flagged(path: Path) -> bool:
    try:
        return bool(getattr(os.stat(path), "st_flags", 0) & stat.UF_HIDDEN)  # noqa: PTH116
    except OSError:
        return False


def _refused(path: Path, why: str) -> TokenDirectoryRefused:
    return TokenDirectoryRefused(
        f"The folder for token files, {path}, {why}.",
        admin_hint="Set WbAwsApp.token_dir to a folder in which only this user can write.",
    )
