"""Keeps token files current: the background loop, and what a user or a sign-in asks for at once."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from jupyter_wb_aws.clock import rfc3339, wait_for_event
from jupyter_wb_aws.errors import RoleNotAllowed, SignInRequired, WbAwsError
from jupyter_wb_aws.identity.token_cache import TokenCache, TokenStatus
from jupyter_wb_aws.role_sessions.context import Context
from jupyter_wb_aws.role_sessions.ending import Ending
from jupyter_wb_aws.role_sessions.limits import Limits
from jupyter_wb_aws.role_sessions.registry import Registry
from jupyter_wb_aws.role_sessions.rights import ROLES_FILE_TIMEOUT, Rights
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.schedule import next_refresh
from jupyter_wb_aws.role_sessions.session_files import SessionFiles

log = logging.getLogger(__name__)

MIN_SLEEP = 0.05
# The role catalogue is looked at between two accesses to the disk of the token files, 5 s for both.
DELIVERY_TIMEOUT = ROLES_FILE_TIMEOUT + 5.0


class Refresher:
    """Refreshes the tokens of living role sessions when they are due, and delivers them.

    Args:
        context: what all parts share.
        sessions: the role sessions.
        token_cache: fetches the tokens.
        files: the token files.
        rights: decides whose role sessions they still are.
        limits: decides which have been idle for too long.
        ending: ends those.
    """

    def __init__(
        self,
        context: Context,
        sessions: Registry,
        token_cache: TokenCache,
        files: SessionFiles,
        rights: Rights,
        limits: Limits,
        ending: Ending,
    ) -> None:
        self._context = context
        self._sessions = sessions
        self._token_cache = token_cache
        self._files = files
        self._rights = rights
        self._limits = limits
        self._ending = ending

    # --- The loop --------------------------------------------------------------------------

    async def run(self) -> None:
        """Look and sleep, until cancelled."""
        while True:
            self._sessions.changed.clear()
            try:
                pause = await self.step()
            except Exception:  # a bug must not end the refreshes of every role session
                log.exception("Looking after the role sessions failed; trying again")
                pause = self._limits.max_sleep.total_seconds()
            await wait_for_event(self._sessions.changed, self._context.clock, pause)

    async def step(self) -> float:
        """Refresh what is due, deliver it, report what changed; return the seconds until the next step."""
        self._token_cache.check_sign_in()
        now = self._context.clock.now()
        due = [
            self._fetch(arn, token_status)
            for arn, token_status in self._distinct().items()
            if self._due_at(arn, token_status, now) <= now
        ]
        await asyncio.gather(*due)
        await self._deliver()
        for session in self._limits.find_idle():
            await self._ending.end(session, "idle")
        self._report_states()
        now = self._context.clock.now()
        looks = [self._due_at(arn, status, now) for arn, status in self._distinct().items()]
        if (look := self._rights.next_look(now)) is not None:
            looks.append(look)
        pause = min([look - now for look in looks], default=self._limits.max_sleep)
        return max(min(pause, self._limits.max_sleep).total_seconds(), MIN_SLEEP)

    def _due_at(self, arn: str, token_status: TokenStatus, now: datetime) -> datetime:
        return now if self._token_cache.is_withdrawn(arn) else next_refresh(token_status, now)

    def _distinct(self) -> dict[str, TokenStatus]:
        """Return one role ARN for each distinct token, with what is known of it."""
        by_token: dict[int, tuple[str, TokenStatus]] = {}
        for session in self._sessions.living():
            token_status = self._sessions.token_status(session)
            by_token.setdefault(id(token_status), (str(session.role.arn), token_status))
        return dict(by_token.values())

    async def _fetch(self, arn: str, token_status: TokenStatus) -> None:
        before = token_status.problem
        try:
            await self._token_cache.refresh(arn)
        except WbAwsError as problem:
            if isinstance(problem, SignInRequired) and isinstance(before, SignInRequired):
                return  # reported once: it waits for the user
            if isinstance(problem, RoleNotAllowed):
                return  # the end of the role session reports it
            log.warning(
                "No new web identity token (try %d): %s", token_status.failures, problem.detail
            )
            self._context.emit(
                "refresh_failed",
                {"code": problem.code, "detail": problem.detail, "failures": token_status.failures},
            )

    def _report_states(self) -> None:
        """Report each role session whose state is not the one that was reported last."""
        for session in self._sessions.living():
            state = self._sessions.state_of(session)
            if state is not session.reported_state:
                before, session.reported_state = session.reported_state, state
                name = session.role.arn.name
                log.info("Role session %s (%s): %s -> %s", session.id, name, before, state)
                self._context.emit(
                    "state_changed", {"session_id": session.id, "state": state, "before": before}
                )

    # --- At once ---------------------------------------------------------------------------

    async def refresh(self, session_id: str) -> RoleSession:
        """Fetch a new token now, and write it to the file; the endpoint fetches new credentials with it.

        A caller that goes away cancels nothing.

        Raises:
            RoleSessionNotFound, RoleSessionEnded: if there is nothing to refresh.
            TokenFolderRefused: if the token can't be written, or not in time.
            WbAwsError: if no token is available; the old one stays until it expires.
        """
        return await self._context.tasks.do(self._refresh(session_id), "refresh")

    async def refresh_all(self) -> None:
        """Fetch every token again, and deliver what came: another user may have signed in.

        Raises:
            WbAwsError: if no token is available.
        """
        try:
            await self._token_cache.refresh_all()
        finally:
            await self._deliver_in_time()

    async def _refresh(self, session_id: str) -> RoleSession:
        session = self._sessions.get_living(session_id)
        try:
            await self._token_cache.refresh(str(session.role.arn))
        finally:
            delivered = await self._deliver_in_time()
        if not delivered:
            raise self._files.disk_problem()
        if session.file_problem is not None:
            raise session.file_problem
        if session.delivery == "endpoint":
            await self._context.endpoint.refresh(session)
        return self._sessions.get_living(session_id)

    # --- Delivery --------------------------------------------------------------------------

    async def _deliver(self) -> None:
        """End the role sessions that their owner may no longer use, and write new tokens to the files of the others."""
        self._ending.mark(self._rights.of_other_users(), "identity_changed")
        await self._ending.end_marked()
        await self._files.mark_missing()
        for session, reason in (await self._rights.find_disallowed()).items():
            await self._ending.end(session, reason)
        for session in self._sessions.living():
            await self._write(session)
        self._context.endpoint.look()

    async def _write(self, session: RoleSession) -> None:
        token = self._sessions.token_status(session).token
        if token is None or token.fingerprint == session.file_fingerprint:
            return
        first = session.file_fingerprint is None
        if await self._files.write(session) and not first:
            self._context.emit(
                "token_refreshed",
                {"session_id": session.id, "expires_at": rfc3339(token.expires_at)},
            )

    async def _deliver_in_time(self) -> bool:
        """Deliver, and return whether a few seconds were enough; if not, it goes on in the background."""
        delivering = self._context.tasks.begin(self._deliver_and_report(), "deliver")
        done, _ = await asyncio.wait({delivering}, timeout=DELIVERY_TIMEOUT)
        if done:
            delivering.result()
        else:
            log.error(
                "Tokens are delivered once the disk answers: %s", self._files.disk_problem().detail
            )
        return bool(done)

    async def _deliver_and_report(self) -> None:
        await self._deliver()
        self._report_states()
        self._sessions.changed.set()
