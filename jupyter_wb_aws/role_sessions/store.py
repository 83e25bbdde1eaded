"""The files of the records: one `Snapshot`, in one folder, under the lock of one server. Blocking.

A snapshot holds public facts about the role sessions, and the choice of the default. `records` decides which
folder it is, and what becomes of a failure.

A *slot* is the place of one server's records: ``<slot>.json``, and ``<slot>.lock``, which the server
holds while it runs (flock: the kernel releases it however the server dies; a pid may be reused). It is
named after the user, the root folder and the server's name, which JupyterHub's named servers have. A
second server of the same three at the same time has a slot of its own, which is removed when it stops.

A server that looks for what dead servers left has to take their locks for a moment. A second lock,
the *guard*, keeps that moment apart from the start of the server whose slot it is. No server waits
long for the guard: one that hangs while it holds it must not stop all others of its user.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from jupyter_wb_aws.private_folder import PrivateFolder, require_own_file
from jupyter_wb_aws.role_sessions.token_folder import without_temporary_prefix

log = logging.getLogger(__name__)

VERSION = 1
GUARD = "guard"
# Another server holds the guard for milliseconds, while it starts or looks for what dead servers left.
GUARD_TRIES, GUARD_PAUSE = 40, 0.05
# A record has some 700 bytes; a thousand role sessions of a user are a program that went wrong.
MAX_BYTES, MAX_RECORDS = 4 * 1024 * 1024, 1000
# O_NONBLOCK: a FIFO in a lock's place must not make us wait for its reader.
LOCK_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of a role session: nothing secret."""

    id: str
    role_arn: str
    region: str | None
    session_name: str
    issuer: str
    subject: str
    started_at: str
    credential_lifetime: float
    caller: dict[str, str]
    shared: bool = True
    process: dict[str, Any] | None = None
    delivery: str = "web_identity"


@dataclass(frozen=True, slots=True)
class DefaultChoice:
    """What the user chose for the processes that start next.

    Nothing was ever chosen; or "no AWS role" (`session_id` is None); or a role session.
    """

    chosen: bool = False
    session_id: str | None = None


NOTHING_CHOSEN = DefaultChoice()
NO_ROLE = DefaultChoice(chosen=True)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The content of the store: the living role sessions and the default, at one time."""

    default: DefaultChoice = NOTHING_CHOSEN
    records: tuple[Record, ...] = ()


class Store:
    """One server's slot, held until `close`. Blocking.

    `problem` is a sentence about what the last server left and this one can't read, or None.

    Args:
        folder: the folder of the store.
        slot: the slot's name.
        lock: the descriptor of its locked file.
        temporary: whether the slot is removed when the server stops.
    """

    def __init__(self, folder: PrivateFolder, slot: str, lock: int, *, temporary: bool) -> None:
        self.slot = slot
        self.problem: str | None = None
        self.temporary = temporary
        self._folder = folder
        self._lock = lock
        self._to_keep: tuple[str, bytes] | None = None
        self._lost_to: str | None = None

    @classmethod
    def open(
        cls,
        path: Path,
        root_dir: Path,
        server_name: str = "",
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> Store:
        """Take the slot of this user, `root_dir` and server, or one of our own if another server has it.

        Args:
            path: the folder of the store.
            root_dir: the server's root folder.
            server_name: which of the user's servers it is; empty for the default one.
            pause: waits a number of seconds before the guard is tried again.

        Raises:
            OSError: if the folder can't be made or written to, or is not safe.
        """
        folder = PrivateFolder.open(path)
        try:
            return cls._opened(folder, slot_name(root_dir, server_name), pause)
        except BaseException:
            folder.close()
            raise

    @classmethod
    def _opened(cls, folder: PrivateFolder, slot: str, pause: Callable[[float], None]) -> Store:
        with _guarded(folder.path, pause) as guarded:
            lock = _lock(folder.path / f"{slot}.lock")
            if lock is not None:
                _remove_temporary(folder, slot)
                return cls(folder, slot, lock, temporary=False)
            own = f"{slot}-{secrets.token_hex(8)}"
            lock = _lock(folder.path / f"{own}.lock")
        if lock is None:
            raise BlockingIOError(errno.EAGAIN, "could not lock a slot of our own")
        store = cls(folder, own, lock, temporary=True)
        if not guarded and f"{slot}.json" in folder.names():
            # A server of another folder may hold it, to look for what dead servers left.
            store._lost_to = slot
        return store

    def load(self) -> Snapshot:
        """Read what the last server of this slot left.

        If that can't be read, it is unknown whether "no AWS role" was chosen, so it counts as chosen.
        """
        name = f"{self.slot}.json"
        if self._lost_to is not None:
            return self._lost("another server of this user, which seems to hang, holds its lock")
        try:
            content = self._folder.read(name, MAX_BYTES)
            document = json.loads(content, parse_constant=_not_a_number)
            version = document["version"]
            if type(version) is not int or version < VERSION:
                raise ValueError(version)
            if version > VERSION:
                return self._newer(version, content)
            records = document["records"]
            if len(records) > MAX_RECORDS:
                log.error("Of %d role sessions, the last %d are read", len(records), MAX_RECORDS)
            return Snapshot(
                _default(**document["default"]),
                tuple(Record(**record) for record in records[-MAX_RECORDS:]),
            )
        except FileNotFoundError:
            return Snapshot()
        except OSError as error:
            return self._lost(f"it {error.strerror}")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            return self._lost(f"its content is invalid ({type(error).__name__})")

    def _newer(self, version: int, content: bytes) -> Snapshot:
        """Start with nothing; the newer file is kept under another name when this one is replaced."""
        kept = f"{self.slot}.version-{version}.json"
        self._to_keep = (kept, content)
        return self._lost(
            f"a newer version of jupyter_wb_aws wrote it (format {version}, this one reads {VERSION});"
            f" it is kept as {kept}"
        )

    def _lost(self, why: str) -> Snapshot:
        path = self._folder.path / f"{self._lost_to or self.slot}.json"
        self.problem = f"The role sessions of the last run are lost: {path}: {why}."
        log.error("%s", self.problem)
        return Snapshot(NO_ROLE)

    def save(self, snapshot: Snapshot) -> None:
        """Replace what is kept, atomically.

        Raises:
            OSError: if the disk is full, or the folder is gone.
        """
        document = {
            "version": VERSION,
            "default": _fields(snapshot.default),
            "records": [_fields(record) for record in snapshot.records],
        }
        if self._to_keep is not None:
            self._folder.write(*self._to_keep)
            self._to_keep = None
        self._folder.write(f"{self.slot}.json", json.dumps(document, indent=1).encode())

    def clear_leftovers(
        self,
        sweep: Callable[[list[str]], None],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Have `sweep` remove what dead servers left, by the names of their slots.

        A slot whose lock is free belongs to no running server, and we hold its lock while `sweep` runs.
        The records of a first server stay for its next run; those of a second server have none.
        """
        with _guarded(self._folder.path, pause) as guarded, contextlib.ExitStack() as locks:
            if not guarded:
                return  # their servers may be starting just now; the next server looks again
            dead = []
            for path in self._folder.path.glob("*.lock"):
                if path.stem == self.slot or (lock := _lock(path, create=False)) is None:
                    continue
                locks.callback(os.close, lock)
                dead.append(path.stem)
            sweep(dead)
            for slot in dead:
                if "-" in slot:
                    self._remove(slot)

    def is_gone(self) -> bool:
        """Return whether somebody deleted or moved the folder."""
        return self._folder.is_gone()

    def close(self) -> None:
        """Release the slot; a second server's is removed."""
        if self.temporary:
            self._remove(self.slot)
        os.close(self._lock)
        self._folder.close()

    def _remove(self, slot: str) -> None:
        _remove_temporary(self._folder, slot)
        for suffix in (".json", ".lock"):
            self._folder.remove(f"{slot}{suffix}")


