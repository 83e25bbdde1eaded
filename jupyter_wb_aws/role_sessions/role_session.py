"""A role session: one role that was started, and the state it is in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Literal

from jupyter_wb_aws.aws.sts import CallerIdentity
from jupyter_wb_aws.errors import RoleSessionEnded, RoleSessionNotShared, SignInRequired, WbAwsError
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.identity.token_cache import TokenStatus
from jupyter_wb_aws.role_sessions.owner_process import Process
from jupyter_wb_aws.role_sessions.schedule import little_is_left
from jupyter_wb_aws.roles.catalogue import Catalogue
from jupyter_wb_aws.roles.role import Role

# AssumeRoleWithWebIdentity, RoleSessionName: 2 to 64 of these.
NOT_IN_A_NAME = re.compile(r"[^\w+=,.@-]", re.ASCII)
MAX_NAME_LENGTH = 64


class State(StrEnum):
    """What a role session is good for just now."""

    STARTING = "starting"
    ACTIVE = "active"
    DEGRADED = "degraded"
    SIGN_IN_REQUIRED = "sign_in_required"
    EXPIRED = "expired"
    ENDED = "ended"


EndReason = Literal[
    "by_user", "identity_changed", "role_withdrawn", "idle", "signed_out", "process_ended"
]
ENDED_SINCE: dict[EndReason, str] = {
    "by_user": "it was ended by hand",
    "identity_changed": "another user signed in",
    "role_withdrawn": "the role is no longer in your list of roles",
    "idle": "nothing used it for a while",
    "signed_out": "you signed out",
    "process_ended": "the process that it was for has ended",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a role session ended. Credentials issued before may live until `credentials_expire_at`."""

    at: datetime
    reason: EndReason
    credentials_expire_at: datetime


@dataclass(slots=True, eq=False)
class RoleSession:
    """One started role: the facts that never change, and the few that do.

    `owner` is whose role session it is: another user's token never renews it.
    `credential_lifetime` is how long STS made credentials live at the start; SDKs ask for the same.
    `written` is the fingerprint of the token in the file, None before the first is there, and
    `file_expires_at` the end of that token's life: a newer token in hand may not be in the file yet.
    `role` is what the catalogue says of it today; its ARN never changes. `found_rightful_by` are the
    token (its fingerprint) and the catalogue that last said that it is still the owner's. `last_used`
    is when it was last asked for, given to a process, or seen in use by one. One that is not `shared`
    is for whoever started it alone; with `process`, until that is gone.
    """

    id: str
    role: Role
    region: str | None
    session_name: str
    owner: Identity
    caller: CallerIdentity
    token_file: Path
    started_at: datetime
    credential_lifetime: timedelta
    shared: bool = True
    process: Process | None = None
    written: str | None = None
    file_expires_at: datetime | None = None
    file_problem: WbAwsError | None = None
    found_rightful_by: tuple[str, Catalogue | None] | None = None
    last_used: datetime | None = None
    ended: Ended | None = None
    announced: State = State.STARTING

    @property
    def key(self) -> tuple[str, str | None]:
        """What makes two starts one role session."""
        return (str(self.role.arn), self.region)

    def require_living(self) -> None:
        """Let a living role session pass.

        Raises:
            RoleSessionEnded: if it is over.
        """
        if self.ended is not None:
            why = ENDED_SINCE[self.ended.reason]
            raise RoleSessionEnded(f"The role session of {self.role.label} has ended: {why}.")

    def require_shared(self) -> None:
        """Let a role session pass that kernels and terminals may have.

        Raises:
            RoleSessionNotShared: if it is for whoever started it alone.
        """
        if not self.shared:
            raise RoleSessionNotShared(
                f"This role session of {self.role.label} is for whoever started it alone."
            )

    def state(self, token_status: TokenStatus, now: datetime) -> State:
        """Tell the state, from what is known of its token."""
        return state_of(
            ended=self.ended is not None,
            file_expires_at=self.file_expires_at,
            file_problem=self.file_problem,
            token_status=token_status,
            now=now,
        )


def state_of(
    *,
    ended: bool,
    file_expires_at: datetime | None,
    file_problem: WbAwsError | None,
    token_status: TokenStatus,
    now: datetime,
) -> State:
    """Decide the state of a role session.

    `ended` is final. The need to sign in outranks expiry, since it is what the user can act on. A
    role session without a living token in its file is `expired`; one whose token lives but whose
    renewal fails, or is late, is `degraded`.
    """
    if ended:
        return State.ENDED
    if isinstance(token_status.problem, SignInRequired):
        return State.SIGN_IN_REQUIRED
    failing = token_status.problem is not None or file_problem is not None
    if file_expires_at is None and not failing:
        return State.STARTING
    if file_expires_at is None or file_expires_at <= now:
        return State.EXPIRED
    if failing:
        return State.DEGRADED
    if (
        token_status.unchanged
        and token_status.token is not None
        and little_is_left(token_status.token, now)
    ):
        return State.DEGRADED
    return State.ACTIVE


def session_name(template: str, identity: Identity, session_id: str) -> str:
    """Fill in a session name, in STS's charset and length (2 to 64), unique by the id in it.

    `template` may hold ``{user}``, ``{subject}`` and ``{session_id}``. Where the result is too
    long, the user's part gives way, so that the id always survives.
    """
    values = {"user": identity.name, "subject": identity.subject, "session_id": session_id}
    safe = {key: NOT_IN_A_NAME.sub("-", value) for key, value in values.items()}
    name = NOT_IN_A_NAME.sub("-", template.format(**safe))
    if session_id not in name or len(name) > MAX_NAME_LENGTH:
        room = MAX_NAME_LENGTH - len(session_id) - 1
        name = f"{name.replace(session_id, '').strip('-')[:room]}-{session_id}"
    return name[-MAX_NAME_LENGTH:] if len(name) >= 2 else f"{name}--"
