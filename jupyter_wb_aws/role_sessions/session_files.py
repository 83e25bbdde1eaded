"""The files of one server's role sessions: each one's token, and its placeholders for `~/.aws`.

Jobs on them run one after the other, each to its end: a job that was cancelled half-way would go on
in its thread, and could bring a file back after its removal.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path

from jupyter_wb_aws.disk_threads import DiskThreads
from jupyter_wb_aws.errors import TokenFolderRefused
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.role_sessions.context import Context
from jupyter_wb_aws.role_sessions.placeholders import placeholder_files, placeholder_text
from jupyter_wb_aws.role_sessions.private_files import PrivateFiles, Reveal
from jupyter_wb_aws.role_sessions.records import Records
from jupyter_wb_aws.role_sessions.registry import Registry
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.store import names_of_slots
from jupyter_wb_aws.role_sessions.token_folder import TokenFolder, TokenFolderOpenToOthers
from jupyter_wb_aws.role_sessions.token_folders import TokenFolders
from jupyter_wb_aws.tasks import Tasks

log = logging.getLogger(__name__)

# A start has 16 s altogether, and should say what took so long.
FOLDER_TIMEOUT = 3.0
EXIT_TIMEOUT = 5.0


class SessionFiles:
    """Writes and removes the files, in a folder that may become unusable, and usable again.

    A role session's files stay where they are while the token there is valid: processes read that path.
    Once no valid token can be kept there, they move to the next place that works.

    Args:
        context: what all parts share.
        sessions: the role sessions, and their tokens.
        records: know this server's slot, and the servers that died.
        folders: where the files may be.
    """

    def __init__(
        self, context: Context, sessions: Registry, records: Records, folders: TokenFolders
    ) -> None:
        self._clock = context.clock
        self._sessions = sessions
        self._records = records
        self._folders = folders
        self._tasks = Tasks()
        self._sweeps = Tasks()
        self._threads = DiskThreads()
        self._one_at_a_time = asyncio.Lock()
        self._may_sweep = False
        self._private = PrivateFiles(folders)

    @property
    def problem(self) -> TokenFolderRefused | None:
        """Why no folder could be opened when that was last tried, if so."""
        return self._folders.problem

    @property
    def notices(self) -> tuple[tuple[str, str], ...]:
        """What an administrator should know about the folder, as (code, sentence)."""
        problem = self._private.problem
        missing = (("endpoint_token_missing", problem.detail),) if problem else ()
        return (*self._folders.notices, *missing)

    def disk_problem(self) -> TokenFolderRefused:
        """Return the problem of a folder whose disk does not answer."""
        return self._folders.disk_problem()

    def path_of(self, session_id: str) -> Path:
        """Return where the token file of a role session that starts now goes."""
        return self._folders.current / f"{self._records.slot}_{session_id}.token"

    def script_path(self, name: str) -> Path:
        """Return where a script of ours goes; `name` holds letters and digits."""
        return self._folders.current / f"{self._records.slot}_{name}.script"

    def private_path(self, name: str) -> Path:
        """Return where a new endpoint token goes; `name` holds letters and digits."""
        return self._folders.current / f"{self._records.slot}_{name}.endpoint"

    def write_private(self, texts: Mapping[Path, Reveal]) -> Future[None]:
        """Write files that keep their text until `remove_private`, if they are not there; any thread may wait for that.

        The result raises TokenFolderRefused if one can't be written; each look tries it again.

        Args:
            texts: what each file holds.
        """
        self._private.keep(texts)
        return self._threads.submit(self._private.write, list(texts))

    def remove_private(self, paths: Iterable[Path]) -> None:
        """Remove such files, after the jobs that are under way."""
        removed = list(paths)
        self._private.forget(removed)
        self._threads.submit(self._private.remove, removed)

    async def write_script(self, path: Path, content: str) -> None:
        """Replace a script; it is removed with the server's files.

        Raises:
            TokenFolderRefused: if it can't be written.
        """
        await self._tasks.do(self._alone(self._write_script, path, content), "write script")

    async def open(self) -> None:
        """Open the folder for the role sessions that start now.

        Raises:
            TokenFolderRefused: if none is safe, or its disk hangs; each write tries again.
        """
        try:
            async with asyncio.timeout(FOLDER_TIMEOUT):
                await self._tasks.do(self._alone(self._open), "open token folder")
        except TimeoutError:
            self._folders.problem = self._folders.disk_problem()
            raise self._folders.problem from None

    async def clear_leftovers(self) -> None:
        """Remove what dead servers left, now that the restored role sessions are known."""
        self._may_sweep = True
        with contextlib.suppress(TimeoutError):  # it goes on by itself when the disk answers
            async with asyncio.timeout(FOLDER_TIMEOUT):
                await self._tasks.do(self._alone(self._sweep_new), "clear leftovers")
        # In a thread of its own, since another place may be on a disk that hangs.
        self._sweeps.begin(DiskThreads().run(self._sweep_others), "clear other places")

    async def write(self, session: RoleSession) -> bool:
        """Write the current token, if it is not in the file yet; return whether it was written.

        No file is written where the credential endpoint delivers: it takes the token from memory. A failure is
        kept in `session.file_problem`.
        """
        return await self._tasks.do(self._write(session), "write token file")

    async def remove(self, session: RoleSession) -> None:
        """Remove a role session's files."""
        await asyncio.shield(self.begin_removing(session))

    def begin_removing(self, session: RoleSession) -> asyncio.Task[None]:
        """Remove a role session's files after the jobs that are under way."""
        return self._tasks.begin(self._alone(self._remove, session), "remove token file")

    async def mark_missing(self) -> None:
        """Mark the files that somebody deleted, or whose folder was deleted or moved, to be written again."""
        await self._tasks.do(self._mark_missing(), "look for missing files")

    async def close(self) -> None:
        """Remove all files of this server, and close the folders."""
        await self._sweeps.cancel()
        await self._tasks.finish()
        await asyncio.shield(self._threads.run(self._close))

    def close_at_exit(self) -> None:
        """Do what `close` does when the event loop has ended already. Blocking."""
        try:
            closing = self._threads.submit(self._close)  # after the job that is under way
        except RuntimeError:  # the interpreter ends, and starts no thread: then no job is under way
            self._close()
            return
        try:
            closing.result(EXIT_TIMEOUT)
        except TimeoutError:
            log.error("A disk does not answer: token files of this server may stay behind")

    # --- Jobs ------------------------------------------------------------------------------

    async def _alone(self, job: Callable[..., object], *args: object) -> None:
        async with self._one_at_a_time:
            await self._threads.run(job, *args)

    async def _write(self, session: RoleSession) -> bool:
        async with self._one_at_a_time:
            token = self._sessions.token_for(session)
            if token is None or session.ended or token.fingerprint == session.file_fingerprint:
                return False
            path = session.token_file
            try:
                if session.delivery == "web_identity":
                    path = await self._threads.run(self._write_files, session, token)
            except TokenFolderRefused as problem:
                if session.file_problem is None:
                    log.error("%s", problem.detail)
                session.file_problem = problem
                return False
            session.token_file = path
            session.file_fingerprint, session.file_expires_at = token.fingerprint, token.expires_at
            session.file_problem = None
            return True

    async def _mark_missing(self) -> None:
        async with self._one_at_a_time:
            written = [
                session
                for session in self._sessions.living()
                if session.file_fingerprint is not None and session.delivery == "web_identity"
            ]
            for session in await self._threads.run(self._without_file, written):
                if session.ended is None:
                    session.file_fingerprint = session.file_expires_at = None
            if self._private.any:
                await self._threads.run(self._private.write_missing)

    # --- In a thread -----------------------------------------------------------------------

    def _open(self) -> None:
        self._folders.open_best()
        self._sweep_new()

    def _sweep_new(self) -> None:
        if self._may_sweep:
            for token_folder in self._folders.take_unswept():
                self._try_to_sweep(token_folder)

    def _sweep_others(self) -> None:
        for token_folder in self._folders.open_others():
            self._try_to_sweep(token_folder)

    def _try_to_sweep(self, token_folder: TokenFolder) -> None:
        try:
            self._sweep(token_folder)
        except OSError as error:
            log.warning(
                "Can't look for what dead servers left in %s: %s",
                token_folder.path,
                error.strerror or error,
            )

    def _sweep(self, token_folder: TokenFolder) -> None:
        """Remove the files of dead servers; those of restored role sessions stay."""
        known = {name for session in self._sessions.living() for name in file_names(session)}
        known |= self._private.names_in(token_folder.path)

        def remove_all_of(slots: list[str]) -> None:
            for name in names_of_slots(token_folder.names(), slots):
                if name not in known:
                    token_folder.remove(name)

        remove_all_of([self._records.slot])
        self._records.clear_leftovers(remove_all_of)

    def _write_files(self, session: RoleSession, token: WebIdentityToken) -> Path:
        """Write the token, and return the path of its file: another one if it had to move."""
        folder, name = session.token_file.parent, session.token_file.name
        try:
            token_folder = self._folders.open_at(folder)
            self._sweep_new()
            _write_into(token_folder, session, token, new=session.file_fingerprint is None)
        except TokenFolderOpenToOthers:
            raise
        except TokenFolderRefused as problem:
            until = session.file_expires_at
            if until is not None and until > self._clock.now():
                raise  # processes read the token that is there
            other = self._folders.open_best(folder, problem)
            self._sweep_new()
            _write_into(other, session, token, new=True)
            log.warning("The token file of role session %s moved to %s", session.id, other.path)
            return other.path / name
        return session.token_file

    def _write_script(self, path: Path, content: str) -> None:
        self._folders.open_at(path.parent).write(path.name, content, executable=True)

    def _remove(self, session: RoleSession) -> None:
        if (token_folder := self._folders.get_open(session.token_file.parent)) is not None:
            for name in file_names(session):
                token_folder.remove(name)

    def _without_file(self, written: list[RoleSession]) -> list[RoleSession]:
        """Return the role sessions whose token file, or its folder, somebody deleted or moved."""
        missing = []
        for folder in {session.token_file.parent for session in written}:
            theirs = [session for session in written if session.token_file.parent == folder]
            token_folder = self._folders.get_open(folder)
            if token_folder is None or token_folder.is_gone():
                log.error("The folder for token files, %s, was deleted or moved", folder)
                self._folders.close_one(folder)
                missing += theirs
                continue
            try:
                names = set(token_folder.names())
            except OSError as error:
                # The files stay: a read error says nothing about them.
                log.error("%s can't be read: %s", folder, error.strerror or error)
                continue
            for session in theirs:
                if session.token_file.name not in names:
                    log.error("The token file of role session %s was deleted", session.id)
                    missing.append(session)
        return missing

    def _close(self) -> None:
        self._private.close()
        for token_folder in self._folders.all_open():
            try:
                names = names_of_slots(token_folder.names(), [self._records.slot])
            except OSError as error:
                log.error("Token files stay in %s: %s", token_folder.path, error.strerror or error)
                continue
            for name in names:
                token_folder.remove(name)
        self._folders.close()


def _write_into(
    token_folder: TokenFolder, session: RoleSession, token: WebIdentityToken, *, new: bool
) -> None:
    if new:
        for name, content in placeholder_contents(session).items():
            token_folder.write(name, content)
    token_folder.write(session.token_file.name, token.reveal())


def file_names(session: RoleSession) -> list[str]:
    """Return the names of all files of a role session; the credential endpoint needs none."""
    if session.delivery == "endpoint":
        return []
    return [session.token_file.name, *placeholder_contents(session)]


def placeholder_contents(session: RoleSession) -> dict[str, str]:
    """Return the content of each placeholder, by its file name."""
    why = placeholder_text(f"the AWS role {session.role.arn.name}")
    return {path.name: why for path in placeholder_files(session.token_file)}
