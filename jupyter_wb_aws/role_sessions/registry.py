"""The role sessions of one server: the center that every other part asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from operator import itemgetter

from jupyter_wb_aws.clock import wait_for_event
from jupyter_wb_aws.errors import (
    LastRunUnknown,
    RoleSessionNotFound,
    SignInRequired,
    TokenSourceFailed,
)
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.identity.token_cache import TokenCache, TokenStatus
from jupyter_wb_aws.role_sessions.context import Context
from jupyter_wb_aws.role_sessions.records import Records, snapshot_of
from jupyter_wb_aws.role_sessions.role_session import RoleSession, State
from jupyter_wb_aws.role_sessions.store import NO_ROLE, NOTHING_CHOSEN, DefaultChoice

log = logging.getLogger(__name__)

# Kernels that start, and requests, wait for a disk no longer than this.
READY_TIMEOUT = 5.0
# So many ended role sessions are remembered for GET /aws/sessions/{id}.
MAX_ENDED = 200

LAST_RUN_UNKNOWN = (
    "The role sessions of this server's last run could not be read yet, because a disk does not answer. Until it"
    " does, kernels, terminals and apps start without AWS credentials."
)


class Registry:
    """The role sessions, ended ones too, and which one is the default.

    `changed` is set when a role session starts or ends; the refresher waits for it.

    Args:
        context: what all parts share.
        token_cache: has the tokens, from which a role session's state follows.
        records: keep the role sessions for the server's next run.
        last_run_hint: what an administrator can do where the last run's records can't be read in time.
    """

    def __init__(
        self, context: Context, token_cache: TokenCache, records: Records, last_run_hint: str
    ) -> None:
        self.default = NOTHING_CHOSEN
        self.changed = asyncio.Event()
        self._context = context
        self._token_cache = token_cache
        self._records = records
        self._late_hint = last_run_hint
        self._sessions: dict[str, RoleSession] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._restored = asyncio.Event()
        self._restored.set()
        self._late = False

    # --- The role sessions -----------------------------------------------------------------

    def all(self) -> list[RoleSession]:
        """Return the role sessions, ended ones too, oldest first."""
        return list(self._sessions.values())

    def living(self) -> list[RoleSession]:
        """Return the role sessions that have not ended, oldest first. May be called in any thread."""
        return [session for session in self.all() if session.ended is None]

    def active(self) -> list[RoleSession]:
        """Return the role sessions whose state is `active`."""
        return [session for session in self.living() if self.state_of(session) is State.ACTIVE]

    def find(self, session_id: str | None) -> RoleSession | None:
        """Return a role session, an ended one too; None if none has this id."""
        return self._sessions.get(session_id or "")

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
            RoleSessionEnded: if it has ended.
        """
        session = self.get(session_id)
        session.require_living()
        return session

    def get_shared(self, session_id: str) -> RoleSession:
        """Return a role session that has not ended, and that kernels and terminals may use.

        Raises:
            RoleSessionNotFound: if none has this id.
            RoleSessionEnded: if it has ended.
            RoleSessionNotShared: if it belongs to the command that started it.
        """
        session = self.get_living(session_id)
        session.require_shared()
        return session

    def successor_of(self, session: RoleSession) -> RoleSession | None:
        """Return the living role session of the same role, region and user, if there is one."""
        same = (
            s
            for s in self.living()
            if s.shared
            and (s.role.arn, s.region) == (session.role.arn, session.region)
            and s.owner.same_user(session.owner)
        )
        return next(same, None)

    def add(self, session: RoleSession) -> None:
        """Take in a role session that has just started, and wake the refresher."""
        self._sessions[session.id] = session
        self.changed.set()

    def forget_old_ends(self) -> None:
        """Keep only the `MAX_ENDED` role sessions that ended last, besides the living ones."""
        ended = [(session.ended.at, session.id) for session in self.all() if session.ended]
        ended.sort(key=itemgetter(0))
        for _, session_id in ended[:-MAX_ENDED]:
            del self._sessions[session_id]

    # --- Their tokens ----------------------------------------------------------------------

    def token_status(self, session: RoleSession) -> TokenStatus:
        """Return what is known of the token for a role session's role."""
        return self._token_cache.status(str(session.role.arn))

    async def current_token(self, session: RoleSession) -> WebIdentityToken:
        """Return the current token for a role session's role, fetched if need be; it may be another user's.

        Raises:
            WbAwsError: if no token is available.
        """
        return await self._token_cache.current(str(session.role.arn))

    def token_for(self, session: RoleSession) -> WebIdentityToken | None:
        """Return the current token, if it is the role session's owner's."""
        token = self.token_status(session).token
        return token if token is not None and self.is_owners(session, token) else None

    def require_token(self, session: RoleSession) -> WebIdentityToken:
        """Return the current token, if it is the role session's owner's and valid. May be called in any thread.

        Raises:
            SignInRequired, TokenSourceFailed: if there is none.
        """
        token = self.token_for(session)
        if token is None or token.expires_at <= self._context.clock.now():
            raise self.why_no_token(session, token)
        return token

    def why_no_token(
        self, session: RoleSession, expired: WebIdentityToken | None
    ) -> SignInRequired | TokenSourceFailed:
        """Return why a role session has no valid token; `expired` is the one that it had, if any."""
        problem = self.token_status(session).problem
        if isinstance(problem, SignInRequired):
            return SignInRequired(problem.detail)
        if expired is None:
            return TokenSourceFailed("The role session has no web identity token yet.")
        since = expired.expires_at
        return TokenSourceFailed(f"The role session's token has expired, at {since:%H:%M} UTC.")

    def is_owners(self, session: RoleSession, token: WebIdentityToken) -> bool:
        """Return whether a token is the role session's owner's."""
        return self._token_cache.identity_of(token).same_user(session.owner)

    def state_of(self, session: RoleSession) -> State:
        """Return a role session's state now."""
        return session.state(self.token_status(session), self._context.clock.now())

    # --- The default -----------------------------------------------------------------------

    def is_default(self, session: RoleSession) -> bool:
        """Return whether this is the default role session."""
        return self.default.session_id == session.id

    def set_default(self, choice: DefaultChoice) -> None:
        """Make another choice the default."""
        self.default = choice

    def restore_default(self, default: DefaultChoice) -> None:
        """Set the default; "no AWS role" takes the place of a role session that is unknown or has ended."""
        session = self.find(default.session_id)
        gone = default.chosen and (session is None or session.ended is not None)
        self.default = NO_ROLE if gone else default

    async def save(self) -> None:
        """Keep the living role sessions and the default for the server's next run."""
        await self._records.save(lambda: snapshot_of(self.default, self.living()))

    # --- The last run ----------------------------------------------------------------------

    @property
    def restored(self) -> bool:
        """Whether the last run's role sessions are back."""
        return self._restored.is_set()

    @property
    def last_run_notice(self) -> str | None:
        """A sentence for users and administrators while the last run's records are late."""
        return f"{LAST_RUN_UNKNOWN} {self._late_hint}" if self._late and not self.restored else None

    def begin_restore(self) -> None:
        """Let `wait_until_ready` wait from now on, in this event loop."""
        self._loop = asyncio.get_running_loop()
        self._restored.clear()

    def restore(self, sessions: Iterable[RoleSession], default: DefaultChoice) -> None:
        """Take in the last run's role sessions, and its default."""
        self._sessions.update((session.id, session) for session in sessions)
        self.restore_default(default)

    def end_restore(self) -> None:
        """Let the callers of `wait_until_ready` go on."""
        self._restored.set()

    async def wait_until_ready(self) -> bool:
        """Wait a few seconds until the last run's role sessions are back; return whether they are.

        A synchronous kernel manager launches its kernels on an event loop of its own, while the
        server's stands still. Waiting there would never end, so it goes on, and gets no role.
        """
        if asyncio.get_running_loop() is not self._loop:
            return self.restored
        if await wait_for_event(self._restored, self._context.clock, READY_TIMEOUT):
            return True
        if not self._late:
            self._late = True
            log.error("%s", LAST_RUN_UNKNOWN)
        return False

    async def require_ready(self) -> None:
        """Wait a few seconds until the last run's role sessions are back.

        Raises:
            LastRunUnknown: if they are not.
        """
        if not await self.wait_until_ready():
            raise LastRunUnknown(LAST_RUN_UNKNOWN, admin_hint=self._late_hint)
