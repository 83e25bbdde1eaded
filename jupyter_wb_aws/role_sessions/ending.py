"""Ends role sessions, each once: first it is marked as ended, then what it leaves behind is removed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace

from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.role_sessions.choices import Choices
from jupyter_wb_aws.role_sessions.context import Context
from jupyter_wb_aws.role_sessions.owner_process import wait_for_exit
from jupyter_wb_aws.role_sessions.registry import Registry
from jupyter_wb_aws.role_sessions.role_session import Ended, EndReason, RoleSession, State
from jupyter_wb_aws.role_sessions.session_files import SessionFiles

log = logging.getLogger(__name__)

# Users wait no longer than this until files are removed.
REMOVAL_TIMEOUT = 5.0


class Ending:
    """The end of a role session, for any reason.

    1. It is marked as ended: from then on no process gets it, and no token is written for it.
    2. Its files are removed.
    3. The end is logged and reported as an event.
    4. If it was the default, "no AWS role" takes its place.
    5. The records are saved.

    Args:
        context: what all parts share.
        sessions: the role sessions.
        files: their files.
        choices: may have one of them as the default.
    """

    def __init__(
        self, context: Context, sessions: Registry, files: SessionFiles, choices: Choices
    ) -> None:
        self._context = context
        self._sessions = sessions
        self._files = files
        self._choices = choices
        self._marked: set[RoleSession] = set()

    def mark(self, sessions: Iterable[RoleSession], reason: EndReason) -> None:
        """Mark role sessions as ended; `end` removes what they leave behind."""
        now = self._context.clock.now()
        for session in sessions:
            if session.ended is None:
                session.ended = Ended(now, reason, now)  # from here on, the endpoint answers nobody
                session.ended = _end_of(session, session.ended)
                session.reported_state = State.ENDED
                self._marked.add(session)
        self._context.endpoint.look()

    async def end(self, session: RoleSession, reason: EndReason) -> None:
        """End a role session once; callers at the same time wait for the same end."""
        self.mark([session], reason)
        if session in self._marked:
            await self._context.tasks.once(session.id, lambda: self._finish(session), "end")

    async def end_all(self, sessions: Iterable[RoleSession], reason: EndReason) -> None:
        """End several at once."""
        await asyncio.gather(*(self.end(session, reason) for session in sessions))

    async def end_marked(self) -> None:
        """Finish the ends that were only marked; each keeps its reason."""
        await self.end_all(list(self._marked), "identity_changed")

    async def end_in_time(self, sessions: Iterable[RoleSession], reason: EndReason) -> None:
        """End several, and wait a few seconds for their files to be removed; a slow disk does it later."""
        ending = list(sessions)
        try:
            async with asyncio.timeout(REMOVAL_TIMEOUT):
                await self.end_all(ending, reason)
        except TimeoutError:
            ids = ", ".join(session.id for session in ending)
            log.error("The files of role sessions are removed once the disk answers: %s", ids)

    async def end_by_user(self, session_id: str) -> Ended:
        """End a role session and remove its files. The same call again gives the same answer.

        Returns:
            its end: until when credentials that were issued before may live, and clients may use them.

        Raises:
            LastRunUnknown: if the last run's role sessions are not back yet.
            RoleSessionNotFound: if none has this id.
        """
        await self._sessions.require_ready()
        session = self._sessions.get(session_id)
        await self.end_in_time([session], "by_user")
        assert session.ended is not None
        return session.ended

    def end_with_process(self, session: RoleSession) -> None:
        """End a role session when the process ends that it was started for, if there is one."""
        if session.process is not None:
            self._context.tasks.begin(self._watch(session), "watch a process")

    async def _watch(self, session: RoleSession) -> None:
        assert session.process is not None
        await wait_for_exit(session.process, self._context.clock)
        await self.end(session, "process_ended")

    async def _finish(self, session: RoleSession) -> None:
        assert session.ended is not None
        reason = session.ended.reason
        await self._files.remove(session)  # 2
        self._marked.discard(session)
        until, stop_by = session.ended.credentials_expire_at, session.ended.clients_stop_by
        log.info(  # 3
            "Role session %s (%s) ended: %s; credentials issued before may live until %s%s",
            session.id, session.role.arn, reason, rfc3339(until),
            f", clients of the credential endpoint use them until {rfc3339(stop_by)}" if stop_by else "",
        )  # fmt: skip
        self._context.emit(
            "session_ended",
            {
                "session_id": session.id,
                "reason": reason,
                "credentials_expire_at": rfc3339(until),
                "clients_stop_by": rfc3339(stop_by) if stop_by else None,
            },
        )
        await self._choices.unset_default(session)  # 4
        self._sessions.forget_old_ends()
        self._sessions.changed.set()
        await self._sessions.save()  # 5


def _end_of(session: RoleSession, ended: Ended) -> Ended:
    """Return an end with its times.

    With web identity, a process may have got credentials just before. What the endpoint has fetched is known; an
    earlier run of the server may have fetched more.
    """
    now = ended.at
    until = session.credentials_expire_at or now + session.credential_lifetime
    stop_by = session.clients_stop_by
    return replace(
        ended,
        credentials_expire_at=max(until, now),
        clients_stop_by=stop_by if stop_by and stop_by > now else None,
    )
