"""Starts a role: STS says whether the user may have it, and the first token is written."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from jupyter_wb_aws.aws.sts import AssumedRole, CallerIdentity, StsRequest
from jupyter_wb_aws.aws.sts_subprocess import StsClient
from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import SignInRequired, StartTimeout
from jupyter_wb_aws.identity.token import Identity, WebIdentityToken
from jupyter_wb_aws.role_sessions.owner_process import Process
from jupyter_wb_aws.role_sessions.role_session import RoleSession, session_name
from jupyter_wb_aws.role_sessions.session_files import SessionFiles
from jupyter_wb_aws.roles.role import Role

# Gives the whole environment that a process started with a role session would get.
EnvironmentOf = Callable[[RoleSession], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Start:
    """A role that the user may have, about to be started by `deadline` (of the event loop's time).

    `shared` and `process` are those of the role session to come.
    """

    role: Role
    region: str | None
    token: WebIdentityToken
    owner: Identity
    deadline: float
    shared: bool = True
    process: Process | None = None

    @property
    def key(self) -> tuple[str, str | None]:
        """What makes two starts one role session, where it is shared."""
        return (str(self.role.arn), self.region)

    def is_of(self, session: RoleSession) -> bool:
        """Tell whether a role session is of the same role, region and user."""
        return session.key == self.key and session.owner.same_user(self.owner)


class Starter:
    """Makes role sessions.

    Args:
        files: where their tokens go.
        sts: AWS.
        clock: dates them.
        rng: draws their ids.
        name_template: makes AWS's RoleSessionName.
        extra_environment: the site's variables.
        process_environment: gives what a process of a role session would get, which says how to reach STS.
        active: gives the role sessions that are `active` now.
        newest: gives the token that belongs into a role session's file, if any is in hand.
    """

    def __init__(
        self,
        files: SessionFiles,
        sts: StsClient,
        *,
        clock: Clock,
        rng: random.Random,
        name_template: str,
        extra_environment: Mapping[str, str],
        process_environment: EnvironmentOf,
        active: Callable[[], Iterable[RoleSession]],
        newest: Callable[[RoleSession], WebIdentityToken | None],
    ) -> None:
        self._files = files
        self._sts = sts
        self._clock = clock
        self._rng = rng
        self._name_template = name_template
        self._extra_environment = extra_environment
        self._process_environment = process_environment
        self._active = active
        self._newest = newest

    def environment_of(self, role: Role) -> dict[str, str]:
        """Return the variables that the site and the role add."""
        return {**self._extra_environment, **role.extra_environment}

    async def make(self, start: Start) -> RoleSession:
        """Have STS say whether the role can be had, and write the first token; a failure leaves nothing.

        Raises:
            TimeoutError: if STS has not answered by the deadline.
            WbAwsError: what STS said, or why the token can't be written.
        """
        async with asyncio.timeout_at(start.deadline):
            session = await self._assumed(start)
        try:
            async with asyncio.timeout_at(start.deadline):
                await self._write_first(session)
        except TimeoutError:
            disk = self._files.hangs()
            raise StartTimeout(disk.detail, admin_hint=disk.admin_hint) from None
        return session

    async def verify(
        self, session: RoleSession, token: WebIdentityToken, deadline: float
    ) -> CallerIdentity:
        """Ask STS now who the role session is; `deadline` is of the event loop's time.

        Raises:
            WbAwsError: what STS says.
        """
        return await self._sts.verify(await self._request(session, token, deadline))

    async def _request(
        self, session: RoleSession, token: WebIdentityToken, deadline: float
    ) -> StsRequest:
        environment = await self._process_environment(session)
        name = session.session_name
        return StsRequest(session.role.arn, session.region, name, token, environment, deadline)

    async def _assumed(self, start: Start) -> RoleSession:
        session_id = uuid.UUID(int=self._rng.getrandbits(128), version=4).hex[:16]
        name = session_name(self._name_template, start.owner, session_id)
        await self._files.open()  # where there is no place for a token, none is shown to STS
        session = RoleSession(
            id=session_id,
            role=start.role,
            region=start.region,
            session_name=name,
            owner=start.owner,
            caller=CallerIdentity("", start.role.arn.account_id, ""),  # until STS has answered
            token_file=self._files.path_of(session_id),
            started_at=self._clock.now(),
            credential_lifetime=timedelta(0),
            shared=start.shared,
            process=start.process,
        )
        assumed = None if start.shared else self._follows(start, name)
        if assumed is None:
            assumed = await self._sts.assume(
                await self._request(session, start.token, start.deadline)
            )
        now = self._clock.now()
        lifetime = assumed.credentials_expire_at - now
        return replace(session, caller=assumed.caller, started_at=now, credential_lifetime=lifetime)

    def _follows(self, start: Start, name: str) -> AssumedRole | None:
        """Tell what STS would answer, where it has let this user into this role already.

        A command under `jupyter wb-aws exec` should not wait for STS to say again what it said of an
        `active` role session of the same role, region and user: the two differ by the RoleSessionName
        alone, which stands at the end of the caller identity. STS's word counts for as long as the
        credentials that it gave with it. Should the trust policy have changed since, the command's own
        first call is refused, and says so. What others share is always asked for, so that only such a one
        has an answer of its own to go by.
        """
        now = self._clock.now()
        for session in filter(start.is_of, self._active()):
            if not session.shared or now - session.started_at >= session.credential_lifetime:
                continue
            if (caller := renamed(session.caller, session.session_name, name)) is not None:
                return AssumedRole(caller, now + session.credential_lifetime)
        return None

    async def _write_first(self, session: RoleSession) -> None:
        """Write the first token; where that fails or comes too late, no file stays."""
        try:
            await self._files.write(session)
        except asyncio.CancelledError:
            self._files.begin_removing(session)
            raise
        if session.file_problem is None and session.written and self._newest(session):
            return
        await self._files.remove(session)
        raise session.file_problem or SignInRequired(
            "You have signed out, or somebody else has signed in, before the role was started."
        )


def renamed(caller: CallerIdentity, old: str, new: str) -> CallerIdentity | None:
    """Put another RoleSessionName into a caller identity; None where it has none of its own.

    Source: AssumeRoleWithWebIdentity, `AssumedRoleUser`: ``AROA…:name`` and ``…assumed-role/role/name``.
    An S3-compatible store may write something else.
    """
    user_id, arn = caller.user_id.removesuffix(f":{old}"), caller.arn.removesuffix(f"/{old}")
    if user_id == caller.user_id or arn == caller.arn:
        return None
    return replace(caller, user_id=f"{user_id}:{new}", arn=f"{arn}/{new}")
