"""Ends role sessions, each once: first it is over, then what it leaves behind is cleared away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from jupyter_wb_aws.clock import Clock, rfc3339
from jupyter_wb_aws.role_sessions.owner_process import until_gone
from jupyter_wb_aws.role_sessions.refresher import Emit
from jupyter_wb_aws.role_sessions.role_session import Ended, EndReason, RoleSession, State
from jupyter_wb_aws.role_sessions.session_files import SessionFiles
from jupyter_wb_aws.tasks import Tasks

log = logging.getLogger(__name__)


class Ending:
    """How role sessions come to their end.

    Args:
        files: of the role sessions.
        tasks: own the ends that are under way, and the watch over processes.
        clock: dates the ends.
        emit: tells of them, by an event's name and data.
        over: called with each role session whose files are gone.
    """

    def __init__(
        self,
        files: SessionFiles,
        tasks: Tasks,
        clock: Clock,
        emit: Emit,
        over: Callable[[RoleSession], Awaitable[None]],
    ) -> None:
        self._files = files
        self._tasks = tasks
        self._clock = clock
        self._emit = emit
        self._over = over
        self._marked: set[RoleSession] = set()

    def mark(self, session: RoleSession, reason: EndReason) -> None:
        """Let it be over from now on; what it leaves behind is cleared away by `end`."""
        if session.ended is None:
            now = self._clock.now()
            session.ended = Ended(now, reason, now + session.credential_lifetime)
            session.announced = State.ENDED
            self._marked.add(session)

    async def end(self, session: RoleSession, reason: EndReason) -> None:
        """End it once: whoever asks at the same time waits for the same end."""
        self.mark(session, reason)
        if session in self._marked:
            await self._tasks.once(session.id, lambda: self._clear_away(session), "end")

    async def end_all(self, sessions: Iterable[RoleSession], reason: EndReason) -> None:
        """End several at once."""
        await asyncio.gather(*(self.end(session, reason) for session in sessions))

    async def end_marked(self) -> None:
        """Finish the ends that were only marked."""
        await self.end_all(list(self._marked), "identity_changed")

    def with_its_process(self, session: RoleSession) -> None:
        """End it when the process is gone that it was started for, if it was for one."""
        if session.process is not None:
            self._tasks.begin(self._watch(session), "watch a process")

    async def _watch(self, session: RoleSession) -> None:
        assert session.process is not None
        await until_gone(session.process, self._clock)
        await self.end(session, "process_ended")

    async def _clear_away(self, session: RoleSession) -> None:
        """Remove what an ended role session leaves behind, and tell of its end."""
        assert session.ended is not None
        reason = session.ended.reason
        await self._files.remove(session)
        self._marked.discard(session)
        until = rfc3339(session.ended.credentials_expire_at)
        log.info(
            "Role session %s (%s) ended: %s; credentials issued before may live until %s",
            session.id, session.role.arn, reason, until,
        )  # fmt: skip
        self._emit(
            "session_ended",
            {"session_id": session.id, "reason": reason, "credentials_expire_at": until},
        )
        await self._over(session)
