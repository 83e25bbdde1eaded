"""Files that hold the same text for as long as they are needed, such as endpoint tokens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from jupyter_wb_aws.errors import TokenFolderRefused
from jupyter_wb_aws.role_sessions.token_folder import TokenFolder
from jupyter_wb_aws.role_sessions.token_folders import TokenFolders

log = logging.getLogger(__name__)

# Returns the text of a file; so no secret is in the `repr` of what holds it.
Reveal = Callable[[], str]


class PrivateFiles:
    """Keeps files as they were written: one that somebody deletes, or that could not be written, is written again.

    They stay where they are: processes have their paths. `problem` says why one can't be written, if so. All methods
    but `keep` and `forget` are blocking, one call at a time.

    Args:
        folders: where they may be.
    """

    def __init__(self, folders: TokenFolders) -> None:
        self._folders = folders
        self._texts: dict[Path, Reveal] = {}
        self._closed = False
        self.problem: TokenFolderRefused | None = None

    @property
    def any(self) -> bool:
        """Whether there are such files."""
        return bool(self._texts)

    def keep(self, texts: Mapping[Path, Reveal]) -> None:
        """Note what files have to hold, from the next `write` or look on."""
        if not self._closed:
            self._texts |= texts

    def forget(self, paths: Iterable[Path]) -> None:
        """Let files go; `remove` removes them."""
        for path in paths:
            self._texts.pop(path, None)

    def close(self) -> None:
        """Write nothing from now on; the files are removed with the others."""
        self._closed = True
        self._texts.clear()

    def names_in(self, folder: Path) -> set[str]:
        """Return the names of the files that belong into a folder."""
        return {path.name for path in list(self._texts) if path.parent == folder}

    def write(self, paths: Iterable[Path]) -> None:
        """Write those of the files that are missing.

        Raises:
            TokenFolderRefused: if one can't be written; each look tries it again.
        """
        wanted = [path for path in paths if path in self._texts]
        for folder in dict.fromkeys(path.parent for path in wanted):
            try:
                self._write_into(self._opened(folder), wanted)
            except TokenFolderRefused as problem:
                if self.problem is None:
                    log.error("%s", problem.detail)
                self.problem = problem
                self._move_on(folder, problem)
                raise
        self.problem = None

    def write_missing(self) -> None:
        """Look for files that are not there, and write them. A failure is kept in `problem`."""
        try:
            self.write(list(self._texts))
        except TokenFolderRefused as problem:
            log.debug("%s", problem.detail)  # it was logged when it began

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files."""
        for path in paths:
            if (token_folder := self._folders.get_open(path.parent)) is not None:
                token_folder.remove(path.name)

    def _opened(self, folder: Path) -> TokenFolder:
        token_folder = self._folders.get_open(folder)
        if token_folder is not None and token_folder.is_gone():
            log.error("The folder for token files, %s, was deleted or moved", folder)
            self._folders.close_one(folder)
        return self._folders.open_at(folder)

    def _write_into(self, token_folder: TokenFolder, wanted: list[Path]) -> None:
        there = set(token_folder.names())
        for path in wanted:
            reveal = self._texts.get(path)  # it may have been let go meanwhile
            if path.parent == token_folder.path and path.name not in there and reveal is not None:
                # After a power loss nobody knows an endpoint token any more.
                token_folder.write(path.name, reveal(), durable=False)

    def _move_on(self, folder: Path, problem: TokenFolderRefused) -> None:
        """Open another folder for the files to come."""
        try:
            self._folders.open_best(folder, problem)
        except TokenFolderRefused:
            log.debug("No other folder for token files can be used")