def slot_name(root_dir: Path, server_name: str = "") -> str:
    """Return the name of the slot of this user, root folder and server.

    The default server has the slot of earlier versions, which knew no names.
    """
    key = f"{os.getuid()}:{root_dir.resolve()}"
    if server_name:
        key += f"\0{server_name}"  # no path has a NUL
    return hashlib.sha256(os.fsencode(key)).hexdigest()[:16]


@contextlib.contextmanager
def _guarded(folder: Path, pause: Callable[[float], None]) -> Iterator[bool]:
    """Try to take the guard, and yield whether it is held."""
    descriptor = os.open(folder / GUARD, LOCK_FLAGS | os.O_CREAT, 0o600)
    try:
        require_own_file(descriptor)
        yield _guard_taken(descriptor, pause)
    finally:
        os.close(descriptor)


def _guard_taken(descriptor: int, pause: Callable[[float], None]) -> bool:
    for _ in range(GUARD_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        pause(GUARD_PAUSE)
    log.warning("Another server of this user holds the lock of the store and seems to hang")
    return False


def _lock(path: Path, *, create: bool = True) -> int | None:
    """Take a lock; return None if another server holds it, or if it no longer exists.

    Raises:
        OSError: if this file system has no locks, or refuses them.
    """
    try:
        descriptor = os.open(path, LOCK_FLAGS | (os.O_CREAT if create else 0), 0o600)
    except FileNotFoundError:
        return None
    try:
        require_own_file(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its server may have removed the file between our open and our lock.
        if os.stat(path).st_ino == os.fstat(descriptor).st_ino:  # noqa: PTH116
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _remove_temporary(folder: PrivateFolder, slot: str) -> None:
    """Remove what a server left that died while it saved; call this with the slot's lock held."""
    for name in folder.names():
        half = without_temporary_prefix(name)
        # Earlier versions named it the second way.
        if (half != name and half.startswith(f"{slot}.")) or (
            name.startswith(f"{slot}.") and name.endswith(".tmp")
        ):
            folder.remove(name)


def _default(*, chosen: object, session_id: object) -> DefaultChoice:
    if not isinstance(chosen, bool) or not isinstance(session_id, str | None):
        raise TypeError
    return DefaultChoice(chosen, session_id)


def _not_a_number(text: str) -> NoReturn:
    raise ValueError(text)  # json reads NaN and Infinity, which no JSON has


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def names_of_slots(names: Iterable[str], slots: Iterable[str]) -> list[str]:
    """Return those file names, ``<slot>_<id>.<suffix>``, that belong to one of the slots."""
    wanted = set(slots)
    return [
        name
        for name in names
        if without_temporary_prefix(name).rpartition(".")[0].rpartition("_")[0] in wanted
    ]
