"""Starts, keeps and ends role sessions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_wb_aws.aws.sts import CallerIdentity
from jupyter_wb_aws.aws.sts_subprocess import StsClient
from jupyter_wb_aws.clock import Clock, rfc3339, wait_for_event
from jupyter_wb_aws.errors import (
    LastRunUnknown,
    RoleNotAllowed,
    RoleSessionNotFound,
    ServerStopping,
    SignInNotNeeded,
    StartTimeout,
    StsTimeout,
    TokenDirectoryRefused,
    WbAwsError,
)
from jupyter_wb_aws.identity.token import Identity, WebIdentityToken
from jupyter_wb_aws.identity.token_cache import TokenCache
from jupyter_wb_aws.role_sessions import owner_process
from jupyter_wb_aws.role_sessions.choices import Choices
from jupyter_wb_aws.role_sessions.claim_notices import ClaimNotices
from jupyter_wb_aws.role_sessions.default_role import start_default_role
from jupyter_wb_aws.role_sessions.ending import Ending
from jupyter_wb_aws.role_sessions.limits import InUse, Limits
from jupyter_wb_aws.role_sessions.places import Place
from jupyter_wb_aws.role_sessions.records import Records, restored, snapshot_of
from jupyter_wb_aws.role_sessions.refresher import Emit, Refresher
from jupyter_wb_aws.role_sessions.rights import LOOK_PATIENCE, Rights
from jupyter_wb_aws.role_sessions.role_session import EndReason, RoleSession, State
from jupyter_wb_aws.role_sessions.session_files import SessionFiles
from jupyter_wb_aws.role_sessions.settings import Settings
from jupyter_wb_aws.role_sessions.starting import EnvironmentOf, Start, Starter
from jupyter_wb_aws.role_sessions.store import NO_ROLE, Snapshot
from jupyter_wb_aws.role_sessions.token_folders import TokenFolders
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile
from jupyter_wb_aws.roles.role import Role, RoleArn
from jupyter_wb_aws.tasks import Tasks

if TYPE_CHECKING:
    from jupyter_wb_aws.identity.revocation import SignedOut
    from jupyter_wb_aws.identity.sign_in import SignIn

log = logging.getLogger(__name__)

# A start that takes longer is told as failed: people wait in front of it, 20 s in all. The rest is
# for a store on a slow disk, which is written to twice.
START_TIMEOUT = 16.0
STS_TOO_LATE = f"AWS STS did not answer within {START_TIMEOUT:g} s."
TOKEN_TOO_LATE = "The web identity token did not come in time."  # noqa: S105 - a sentence
SAVE_PATIENCE = 2.0
# Nobody waits longer than this for a disk: kernels that start, requests, and the server's end.
READY_PATIENCE = 5.0
# The roles file is looked at between two calls to the disk of the token files.
DELIVER_PATIENCE = LOOK_PATIENCE + READY_PATIENCE
# Shorter: what the last run left is brought back without the roles file, too.
CATALOGUE_PATIENCE = 3.0
CLOSE_PATIENCE = 5.0
# Ended role sessions that GET /aws/sessions/{id} still knows.
ENDED_KEPT = 200


class RoleSessionManager:
    """The role sessions of one server.

    `emit` takes an event's name and its data; see `jupyter_wb_aws/events/`. `in_use` gives the ids of
    the role sessions that a living process uses. `process_environment` gives what a process of a role
    session would get: STS is asked as it would ask.
    """

    def __init__(
        self,
        settings: Settings,
        token_cache: TokenCache,
        catalogue: CatalogueFile,
        *,
        clock: Clock,
        rng: random.Random,
        emit: Emit,
        sts: StsClient,
        process_environment: EnvironmentOf | None = None,
        in_use: InUse = frozenset,
    ) -> None:
        self.settings = settings
        self.token_cache = token_cache
        self.catalogue = catalogue
        self.clock = clock
        self._rng = rng
        self._emit = emit
        self._sessions: dict[str, RoleSession] = {}
        self._records = Records(
            settings.store_places or [Place(settings.state_dir, "WbAwsApp.state_dir")],
            settings.root_dir,
        )
        folders = TokenFolders(
            settings.token_places or [Place(settings.token_dir, "WbAwsApp.token_dir")],
            settings.root_dir,
            hidden_shown=settings.hidden_shown,
            probe=lambda: f"{self._records.slot}_probe.token",
        )
        self._files = SessionFiles(
            folders,
            self._records,
            clock,
            living=self.living,
            newest=self._token_for,
        )
        self._starter = Starter(
            self._files,
            sts,
            clock=clock,
            rng=rng,
            name_template=settings.session_name_template,
            extra_environment=settings.extra_environment,
            process_environment=process_environment or self._variables_of,
            active=lambda: [s for s in self.living() if self.state_of(s) is State.ACTIVE],
            newest=self._token_for,
        )
        self._tasks = Tasks()
        self._ending = Ending(self._files, self._tasks, clock, emit, self._is_over)
        self.claim_notices = ClaimNotices(token_cache, catalogue)
        self._rights = Rights(token_cache, catalogue, clock, self._tasks)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = asyncio.Event()
        self._ready.set()
        self._late = False
        self._signed_out_early = False
        self.choices = Choices(self._sessions, self._ready.is_set, clock, emit, self._save)
        self._limits = Limits(
            settings.max_role_sessions,
            settings.idle_timeout,
            lambda: in_use() | {s.id for s in self.living() if s.process is not None},
            clock,
        )
        self.refresher = Refresher(
            token_cache, clock, self.living, self._look_after, emit, self._limits.longest_sleep
        )
        if (sign_in := token_cache.source.sign_in) is not None:
            sign_in.completed = self._signed_in
            sign_in.changed = lambda state: emit("sign_in_changed", {"state": state})

    # --- Life of the manager ---------------------------------------------------------------

    async def open(self) -> None:
        """Bring back the last run's role sessions, and look after them from now on.

        A disk that hangs does not hang the caller: what the last run left is brought back once it answers.
        """
        self._ready.clear()
        self._loop = asyncio.get_running_loop()
        opening = self._tasks.begin(self._bring_back(), "open")
        if await self.ready():
            await asyncio.shield(opening)

    async def _bring_back(self) -> None:
        try:
            await self._restore()
        except Exception:  # a bug, or a disk that fails in a new way, must not end the refreshes
            log.exception("What the last run left could not be brought back")
            self.choices.settle(NO_ROLE)  # nobody knows whether that was chosen: so it was
        finally:
            self._ready.set()
        for session in self.living():
            self._ending.with_its_process(session)
        self._tasks.begin(self.refresher.run(), "refresher")
        if not self.choices.default.chosen:
            self._tasks.begin(self._start_default_role(), "default role")

    async def _start_default_role(self) -> None:
        try:
            await start_default_role(self, self.settings.default_role, self._rng)
        finally:
            sign_in = self.token_cache.source.sign_in
            # Until somebody signs in, it is still to come.
            self.choices.default_pending &= sign_in is not None and sign_in.user is None

    async def _restore(self) -> None:
        snapshot = await self._records.open()
        if self._signed_out_early:
            snapshot = Snapshot(NO_ROLE)
        catalogue, hangs = None, False
        try:
            async with asyncio.timeout(CATALOGUE_PATIENCE):
                catalogue = await self.catalogue.current()
        except TimeoutError:
            hangs = True
            log.error("The roles file %s does not answer", self.catalogue.path)
        except WbAwsError:
            pass  # it is reported where it is read
        try:
            await self._files.open()
        except TokenDirectoryRefused as refused:
            log.error("%s %s", refused.detail, refused.admin_hint)
        path_of, now = self._files.path_of, self.clock.now()
        for session in restored(snapshot.records, catalogue, path_of, now):
            self._sessions[session.id] = session
        self.choices.settle(snapshot.default)
        configured = self.settings.default_role
        possible = hangs or (catalogue is not None and catalogue.may_offer_default(configured))
        self.choices.default_pending = bool(configured) or possible
        await self._files.clear_leftovers()

    async def ready(self) -> bool:
        """Wait a few seconds until what the last run left is back; return whether it is.

        A synchronous kernel manager launches its kernels on an event loop of its own, while the
        server's stands still: waiting there would be for ever, so it goes on, and gets no role.
        """
        if asyncio.get_running_loop() is not self._loop:
            return self._ready.is_set()
        if await wait_for_event(self._ready, self.clock, READY_PATIENCE):
            return True
        if not self._late:
            self._late = True
            log.error("%s", self._late_sentence())
        return False

    async def require_ready(self) -> None:
        """Wait a few seconds until what the last run left is back.

        Raises:
            LastRunUnknown: if it is not.
        """
        if not await self.ready():
            raise LastRunUnknown(self._late_sentence(), admin_hint=self._late_remedy())

    def _late_sentence(self) -> str:
        return (
            "What the last run of this server left could not be read yet, since a disk does not answer. Until it does,"
            " kernels, terminals and apps start without AWS credentials."
        )

    def _late_remedy(self) -> str:
        settings = self.settings
        return (
            f"Look at the disks of {settings.state_dir}, {settings.token_dir} and {self.catalogue.path}, or set"
            " WbAwsApp.state_dir, WbAwsApp.token_dir and WbAwsApp.roles_file to folders that answer."
        )

    async def close(self) -> None:
        """Stop; token files go, the records stay for the next run."""
        known = self._ready.is_set()
        await self._tasks.cancel()
        await self.token_cache.close()
        # What was under way was cut short: an end that had begun is one all the same.
        self.choices.settle(self.choices.default)
        if known:  # else the records would be replaced by nothing
            with contextlib.suppress(ServerStopping):  # closed before: it is saved
                await self._save()
        for part in (self._files, self._records):
            try:
                async with asyncio.timeout(CLOSE_PATIENCE):
                    await part.close()
            except TimeoutError:
                log.error("A disk does not answer: token files of this server may stay behind")

    # --- What there is ---------------------------------------------------------------------

    def living(self) -> list[RoleSession]:
        """Return the role sessions that have not ended, oldest first. May be called in any thread."""
        return [session for session in list(self._sessions.values()) if session.ended is None]

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
        session.require_living()
        return session

    def get_shared(self, session_id: str) -> RoleSession:
        """Return a role session that has not ended, and that kernels and terminals may have.

        Raises:
            RoleSessionNotFound, RoleSessionEnded: as `get_living`.
            RoleSessionNotShared: if it is for whoever started it alone.
        """
        session = self.get_living(session_id)
        session.require_shared()
        return session

    @property
    def store_problem(self) -> str | None:
        """Why role sessions can't be kept over a restart of the server, if so."""
        return self._records.problem

    @property
    def notices(self) -> list[tuple[str, str]]:
        """What a user or an administrator should know of our folders and the token's claims, as (code, sentence)."""
        late = self._late and not self._ready.is_set()
        sentence = f"{self._late_sentence()} {self._late_remedy()}"
        return [
            *([("last_run_unknown", sentence)] if late else []),
            *([("store_failed", self.store_problem)] if self.store_problem else []),
            *self._files.notices,
            *self._records.notices,
            *((problem.code, problem.message) for problem in self.claim_notices.current()),
        ]

    @property
    def token_dir_problem(self) -> WbAwsError | None:
        """Why the folder for token files can't be used, if so."""
        return self._files.problem

    def state_of(self, session: RoleSession) -> State:
        """Tell a role session's state now."""
        return session.state(self.token_cache.status(str(session.role.arn)), self.clock.now())

    async def roles(self) -> tuple[Identity, list[Role]]:
        """Return who the user is and the roles that they may pick.

        Raises:
            WbAwsError: if no token or no catalogue can be had.
        """
        identity = self.token_cache.identity_of(await self.token_cache.current())
        offered = (await self.catalogue.current()).offered_to(identity)
        self.claim_notices.current()
        return identity, offered

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
        # A task of ours: a client that hangs up cancels nothing.
        return await self._tasks.do(self._start(role_arn, region, default=default), "start")

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
            pid: a process, with whose end the role session ends.
            started: its start, where whoever asks knows it.

        Raises:
            ProcessNotFound: if there is no such process.
            WbAwsError: what `start` raises.
        """
        return await self._tasks.do(self._start_unshared(role_arn, region, pid, started), "start")

    async def _start(
        self, role_arn: str, region: str | None, *, default: bool | None
    ) -> tuple[RoleSession, bool]:
        session, created = await self._found_or_created(await self._allowed(role_arn, region))
        if default or (default is None and not self.choices.default.chosen):
            await self.choices.choose(session)
        return session, created

    async def _start_unshared(
        self, role_arn: str, region: str | None, pid: int | None, started: str | None
    ) -> RoleSession:
        process = None if pid is None else await asyncio.to_thread(owner_process.find, pid, started)
        start = replace(await self._allowed(role_arn, region), shared=False, process=process)
        return await self._create(start)

    async def _allowed(self, role_arn: str, region: str | None) -> Start:
        """Look whether this user may have the role."""
        arn = RoleArn.parse(role_arn)
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT
        try:
            async with asyncio.timeout_at(deadline):
                await self.require_ready()
                token = await self.token_cache.current(str(arn))
                owner = self.token_cache.identity_of(token)
                role = (await self.catalogue.current()).pick(owner, arn)
        except TimeoutError:
            raise StartTimeout(TOKEN_TOO_LATE) from None
        except RoleNotAllowed:
            log.warning("Refused the role %s: it is not in the user's catalogue", arn)
            self._emit("role_denied", {"role_arn": str(arn), "code": RoleNotAllowed.code})
            raise
        return Start(role, role.region_for(region), token, owner, deadline)

    async def _found_or_created(self, start: Start) -> tuple[RoleSession, bool]:
        for session in self.living():
            if session.shared and start.is_of(session):
                session.last_used = self.clock.now()
                if self.state_of(session) not in (State.ACTIVE, State.STARTING):
                    await self._revive(session, start.deadline)
                return session, False
        key = (*start.key, start.owner.issuer, start.owner.subject)
        return await self._tasks.once(key, lambda: self._create(start), "create")

    async def _revive(self, session: RoleSession, deadline: float) -> None:
        """Renew an ailing role session; one whose token still lives is an answer even so."""
        problem: WbAwsError
        try:
            async with asyncio.timeout_at(deadline):
                await self.refresh(session.id)
            return
        except TimeoutError:
            problem = StartTimeout(TOKEN_TOO_LATE)
        except WbAwsError as told:
            problem = told
        if self.state_of(session) not in (State.ACTIVE, State.DEGRADED):
            raise problem

    async def _create(self, start: Start) -> RoleSession:
        theirs = [session for session in self.living() if session.owner.same_user(start.owner)]
        try:
            with self._limits.room(theirs, self.choices.is_default):
                session = await self._starter.make(start)
        except TimeoutError:
            raise StsTimeout(STS_TOO_LATE) from None
        except WbAwsError as problem:
            log.warning("The role %s did not start: %s", start.role.arn, problem.detail)
            self._emit("role_denied", {"role_arn": str(start.role.arn), "code": problem.code})
            raise
        self._sessions[session.id] = session
        session.announced = self.state_of(session)
        log.info(
            "Role session %s started: role %s, session name %s, subject %r of %r%s",
            session.id, session.role.arn, session.session_name, session.owner.subject, session.owner.issuer,
            f", for process {session.process.pid}" if session.process else "",
        )  # fmt: skip
        self._emit(
            "session_started",
            {
                "session_id": session.id,
                "role_arn": str(session.role.arn),
                "session_name": session.session_name,
            },
        )
        self._ending.with_its_process(session)
        self.refresher.wake()
        saving = self._tasks.begin(self._save(), "save")
        if session.shared:  # what a command has to itself dies with it: it need not wait for a disk
            await saving
        return session

    def environment_of(self, role: Role) -> dict[str, str]:
        """Return the variables that the site and the role add."""
        return self._starter.environment_of(role)

    async def _variables_of(self, session: RoleSession) -> Mapping[str, str]:
        return self.environment_of(session.role)

    # --- Keeping ---------------------------------------------------------------------------

    async def refresh(self, session_id: str) -> RoleSession:
        """Fetch a new token now, and put it into the file.

        Raises:
            RoleSessionNotFound, RoleSessionEnded: if there is nothing to refresh.
            TokenDirectoryRefused: if the token can't be written, or not in time.
            WbAwsError: if no token can be had; the old one stays until it expires.
        """
        return await self._tasks.do(self._refresh(session_id), "refresh")

    async def _refresh(self, session_id: str) -> RoleSession:
        session = self.get_living(session_id)
        try:
            await self.token_cache.refresh(str(session.role.arn))
        finally:
            delivered = await self._deliver_in_time()
        if not delivered:
            raise self._files.hangs()
        if session.file_problem is not None:
            raise session.file_problem
        return self.get_living(session_id)

    async def _look_after(self) -> None:
        await self._deliver()
        self.claim_notices.current()
        for session in self._limits.idle(self.living()):
            await self._ending.end(session, "idle")

    async def _deliver(self) -> None:
        """End what is its owner's no more; bring every new token in hand to where it belongs."""
        self._mark_strangers()
        await self._ending.end_marked()
        await self._files.mend()
        for session, reason in (await self._rights.lost(self.living())).items():
            await self._ending.end(session, reason)
        for session in self.living():
            token = self.token_cache.status(str(session.role.arn)).token
            if token is None or token.fingerprint == session.written:
                continue
            renewal = session.written is not None
            if await self._files.write(session) and renewal:
                self._emit(
                    "token_refreshed",
                    {"session_id": session.id, "expires_at": rfc3339(token.expires_at)},
                )

    async def _deliver_in_time(self) -> bool:
        """Deliver, and wait a few seconds for it; return whether that was enough. Else it goes on by itself."""
        delivering = self._tasks.begin(self._deliver_and_tell(), "deliver")
        done, _ = await asyncio.wait({delivering}, timeout=DELIVER_PATIENCE)
        if done:
            delivering.result()
        else:
            log.error("Tokens are delivered once the disk answers: %s", self._files.hangs().detail)
        return bool(done)

    async def _deliver_and_tell(self) -> None:
        """Deliver at once what a fetch has brought, or tell why it brought nothing."""
        await self._deliver()
        self.refresher.announce()
        self.refresher.wake()

    def _token_for(self, session: RoleSession) -> WebIdentityToken | None:
        """Return the newest token in hand, if it is the role session's owner's."""
        token = self.token_cache.status(str(session.role.arn)).token
        if token is None or not self.token_cache.identity_of(token).same_user(session.owner):
            return None
        return token

    # --- Signing in and out ----------------------------------------------------------------

    async def _signed_in(self) -> None:
        """Take over a sign-in: another user's role sessions end, those of this one come back to life."""
        # First of all: whatever starts from here on is not the former user's any more.
        self._mark_strangers()
        await self.ready()
        try:
            await self.token_cache.refresh_all()
        finally:
            await self._deliver_in_time()
        if not self.choices.default.chosen:
            self._tasks.begin(self._start_default_role(), "default role")

    async def sign_out(self) -> tuple[SignedOut, datetime | None]:
        """Sign out: every role session ends, and the identity provider is told.

        Returns:
            what became of the sign-in there, and until when credentials that were issued before may
            live, None where there can be none.

        Raises:
            SignInNotNeeded: if the token source does not ask the user.
        """
        sign_in = self.token_cache.source.sign_in
        if sign_in is None:
            raise SignInNotNeeded
        # A disk that hangs keeps nobody signed in: what the last run left ends as soon as it is known.
        self._signed_out_early = not await self.ready()
        return await self._tasks.do(self._sign_out(sign_in), "sign out")

    async def _sign_out(self, sign_in: SignIn) -> tuple[SignedOut, datetime | None]:
        # At once: a sign-in that is being finished may hold up what follows, and so may the provider.
        leaving = self._mark_all("signed_out")
        grant = await sign_in.leave()
        leaving += self._mark_all("signed_out")  # before anybody else can sign in
        self.token_cache.forget()
        telling = self._tasks.begin(sign_in.tell_provider(grant), "tell the provider")
        await self._end_in_time(leaving, "signed_out")
        signed_out = await telling
        now = self.clock.now()
        until = (s.ended.credentials_expire_at for s in self._sessions.values() if s.ended)
        return signed_out, max((end for end in until if end > now), default=None)

    def _mark_all(self, reason: EndReason) -> list[RoleSession]:
        marked = self.living()
        for session in marked:
            self._ending.mark(session, reason)
        return marked

    def _mark_strangers(self) -> None:
        """Let every role session be over that is another's than the user who is signed in, or known."""
        sign_in = self.token_cache.source.sign_in
        for session in self.living():
            token = self.token_cache.status(str(session.role.arn)).token
            user = sign_in.user if sign_in else None
            if user is None and token is not None and token.fingerprint != session.written:
                user = self.token_cache.identity_of(token)
            if user is not None and not session.owner.same_user(user):
                self._ending.mark(session, "identity_changed")

    # --- Ending ----------------------------------------------------------------------------

    async def end(self, session_id: str) -> datetime:
        """End a role session; its file goes. Again: the same answer.

        Returns:
            until when credentials that were issued before may live.

        Raises:
            RoleSessionNotFound: if none has this id.
        """
        await self.require_ready()
        session = self.get(session_id)
        await self._end_in_time([session], "by_user")
        assert session.ended is not None
        return session.ended.credentials_expire_at

    async def _end_in_time(self, sessions: Sequence[RoleSession], reason: EndReason) -> None:
        """End role sessions, and wait a few seconds until their files are removed."""
        try:
            async with asyncio.timeout(READY_PATIENCE):
                await self._ending.end_all(sessions, reason)
        except TimeoutError:
            ids = ", ".join(session.id for session in sessions)
            log.error("The files of role sessions are removed once the disk answers: %s", ids)

    async def _is_over(self, session: RoleSession) -> None:
        await self.choices.end(session)
        self._forget_old_ends()
        self.refresher.wake()
        await self._save()

    def _forget_old_ends(self) -> None:
        over = [s.id for s in self._sessions.values() if s.ended is not None]
        for session_id in over[:-ENDED_KEPT]:
            del self._sessions[session_id]

    # --- Scripts ----------------------------------------------------------------------

    def script_path(self, name: str) -> Path:
        """Return where a script is, beside the token files; `name` holds letters and digits."""
        return self._files.script_path(name)

    async def write_script(self, path: Path, content: str) -> None:
        """Replace a script; it goes with the server.

        Raises:
            TokenDirectoryRefused: if it can't be written.
        """
        await self._files.write_script(path, content)

    # --- Choosing --------------------------------------------------------------------------

    async def set_default(self, session_id: str | None) -> None:
        """Choose what starts next gets; None is "no AWS role".

        Raises:
            RoleSessionNotFound, RoleSessionEnded, RoleSessionNotShared: if it can't be used.
        """
        await self.require_ready()
        session = None if session_id is None else self.get_shared(session_id)
        await self._tasks.do(self.choices.choose(session), "choose")

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
        try:
            deadline = asyncio.get_running_loop().time() + START_TIMEOUT
            async with asyncio.timeout_at(deadline):
                token = await self.token_cache.current(str(session.role.arn))
                if not self.token_cache.identity_of(token).same_user(session.owner):
                    await self._ending.end(session, "identity_changed")
                    self.get_living(session.id)
                return await self._starter.verify(session, token, deadline)
        except TimeoutError:
            raise StsTimeout(STS_TOO_LATE) from None

    async def _save(self) -> None:
        # Nobody waits long for a disk (a home on NFS): it is saved as soon as it can be.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SAVE_PATIENCE):
                await self._records.save(lambda: snapshot_of(self.choices.default, self.living()))
