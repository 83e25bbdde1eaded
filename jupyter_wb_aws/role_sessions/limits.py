"""What an administrator limits: how many role sessions there are at once, and how long one may be idle."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta

from jupyter_wb_aws.errors import TooManyRoleSessions
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.role_sessions.context import Context
from jupyter_wb_aws.role_sessions.registry import Registry
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.schedule import MAX_SLEEP

# Returns the ids of the role sessions that living processes of this server use.
InUse = Callable[[], AbstractSet[str]]


class Limits:
    """Decides when there are too many role sessions, and which have been idle for too long.

    Args:
        context: what all parts share; its settings have the limits.
        sessions: the role sessions.
        in_use: returns the ids of those that a running process uses.
    """

    def __init__(self, context: Context, sessions: Registry, in_use: InUse) -> None:
        self._context = context
        self._sessions = sessions
        self._in_use = in_use
        self._max = context.settings.max_role_sessions
        self._idle_timeout = context.settings.idle_timeout
        self._starting = 0

    @property
    def max_sleep(self) -> timedelta:
        """How long the refresher may sleep, so that an idle end is late by at most half."""
        return min(MAX_SLEEP, self._idle_timeout / 2) if self._idle_timeout else MAX_SLEEP

    @contextlib.contextmanager
    def reserve(self, user: Identity) -> Iterator[None]:
        """Reserve a place for one more role session of this user while it is being started.

        Raises:
            TooManyRoleSessions: if the user has as many as allowed; names one that could be ended.
        """
        theirs = [s for s in self._sessions.living() if s.owner.same_user(user)]
        if self._max and len(theirs) + self._starting >= self._max:
            raise self._too_many(theirs)
        self._starting += 1
        try:
            yield
        finally:
            self._starting -= 1

    def _too_many(self, theirs: Sequence[RoleSession]) -> TooManyRoleSessions:
        have = len(theirs) + self._starting
        sessions = "1 role session" if have == 1 else f"{have} role sessions"
        detail = f"You have {sessions}, and this server allows each user {self._max} at once."
        if not theirs:
            return TooManyRoleSessions(detail)
        used = self._used()
        first = min(
            theirs, key=lambda s: (s.id in used, self._sessions.is_default(s), s.started_at)
        )
        why = "the oldest" if first.id in used else "which no kernel or terminal uses"
        return TooManyRoleSessions(
            detail,
            hint=f"End one that you no longer need: `jupyter wb-aws end {first.id}` ends {first.role.label}, {why}.",
        )

    def find_idle(self) -> list[RoleSession]:
        """Return those that nothing has used for too long; those in use are noted as used now."""
        if not self._idle_timeout:
            return []
        now, used, idle = self._context.clock.now(), self._used(), []
        for session in self._sessions.living():
            last = session.last_used
            # One that came back from the last run counts from now on, and so do all of them if the
            # clock was set back.
            if session.id in used or last is None or last > now:
                session.last_used = now
            elif now - last >= self._idle_timeout:
                idle.append(session)
        return idle

    def _used(self) -> AbstractSet[str]:
        with_process = {s.id for s in self._sessions.living() if s.process is not None}
        return self._in_use() | with_process
