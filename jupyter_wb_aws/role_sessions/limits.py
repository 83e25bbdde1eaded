"""What an administrator limits: how many role sessions there are at once, and how long one idles."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import TooManyRoleSessions
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.schedule import LONGEST_SLEEP

InUse = Callable[[], AbstractSet[str]]


class Limits:
    """Says when there are too many role sessions, and which have been idle for too long.

    Args:
        most: role sessions at once; 0 for no limit.
        idle_timeout: how long one may be used by nothing; zero for as long as it likes.
        in_use: gives the ids of those that a living process uses.
        clock: tells for how long.
    """

    def __init__(self, most: int, idle_timeout: timedelta, in_use: InUse, clock: Clock) -> None:
        self._most = most
        self._idle_timeout = idle_timeout
        self._in_use = in_use
        self._clock = clock
        self._coming = 0

    @property
    def longest_sleep(self) -> timedelta:
        """How long the refresher may sleep, so that an idle end is not late by more than half."""
        return min(LONGEST_SLEEP, self._idle_timeout / 2) if self._idle_timeout else LONGEST_SLEEP

    @contextlib.contextmanager
    def room(
        self, living: Sequence[RoleSession], is_default: Callable[[RoleSession], bool]
    ) -> Iterator[None]:
        """Keep a place for one more role session while it is being started.

        Args:
            living: the user's role sessions.
            is_default: tells the default one, which is the last that anybody would end.

        Raises:
            TooManyRoleSessions: if there are as many as there may be; names one that could go.
        """
        if self._most and len(living) + self._coming >= self._most:
            raise self._too_many(living, is_default)
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1

    def _too_many(
        self, living: Sequence[RoleSession], is_default: Callable[[RoleSession], bool]
    ) -> TooManyRoleSessions:
        detail = f"This server allows {self._most} role sessions at once, and there are as many."
        if not living:
            return TooManyRoleSessions(detail)
        used = self._in_use()
        first = min(living, key=lambda s: (s.id in used, is_default(s), s.started_at))
        why = "the oldest" if first.id in used else "which no kernel or terminal uses"
        return TooManyRoleSessions(
            detail,
            hint=f"End one that you need no more: `jupyter wb-aws end {first.id}` ends {first.role.label}, {why}.",
        )

    def idle(self, living: Sequence[RoleSession]) -> list[RoleSession]:
        """Return those that nothing has used for too long; those in use are noted as used now."""
        if not self._idle_timeout:
            return []
        now, used, idle = self._clock.now(), self._in_use(), []
        for session in living:
            last = session.last_used
            # One that came back from the last run counts from now on, and so do all of them where
            # the clock was set back.
            if session.id in used or last is None or last > now:
                session.last_used = now
            elif now - last >= self._idle_timeout:
                idle.append(session)
        return idle
