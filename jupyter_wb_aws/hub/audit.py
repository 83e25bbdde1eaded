"""The audit log: one JSON line for each token, written before the token is handed out.

A rotation of the keys is a line, too. Refusals are: at most one line a minute for each user and code, so that a
loop can't fill the disk. What the hub does not know (401) is counted by the metrics only.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import pwd
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_wb_aws.clock import Clock, rfc3339
from jupyter_wb_aws.hub.audit_file import AuditFile
from jupyter_wb_aws.hub.caller import Caller
from jupyter_wb_aws.hub.deadline import DISK_SECONDS, step_ends_at
from jupyter_wb_aws.hub.disk import Disk
from jupyter_wb_aws.hub.errors import AuditUnavailable, CallOutOfTime
from jupyter_wb_aws.hub.key_changes import Rotation
from jupyter_wb_aws.hub.rate_limits import OncePerMinute
from jupyter_wb_aws.roles.session_tags import SOURCE_IDENTITY, TAGS

log = logging.getLogger(__name__)

# Seconds between two tries to write again that nobody's token is for.
CHECK_INTERVAL = 5.0
# Characters of what a refused caller gave as a role. An ARN has at most this many.
MAX_ROLE = 600
NOT_WRITTEN = (AuditUnavailable, CallOutOfTime)


class AuditLog:
    """Writes the lines, in a thread: a disk that hangs stops no other call.

    Args:
        path: the file.
        clock: dates the lines.
        monotonic: the time in seconds, from any beginning.
    """

    def __init__(
        self, path: Path, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._file = AuditFile(path)
        self._clock = clock
        self._monotonic = monotonic
        self._disk = Disk()
        self._problem: str | None = None
        self._checked_at = -CHECK_INTERVAL
        self._refused = OncePerMinute(monotonic)
        # Lines of rotations that could not be written.
        self._owed: list[dict[str, object]] = []

    async def check(self) -> str | None:
        """Return why no line can be written; None if it can.

        After a failure, it tries to write a line, `audit_available`: it ends the gap in which there were no tokens.
        """
        if self._problem is not None and self._monotonic() - self._checked_at > CHECK_INTERVAL:
            self._checked_at = self._monotonic()
            with contextlib.suppress(*NOT_WRITTEN):
                await self._write("audit_available", {})
        return self._problem

    async def others_may_use_it(self) -> bool:
        """Return whether users other than its owner may read or write the file.

        Raises:
            OSError: if the disk does not answer.
        """
        return await self._disk.look(self._file.others_may_use_it)

    def open(self) -> None:
        """Open the file at the start of the service.

        Raises:
            OSError: if that is not possible.
        """
        self._file.open()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    async def token_issued(
        self, caller: Caller, role_arn: str, claims: Mapping[str, Any], kid: str
    ) -> None:
        """Write the line of a token.

        Args:
            caller: whom it is for.
            role_arn: the role that it is good for.
            claims: the token's.
            kid: the key that signed it.

        Raises:
            AuditUnavailable, CallOutOfTime: if the line could not be written; the token must not be handed out.
        """
        said = {name: claims[name] for name in ("sub", "aud", "jti", "exp")}
        tags, source = claims.get(TAGS), claims.get(SOURCE_IDENTITY)
        more = {"role": role_arn, "kid": kid, **said, "tags": tags, "source_identity": source}
        await self._write("token", {**_of(caller), **more}, give_up_at=step_ends_at(DISK_SECONDS))

    async def keys_rotated(
        self, caller: Caller, rotation: Rotation, compromised: str | None
    ) -> None:
        """Write the line of a rotation; where that is not possible now, once it is.

        A full disk must not keep a stolen key in use.

        Args:
            caller: who asked for it.
            rotation: the new key.
            compromised: the key that is no longer to be trusted; None for none.
        """
        record = _record(
            self._clock, "keys_rotated", {**_of(caller), **_rotated(rotation, compromised)}
        )
        try:
            await self._append(record, step_ends_at(DISK_SECONDS))
        except NOT_WRITTEN:
            self._owed.append(record)

    async def refused(self, caller: Caller, code: str, role_arn: str | None) -> None:
        """Write the line of a refusal, unless there was one like it within a minute.

        Args:
            caller: who was refused.
            code: why.
            role_arn: the role that they asked for, if they did.
        """
        key = f"{code} {caller.kind} {caller.name}"
        if not self._refused.is_due(key):
            return
        try:
            role = role_arn and role_arn[:MAX_ROLE]
            await self._write("refused", {**_of(caller), "code": code, "role": role})
        except NOT_WRITTEN:  # the caller is refused anyway; `problem` has it
            self._refused.forget(key)

    async def _write(
        self, event: str, said: Mapping[str, object], give_up_at: float = math.inf
    ) -> None:
        await self._append(_record(self._clock, event, said), give_up_at)
        while self._owed:
            owed = self._owed.pop(0)
            try:
                await self._append(owed, step_ends_at(DISK_SECONDS))
            except NOT_WRITTEN:
                self._owed.insert(0, owed)
                break

    async def _append(self, record: Mapping[str, object], give_up_at: float = math.inf) -> None:
        try:
            await self._disk.run(self._file.append, record, give_up_at)
        except OSError as error:
            self._failed(error.strerror or type(error).__name__)
        else:
            self._problem = None

    def _failed(self, why: str) -> None:
        if why != self._problem:
            log.error("The audit log can't be written: %s. No token is handed out.", why)
        self._problem = why
        raise AuditUnavailable(
            "The token's audit line could not be written, so there is no token.",
            admin_hint=f"The audit log: {why}.",
        )


async def note_rotation_by_command(
    path: Path, clock: Clock, rotation: Rotation, compromised: str | None
) -> None:
    """Write the line of a rotation by `jupyter-wb-aws-hub rotate`: the hub knows nobody who asked for it.

    Args:
        path: the audit log.
        clock: dates the line.
        rotation: the new key.
        compromised: the key that is no longer to be trusted; None for none.

    Raises:
        OSError: if the line could not be written.
    """
    file = AuditFile(path)
    who = {"kind": "command", "user": _account(), "server": None, "hub_token_id": None}
    record = _record(clock, "keys_rotated", {**who, **_rotated(rotation, compromised)})
    try:
        await Disk().run(file.append, record)
    finally:
        file.close()


def _record(clock: Clock, event: str, said: Mapping[str, object]) -> dict[str, object]:
    return {"time": rfc3339(clock.now()), "event": event, **said}


def _rotated(rotation: Rotation, compromised: str | None) -> dict[str, object]:
    said: dict[str, object] = {
        "kid": rotation.kid,
        "was_made": rotation.was_made,
        "compromised": compromised,
        "withdrawn": list(rotation.withdrawn),
    }
    return {**said, "still_published": True} if rotation.still_published else said


def _account() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _of(caller: Caller) -> dict[str, object]:
    return {
        "kind": caller.kind,
        "user": caller.name,
        "server": caller.server,
        "hub_token_id": caller.token_id,
    }
