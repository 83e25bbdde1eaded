"""The files of the role sessions of one server: each one's token, and its stand-ins for `~/.aws`.

Jobs on them run one after the other, each to its end: one that was cancelled half-way would go on
in its thread, and could bring a file back after its removal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from jupyter_wb_aws.errors import TokenDirectoryRefused
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.role_sessions.records import Records
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.store import of_slots
from jupyter_wb_aws.role_sessions.token_file import TokenDirectory, visible_below
from jupyter_wb_aws.tasks import Tasks

log = logging.getLogger(__name__)


class SessionFiles:
    """Writes and removes the files, in a folder that may be refused, and may heal.

    Args:
        folder: where they are.
        root_dir: what Jupyter's file browser shows, with or without hidden files.
        records: knows this server's slot, and the servers that died.
        living: gives the role sessions that have not ended.
        newest: gives the token that belongs into a role session's file, if any is in hand.

    `problem` is why the folder could not be opened when it was last tried, else None.
    """

    def __init__(
        self,
        folder: Path,
        root_dir: Path,
        records: Records,
        *,
        hidden_shown: bool,
        living: Callable[[], Iterable[RoleSession]],
        newest: Callable[[RoleSession], WebIdentityToken | None],
    ) -> None:
        self._folder = folder
        self._root_dir = root_dir
        self._hidden_shown = hidden_shown
        self._records = records
        self._living = living
        self._newest = newest
        self.problem: TokenDirectoryRefused | None = None
        self._directory: TokenDirectory | None = None
        self._tasks = Tasks()
        self._one_at_a_time = asyncio.Lock()

    def path_of(self, session_id: str) -> Path:
        """Return where a role session's token file is."""
        return self._folder / f"{self._records.slot}_{session_id}.token"

    def script_path(self, name: str) -> Path:
        """Return where a script of ours is, that starts something with the default role session."""
        return self._folder / f"{self._records.slot}_{name}.script"

    async def write_script(self, path: Path, content: str) -> None:
        """Replace a script.

        Raises:
            TokenDirectoryRefused: if it can't be written.
        """
        await self._tasks.do(self._alone(self._write_script, path.name, content), "write script")

    async def open(self) -> None:
        """Open the folder, and clear what dead servers left there.

        Raises:
            TokenDirectoryRefused: if it is not safe; it is tried again at each write.
        """
        await self._tasks.do(self._alone(self._opened), "open token folder")

    async def write(self, session: RoleSession) -> bool:
        """Write the newest token in hand; tell whether there was one to write.

        A failure is kept in `session.file_problem`.
        """
        return await self._tasks.do(self._write(session), "write token file")

    async def remove(self, session: RoleSession) -> None:
        """Remove a role session's files."""
        await asyncio.shield(self.begin_removing(session))

    def begin_removing(self, session: RoleSession) -> asyncio.Task[None]:
        """Have a role session's files removed after whatever is under way."""
        return self._tasks.begin(self._alone(self._remove, session), "remove token file")

    async def mend(self) -> None:
        """Where somebody deleted a file, or deleted or moved the folder, have it written anew."""
        await self._tasks.do(self._mend(), "mend token folder")

    async def close(self) -> None:
        """Remove all files of this server, and let go of the folder."""
        await self._tasks.finish()
        await asyncio.to_thread(self._close)

    # --- Jobs ------------------------------------------------------------------------------

    async def _alone(self, job: Callable[..., object], *args: object) -> None:
        async with self._one_at_a_time:
            await asyncio.to_thread(job, *args)

    async def _write(self, session: RoleSession) -> bool:
        async with self._one_at_a_time:
            token = self._newest(session)
            if token is None or session.ended or token.fingerprint == session.written:
                return False
            try:
                await asyncio.to_thread(self._write_files, session, token)
            except TokenDirectoryRefused as problem:
                if session.file_problem is None:
                    log.error("%s", problem.detail)
                session.file_problem = problem
                return False
            session.written, session.file_expires_at = token.fingerprint, token.expires_at
            session.file_problem = None
            return True

    async def _mend(self) -> None:
        async with self._one_at_a_time:
            directory = self._directory
            if directory is None:
                return
            if not await asyncio.to_thread(directory.is_gone):
                await self._miss_files(directory)
                return
            log.error("The folder for token files, %s, was deleted or moved", self._folder)
            self._directory = None
            directory.close()
            for session in self._living():
                session.written = session.file_expires_at = None

    async def _miss_files(self, directory: TokenDirectory) -> None:
        """Have a token file that somebody deleted written anew."""
        written = [session for session in self._living() if session.written is not None]
        names = set(await asyncio.to_thread(directory.names))
        for session in written:
            if session.token_file.name not in names and session.ended is None:
                log.error("The token file of role session %s was deleted", session.id)
                session.written = session.file_expires_at = None

    # --- In a thread -----------------------------------------------------------------------

    def _opened(self) -> TokenDirectory:
        try:
            directory = self._open()
        except TokenDirectoryRefused as refused:
            self.problem = refused
            raise
        self.problem = None
        return directory

    def _open(self) -> TokenDirectory:
        if self._directory is None:
            if visible_below(self._folder, self._root_dir, hidden_shown=self._hidden_shown):
                raise TokenDirectoryRefused(
                    f"The folder for token files, {self._folder}, can be seen in Jupyter's file browser.",
                    admin_hint="Set WbAwsApp.token_dir to a folder outside of the server's root_dir.",
                )
            self._directory = TokenDirectory.open(self._folder)
            self._clear_leftovers(self._directory)
        return self._directory

    def _clear_leftovers(self, directory: TokenDirectory) -> None:
        """Remove files of servers that died; those of role sessions that came back stay."""
        known = {name for session in self._living() for name in file_names(session)}

        def remove_all_of(slots: list[str]) -> None:
            for name in of_slots(directory.names(), slots):
                if name not in known:
                    directory.remove(name)

        remove_all_of([self._records.slot])
        self._records.clear_leftovers(remove_all_of)

    def _write_files(self, session: RoleSession, token: WebIdentityToken) -> None:
        directory = self._opened()
        if session.written is None:
            for name, content in stand_ins(session).items():
                directory.write(name, content)
        directory.write(session.token_file.name, token.reveal())

    def _write_script(self, name: str, content: str) -> None:
        self._opened().write(name, content, executable=True)

    def _remove(self, session: RoleSession) -> None:
        if self._directory is not None:
            for name in file_names(session):
                self._directory.remove(name)

    def _close(self) -> None:
        if self._directory is not None:
            for name in of_slots(self._directory.names(), [self._records.slot]):
                self._directory.remove(name)
            self._directory.close()
            self._directory = None


def file_names(session: RoleSession) -> list[str]:
    """Return the names of all files of a role session."""
    return [session.token_file.name, *stand_ins(session)]


def stand_in_files(token_file: Path) -> tuple[Path, Path]:
    """Return the role session's stand-ins for `~/.aws/config` and `~/.aws/credentials`."""
    return token_file.with_suffix(".config"), token_file.with_suffix(".credentials")


def stand_ins(session: RoleSession) -> dict[str, str]:
    """Name and content of the stand-ins.

    They hold nothing but the reason for their being; see docs/decisions/0003-environment.md.
    """
    why = f"# Stands in for your own file while the AWS role {session.role.arn.name} is in use.\n"
    return {path.name: why for path in stand_in_files(session.token_file)}
