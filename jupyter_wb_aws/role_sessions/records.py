"""The records of role sessions for the server's next run: where they are kept, and what becomes of a failure.

Two levels: `Records` picks a place, waits for the disk no longer than users should, and keeps role sessions
working when nothing can be kept. Below it, `Store` reads and writes one `Snapshot` in one folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from jupyter_wb_aws.disk_threads import DiskThreads
from jupyter_wb_aws.private_folder import refusal
from jupyter_wb_aws.role_sessions.places import (
    Place,
    exposed_notices,
    fallback_notices,
    may_exist,
    require_own,
)
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
from jupyter_wb_aws.tasks import Tasks

log = logging.getLogger(__name__)

# Nobody waits longer for a disk (a home on NFS): the records are saved as soon as they can be.
SAVE_TIMEOUT = 2.0


class Records:
    """The records of one server. If they can't be kept, role sessions work all the same.

    `problem` is a sentence that says why they can't be kept or read, else None. `notices` are what an
    administrator should know, as (code, sentence). The names of this server's files begin with `slot`.

    Args:
        places: where they may be, best first.
        root_dir: the server's root folder; the slot is named after it.
        server_name: which of the user's servers it is; empty for the default one. The slot is named after it, too.
    """

    def __init__(self, places: Sequence[Place], root_dir: Path, server_name: str = "") -> None:
        self.problem: str | None = None
        self.notices: tuple[tuple[str, str], ...] = ()
        # Another server that can't keep its records either must not mistake our files for its own.
        self.slot = f"unsaved-{secrets.token_hex(8)}"
        self._places = places
        self._root_dir = root_dir
        self._server_name = server_name
        self._store: Store | None = None
        self._path: Path | None = None
        self._tasks = Tasks()
        self._threads = DiskThreads()
        self._one_at_a_time = asyncio.Lock()

    async def open(self) -> Snapshot:
        """Take this server's slot, and read what its last run left."""
        return await self._threads.run(self._open)

    def _open(self) -> Snapshot:
        refused: list[tuple[Place, OSError]] = []
        for place in self._places:
            try:
                require_own(place.below)
                self._store = Store.open(place.path, self._root_dir, self._server_name)
            except OSError as error:
                refused.append((place, error))
                continue
            return self._loaded(place, refused)
        self._failed(*refused[0])
        return Snapshot(NO_ROLE if self._may_hold_any(refused) else NOTHING_CHOSEN)

    def _loaded(self, place: Place, refused: list[tuple[Place, OSError]]) -> Snapshot:
        assert self._store is not None
        self._path, self.slot = place.path, self._store.slot
        snapshot = self._store.load()
        self.problem = self._store.problem
        if snapshot == Snapshot() and self._may_hold_any(refused):
            snapshot = Snapshot(NO_ROLE)
        if not self._store.temporary:
            later = self._places[self._places.index(place) + 1 :]
            snapshot = next(filter(None, map(self._kept_meanwhile, later)), snapshot)
        self.notices = (
            *fallback_notices("store_fallback", "The records of role sessions are", place, refused),
            *exposed_notices(place.path, "store_dir_exposed", "WbAwsApp.state_dir"),
        )
        for _, sentence in self.notices:
            log.warning("%s", sentence)
        return snapshot

    def _kept_meanwhile(self, place: Place) -> Snapshot | None:
        """Take over what a run kept further down the list while the places before it could not be used."""
        assert self._store is not None
        try:
            require_own(place.below)
            if not (place.path / f"{self.slot}.json").is_file():
                return None
            other = Store.open(place.path, self._root_dir, self._server_name)
        except OSError:
            return None
        with contextlib.closing(other):
            snapshot = other.load() if other.slot == self.slot else Snapshot()  # its server runs
            if snapshot == Snapshot():
                return None
            self.problem = other.problem
            with contextlib.suppress(OSError):  # then it is taken over again at the next start
                self._store.save(snapshot)
                other.save(Snapshot())
            return snapshot

    def _may_hold_any(self, refused: list[tuple[Place, OSError]]) -> bool:
        """Return whether an earlier run may have kept a choice where nothing can be read now."""
        name = f"{slot_name(self._root_dir, self._server_name)}.json"
        return any(may_exist(place.path / name) for place, _ in refused)

    async def save(self, snapshot: Callable[[], Snapshot]) -> None:
        """Keep what `snapshot` returns when it is this call's turn; a slow disk does it later."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SAVE_TIMEOUT):
                await self._tasks.do(self._save(snapshot), "save")

    async def _save(self, snapshot: Callable[[], Snapshot]) -> None:
        async with self._one_at_a_time:
            if self._store is None or self._path is None:
                return
            try:
                await self._threads.run(self._save_now, snapshot())
            except OSError as error:
                self._failed(Place(self._path, "WbAwsApp.state_dir"), error)
            else:
                self.problem = None

    def _save_now(self, snapshot: Snapshot) -> None:
        assert self._store is not None and self._path is not None  # noqa: PT018
        if self._store.is_gone():
            again = Store.open(self._path, self._root_dir, self._server_name)
            if again.slot != self.slot:
                again.close()
                raise refusal("was deleted, and another server has its place")
            self._store.close()
            self._store = again
        self._store.save(snapshot)

    def clear_leftovers(self, sweep: Callable[[list[str]], None]) -> None:
        """Have `sweep` remove what dead servers left, by the names of their slots. Blocking."""
        if self._store is None:
            return
        try:
            self._store.clear_leftovers(sweep)
        except OSError as error:
            log.warning("Can't look for what dead servers left: %s", error.strerror or error)

    async def close(self) -> None:
        """Release the slot; the records stay."""
        await self._tasks.finish()
        if self._store is not None:
            store, self._store = self._store, None
            # If the caller gives up, it is done when the disk answers.
            await asyncio.shield(self._threads.run(store.close))

    def _failed(self, place: Place, error: OSError) -> None:
        self.problem = (
            f"Role sessions can't be kept over a restart of the server: {place.path}:"
            f" {error.strerror or error}. Make the folder usable, or set WbAwsApp.state_dir to another."
        )
        log.error("%s", self.problem)


def snapshot_of(default: DefaultChoice, sessions: Iterable[RoleSession]) -> Snapshot:
    """Return the public facts of these role sessions."""
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
        delivery=session.delivery,
    )
