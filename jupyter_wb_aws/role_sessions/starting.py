"""The start of a role session, from a user's request to the token file.

1. The catalogue says whether this user may have the role.
2. A living role session of the same role, region and user is the answer, refreshed if it needs that.
   Else the steps below are taken, once for all callers that ask for the same.
3. The user has not reached the limit.
4. STS says whether the trust policy lets the user in.
5. The first token is written, or the credential endpoint opened. A failure up to here leaves nothing behind.
6. The role session is known, logged, reported as an event and saved.
7. It becomes the default, if the caller says so or nothing was ever chosen.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta

from jupyter_wb_aws.aws.sts import CallerIdentity, Credentials
from jupyter_wb_aws.errors import (
    RoleNotAllowed,
    SignInRequired,
    StartTimeout,
    WbAwsError,
)
from jupyter_wb_aws.identity.token import Identity, WebIdentityToken
from jupyter_wb_aws.role_sessions import owner_process
from jupyter_wb_aws.role_sessions.choices import Choices
from jupyter_wb_aws.role_sessions.context import Context
from jupyter_wb_aws.role_sessions.ending import Ending
from jupyter_wb_aws.role_sessions.limits import Limits
from jupyter_wb_aws.role_sessions.refresher import Refresher
from jupyter_wb_aws.role_sessions.registry import Registry
from jupyter_wb_aws.role_sessions.rights import Rights
from jupyter_wb_aws.role_sessions.role_session import RoleSession, State, session_name
from jupyter_wb_aws.role_sessions.role_session_sts import RoleSessionSts, known_answer
from jupyter_wb_aws.role_sessions.session_files import SessionFiles
from jupyter_wb_aws.roles.delivery import Delivery
from jupyter_wb_aws.roles.role import Role, RoleArn

log = logging.getLogger(__name__)

TOKEN_TOO_LATE = "The web identity token did not come in time."  # noqa: S105 - a sentence


@dataclass(frozen=True, slots=True)
class Start:
    """A role that the user may have, to be started by `deadline` (in the event loop's time).

    `delivery`, `shared` and `process` are those of the role session to come.
    """

    role: Role
    region: str | None
    token: WebIdentityToken
    owner: Identity
    deadline: float
    delivery: Delivery = "web_identity"
    shared: bool = True
    process: owner_process.Process | None = None

    @property
    def key(self) -> tuple[str, str | None, Delivery]:
        """What makes two starts one role session, where it is shared."""
        return (str(self.role.arn), self.region, self.delivery)

    def is_of(self, session: RoleSession) -> bool:
        """Return whether a role session is of the same role, region, delivery and user."""
        return session.key == self.key and session.owner.same_user(self.owner)


class Starter:
    """Starts role sessions, and asks STS who they are.

    Args:
        context: what all parts share.
        sessions: where a new role session goes.
        files: where its token goes.
        choices: may make it the default.
        rights: decides who may have which role.
        limits: decides how many there may be.
        refresher: brings one that runs already back to life.
        ending: ends one with the process that it was started for.
        sts: asks AWS STS.
    """

    def __init__(
        self,
        context: Context,
        sessions: Registry,
        files: SessionFiles,
        choices: Choices,
        rights: Rights,
        limits: Limits,
        refresher: Refresher,
        ending: Ending,
        sts: RoleSessionSts,
    ) -> None:
        self._context = context
        self._sessions = sessions
        self._files = files
        self._choices = choices
        self._rights = rights
        self._limits = limits
        self._refresher = refresher
        self._ending = ending
        self._sts = sts

    async def start(
        self, role_arn: str, region: str | None = None, *, default: bool | None = None
    ) -> tuple[RoleSession, bool]:
        """Start a role; the same role and region again give the same role session.

        A caller that goes away cancels nothing.

        Args:
            role_arn: the role, as ``arn:aws:iam::111122223333:role/name``.
            region: the AWS region; None is the role's own.
            default: make it the default role session; None does so only if nothing was ever chosen.

        Returns:
            the role session, and whether this call started it.

        Raises:
            InvalidRoleArn, InvalidRegion: if the ARN or the region is malformed.
            RoleNotAllowed: if the role is not offered to the user.
            WbAwsError: what the token source or STS says; nothing is left behind then.
        """
        return await self._context.tasks.do(self._start(role_arn, region, default=default), "start")

    async def start_unshared(
        self,
        role_arn: str,
        region: str | None = None,
        *,
        pid: int | None = None,
        started: str | None = None,
    ) -> RoleSession:
        """Start a role session for one caller alone: no other start finds it, and it is never the default.

        Args:
            role_arn: the role, as ``arn:aws:iam::111122223333:role/name``.
            region: the AWS region; None is the role's own.
            pid: a process with whose end the role session ends.
            started: that process's start, as `owner_process` writes it, where the caller knows it.

        Raises:
            ProcessNotFound: if there is no such process.
            WbAwsError: what `start` raises.
        """
        work = self._start_unshared(role_arn, region, pid, started)
        return await self._context.tasks.do(work, "start")

    async def caller_identity(self, session: RoleSession, *, verify: bool) -> CallerIdentity:
        """Return the caller identity of a living role session; `verify` asks STS now.

        Raises:
            RoleSessionEnded: if it has ended.
            StartTimeout: if the token did not come in time.
            WbAwsError: what the token source or STS says.
        """
        self._sessions.get_living(session.id)
        if not verify:
            return session.caller
        deadline = self._deadline()
        try:
            async with asyncio.timeout_at(deadline):
                token = await self._sessions.current_token(session)
        except TimeoutError:
            raise StartTimeout(TOKEN_TOO_LATE) from None
        if not self._sessions.is_owners(session, token):
            await self._ending.end(session, "identity_changed")
            session.require_living()
        return await self._sts.verify(session, token, deadline)

    # --- The steps -------------------------------------------------------------------------

    async def _start(
        self, role_arn: str, region: str | None, *, default: bool | None
    ) -> tuple[RoleSession, bool]:
        session, created = await self._found_or_created(await self._admitted(role_arn, region))
        if default or (default is None and not self._sessions.default.chosen):  # 7
            await self._choices.choose(session)
        return session, created

    async def _start_unshared(
        self, role_arn: str, region: str | None, pid: int | None, started: str | None
    ) -> RoleSession:
        process = None if pid is None else await asyncio.to_thread(owner_process.find, pid, started)
        start = await self._admitted(role_arn, region)
        return await self._create(replace(start, shared=False, process=process))

    async def _admitted(self, role_arn: str, region: str | None) -> Start:
        """Take step 1."""
        arn, deadline = RoleArn.parse(role_arn), self._deadline()
        try:
            async with asyncio.timeout_at(deadline):
                await self._sessions.require_ready()
                admission = await self._rights.admit(arn)
        except TimeoutError:
            raise StartTimeout(TOKEN_TOO_LATE) from None
        except RoleNotAllowed:
            log.warning("Refused the role %s: it is not offered to the user", arn)
            self._context.emit("role_denied", {"role_arn": str(arn), "code": RoleNotAllowed.code})
            raise
        role = admission.role
        return Start(
            role, role.region_for(region), admission.token, admission.owner, deadline,
            self._context.settings.delivery_of(role),
        )  # fmt: skip

    async def _found_or_created(self, start: Start) -> tuple[RoleSession, bool]:
        """Take step 2, and the rest where no such role session runs."""
        for session in self._sessions.living():
            if session.shared and start.is_of(session):
                session.last_used = self._context.clock.now()
                if self._sessions.state_of(session) not in (State.ACTIVE, State.STARTING):
                    await self._revive(session, start.deadline)
                return session, False
        key = (*start.key, start.owner.issuer, start.owner.subject)
        return await self._context.tasks.once(key, lambda: self._create(start), "create")

    async def _revive(self, session: RoleSession, deadline: float) -> None:
        """Refresh a role session that needs attention; one whose token still lives will do even if that fails."""
        problem: WbAwsError
        try:
            async with asyncio.timeout_at(deadline):
                await self._refresher.refresh(session.id)
            return
        except TimeoutError:
            problem = StartTimeout(TOKEN_TOO_LATE)
        except WbAwsError as error:
            problem = error
        if self._sessions.state_of(session) not in (State.ACTIVE, State.DEGRADED):
            raise problem

    async def _create(self, start: Start) -> RoleSession:
        """Take steps 3 to 6."""
        try:
            with self._limits.reserve(start.owner):  # 3
                session, credentials = await self._assumed(start)  # 4
                async with self._in_time(start.deadline):  # 5
                    await self._deliver(session, credentials)
        except WbAwsError as problem:
            log.warning("The role %s did not start: %s", start.role.arn, problem.detail)
            data = {"role_arn": str(start.role.arn), "code": problem.code}
            self._context.emit("role_denied", data)
            raise
        self._sessions.add(session)  # 6
        session.reported_state = self._sessions.state_of(session)
        log.info(
            "Role session %s started: role %s, session name %s, subject %r of %r, delivery %s%s",
            session.id, session.role.arn, session.session_name, session.owner.subject, session.owner.issuer,
            session.delivery, f", for process {session.process.pid}" if session.process else "",
        )  # fmt: skip
        self._context.emit(
            "session_started",
            {
                "session_id": session.id,
                "role_arn": str(session.role.arn),
                "session_name": session.session_name,
            },
        )
        self._ending.end_with_process(session)
        saving = self._context.tasks.begin(self._sessions.save(), "save")
        if session.shared:  # one for a command alone dies with it: it need not wait for a disk
            await saving
        return session

    async def _assumed(self, start: Start) -> tuple[RoleSession, Credentials | None]:
        """Take step 4; the credential endpoint gets the credentials."""
        context = self._context
        session_id = uuid.UUID(int=context.random.getrandbits(128), version=4).hex[:16]
        name = session_name(context.settings.session_name_template, start.owner, session_id)
        async with self._in_time(start.deadline):
            await self._files.open()  # without a place for the token, STS is not asked
        session = RoleSession(
            id=session_id,
            role=start.role,
            region=start.region,
            session_name=name,
            owner=start.owner,
            caller=CallerIdentity("", start.role.arn.account_id, ""),  # until STS answers
            token_file=self._files.path_of(session_id),
            started_at=context.clock.now(),
            credential_lifetime=timedelta(0),
            shared=start.shared,
            process=start.process,
            delivery=start.delivery,
        )
        assumed, now = None, context.clock.now()
        if not start.shared and start.delivery == "web_identity":
            assumed = known_answer(filter(start.is_of, self._sessions.active()), name, now)
        if assumed is None:
            assumed = await self._sts.assume(session, start.token, start.deadline)
        now = context.clock.now()
        lifetime = assumed.credentials_expire_at - now
        started = replace(
            session, caller=assumed.caller, started_at=now, credential_lifetime=lifetime
        )
        return started, assumed.credentials

    @contextlib.asynccontextmanager
    async def _in_time(self, deadline: float) -> AsyncIterator[None]:
        """Blame the disk for what is not done by the deadline."""
        try:
            async with asyncio.timeout_at(deadline):
                yield
        except TimeoutError:
            disk = self._files.disk_problem()
            raise StartTimeout(disk.detail, admin_hint=disk.admin_hint) from None

    async def _deliver(self, session: RoleSession, credentials: Credentials | None) -> None:
        if session.delivery == "web_identity":
            await self._try_to_write(session)
            return
        await self._context.endpoint.open(session, credentials)
        try:
            await self._try_to_write(session)  # last: the user may have signed out meanwhile
        except BaseException:
            self._context.endpoint.abandon(session)
            raise

    async def _try_to_write(self, session: RoleSession) -> None:
        """Write the first token; if that fails or takes too long, no file stays."""
        try:
            await self._files.write(session)
        except asyncio.CancelledError:
            self._files.begin_removing(session)
            raise
        if (
            session.file_problem is None
            and session.file_fingerprint
            and self._sessions.token_for(session)
        ):
            return
        await self._files.remove(session)
        raise session.file_problem or SignInRequired(
            "You have signed out, or somebody else has signed in, before the role was started."
        )

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._context.settings.start_timeout
