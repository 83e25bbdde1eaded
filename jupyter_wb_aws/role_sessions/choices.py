"""What was chosen, and what a process gets by it: its own role session, else the default one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import NoRoleSession
from jupyter_wb_aws.role_sessions.assignments import (
    NO_ROLE_GIVEN,
    UNTOUCHED,
    Assignments,
    ProcessRole,
)
from jupyter_wb_aws.role_sessions.refresher import Emit
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.store import NO_ROLE, NOTHING_CHOSEN, DefaultChoice

log = logging.getLogger(__name__)


class Choices:
    """The default, each kernel's own choice, and what follows from them.

    Args:
        sessions: the role sessions by their ids, ended ones too, as they come and go.
        known: tells whether what was chosen in the last run is known yet.
        clock: dates the use of a role session.
        emit: tells what happened, by an event's name and data.
        save: keeps the default for the next run.

    `default_pending` is set while the default role is on its way; `ended` is the role session whose
    end left "no AWS role" behind, None where the user chose it (or the last run's server did not say).
    """

    def __init__(
        self,
        sessions: Mapping[str, RoleSession],
        known: Callable[[], bool],
        clock: Clock,
        emit: Emit,
        save: Callable[[], Awaitable[None]],
    ) -> None:
        self.default = NOTHING_CHOSEN
        self.default_pending = False
        self.ended: RoleSession | None = None
        self.assignments = Assignments(
            changed=lambda kernel_id: emit("assignment_changed", {"kernel_id": kernel_id})
        )
        self._sessions = sessions
        self._known = known
        self._clock = clock
        self._emit = emit
        self._save = save
        # Told of another default before whoever chose it has an answer.
        self.followers: list[Callable[[], Awaitable[None]]] = []

    # --- The default -----------------------------------------------------------------------

    def is_default(self, session: RoleSession) -> bool:
        """Tell whether this is the default role session."""
        return self.default.session_id == session.id

    def default_session(self) -> RoleSession:
        """Return the default role session.

        Raises:
            NoRoleSession: if there is none; says why.
        """
        if self.default.session_id is None:
            raise NoRoleSession(self._why_none())
        return self._sessions[self.default.session_id]

    def _why_none(self) -> str:
        if not self.default.chosen:
            return "No role was picked yet."
        if self.ended is None:
            return "What you start next has no AWS role."
        return f"The role session of {self.ended.role.label} has ended: what you start next has no AWS role."

    def settle(self, default: DefaultChoice) -> None:
        """Go on with a choice of before; of a role session that is no more, "no AWS role" stays."""
        session = self._sessions.get(default.session_id or "")
        gone = default.chosen and (session is None or session.ended is not None)
        self.default = NO_ROLE if gone else default

    async def choose(self, session: RoleSession | None) -> None:
        """Choose the default; None is "no AWS role".

        Raises:
            RoleSessionEnded: if it can't be used any more.
        """
        if session is None:
            await self._set(NO_ROLE, ended=None)
            return
        session.require_living()
        session.last_used = self._clock.now()
        await self._set(DefaultChoice(chosen=True, session_id=session.id), ended=None)

    async def end(self, session: RoleSession) -> None:
        """Leave "no AWS role" behind, where an ended role session was the default."""
        if self.is_default(session):
            await self._set(NO_ROLE, ended=session)

    async def _set(self, choice: DefaultChoice, *, ended: RoleSession | None) -> None:
        self.ended = ended
        if choice != self.default:
            self.default = choice
            self._emit("default_changed", {"session_id": choice.session_id})
            for follow in self.followers:
                await follow()
            await self._save()

    # --- What a process gets ---------------------------------------------------------------

    def given_by_default(self) -> ProcessRole:
        """Give a process that for which nothing else was chosen."""
        return self._used(self.next_by_default())

    def next_of_kernel(self, kernel_id: str) -> ProcessRole:
        """Tell what a kernel would be given if it were started now."""
        assignment = self.assignments.chosen(kernel_id)
        if assignment is None:
            return self.next_by_default()
        given = self._given(assignment.session_id)
        if given.session is None and (again := self._started_again(assignment.session_id)):
            return ProcessRole("role", again)
        return given

    def given_to_kernel(self, kernel_id: str) -> ProcessRole:
        """Give a kernel what it has from this start on; the default role session becomes its assignment."""
        given = self._used(self.next_of_kernel(kernel_id))
        assignment = self.assignments.chosen(kernel_id)
        if given.session is not None:
            if assignment is None:
                self.assignments.keep(kernel_id, given.session.id)
            elif assignment.session_id != given.session.id:
                self.assignments.replace(kernel_id, given.session.id)
        elif assignment is not None and assignment.session_id is not None:
            log.warning(
                "Kernel %s starts without an AWS role: its role session has ended", kernel_id
            )
            self._emit(
                "kernel_without_role",
                {"kernel_id": kernel_id, "session_id": assignment.session_id},
            )
        elif assignment is None and not self._known():
            log.warning(
                "Kernel %s starts without AWS credentials: what the last run left is not known yet",
                kernel_id,
            )
            self._emit("kernel_without_role", {"kernel_id": kernel_id, "session_id": None})
        return given

    def app_changed(self, app_id: str) -> None:
        """Tell that a proxied app was launched or stopped."""
        self._emit("assignment_changed", {"app_id": app_id})

    def next_by_default(self) -> ProcessRole:
        """Tell what a process would be given for which nothing else was chosen."""
        if not self._known() or (self.default_pending and not self.default.chosen):
            # What was chosen in the last run is not known yet, or the default role is still being
            # started: until then a process gets nothing, rather than the machine's role.
            return NO_ROLE_GIVEN
        if not self.default.chosen:
            return UNTOUCHED
        return self._given(self.default.session_id)

    def no_role_on_purpose(self, kernel_id: str | None = None) -> bool:
        """Tell whether the user chose "no AWS role" themself, for a kernel or for what starts next."""
        assignment = self.assignments.chosen(kernel_id) if kernel_id is not None else None
        if assignment is not None:
            return assignment.session_id is None
        return self.default.chosen and self.default.session_id is None and self.ended is None

    def _started_again(self, session_id: str | None) -> RoleSession | None:
        """Return the living role session of the same role and region, where this one has ended."""
        over = self._sessions.get(session_id or "")
        if over is None:
            return None
        same = (
            s
            for s in self._sessions.values()
            if s.shared and s.ended is None and s.key == over.key and s.owner.same_user(over.owner)
        )
        return next(same, None)

    def _given(self, session_id: str | None) -> ProcessRole:
        session = self._sessions.get(session_id) if session_id else None
        if session is None or session.ended is not None:
            return NO_ROLE_GIVEN
        return ProcessRole("role", session)

    def _used(self, given: ProcessRole) -> ProcessRole:
        if given.session is not None:
            given.session.last_used = self._clock.now()  # its process is not a living one yet
        return given
