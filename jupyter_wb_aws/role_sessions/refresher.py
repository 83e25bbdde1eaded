"""The background loop that keeps token files current."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

from jupyter_wb_aws.clock import Clock, wait_for_event
from jupyter_wb_aws.errors import SignInRequired, WbAwsError
from jupyter_wb_aws.identity.token_cache import TokenCache, TokenStatus
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.schedule import LONGEST_SLEEP, next_look

log = logging.getLogger(__name__)

SHORTEST_SLEEP = 0.05

Emit = Callable[[str, dict[str, Any]], None]


class Refresher:
    """Renews the tokens of living role sessions when they are due.

    Args:
        sessions: gives the living role sessions.
        deliver: writes tokens that are in hand, and not yet in their files; ends what has to end.
        emit: tells what happened, by an event's name and data.
        longest_sleep: how long it sleeps at most between two looks.
    """

    def __init__(
        self,
        token_cache: TokenCache,
        clock: Clock,
        sessions: Callable[[], Iterable[RoleSession]],
        deliver: Callable[[], Awaitable[None]],
        emit: Emit,
        longest_sleep: timedelta = LONGEST_SLEEP,
    ) -> None:
        self._token_cache = token_cache
        self._clock = clock
        self._sessions = sessions
        self._deliver = deliver
        self._emit = emit
        self._longest_sleep = longest_sleep
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look again now: a role session came, or went."""
        self._woken.set()

    async def run(self) -> None:
        """Look and sleep, until cancelled."""
        while True:
            self._woken.clear()
            try:
                pause = await self.step()
            except Exception:  # a bug must not end the renewal of every role session
                log.exception("Looking after the role sessions failed; trying again")
                pause = self._longest_sleep.total_seconds()
            await wait_for_event(self._woken, self._clock, pause)

    async def step(self) -> float:
        """Renew what is due, deliver it, tell what changed; return the seconds until the next look."""
        self._token_cache.sign_in_overdue()
        now = self._clock.now()
        due = [
            self._renew(arn, token_status)
            for arn, token_status in self._distinct().items()
            if next_look(token_status, now) <= now
        ]
        await asyncio.gather(*due)
        await self._deliver()
        self.announce()
        now = self._clock.now()
        looks = [next_look(token_status, now) for token_status in self._distinct().values()]
        pause = min([look - now for look in looks], default=self._longest_sleep)
        return max(min(pause, self._longest_sleep).total_seconds(), SHORTEST_SLEEP)

    def announce(self) -> None:
        """Tell of every role session whose state is not the one told last."""
        now = self._clock.now()
        for session in self._sessions():
            state = session.state(self._token_cache.status(str(session.role.arn)), now)
            if state is not session.announced:
                before, session.announced = session.announced, state
                log.info(
                    "Role session %s (%s): %s -> %s",
                    session.id,
                    session.role.arn.name,
                    before,
                    state,
                )
                self._emit(
                    "state_changed", {"session_id": session.id, "state": state, "before": before}
                )

    def _distinct(self) -> dict[str, TokenStatus]:
        """Return one role ARN for each distinct token, with what is held for it."""
        by_token: dict[int, tuple[str, TokenStatus]] = {}
        for session in self._sessions():
            arn = str(session.role.arn)
            token_status = self._token_cache.status(arn)
            by_token.setdefault(id(token_status), (arn, token_status))
        return dict(by_token.values())

    async def _renew(self, arn: str, token_status: TokenStatus) -> None:
        before = token_status.problem
        try:
            await self._token_cache.refresh(arn)
        except WbAwsError as problem:
            if isinstance(problem, SignInRequired) and isinstance(before, SignInRequired):
                return  # told once: it waits for the user
            log.warning(
                "No new web identity token (try %d): %s", token_status.failures, problem.detail
            )
            self._emit(
                "refresh_failed",
                {"code": problem.code, "detail": problem.detail, "failures": token_status.failures},
            )
