"""Which folder token files go to: the first usable one of several places."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from jupyter_wb_aws.errors import TokenFolderRefused
from jupyter_wb_aws.private_folder import refusal
from jupyter_wb_aws.role_sessions.places import (
    Place,
    exposed_notices,
    fallback_notices,
    is_shown_by_file_browser,
    require_own,
)
from jupyter_wb_aws.role_sessions.records import Records
from jupyter_wb_aws.role_sessions.token_folder import (
    TokenFolder,
    TokenFolderOpenToOthers,
)

log = logging.getLogger(__name__)

# As long as a token: a full disk still has room for an empty file.
PROBE = "." * 4096


class TokenFolders:
    """Opens folders when they are needed. Blocking; one call at a time.

    `current` is the folder for role sessions that start now: the one that was opened last, or the first
    place's. `problem` says why none could be opened when that was last tried. `notices` are what an
    administrator should know about the current one, as (code, sentence).

    Args:
        places: where they may be, best first.
        root_dir: what Jupyter's file browser shows.
        records: know this server's slot, with which the names of its files begin.
        allow_hidden: whether the file browser also shows hidden files.
    """

    def __init__(
        self,
        places: Sequence[Place],
        root_dir: Path,
        records: Records,
        *,
        allow_hidden: bool,
    ) -> None:
        self._places = places
        self._root_dir = root_dir
        self._hidden_shown = allow_hidden
        self._records = records
        self.current = places[0].path
        self.problem: TokenFolderRefused | None = None
        self.notices: tuple[tuple[str, str], ...] = ()
        self._opened: dict[Path, TokenFolder] = {}
        self._swept: set[Path] = set()

    def open_best(
        self, failed: Path | None = None, because: TokenFolderRefused | None = None
    ) -> TokenFolder:
        """Return the current folder, or open the first that can be used.

        Args:
            failed: a folder to pass over, since a file could not be written there.
            because: why it could not be written.

        Raises:
            TokenFolderRefused: if none can be used; says why, and what to set.
        """
        opened = self._opened.get(self.current)
        if opened is not None and self.current != failed:
            self.problem = None
            return opened
        refused: list[tuple[Place, TokenFolderRefused]] = []
        for place in self._places:
            path = self._path(place)
            if because is not None and path == failed:
                refused.append((place, because))
                continue
            try:
                token_folder = self._open(place)
            except TokenFolderOpenToOthers as problem:
                self.problem = problem
                raise
            except TokenFolderRefused as problem:
                refused.append((place, problem))
                continue
            self._take(place, token_folder, refused)
            return token_folder
        self.problem = _none_of(refused)
        raise self.problem

    def open_at(self, folder: Path) -> TokenFolder:
        """Return this folder, opened again if necessary.

        Raises:
            TokenFolderRefused: if it can't be used.
        """
        if folder in self._opened:
            return self._opened[folder]
        place = next((p for p in self._places if folder in (p.path, p.hidden_path)), None)
        if place is None:
            place = Place(folder, "WbAwsApp.token_dir")
        try:
            token_folder = self._open(place)
        except TokenFolderRefused as problem:
            if len(self._places) == 1:
                self.problem = problem
            raise
        if folder == self.current:
            self.problem = None
        return token_folder

    def get_open(self, folder: Path) -> TokenFolder | None:
        """Return this folder if it is open."""
        return self._opened.get(folder)

    def all_open(self) -> list[TokenFolder]:
        """Return all folders that are open."""
        return list(self._opened.values())

    def take_unswept(self) -> list[TokenFolder]:
        """Return the open folders that were not returned before, to be cleared of what dead servers left."""
        new = [d for path, d in self._opened.items() if path not in self._swept]
        self._swept.update(token_folder.path for token_folder in new)
        return new

    def open_others(self) -> Iterator[TokenFolder]:
        """Open the existing folders at the other places, which an earlier server may have used."""
        for place in self._places:
            path = self._path(place)
            with contextlib.suppress(TokenFolderRefused, OSError):
                if path != self.current and path.is_dir():
                    with contextlib.closing(TokenFolder.open(path)) as token_folder:
                        yield token_folder

    def close_one(self, folder: Path) -> None:
        """Close a folder that was deleted or moved."""
        self._swept.discard(folder)
        if (token_folder := self._opened.pop(folder, None)) is not None:
            token_folder.close()

    def disk_problem(self) -> TokenFolderRefused:
        """Return the problem that the disk does not answer; may be called while another call is under way."""
        return TokenFolderRefused(
            f"The folder for token files, {self.current}, can't be used: its disk does not answer.",
            admin_hint="Look at that disk, or set WbAwsApp.token_dir to a folder on another one.",
        )

    def close(self) -> None:
        """Close all folders; their files stay."""
        for folder in list(self._opened):
            self.close_one(folder)

    # --- One place -------------------------------------------------------------------------

    def _take(
        self,
        place: Place,
        token_folder: TokenFolder,
        refused: list[tuple[Place, TokenFolderRefused]],
    ) -> None:
        self.current, self.problem = token_folder.path, None
        why = [(p, OSError(0, _why(p, problem))) for p, problem in refused]
        self.notices = (
            *fallback_notices("token_dir_fallback", "Token files are", place, why),
            *exposed_notices(token_folder.path, "token_dir_exposed", "WbAwsApp.token_dir"),
        )
        for _, sentence in self.notices:
            log.warning("%s", sentence)

    def _path(self, place: Place) -> Path:
        hidden = place.hidden_path
        return hidden if hidden is not None and self._is_shown(place.path) else place.path

    def _is_shown(self, path: Path) -> bool:
        return is_shown_by_file_browser(path, self._root_dir, allow_hidden=self._hidden_shown)

    def _open(self, place: Place) -> TokenFolder:
        path = self._path(place)
        if path in self._opened:
            return self._opened[path]
        if self._is_shown(path):
            raise self._shown(path)
        try:
            require_own(place.below)
            self._opened[path] = self._tried(path, place.below)
        except OSError as error:
            raise TokenFolderRefused(
                f"The folder for token files, {path}, {error.strerror}.",
                admin_hint="Set WbAwsApp.token_dir to a folder in which only this user can write.",
            ) from None
        return self._opened[path]

    def _tried(self, path: Path, below: Path | None) -> TokenFolder:
        token_folder = TokenFolder.open(path)
        try:
            require_own(below)  # again: it may have been made by another user in between
            probe = f"{self._records.slot}_probe.token"
            token_folder.write(probe, PROBE)
            token_folder.remove(probe)
        except TokenFolderRefused as problem:
            token_folder.close()
            why = problem.detail.rpartition(": ")[2].removesuffix(".")
            raise refusal(f"can't be written to ({why})") from None
        except OSError:
            token_folder.close()
            raise
        return token_folder

    def _shown(self, path: Path) -> TokenFolderRefused:
        """Return the problem that Jupyter's file browser shows a folder, with what to set against that."""
        root = self._root_dir
        if root != Path(root.anchor):
            where = f"a folder outside of {root}, the server's root_dir"
            admin_hint = f"Set WbAwsApp.token_dir to {where}."
        elif self._hidden_shown:
            admin_hint = (
                "The file browser shows all folders of this machine, hidden ones too: set"
                " ContentsManager.allow_hidden to False, or ServerApp.root_dir to another folder than /."
            )
        else:
            admin_hint = (
                f"The server's root_dir is /, which every folder is below. Set WbAwsApp.token_dir to a hidden folder,"
                f" such as {path.parent / '.aws-tokens'}, or ServerApp.root_dir to the user's home."
            )
        return TokenFolderRefused(
            f"The folder for token files, {path}, can be seen in Jupyter's file browser.",
            admin_hint=admin_hint,
        )


def _why(place: Place, problem: TokenFolderRefused) -> str:
    words = problem.detail.removesuffix(".")
    return words.removeprefix(f"The folder for token files, {place.path}, ")


def _none_of(refused: list[tuple[Place, TokenFolderRefused]]) -> TokenFolderRefused:
    (_, first), *others = refused
    if not others:
        return first
    also = "; ".join(problem.detail.removesuffix(".") for _, problem in others)
    return TokenFolderRefused(
        f"{first.detail} No other place can be used: {also}.", admin_hint=first.admin_hint
    )
