"""The credentials that the endpoint gives: fetched once for a role session, and kept fresh while it lives.

1. However many ask at once, one call to STS is under way for a key. It goes on when those who ask have left.
2. Credentials are replaced in the background at the time of `lease.refresh_at`, so that 600 s are always left.
3. Who asks while none are there, or while fewer than 600 s are left, waits for the call, but not for long: SDKs give
   up after 2 s. Then the credentials that there are still do.
4. A passing failure of STS is tried again, after 1 s to 60 s, and takes nothing away. Where STS refuses, it is asked
   again only with another token, or when a user refreshes or starts the role session.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jupyter_wb_aws.aws.credential_options import CredentialOptions
from jupyter_wb_aws.aws.sts import Credentials
from jupyter_wb_aws.clock import Clock, wait_for_event
from jupyter_wb_aws.endpoint.lease import ALWAYS_LEFT, refresh_at
from jupyter_wb_aws.errors import (
    StsBadAnswer,
    StsRejected,
    StsTimeout,
    TokenRefused,
    TrustRefused,
    WbAwsError,
)
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.schedule import MAX_SLEEP, MIN_PAUSE, back_off
from jupyter_wb_aws.roles.role import RoleArn
from jupyter_wb_aws.tasks import Tasks

log = logging.getLogger(__name__)

# Seconds. botocore gives up after 2 s (`ContainerMetadataFetcher.TIMEOUT_SECONDS`), and JavaScript warns after 1 s.
PATIENCE = 1.5
MIN_SLEEP = 0.05
# STS says the same until somebody changes the role, its policies or the token.
PERMANENT = (TrustRefused, TokenRefused, StsRejected)
# An answer names whole seconds, and must not name a past one.
LEAST_LEFT = timedelta(seconds=1)

# Asks STS for credentials of a role session, with these options.
Fetch = Callable[[RoleSession, CredentialOptions], Awaitable[Credentials]]


class CredentialsNotReady(StsTimeout):
    """STS has not answered yet; the call goes on."""


@dataclass(frozen=True, slots=True)
class CredentialKey:
    """Everything that makes credentials differ: what differs in any of it never gets the other's.

    Args:
        owner: issuer and subject of the user.
        session_id: the role session's.
        session_name: AWS's RoleSessionName.
        role: the role.
        region: the region whose STS is asked.
        options: lifetime, policies, tags, a second hop.
        environment: what the role adds to its processes; it may name another STS.
    """

    owner: tuple[str, str]
    session_id: str
    session_name: str
    role: RoleArn
    region: str | None
    options: CredentialOptions
    environment: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, session: RoleSession) -> CredentialKey:
        """Return the key of what a role session gets now; its entry in the roles file may have changed."""
        owner = (session.owner.issuer, session.owner.subject)
        environment = tuple(sorted(session.role.extra_environment.items()))
        return cls(
            owner, session.id, session.session_name, session.role.arn, session.region,
            session.credential_options, environment,
        )  # fmt: skip


@dataclass(slots=True, eq=False)
class _Entry:
    """What is known of one key. `failed_with` is the token of the last failure; `retry_at` None: not to be asked with it again."""

    session: RoleSession
    options: CredentialOptions
    credentials: Credentials | None = None
    refresh_at: datetime | None = None
    failures: int = 0
    retry_at: datetime | None = None
    problem: WbAwsError | None = None
    failed_with: str | None = None
    call: asyncio.Task[None] | None = None
    called_at: datetime | None = None

    def left(self, now: datetime) -> timedelta:
        """Return how long the credentials are good; zero if there are none."""
        return self.credentials.expiration - now if self.credentials else timedelta(0)

    def is_due(self, now: datetime) -> bool:
        """Return whether new ones are wanted."""
        return self.refresh_at is None or self.refresh_at <= now

    def keep(self, credentials: Credentials, now: datetime) -> None:
        """Take new credentials into use."""
        self.credentials, self.refresh_at = credentials, refresh_at(now, credentials.expiration)
        self.failures, self.problem, self.retry_at = 0, None, None

    def may_ask(self, token: str | None, now: datetime) -> bool:
        """Return whether STS is to be asked with a token."""
        if self.problem is None or token != self.failed_with:
            return True
        return self.retry_at is not None and self.retry_at <= now


class CredentialCache:
    """The credentials of role sessions.

    `run`, `current` and `fetch_now` belong in the endpoint's loop; the rest may be called in any thread.

    Args:
        fetch: asks STS, in the endpoint's loop.
        token_of: returns the fingerprint of a role session's token, or None where there is none.
        is_used: returns whether anybody may ask for a role session's credentials, so that they are kept fresh.
        changed: called, in the endpoint's thread, when a role session's `credential_problem` changes.
        clock: dates and waits.
        rng: draws jitter.
    """

    def __init__(
        self,
        fetch: Fetch,
        token_of: Callable[[RoleSession], str | None],
        is_used: Callable[[RoleSession], bool],
        changed: Callable[[], None],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._fetch = fetch
        self._token_of = token_of
        self._is_used = is_used
        self._changed = changed
        self._clock = clock
        self._rng = rng
        self._sessions: dict[str, RoleSession] = {}
        self._entries: dict[CredentialKey, _Entry] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._tasks = Tasks()

    # --- In any thread ---------------------------------------------------------------------

    def add(self, session: RoleSession, credentials: Credentials | None = None) -> None:
        """Answer for a role session from now on.

        Args:
            session: the role session.
            credentials: those of its start; None if they must be fetched, unless they are there.
        """
        entry = self._entries.setdefault(
            CredentialKey.of(session), _Entry(session, session.credential_options)
        )
        if credentials is not None:
            self._keep(entry, credentials)
        self._sessions[session.id] = session
        self.wake()

    def forget(self, session: RoleSession) -> None:
        """Forget a role session."""
        self._sessions.pop(session.id, None)
        # A copy: another thread may add one meanwhile.
        for key in list(self._entries):
            if key.session_id == session.id:
                self._entries.pop(key, None)

    def wake(self) -> None:
        """Look at all role sessions again: one may have ended, and a token may have come."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # its thread has ended
                loop.call_soon_threadsafe(self._wake.set)

    def peek(self, session: RoleSession) -> Credentials | None:
        """Return the credentials of a living role session, if they are fresh."""
        entry, now = self._entries.get(CredentialKey.of(session)), self._clock.now()
        if entry is None or session.ended is not None or entry.is_due(now):
            return None
        return entry.credentials if entry.left(now) > LEAST_LEFT else None

    # --- In the endpoint's loop ------------------------------------------------------------

    async def run(self) -> None:
        """Keep credentials fresh until cancelled."""
        self._enter_loop()
        try:
            while True:
                self._wake.clear()
                pause = self._step()
                await wait_for_event(self._wake, self._clock, pause)
        finally:
            await self._tasks.cancel()

    async def current(self, session: RoleSession, patience: float = PATIENCE) -> Credentials:
        """Return credentials that are good for a while.

        Args:
            session: the role session.
            patience: how many seconds to wait for STS, at most.

        Raises:
            RoleSessionEnded: if the role session has ended.
            CredentialsNotReady: if STS has not answered by then, and there are none.
            WbAwsError: what STS says, if there are none.
        """
        entry = self._living_entry(session)
        if entry.is_due(self._clock.now()):
            call = self._call(entry)
            if call is not None and entry.left(self._clock.now()) < ALWAYS_LEFT:
                await self._wait(entry, call, patience)
                session.require_living()
        if entry.credentials is not None and entry.left(self._clock.now()) > LEAST_LEFT:
            return entry.credentials
        if entry.problem is not None:
            raise _again(entry.problem)
        raise CredentialsNotReady(
            f"AWS STS has not yet answered for {session.role.label}; ask again in a moment."
        )

    async def fetch_now(self, session: RoleSession) -> None:
        """Fetch new credentials, even if STS refused before.

        Raises:
            RoleSessionEnded: if the role session has ended.
            WbAwsError: what STS says; the credentials that there are stay.
        """
        entry = self._living_entry(session)
        call = self._call(entry, now=True)
        assert call is not None
        await asyncio.wait({call})
        session.require_living()
        if entry.problem is not None:
            raise _again(entry.problem)

    def _enter_loop(self) -> None:
        """Begin again where the endpoint's thread was started again: what the old one awaited never ends."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._wake, self._tasks = loop, asyncio.Event(), Tasks()
            for entry in list(self._entries.values()):
                entry.call = None

    def _step(self) -> float:
        """Begin the calls that are due; return the seconds until the next look."""
        now, pauses = self._clock.now(), [MAX_SLEEP]
        for session in list(self._sessions.values()):
            if session.ended is not None:
                self.forget(session)
            elif self._is_used(session):
                entry = self._entry(session)
                # A role session of the last run has no token yet; `wake` is called when it comes.
                if entry.is_due(now) and self._token_of(session) is not None:
                    self._call(entry)
                next_look = entry.retry_at if entry.is_due(now) else entry.refresh_at
                if entry.call is None and next_look is not None:
                    pauses.append(next_look - now)
        return max(min(pauses).total_seconds(), MIN_SLEEP)

    def _living_entry(self, session: RoleSession) -> _Entry:
        session.require_living()
        self._enter_loop()
        return self._entry(session)

    def _entry(self, session: RoleSession) -> _Entry:
        """Return what is known of what a role session gets now, and forget what it got before."""
        key = CredentialKey.of(session)
        if key not in self._entries:
            self.forget(session)
            self._entries[key] = _Entry(session, session.credential_options)
            self._sessions[session.id] = session
        return self._entries[key]

    # --- One call --------------------------------------------------------------------------

    def _call(self, entry: _Entry, *, now: bool = False) -> asyncio.Task[None] | None:
        """Return the call that is under way, or begin one; None if STS is not to be asked yet."""
        if entry.call is None and (now or self._may_ask(entry)):
            entry.called_at = self._clock.now()
            entry.call = self._tasks.begin(self._ask(entry), "fetch credentials")
        return entry.call

    def _may_ask(self, entry: _Entry) -> bool:
        return entry.may_ask(self._token_of(entry.session), self._clock.now())

    async def _ask(self, entry: _Entry) -> None:
        session, token = entry.session, self._token_of(entry.session)
        try:
            # Not with the options of the role session, which may have changed since: these belong to the key.
            self._keep(entry, await self._fetch(session, entry.options))
        except WbAwsError as problem:
            self._failed(entry, problem, token)
        except Exception:  # a bug must not end the refreshes of this role session
            log.exception("Fetching the credentials of role session %s failed", session.id)
            self._failed(entry, WbAwsError(), token)
        finally:
            entry.call = None
            self._wake.set()

    def _keep(self, entry: _Entry, credentials: Credentials) -> None:
        now, session = self._clock.now(), entry.session
        if credentials.expiration - now <= LEAST_LEFT:
            raise StsBadAnswer("AWS STS gave credentials that have expired. Compare the clocks.")
        entry.keep(credentials, now)
        known = session.credentials_expire_at or credentials.expiration
        session.credentials_expire_at = max(known, credentials.expiration)
        self._report(session, None)

    def _failed(self, entry: _Entry, problem: WbAwsError, token: str | None) -> None:
        entry.failures += 1
        entry.problem, entry.failed_with, entry.retry_at = problem, token, None
        if isinstance(problem, PERMANENT):
            then = "it is asked again with the next token, or when you refresh the role session"
        else:
            entry.retry_at = self._clock.now() + self._pause(entry, problem)
            then = f"try {entry.failures}"
        log.warning(
            "No new credentials for role session %s (%s): %s", entry.session.id, then, problem.detail
        )  # fmt: skip
        self._report(entry.session, problem)

    def _pause(self, entry: _Entry, problem: WbAwsError) -> timedelta:
        """Return how long to wait after a passing failure: short enough for several tries before the expiry."""
        pause = back_off(entry.failures, self._rng.random(), problem.retry_after)
        left = entry.left(self._clock.now())
        return min(pause, max(left / 4, MIN_PAUSE)) if left > LEAST_LEFT else pause

    def _report(self, session: RoleSession, problem: WbAwsError | None) -> None:
        before, session.credential_problem = session.credential_problem, problem
        if type(before) is not type(problem):
            self._changed()

    async def _wait(self, entry: _Entry, call: asyncio.Task[None], patience: float) -> None:
        """Wait for a call; where there are credentials, no longer than `patience` after it began."""
        if entry.left(self._clock.now()) > LEAST_LEFT and entry.called_at is not None:
            patience -= (self._clock.now() - entry.called_at).total_seconds()
        timer = asyncio.ensure_future(self._clock.sleep(max(patience, 0)))
        try:
            await asyncio.wait({call, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()


def _again(problem: WbAwsError) -> WbAwsError:
    """Return a problem without the frames of earlier requests: each raise would add more."""
    return problem.with_traceback(None)
