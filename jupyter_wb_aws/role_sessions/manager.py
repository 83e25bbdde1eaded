"""Starts, keeps and ends role sessions."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from jupyter_wb_aws.aws.sts import CallerIdentity, Sts, StsRequest
from jupyter_wb_aws.clock import Clock, rfc3339
from jupyter_wb_aws.errors import (
    NoRoleSession,
    RoleNotAllowed,
    RoleSessionEnded,
    RoleSessionNotFound,
    StsTimeout,
    TokenDirectoryRefused,
    WbAwsError,
)
from jupyter_wb_aws.identity.supply import TokenSupply
from jupyter_wb_aws.identity.token import Identity, WebIdentityToken
from jupyter_wb_aws.role_sessions.assignments import NO_ROLE_GIVEN, UNTOUCHED, Assignments, Given
from jupyter_wb_aws.role_sessions.refresher import Emit, Refresher
from jupyter_wb_aws.role_sessions.role_session import Ended, RoleSession, State, session_name
from jupyter_wb_aws.role_sessions.schedule import back_off
from jupyter_wb_aws.role_sessions.store import (
    NO_ROLE,
    NOTHING_CHOSEN,
    DefaultChoice,
    Record,
    Snapshot,
    Store,
    of_slots,
)
from jupyter_wb_aws.role_sessions.token_file import TokenDirectory, visible_below
from jupyter_wb_aws.roles.catalogue import Catalogue, CatalogueFile, default_role
from jupyter_wb_aws.roles.role import Role, RoleArn

log = logging.getLogger(__name__)

# A start that takes longer is told as failed: people wait in front of it.
START_TIMEOUT = 20.0
# Ended role sessions that GET /aws/sessions/{id} still knows.
ENDED_KEPT = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """What a site decides about role sessions.

    `token_dir` and `store_dir` are folders of ours; `root_dir` is what Jupyter's file browser shows.
    `extra_environment` reaches every role session; a role's own wins over it.
    """

    token_dir: Path
    store_dir: Path
    root_dir: Path
    hidden_shown: bool = False
    session_name_template: str = "{user}-{session_id}"
    default_role: str = ""
    extra_environment: Mapping[str, str] = field(default_factory=dict)


class RoleSessionManager:
    """The role sessions of one server.

    `emit` takes an event's name and its data; see `jupyter_wb_aws/events/`.
    """

    def __init__(
        self,
        settings: Settings,
        supply: TokenSupply,
        catalogue: CatalogueFile,
        *,
        clock: Clock,
        rng: random.Random,
        emit: Emit,
        sts: Sts | None = None,
    ) -> None:
        self.settings = settings
        self.supply = supply
        self.catalogue = catalogue
        self.assignments = Assignments()
        self.default = NOTHING_CHOSEN
        self.store_problem: str | None = None
        self.clock = clock
        self._rng = rng
        self._emit = emit
        self._sts = sts or Sts()
        self._sessions: dict[str, RoleSession] = {}
        self._starting: dict[tuple[str, str | None], asyncio.Task[RoleSession]] = {}
        self._directory: TokenDirectory | None = None
        self._store: Store | None = None
        self._files = asyncio.Lock()
        self._saving = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self.refresher = Refresher(supply, clock, self.living, self._deliver, emit)

    # --- Life of the manager ---------------------------------------------------------------

    async def open(self) -> None:
        """Bring back the last run's role sessions, and look after them from now on."""
        try:
            snapshot = await asyncio.to_thread(self._take_store)
        except OSError as error:
            self._store_failed(error)
            snapshot = Snapshot()
        try:
            catalogue: Catalogue | None = await self.catalogue.current()
        except WbAwsError:
            catalogue = None
        for record in snapshot.records:
            session = self._restored(record, catalogue)
            self._sessions[session.id] = session
        self.default = snapshot.default
        try:
            await asyncio.to_thread(self._open_directory)
        except TokenDirectoryRefused as refused:
            log.error("%s %s", refused.detail, refused.admin_hint)
        self._tasks.append(asyncio.create_task(self.refresher.run(), name="wb-aws refresher"))
        if not self.default.chosen:
            self._tasks.append(
                asyncio.create_task(self._start_default_role(), name="wb-aws default role")
            )

    async def close(self) -> None:
        """Stop; token files go, the records stay for the next run."""
        tasks = [*self._tasks, *self._starting.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.supply.close()
        await asyncio.to_thread(self._let_go)

    def _take_store(self) -> Snapshot:
        self._store = Store.open(self.settings.store_dir, self.settings.root_dir)
        return self._store.load()

    @property
    def slot(self) -> str:
        """The prefix of this server's file names."""
        return self._store.slot if self._store else "unsaved"

    def _open_directory(self) -> TokenDirectory:
        if self._directory is None:
            path = self.settings.token_dir
            if visible_below(path, self.settings.root_dir, hidden_shown=self.settings.hidden_shown):
                raise TokenDirectoryRefused(
                    f"The folder for token files, {path}, can be seen in Jupyter's file browser.",
                    admin_hint="Set WbAwsApp.token_dir to a folder outside of the server's root_dir.",
                )
            self._directory = TokenDirectory.open(path)
            self._clear_leftovers(self._directory)
        return self._directory

    def _clear_leftovers(self, directory: TokenDirectory) -> None:
        """Remove files of servers that died; those of role sessions that came back stay."""
        known = {session.token_file.name for session in self._sessions.values()}

        def remove_all_of(slots: list[str]) -> None:
            for name in of_slots(directory.names(), slots):
                if name not in known:
                    directory.remove(name)

        remove_all_of([self.slot])
        if self._store is not None:
            self._store.clear_leftovers(remove_all_of)

    def _let_go(self) -> None:
        if self._directory is not None:
            for session in self._sessions.values():
                self._remove_files(self._directory, session)
            self._directory.close()
            self._directory = None
        if self._store is not None:
            self._store.close()
            self._store = None

    # --- What there is ---------------------------------------------------------------------

    def living(self) -> list[RoleSession]:
        """Return the role sessions that have not ended, oldest first."""
        return [session for session in self._sessions.values() if session.ended is None]

    def get(self, session_id: str) -> RoleSession:
        """Return a role session, an ended one too.

        Raises:
            RoleSessionNotFound: if none has this id.
        """
        try:
            return self._sessions[session_id]
        except KeyError:
            raise RoleSessionNotFound("No role session of this server has that id.") from None

    def get_living(self, session_id: str) -> RoleSession:
        """Return a role session that has not ended.

        Raises:
            RoleSessionNotFound: if none has this id.
            RoleSessionEnded: if it is over.
        """
        session = self.get(session_id)
        if session.ended is not None:
            raise RoleSessionEnded(f"The role session of {session.role.label} has ended.")
        return session

    def state_of(self, session: RoleSession) -> State:
        """Tell a role session's state now."""
        return session.state(self.supply.holding(str(session.role.arn)), self.clock.now())

    def is_default(self, session: RoleSession) -> bool:
        """Tell whether this is the default role session."""
        return self.default.session_id == session.id

    async def roles(self) -> tuple[Identity, list[Role]]:
        """Return who the user is and the roles that they may pick.

        Raises:
            WbAwsError: if no token or no catalogue can be had.
        """
        identity = self.supply.identity_of(await self.supply.current())
        return identity, (await self.catalogue.current()).offered_to(identity)

    def default_session(self) -> RoleSession:
        """Return the default role session.

        Raises:
            NoRoleSession: if there is none; says whether that was chosen.
        """
        if self.default.session_id is None:
            chosen = (
                'You chose "no AWS role".' if self.default.chosen else "No role was picked yet."
            )
            raise NoRoleSession(chosen)
        return self.get(self.default.session_id)

    # --- Starting --------------------------------------------------------------------------

    async def start(
        self, role_arn: str, region: str | None = None, *, default: bool | None = None
    ) -> tuple[RoleSession, bool]:
        """Start a role; the same role and region again give the same role session.

        Args:
            default: make it the default role session; None does so only if nothing was ever chosen.

        Returns:
            the role session, and whether this call began it.

        Raises:
            InvalidRoleArn, InvalidRegion: if the words are wrong.
            RoleNotAllowed: if the role is not in this user's catalogue.
            WbAwsError: what the token source or STS said; nothing is left behind then.
        """
        arn = RoleArn.parse(role_arn)
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT
        try:
            async with asyncio.timeout_at(deadline):
                token = await self.supply.current(str(arn))
                role = (await self.catalogue.current()).pick(self.supply.identity_of(token), arn)
        except TimeoutError:
            raise StsTimeout("The web identity token did not come in time.") from None
        except RoleNotAllowed:
            log.warning("Refused the role %s: it is not in the user's catalogue", arn)
            self._emit("role_denied", {"role_arn": str(arn), "code": RoleNotAllowed.code})
            raise
        key = (str(arn), role.region_for(region))
        session, created = await self._found_or_created(key, role, token, deadline)
        if default or (default is None and not self.default.chosen):
            await self.set_default(session.id)
        return session, created

    async def _found_or_created(
        self, key: tuple[str, str | None], role: Role, token: WebIdentityToken, deadline: float
    ) -> tuple[RoleSession, bool]:
        for session in self.living():
            if session.key == key:
                if self.state_of(session) not in (State.ACTIVE, State.STARTING):
                    await self.refresh(session.id)
                return session, False
        created = key not in self._starting
        if created:
            # A task of ours: a client that hangs up cancels nothing, and others may join.
            task = asyncio.create_task(
                self._create(key, role, token, deadline), name="wb-aws start"
            )
            self._starting[key] = task
            task.add_done_callback(lambda _: self._starting.pop(key, None))
        return await asyncio.shield(self._starting[key]), created

    async def _create(
        self, key: tuple[str, str | None], role: Role, token: WebIdentityToken, deadline: float
    ) -> RoleSession:
        owner = self.supply.identity_of(token)
        session_id = uuid.UUID(int=self._rng.getrandbits(128), version=4).hex[:16]
        name = session_name(self.settings.session_name_template, owner, session_id)
        try:
            async with asyncio.timeout_at(deadline):
                directory = await asyncio.to_thread(self._open_directory)
                request = StsRequest(role.arn, key[1], name, token, self.environment_of(role))
                assumed = await asyncio.to_thread(self._sts.assume, request)
                now = self.clock.now()
                session = RoleSession(
                    id=session_id,
                    role=role,
                    region=key[1],
                    session_name=name,
                    owner=owner,
                    caller=assumed.caller,
                    token_file=directory.path / f"{self.slot}_{session_id}.token",
                    started_at=now,
                    credential_lifetime=assumed.credentials_expire_at - now,
                )
                await self._write_first(session)
        except TimeoutError:
            raise StsTimeout(f"AWS STS did not answer within {START_TIMEOUT:g} s.") from None
        except WbAwsError as problem:
            log.warning("The role %s did not start: %s", role.arn, problem.detail)
            self._emit("role_denied", {"role_arn": key[0], "code": problem.code})
            raise
        self._sessions[session_id] = session
        session.announced = self.state_of(session)
        log.info(
            "Role session %s started: role %s, session name %s, subject %s of %s",
            session_id, key[0], name, owner.subject, owner.issuer,
        )  # fmt: skip
        self._emit(
            "session_started", {"session_id": session_id, "role_arn": key[0], "session_name": name}
        )
        self.refresher.wake()
        await self._save()
        return session

    def environment_of(self, role: Role) -> dict[str, str]:
        """Return the variables that the site and the role add."""
        return {**self.settings.extra_environment, **role.extra_environment}

    async def _start_default_role(self) -> None:
        """Start the user's default role, unless the user chooses something first."""
        failures = 0
        while not self.default.chosen:
            try:
                _, roles = await self.roles()
                role = default_role(roles, self.settings.default_role)
                if role is None:
                    if self.settings.default_role:
                        log.warning(
                            "WbAwsApp.default_role %s is not offered to the user",
                            self.settings.default_role,
                        )
                    return
                await self.start(str(role.arn))
            except WbAwsError as problem:
                failures += 1
                log.warning("The default role did not start: %s", problem.detail)
                if problem.status < 500 and problem.code != "sign_in_required":
                    return  # trying again would be refused again
                wait = back_off(failures, self._rng.random(), problem.retry_after)
                await self.clock.sleep(wait.total_seconds())

    # --- Keeping ---------------------------------------------------------------------------

    async def refresh(self, session_id: str) -> RoleSession:
        """Fetch a new token now, and put it into the file.

        Raises:
            RoleSessionNotFound, RoleSessionEnded: if there is nothing to refresh.
            WbAwsError: if no token can be had; the old one stays until it expires.
        """
        session = self.get_living(session_id)
        try:
            await self.supply.renew(str(session.role.arn))
        finally:
            await self._deliver()
            self.refresher.announce()
            self.refresher.wake()
        if session.file_problem is not None:
            raise session.file_problem
        return self.get_living(session_id)

    async def _deliver(self) -> None:
        """Bring every token in hand that is not in its file yet, to where it belongs."""
        for session in self.living():
            token = self.supply.holding(str(session.role.arn)).token
            if token is None or token.fingerprint == session.written:
                continue
            reason = await self._no_longer(session, token)
            if reason is not None:
                await self._end(session, reason)
                continue
            renewal = session.written is not None
            await self._write(session)
            if renewal and session.file_problem is None:
                self._emit(
                    "token_refreshed",
                    {"session_id": session.id, "expires_at": rfc3339(token.expires_at)},
                )

    async def _no_longer(self, session: RoleSession, token: WebIdentityToken) -> str | None:
        """Tell why this token may not renew this role session, if so."""
        identity = self.supply.identity_of(token)
        if not identity.same_user(session.owner):
            return "identity_changed"
        if session.written is None:  # back from the last run: the catalogue may have changed since
            try:
                session.role = (await self.catalogue.current()).pick(identity, session.role.arn)
            except RoleNotAllowed:
                return "role_not_allowed"
            except WbAwsError:
                pass  # an unreadable catalogue takes no role away
        return None

    async def _write_first(self, session: RoleSession) -> None:
        await self._write(session)
        if session.file_problem is not None:
            raise session.file_problem

    async def _write(self, session: RoleSession) -> None:
        """Write the newest token in hand to the role session's file; a failure is kept for its state."""
        async with self._files:
            token = self.supply.holding(str(session.role.arn)).token
            if token is None or session.ended is not None:
                return
            try:
                await asyncio.to_thread(self._write_files, session, token)
            except TokenDirectoryRefused as problem:
                if session.file_problem is None:
                    log.error("%s", problem.detail)
                session.file_problem = problem
            else:
                session.written, session.file_problem = token.fingerprint, None
                session.file_expires_at = token.expires_at

    def _write_files(self, session: RoleSession, token: WebIdentityToken) -> None:
        directory = self._open_directory()
        if session.written is None:
            for name, content in stand_ins(session).items():
                directory.write(name, content)
        directory.write(session.token_file.name, token.reveal())

    def _remove_files(self, directory: TokenDirectory, session: RoleSession) -> None:
        for name in [session.token_file.name, *stand_ins(session)]:
            directory.remove(name)

    # --- Ending ----------------------------------------------------------------------------

    async def end(self, session_id: str) -> datetime:
        """End a role session; its file goes. Again: the same answer.

        Returns:
            until when credentials that were issued before may live.

        Raises:
            RoleSessionNotFound: if none has this id.
        """
        session = self.get(session_id)
        if session.ended is None:
            await self._end(session, "by_user")
        assert session.ended is not None
        return session.ended.credentials_expire_at

    async def _end(self, session: RoleSession, reason: str) -> None:
        now = self.clock.now()
        session.ended = Ended(now, reason, now + session.credential_lifetime)
        session.announced = State.ENDED
        async with self._files:
            if self._directory is not None:
                await asyncio.to_thread(self._remove_files, self._directory, session)
        log.info("Role session %s (%s) ended: %s", session.id, session.role.arn, reason)
        self._emit("session_ended", {"session_id": session.id, "reason": reason})
        if self.is_default(session):
            await self.set_default(None)
        self._forget_old_ends()
        self.refresher.wake()
        await self._save()

    def _forget_old_ends(self) -> None:
        over = [s.id for s in self._sessions.values() if s.ended is not None]
        for session_id in over[:-ENDED_KEPT]:
            del self._sessions[session_id]

    # --- Choosing --------------------------------------------------------------------------

    async def set_default(self, session_id: str | None) -> None:
        """Choose what starts next gets; None is "no AWS role".

        Raises:
            RoleSessionNotFound, RoleSessionEnded: if it can't be used.
        """
        choice = NO_ROLE
        if session_id is not None:
            choice = DefaultChoice(chosen=True, session_id=self.get_living(session_id).id)
        if choice != self.default:
            self.default = choice
            self._emit("default_changed", {"session_id": session_id})
            await self._save()

    def given_by_default(self) -> Given:
        """Tell what a process gets for which nothing else was chosen."""
        if not self.default.chosen:
            return UNTOUCHED
        return self._given(self.default.session_id)

    def given_to_kernel(self, kernel_id: str) -> Given:
        """Tell what a kernel gets at this start; the default role session becomes its assignment."""
        assignment = self.assignments.chosen(kernel_id)
        if assignment is not None:
            given = self._given(assignment.session_id)
            if given.session is None and assignment.session_id is not None:
                log.warning(
                    "Kernel %s starts without an AWS role: its role session has ended", kernel_id
                )
                self._emit(
                    "kernel_without_role",
                    {"kernel_id": kernel_id, "session_id": assignment.session_id},
                )
            return given
        given = self.given_by_default()
        if given.session is not None:
            self.assignments.keep(kernel_id, given.session.id)
        return given

    def _given(self, session_id: str | None) -> Given:
        session = self._sessions.get(session_id) if session_id else None
        if session is None or session.ended is not None:
            return NO_ROLE_GIVEN
        return Given("role", session)

    # --- Who we are ------------------------------------------------------------------------

    async def caller_identity(self, session: RoleSession, *, verify: bool) -> CallerIdentity:
        """Return the caller identity of a living role session; `verify` asks STS now.

        Raises:
            RoleSessionEnded: if it is over.
            WbAwsError: what STS says.
        """
        self.get_living(session.id)
        if not verify:
            return session.caller
        token = await self.supply.current(str(session.role.arn))
        environment = self.environment_of(session.role)
        request = StsRequest(
            session.role.arn, session.region, session.session_name, token, environment
        )
        return await self._in_time(asyncio.to_thread(self._sts.verify, request))

    async def _in_time(self, call: Awaitable[CallerIdentity]) -> CallerIdentity:
        try:
            async with asyncio.timeout(START_TIMEOUT):
                return await call
        except TimeoutError:
            raise StsTimeout(f"AWS STS did not answer within {START_TIMEOUT:g} s.") from None

    # --- Records ---------------------------------------------------------------------------

    async def _save(self) -> None:
        async with self._saving:
            if self._store is None:
                return
            snapshot = Snapshot(self.default, tuple(map(_record, self.living())))
            try:
                await asyncio.to_thread(self._store.save, snapshot)
                self.store_problem = None
            except OSError as error:
                self._store_failed(error)

    def _store_failed(self, error: OSError) -> None:
        self.store_problem = f"Role sessions can't be kept over a restart of the server: {self.settings.store_dir}: {error.strerror}."
        log.error("%s", self.store_problem)

    def _restored(self, record: Record, catalogue: Catalogue | None) -> RoleSession:
        arn = RoleArn.parse(record.role_arn)
        listed: Iterable[Role] = [role for role, _ in catalogue.entries] if catalogue else []
        return RoleSession(
            id=record.id,
            role=next(
                (role for role in listed if role.arn == arn),
                Role(arn, arn.name, region=record.region),
            ),
            region=record.region,
            session_name=record.session_name,
            owner=Identity(record.issuer, record.subject, record.subject, (), {}),
            caller=CallerIdentity(
                record.caller["UserId"], record.caller["Account"], record.caller["Arn"]
            ),
            token_file=self.settings.token_dir / f"{self.slot}_{record.id}.token",
            started_at=datetime.fromisoformat(record.started_at),
            credential_lifetime=timedelta(seconds=record.credential_lifetime),
        )


def stand_ins(session: RoleSession) -> dict[str, str]:
    """Name and content of the files that stand in for `~/.aws/config` and `~/.aws/credentials`.

    They hold nothing but the reason for their being; see docs/decisions/0003-environment.md.
    """
    stem = session.token_file.stem
    why = f"# Stands in for your own file while the AWS role {session.role.arn.name} is in use.\n"
    return {f"{stem}.config": why, f"{stem}.credentials": why}


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
    )
