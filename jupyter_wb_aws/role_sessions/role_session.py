"""A role session: a role that was started, and its state."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Literal

from jupyter_wb_aws.aws.credential_options import CredentialOptions
from jupyter_wb_aws.aws.sts import CallerIdentity
from jupyter_wb_aws.errors import RoleSessionEnded, RoleSessionNotShared, SignInRequired, WbAwsError
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.identity.token_cache import TokenStatus
from jupyter_wb_aws.role_sessions.endpoint_access import EndpointAccess
from jupyter_wb_aws.role_sessions.owner_process import Process
from jupyter_wb_aws.role_sessions.schedule import nearly_expired
from jupyter_wb_aws.roles.catalogue import Catalogue
from jupyter_wb_aws.roles.delivery import Delivery
from jupyter_wb_aws.roles.role import Role

# AssumeRoleWithWebIdentity, RoleSessionName: 2 to 64 of these.
NOT_IN_A_NAME = re.compile(r"[^\w+=,.@-]", re.ASCII)
MAX_NAME_LENGTH = 64


class State(StrEnum):
    """The state of a role session; see `state_of`."""

    STARTING = "starting"
    ACTIVE = "active"
    DEGRADED = "degraded"
    SIGN_IN_REQUIRED = "sign_in_required"
    EXPIRED = "expired"
    ENDED = "ended"


EndReason = Literal[
    "by_user", "identity_changed", "role_withdrawn", "idle", "signed_out", "process_ended"
]
END_REASON_TEXT: dict[EndReason, str] = {
    "by_user": "you ended it",
    "identity_changed": "another user signed in",
    "role_withdrawn": "the role is no longer in your list of roles",
    "idle": "nothing used it for a while",
    "signed_out": "you signed out",
    "process_ended": "the process that it was started for has ended",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a role session ended. Credentials issued before may live until `credentials_expire_at`.

    `clients_stop_by`: the latest `Expiration` that a client got from the credential endpoint; None if none did.
    """

    at: datetime
    reason: EndReason
    credentials_expire_at: datetime
    clients_stop_by: datetime | None = None


@dataclass(slots=True, eq=False)
class RoleSession:
    """One started role: the facts that never change, and the few that do.

    Args:
        role: as the catalogue describes it today; its ARN never changes.
        owner: the user who started it; another user's token is never written for it.
        credential_lifetime: how long the credentials of the start live; SDKs ask STS for the same.
        shared: whether kernels and terminals may use it. If not, only the command that started it does.
        process: the process with whose end it ends, if any.
        delivery: how it reaches its processes; what the site says later is for role sessions to come.
        access: how a command reaches the credential endpoint as this role session; None with web identity, and
            before the endpoint is open.
        credentials_expire_at: when the last of the credentials expires that the endpoint has fetched, if any.
        clients_stop_by: the latest `Expiration` in an answer of the endpoint, if any.
        credential_problem: why the endpoint could not fetch new credentials the last time, if so.
        file_fingerprint: the fingerprint of the token in the file, None before the first one is there. With the
            endpoint, the token is delivered in memory.
        file_expires_at: when that token expires; the current token may not be in the file yet.
        checked_against: the token (its fingerprint) and the catalogue by which it was last found to
            be its owner's still.
        last_used: when it was last asked for, given to a process, or seen in use by one.
        reported_state: the state that was reported last.
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
    delivery: Delivery = "web_identity"
    access: EndpointAccess | None = None
    credentials_expire_at: datetime | None = None
    clients_stop_by: datetime | None = None
    credential_problem: WbAwsError | None = None
    file_fingerprint: str | None = None
    file_expires_at: datetime | None = None
    file_problem: WbAwsError | None = None
    checked_against: tuple[str, Catalogue | None] | None = None
    last_used: datetime | None = None
    ended: Ended | None = None
    reported_state: State = State.STARTING

    @property
    def key(self) -> tuple[str, str | None, Delivery]:
        """What two starts have in common to be the same role session."""
        return (str(self.role.arn), self.region, self.delivery)

    @property
    def credential_options(self) -> CredentialOptions:
        """What STS is asked for, besides the role, when the credential endpoint asks for it."""
        if self.delivery == "web_identity":
            return CredentialOptions()
        return CredentialOptions(duration=self.role.credential_lifetime)

    def require_living(self) -> None:
        """Accept a role session that has not ended.

        Raises:
            RoleSessionEnded: if it has ended.
        """
        if self.ended is not None:
            why = END_REASON_TEXT[self.ended.reason]
            raise RoleSessionEnded(f"The role session of {self.role.label} has ended: {why}.")

    def require_shared(self) -> None:
        """Accept a role session that kernels and terminals may use.

        Raises:
            RoleSessionNotShared: if it belongs to the command that started it.
        """
        if not self.shared:
            raise RoleSessionNotShared(
                f"This role session of {self.role.label} is only for the command that started it."
            )

    def state(self, token_status: TokenStatus, now: datetime) -> State:
        """Return the state, from what is known of its token, and of its credentials if they can't be fetched."""
        expires_at = self.file_expires_at
        if self.credential_problem is not None and expires_at is not None:
            expires_at = min(expires_at, self.credentials_expire_at or now)
        return state_of(
            ended=self.ended is not None,
            file_expires_at=expires_at,
            file_problem=self.file_problem or self.credential_problem,
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

    `ended` is final. The need to sign in outranks expiry, since the user can act on it. A role session
    without a valid token in its file is `expired`. One whose token is valid, but whose refresh fails or
    is late, is `degraded`.

    Args:
        ended: whether it has ended.
        file_expires_at: when the token in its file expires; None before there is one.
        file_problem: why its files can't be written, or its credentials not be fetched, if so.
        token_status: what is known of the token for its role.
        now: the time.
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
        and nearly_expired(token_status.token, now)
    ):
        return State.DEGRADED
    return State.ACTIVE


def session_name(template: str, identity: Identity, session_id: str) -> str:
    """Return a RoleSessionName: 2 to 64 of the characters that STS accepts, unique by the id in it.

    If it is too long, or the template lacks the id, the id moves to the end, whole, and the rest is cut.

    Args:
        template: may hold ``{user}``, ``{subject}`` and ``{session_id}``.
        identity: the user.
        session_id: the role session's id.
    """
    values = {"user": identity.name, "subject": identity.subject, "session_id": session_id}
    safe = {key: NOT_IN_A_NAME.sub("-", value) for key, value in values.items()}
    name = NOT_IN_A_NAME.sub("-", template.format(**safe))
    if session_id not in name or len(name) > MAX_NAME_LENGTH:
        room = MAX_NAME_LENGTH - len(session_id) - 1
        name = f"{name.replace(session_id, '').strip('-')[:room]}-{session_id}"
    return name[-MAX_NAME_LENGTH:] if len(name) >= 2 else f"{name}--"
