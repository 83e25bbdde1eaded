"""What is kept of the role sessions for the server's next run, where it can be kept."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from jupyter_wb_aws.aws.sts import CallerIdentity
from jupyter_wb_aws.errors import InvalidRoleArn
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.role_sessions.processes import Process
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.store import (
    NO_ROLE,
    NOTHING_CHOSEN,
    DefaultChoice,
    Record,
    Snapshot,
    Store,
    slot_name,
)
from jupyter_wb_aws.roles.catalogue import Catalogue
from jupyter_wb_aws.roles.role import Role, RoleArn
from jupyter_wb_aws.tasks import Tasks

log = logging.getLogger(__name__)

SESSION_ID = re.compile(r"[0-9a-f]{16}")


class Records:
    """The records of one server. Where they can't be kept, role sessions work all the same.

    `problem` is a sentence about why they can't be kept, else None. `slot` begins the names of this
    server's files.
    """

    def __init__(self, folder: Path, root_dir: Path) -> None:
        self.problem: str | None = None
        # Another server that can't keep its records either must not take our files for its own.
        self.slot = f"unsaved-{secrets.token_hex(8)}"
        self._folder = folder
        self._root_dir = root_dir
        self._store: Store | None = None
        self._tasks = Tasks()
        self._one_at_a_time = asyncio.Lock()

    async def open(self) -> Snapshot:
        """Take this server's slot, and read what its last run left."""
        try:
            return await asyncio.to_thread(self._open)
        except OSError as error:
            self._failed(error)
            return Snapshot(
                NO_ROLE if await asyncio.to_thread(self._may_hold_any) else NOTHING_CHOSEN
            )

    def _may_hold_any(self) -> bool:
        """Tell whether an earlier run may have kept a choice here, that can't be read now."""
        try:
            return (self._folder / f"{slot_name(self._root_dir)}.json").exists()
        except OSError:
            return True

    def _open(self) -> Snapshot:
        self._store = Store.open(self._folder, self._root_dir)
        self.slot = self._store.slot
        snapshot = self._store.load()
        self.problem = self._store.problem
        return snapshot

    async def save(self, snapshot: Callable[[], Snapshot]) -> None:
        """Keep what `snapshot` gives when it is this call's turn."""
        await self._tasks.do(self._save(snapshot), "save")

    async def _save(self, snapshot: Callable[[], Snapshot]) -> None:
        async with self._one_at_a_time:
            if self._store is None:
                return
            try:
                await asyncio.to_thread(self._store.save, snapshot())
            except OSError as error:
                self._failed(error)
            else:
                self.problem = None

    def clear_leftovers(self, sweep: Callable[[list[str]], None]) -> None:
        """Let `sweep` remove what dead servers have left, by the names of their slots. Blocking."""
        if self._store is None:
            return
        try:
            self._store.clear_leftovers(sweep)
        except OSError as error:
            log.warning("Leftovers of servers that died can't be looked for: %s", error.strerror)

    async def close(self) -> None:
        """Let go of the slot; the records stay."""
        await self._tasks.finish()
        if self._store is not None:
            await asyncio.to_thread(self._store.close)
            self._store = None

    def _failed(self, error: OSError) -> None:
        self.problem = f"Role sessions can't be kept over a restart of the server: {self._folder}: {error.strerror}."
        log.error("%s", self.problem)


def snapshot_of(default: DefaultChoice, sessions: Iterable[RoleSession]) -> Snapshot:
    """Take down the public facts of these role sessions."""
    return Snapshot(default, tuple(_record(session) for session in sessions))


def _record(session: RoleSession) -> Record:
    return Record(
        id=session.id,
        role_arn=str(session.role.arn),
        region=session.region,
        session_name=session.session_name,
        issuer=session.owner.issuer,
        subject=session.owner.subject,
        started_at=session.started_at.isoformat(),
        credential_lifetime=session.credential_lifetime.total_seconds(),
        caller=session.caller.as_json(),
        shared=session.shared,
        process=asdict(session.process) if session.process else None,
    )


def restored(
    records: Iterable[Record], catalogue: Catalogue | None, token_file: Callable[[str], Path]
) -> list[RoleSession]:
    """Bring the role sessions of the last run back; a record that makes no sense is left out.

    Args:
        catalogue: what it says of each role today; None where it can't be read.
        token_file: gives the path of a role session's token file, by its id.
    """
    sessions = []
    for record in records:
        try:
            sessions.append(_session(record, catalogue, token_file))
        except (InvalidRoleArn, ValueError, TypeError, KeyError, AttributeError, OverflowError):
            log.warning("A role session of the last run is lost: its record makes no sense")
    return sessions


def _session(
    record: Record, catalogue: Catalogue | None, token_file: Callable[[str], Path]
) -> RoleSession:
    if not SESSION_ID.fullmatch(record.id):
        raise ValueError("id")  # it becomes a part of a file's name
    arn = RoleArn.parse(record.role_arn)
    described = catalogue.described(arn) if catalogue else None
    caller = record.caller
    started_at = datetime.fromisoformat(record.started_at)
    if started_at.tzinfo is None:
        raise ValueError("started_at")
    return RoleSession(
        id=record.id,
        role=described or Role(arn, arn.name, region=record.region),
        region=record.region,
        session_name=record.session_name,
        owner=Identity(record.issuer, record.subject, record.subject, (), {}),
        caller=CallerIdentity(caller["UserId"], caller["Account"], caller["Arn"]),
        token_file=token_file(record.id),
        started_at=started_at,
        credential_lifetime=timedelta(seconds=record.credential_lifetime),
        shared=record.shared,
        process=_process(record),
    )


def _process(record: Record) -> Process | None:
    if record.process is None:
        return None
    process = Process(**record.process)
    if type(process.pid) is not int:
        raise TypeError("pid")
    return process
