"""Starts, keeps and ends role sessions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_wb_aws.aws.sts import CallerIdentity, Sts, StsRequest
from jupyter_wb_aws.clock import Clock, rfc3339
from jupyter_wb_aws.errors import (
    RoleNotAllowed,
    RoleSessionNotFound,
    ServerStopping,
    SignInNotNeeded,
    SignInRequired,
    StsTimeout,
    TokenDirectoryRefused,
    WbAwsError,
)
from jupyter_wb_aws.identity.supply import TokenSupply
from jupyter_wb_aws.identity.token import Identity, WebIdentityToken
from jupyter_wb_aws.role_sessions.choices import Choices
from jupyter_wb_aws.role_sessions.default_role import start_default_role
from jupyter_wb_aws.role_sessions.limits import InUse, Limits
from jupyter_wb_aws.role_sessions.records import Records, restored, snapshot_of
from jupyter_wb_aws.role_sessions.refresher import Emit, Refresher
from jupyter_wb_aws.role_sessions.rights import Rights
from jupyter_wb_aws.role_sessions.role_session import (
    Ended,
    EndReason,
    RoleSession,
    State,
    session_name,
)
from jupyter_wb_aws.role_sessions.session_files import SessionFiles
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile
from jupyter_wb_aws.roles.role import Role, RoleArn
from jupyter_wb_aws.tasks import Tasks

if TYPE_CHECKING:
    from jupyter_wb_aws.identity.sign_in import SignedOut, SignIn

log = logging.getLogger(__name__)

# A start that takes longer is told as failed: people wait in front of it, 20 s in all. The rest is
# for a store on a slow disk, which is written to twice.
START_TIMEOUT = 16.0
STS_TOO_LATE = f"AWS STS did not answer within {START_TIMEOUT:g} s."
TOKEN_TOO_LATE = "The web identity token did not come in time."  # noqa: S105 - a sentence
SAVE_PATIENCE = 2.0
# Ended role sessions that GET /aws/sessions/{id} still knows.
ENDED_KEPT = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """What a site decides about role sessions.

    `token_dir` and `store_dir` are folders of ours; `root_dir` is what Jupyter's file browser shows.
    `extra_environment` reaches every role session; a role's own wins over it. `most_role_sessions`
    and `idle_end` are limits; 0 is none.
    """

    token_dir: Path
    store_dir: Path
    root_dir: Path
    hidden_shown: bool = False
    session_name_template: str = "{user}-{session_id}"
    default_role: str = ""
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    most_role_sessions: int = 0
    idle_end: timedelta = timedelta()


class RoleSessionManager:
    """The role sessions of one server.

    `emit` takes an event's name and its data; see `jupyter_wb_aws/events/`. `in_use` gives the ids of
    the role sessions that a living process uses.
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
        in_use: InUse = frozenset,
    ) -> None:
        self.settings = settings
        self.supply = supply
        self.catalogue = catalogue
        self.clock = clock
        self._rng = rng
        self._emit = emit
        self._sts = sts or Sts()
        self._sessions: dict[str, RoleSession] = {}
        self._records = Records(settings.store_dir, settings.root_dir)
        self._files = SessionFiles(
            settings.token_dir,
            settings.root_dir,
            self._records,
            hidden_shown=settings.hidden_shown,
            living=self.living,
            newest=self._token_for,
        )
        self._marked: set[str] = set()
        self._tasks = Tasks()
        self._rights = Rights(supply, catalogue, clock, self._tasks)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = asyncio.Event()
        self._ready.set()
        self.choices = Choices(self._sessions, self._ready.is_set, clock, emit, self._save)
        self._limits = Limits(settings.most_role_sessions, settings.idle_end, in_use, clock)
        self.refresher = Refresher(
            supply, clock, self.living, self._look_after, emit, self._limits.longest_sleep
        )
        if (sign_in := supply.source.sign_in) is not None:
            sign_in.completed = self._signed_in
            sign_in.changed = lambda state: emit("sign_in_changed", {"state": state})

    # --- Life of the manager ---------------------------------------------------------------

    async def open(self) -> None:
        """Bring back the last run's role sessions, and look after them from now on."""
        self._ready.clear()
        self._loop = asyncio.get_running_loop()
        try:
            await self._restore()
        except Exception:  # a bug, or a disk that fails in a new way, must not end the renewal
            log.exception("What the last run left could not be brought back")
        finally:
            self._ready.set()
        self._tasks.begin(self.refresher.run(), "refresher")
        if not self.choices.default.chosen:
            self._tasks.begin(self._start_default_role(), "default role")

    async def _start_default_role(self) -> None:
        try:
            await start_default_role(self, self.settings.default_role, self._rng)
        finally:
            sign_in = self.supply.source.sign_in
            # Until somebody signs in, it is still to come.
            self.choices.default_pending &= sign_in is not None and sign_in.user is None

    async def _restore(self) -> None:
        snapshot = await self._records.open()
        catalogue = None
        with contextlib.suppress(WbAwsError):
            catalogue = await self.catalogue.current()
        for session in restored(snapshot.records, catalogue, self._files.path_of):
            self._sessions[session.id] = session
        self.choices.settle(snapshot.default)
        configured = self.settings.default_role
        possible = catalogue is not None and catalogue.may_offer_default(configured)
        self.choices.default_pending = bool(configured) or possible
        try:
            await self._files.open()
        except TokenDirectoryRefused as refused:
            log.error("%s %s", refused.detail, refused.admin_hint)

    async def ready(self) -> None:
        """Return when what the last run left is back; what is asked before then has to wait.

        A synchronous kernel manager launches its kernels on an event loop of its own, while the
        server's stands still: waiting there would be for ever, so it goes on, and gets no role.
        """
        if asyncio.get_running_loop() is self._loop:
            await self._ready.wait()

    async def close(self) -> None:
        """Stop; token files go, the records stay for the next run."""
        await self._tasks.cancel()
        await self.supply.close()
        # What was under way was cut short: an end that had begun is one all the same.
        self.choices.settle(self.choices.default)
        with contextlib.suppress(ServerStopping):  # closed before: it is saved
            await self._save()
        await self._files.close()
        await self._records.close()

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
        session.require_living()
        return session

    @property
    def store_problem(self) -> str | None:
        """Why role sessions can't be kept over a restart of the server, if so."""
        return self._records.problem

    @property
    def token_dir_problem(self) -> WbAwsError | None:
        """Why the folder for token files can't be used, if so."""
        return self._files.problem

    def state_of(self, session: RoleSession) -> State:
        """Tell a role session's state now."""
        return session.state(self.supply.holding(str(session.role.arn)), self.clock.now())

    async def roles(self) -> tuple[Identity, list[Role]]:
        """Return who the user is and the roles that they may pick.

        Raises:
            WbAwsError: if no token or no catalogue can be had.
        """
        identity = self.supply.identity_of(await self.supply.current())
        return identity, (await self.catalogue.current()).offered_to(identity)

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

    async def _start(
        self, role_arn: str, region: str | None, *, default: bool | None
    ) -> tuple[RoleSession, bool]:
        arn = RoleArn.parse(role_arn)
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT
        try:
            async with asyncio.timeout_at(deadline):
                await self.ready()
                token = await self.supply.current(str(arn))
                role = (await self.catalogue.current()).pick(self.supply.identity_of(token), arn)
        except TimeoutError:
            raise StsTimeout(TOKEN_TOO_LATE) from None
        except RoleNotAllowed:
            log.warning("Refused the role %s: it is not in the user's catalogue", arn)
            self._emit("role_denied", {"role_arn": str(arn), "code": RoleNotAllowed.code})
            raise
        key = (str(arn), role.region_for(region))
        session, created = await self._found_or_created(key, role, token, deadline)
        if default or (default is None and not self.choices.default.chosen):
            await self.choices.choose(session)
        return session, created

    async def _found_or_created(
        self, key: tuple[str, str | None], role: Role, token: WebIdentityToken, deadline: float
    ) -> tuple[RoleSession, bool]:
        user = self.supply.identity_of(token)
        for session in self.living():
            if session.key == key and session.owner.same_user(user):
                session.last_used = self.clock.now()
                if self.state_of(session) not in (State.ACTIVE, State.STARTING):
                    await self._revive(session, deadline)
                return session, False
        return await self._tasks.once(
            (*key, user.issuer, user.subject),
            lambda: self._create(key, role, token, deadline),
            "create",
        )

    async def _revive(self, session: RoleSession, deadline: float) -> None:
        """Renew an ailing role session; one whose token still lives is an answer even so."""
        problem: WbAwsError
        try:
            async with asyncio.timeout_at(deadline):
                await self.refresh(session.id)
            return
        except TimeoutError:
            problem = StsTimeout(TOKEN_TOO_LATE)
        except WbAwsError as told:
            problem = told
        if self.state_of(session) not in (State.ACTIVE, State.DEGRADED):
            raise problem

    async def _create(
        self, key: tuple[str, str | None], role: Role, token: WebIdentityToken, deadline: float
    ) -> RoleSession:
        user = self.supply.identity_of(token)
        theirs = [session for session in self.living() if session.owner.same_user(user)]
        try:
            with self._limits.room(theirs, self.choices.is_default):
                async with asyncio.timeout_at(deadline):
                    session = await self._assumed(role, key[1], token)
                    await self._write_first(session)
        except TimeoutError:
            raise StsTimeout(STS_TOO_LATE) from None
        except WbAwsError as problem:
            log.warning("The role %s did not start: %s", role.arn, problem.detail)
            self._emit("role_denied", {"role_arn": key[0], "code": problem.code})
            raise
        self._sessions[session.id] = session
        session.announced = self.state_of(session)
        log.info(
            "Role session %s started: role %s, session name %s, subject %r of %r",
            session.id, role.arn, session.session_name, session.owner.subject, session.owner.issuer,
        )  # fmt: skip
        self._emit(
            "session_started",
            {
                "session_id": session.id,
                "role_arn": key[0],
                "session_name": session.session_name,
            },
        )
        self.refresher.wake()
        await self._save()
        return session

    async def _assumed(
        self, role: Role, region: str | None, token: WebIdentityToken
    ) -> RoleSession:
        """Have STS say whether the role can be had; the role session that it makes is not known yet."""
        owner = self.supply.identity_of(token)
        session_id = uuid.UUID(int=self._rng.getrandbits(128), version=4).hex[:16]
        name = session_name(self.settings.session_name_template, owner, session_id)
        await self._files.open()  # where there is no place for a token, none is shown to STS
        request = StsRequest(role.arn, region, name, token, self.environment_of(role))
        assumed = await asyncio.to_thread(self._sts.assume, request)
        now = self.clock.now()
        return RoleSession(
            id=session_id,
            role=role,
            region=region,
            session_name=name,
            owner=owner,
            caller=assumed.caller,
            token_file=self._files.path_of(session_id),
            started_at=now,
            credential_lifetime=assumed.credentials_expire_at - now,
        )

    async def _write_first(self, session: RoleSession) -> None:
        """Write the first token; where that fails or comes too late, no file stays."""
        try:
            await self._files.write(session)
        except asyncio.CancelledError:
            self._files.begin_removing(session)
            raise
        if session.file_problem is None and session.written and self._token_for(session):
            return
        await self._files.remove(session)
        raise session.file_problem or SignInRequired(
            "You have signed out, or somebody else has signed in, before the role was started."
        )

    def environment_of(self, role: Role) -> dict[str, str]:
        """Return the variables that the site and the role add."""
        return {**self.settings.extra_environment, **role.extra_environment}

    # --- Keeping ---------------------------------------------------------------------------

    async def refresh(self, session_id: str) -> RoleSession:
        """Fetch a new token now, and put it into the file.

        Raises:
            RoleSessionNotFound, RoleSessionEnded: if there is nothing to refresh.
            WbAwsError: if no token can be had; the old one stays until it expires.
        """
        return await self._tasks.do(self._refresh(session_id), "refresh")

    async def _refresh(self, session_id: str) -> RoleSession:
        session = self.get_living(session_id)
        try:
            await self.supply.renew(str(session.role.arn))
        finally:
            await self._deliver_and_tell()
        if session.file_problem is not None:
            raise session.file_problem
        return self.get_living(session_id)

    async def _look_after(self) -> None:
        await self._deliver()
        for session in self._limits.idle(self.living()):
            await self._end(session, "idle")

    async def _deliver(self) -> None:
        """End what is its owner's no more; bring every new token in hand to where it belongs."""
        self._mark_strangers()
        await self._end_marked()
        await self._files.mend()
        for session, reason in (await self._rights.lost(self.living())).items():
            await self._end(session, reason)
        for session in self.living():
            token = self.supply.holding(str(session.role.arn)).token
            if token is None or token.fingerprint == session.written:
                continue
            renewal = session.written is not None
            if await self._files.write(session) and renewal:
                self._emit(
                    "token_refreshed",
                    {"session_id": session.id, "expires_at": rfc3339(token.expires_at)},
                )

    async def _deliver_and_tell(self) -> None:
        """Deliver at once what a fetch has brought, or tell why it brought nothing."""
        await self._deliver()
        self.refresher.announce()
        self.refresher.wake()

    def _token_for(self, session: RoleSession) -> WebIdentityToken | None:
        """Return the newest token in hand, if it is the role session's owner's."""
        token = self.supply.holding(str(session.role.arn)).token
        if token is None or not self.supply.identity_of(token).same_user(session.owner):
            return None
        return token

    # --- Signing in and out ----------------------------------------------------------------

    async def _signed_in(self) -> None:
        """Take over a sign-in: another user's role sessions end, those of this one come back to life."""
        # First of all: whatever starts from here on is not the former user's any more.
        self._mark_strangers()
        await self.ready()
        try:
            await self.supply.renew_afresh()
        finally:
            await self._deliver_and_tell()
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
        sign_in = self.supply.source.sign_in
        if sign_in is None:
            raise SignInNotNeeded
        await self.ready()
        return await self._tasks.do(self._sign_out(sign_in), "sign out")

    async def _sign_out(self, sign_in: SignIn) -> tuple[SignedOut, datetime | None]:
        # At once: a sign-in that is being finished may hold up what follows, and so may the provider.
        leaving = self._mark_all("signed_out")
        grant = await sign_in.leave()
        leaving += self._mark_all("signed_out")  # before anybody else can sign in
        self.supply.forget()
        telling = self._tasks.begin(sign_in.tell_provider(grant), "tell the provider")
        await asyncio.gather(*(self._end(session, "signed_out") for session in leaving))
        signed_out = await telling
        now = self.clock.now()
        until = (s.ended.credentials_expire_at for s in self._sessions.values() if s.ended)
        return signed_out, max((end for end in until if end > now), default=None)

    def _mark_all(self, reason: EndReason) -> list[RoleSession]:
        marked = self.living()
        for session in marked:
            self._mark_ended(session, reason)
        return marked

    def _mark_strangers(self) -> None:
        """Let every role session be over that is another's than the user who is signed in, or known."""
        sign_in = self.supply.source.sign_in
        for session in self.living():
            token = self.supply.holding(str(session.role.arn)).token
            user = sign_in.user if sign_in else None
            if user is None and token is not None and token.fingerprint != session.written:
                user = self.supply.identity_of(token)
            if user is not None and not session.owner.same_user(user):
                self._mark_ended(session, "identity_changed")

    # --- Ending ----------------------------------------------------------------------------

    async def end(self, session_id: str) -> datetime:
        """End a role session; its file goes. Again: the same answer.

        Returns:
            until when credentials that were issued before may live.

        Raises:
            RoleSessionNotFound: if none has this id.
        """
        await self.ready()
        session = self.get(session_id)
        await self._end(session, "by_user")
        assert session.ended is not None
        return session.ended.credentials_expire_at

    async def _end(self, session: RoleSession, reason: EndReason) -> None:
        """End it once: whoever asks at the same time waits for the same end."""
        self._mark_ended(session, reason)
        if session.id in self._marked:
            await self._tasks.once(session.id, lambda: self._clear_away(session), "end")

    async def _end_marked(self) -> None:
        """Finish the ends that were only marked."""
        marked = [session for session in self._sessions.values() if session.id in self._marked]
        await asyncio.gather(*(self._end(session, "identity_changed") for session in marked))

    def _mark_ended(self, session: RoleSession, reason: EndReason) -> None:
        """Let it be over from now on; what it leaves behind is cleared away by `_end`."""
        if session.ended is None:
            now = self.clock.now()
            session.ended = Ended(now, reason, now + session.credential_lifetime)
            session.announced = State.ENDED
            self._marked.add(session.id)

    async def _clear_away(self, session: RoleSession) -> None:
        """Remove what an ended role session leaves behind, and tell of its end."""
        assert session.ended is not None
        reason = session.ended.reason
        await self._files.remove(session)
        self._marked.discard(session.id)
        until = rfc3339(session.ended.credentials_expire_at)
        log.info(
            "Role session %s (%s) ended: %s; credentials issued before may live until %s",
            session.id, session.role.arn, reason, until,
        )  # fmt: skip
        self._emit(
            "session_ended",
            {"session_id": session.id, "reason": reason, "credentials_expire_at": until},
        )
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
            RoleSessionNotFound, RoleSessionEnded: if it can't be used.
        """
        await self.ready()
        session = None if session_id is None else self.get_living(session_id)
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
            async with asyncio.timeout(START_TIMEOUT):
                token = await self.supply.current(str(session.role.arn))
                if not self.supply.identity_of(token).same_user(session.owner):
                    await self._end(session, "identity_changed")
                    self.get_living(session.id)
                environment = self.environment_of(session.role)
                request = StsRequest(
                    session.role.arn, session.region, session.session_name, token, environment
                )
                return await asyncio.to_thread(self._sts.verify, request)
        except TimeoutError:
            raise StsTimeout(STS_TOO_LATE) from None

    async def _save(self) -> None:
        # Nobody waits long for a disk (a home on NFS): it is saved as soon as it can be.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SAVE_PATIENCE):
                await self._records.save(lambda: snapshot_of(self.choices.default, self.living()))
