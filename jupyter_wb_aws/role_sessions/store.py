"""What outlives a server: public facts of its role sessions, and the choice of the default.

A *slot* is the place of one server's records: ``<slot>.json``, and ``<slot>.lock`` which the server
holds while it lives (flock: the kernel lets go of it, however the server dies; a pid may be reused).
The first server of a user and root folder has the slot named after both; a second one at the same
time has one of its own, which goes with it.

Whoever looks for the leftovers of dead servers has to take their locks for a moment. A second lock,
the *guard*, keeps that moment apart from the start of the server whose slot it is.
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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_wb_aws.role_sessions.token_file import without_temporary_prefix

log = logging.getLogger(__name__)

VERSION = 1
GUARD = "guard"


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


@dataclass(frozen=True, slots=True)
class DefaultChoice:
    """What the user chose for whatever starts next.

    Nothing was ever chosen; or "no AWS role" (`session_id` None); or a role session.
    """

    chosen: bool = False
    session_id: str | None = None


NOTHING_CHOSEN = DefaultChoice()
NO_ROLE = DefaultChoice(chosen=True)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that the store keeps."""

    default: DefaultChoice = NOTHING_CHOSEN
    records: tuple[Record, ...] = ()


class Store:
    """One server's slot, held until `close`. Blocking."""

    def __init__(self, folder: Path, slot: str, lock: int, *, temporary: bool) -> None:
        self.slot = slot
        self.problem: str | None = None
        self.temporary = temporary
        self._folder = folder
        self._lock = lock

    @classmethod
    def open(cls, folder: Path, root_dir: Path) -> Store:
        """Take the slot of this user and `root_dir`, else one of our own.

        Raises:
            OSError: if the folder can't be made or written to.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        slot = slot_name(root_dir)
        with _guarded(folder):
            lock = _lock(folder / f"{slot}.lock")
            if lock is not None:
                _remove_temporary(folder, slot)
                return cls(folder, slot, lock, temporary=False)
            own = f"{slot}-{secrets.token_hex(8)}"
            lock = _lock(folder / f"{own}.lock")
        if lock is None:
            raise BlockingIOError(errno.EAGAIN, "a lock of our own can't be had")
        return cls(folder, own, lock, temporary=True)

    def load(self) -> Snapshot:
        """Read what the last server of this slot left.

        Where that can't be read, nobody knows whether "no AWS role" was chosen: so it was.
        """
        path = self._folder / f"{self.slot}.json"
        try:
            document = json.loads(path.read_bytes())
            if document["version"] != VERSION:
                raise ValueError(document["version"])
            return Snapshot(
                _default(**document["default"]),
                tuple(Record(**r) for r in document["records"]),
            )
        except FileNotFoundError:
            return Snapshot()
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            self.problem = (
                f"The role sessions of the last run are lost: {path} ({type(error).__name__})."
            )
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
        path = self._folder / f"{self.slot}.json"
        temporary = path.with_suffix(f".{secrets.token_hex(4)}.tmp")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as stream:
                json.dump(document, stream, indent=1)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def clear_leftovers(self, sweep: Callable[[list[str]], None]) -> None:
        """Let `sweep` remove what servers that died have left, by the names of their slots.

        A slot whose lock can be had belongs to nobody alive, and to nobody else while `sweep` runs.
        The records of a first server stay for its next run; a second server's have none.
        """
        with _guarded(self._folder), contextlib.ExitStack() as locks:
            dead = []
            for path in self._folder.glob("*.lock"):
                if path.stem == self.slot or (lock := _lock(path, create=False)) is None:
                    continue
                locks.callback(os.close, lock)
                dead.append(path.stem)
            sweep(dead)
            for slot in dead:
                if "-" in slot:
                    self._remove(slot)

    def close(self) -> None:
        """Let go of the slot; a second server's goes altogether."""
        if self.temporary:
            self._remove(self.slot)
        os.close(self._lock)

    def _remove(self, slot: str) -> None:
        _remove_temporary(self._folder, slot)
        for suffix in (".json", ".lock"):
            (self._folder / f"{slot}{suffix}").unlink(missing_ok=True)


def slot_name(root_dir: Path) -> str:
    """Name the slot of this user and root folder."""
    key = f"{os.getuid()}:{root_dir.resolve()}"
    return hashlib.sha256(key.encode()).hexdigest()[:16]


@contextlib.contextmanager
def _guarded(folder: Path) -> Iterator[None]:
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_CREAT
    descriptor = os.open(folder / GUARD, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # for as long as another server starts: milliseconds
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path, *, create: bool = True) -> int | None:
    """Take a lock; None where somebody has it, or where it is no more.

    Raises:
        OSError: if this file system has no locks, or does not let us.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        return None
    try:
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


def _remove_temporary(folder: Path, slot: str) -> None:
    """Remove what a server that died while it saved has left; call this with the slot's lock."""
    for path in folder.glob(f"{slot}.*.tmp"):
        path.unlink(missing_ok=True)


def _default(*, chosen: object, session_id: object) -> DefaultChoice:
    if not isinstance(chosen, bool) or not isinstance(session_id, str | None):
        raise TypeError
    return DefaultChoice(chosen, session_id)


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def of_slots(names: Iterable[str], slots: Iterable[str]) -> list[str]:
    """Return those file names, ``<slot>_<id>.<suffix>``, that belong to one of the slots."""
    wanted = set(slots)
    return [
        name
        for name in names
        if without_temporary_prefix(name).rpartition(".")[0].rpartition("_")[0] in wanted
    ]
