"""A folder of token files. `private_folder` writes the files; here its failures become the user's errors."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from jupyter_wb_aws.errors import TokenFolderRefused
from jupyter_wb_aws.private_folder import TEMPORARY, OpenToOthers, PrivateFolder


class TokenFolderOpenToOthers(TokenFolderRefused):
    """Our own folder, but others can write to it: one command mends that, and no other folder replaces it."""


class TokenFolder:
    """Our own folder, mode 0700, that nobody else can write to or read. Blocking."""

    def __init__(self, folder: PrivateFolder) -> None:
        self._folder = folder
        self.path = folder.path
        self.remove = folder.remove
        self.names = folder.names
        self.is_gone = folder.is_gone
        self.close = folder.close

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the folder, and make it where it is missing.

        Raises:
            TokenFolderRefused: if it is another user's, group- or world-writable, a symbolic link,
                not a folder, or can't be made.
        """
        try:
            return cls(PrivateFolder.open(path))
        except OpenToOthers as error:
            raise TokenFolderOpenToOthers(
                f"The folder for token files, {path}, {error.strerror}.",
                admin_hint=f"Look at what is in it, then run: chmod 700 {path}; or set WbAwsApp.token_dir to a folder"
                " in which only this user can write.",
            ) from None
        except OSError as error:
            raise TokenFolderRefused(
                f"The folder for token files, {path}, {error.strerror}.",
                admin_hint="Set WbAwsApp.token_dir to a folder in which only this user can write.",
            ) from None

    def write(
        self, name: str, content: str, *, executable: bool = False, durable: bool = True
    ) -> None:
        """Replace a file's content; see the steps in `private_folder`.

        Args:
            name: the file's name in the folder.
            content: what it holds from then on.
            executable: whether it is a script.
            durable: whether it has to be whole after a power loss.

        Raises:
            TokenFolderRefused: if the file can't be written (a full disk, a folder that is gone).
        """
        try:
            mode = 0o700 if executable else 0o600
            self._folder.write(name, content.encode(), mode=mode, durable=durable)
        except OSError as error:
            raise TokenFolderRefused(
                f"The token file {self.path / name} can't be written: {error.strerror}.",
                hint="Free some disk space, or ask your administrator for help.",
                admin_hint="Set WbAwsApp.token_dir to a folder in which this user can write.",
            ) from None


def without_temporary_prefix(name: str) -> str:
    """Return the name that a temporary file was to have; other names as they are."""
    return TEMPORARY.sub("", name, count=1) if TEMPORARY.match(name) else name
