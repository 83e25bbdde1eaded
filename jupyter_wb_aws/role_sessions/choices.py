"""What the user chose, and what a process gets by it: its own role session, else the default one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from jupyter_wb_aws.errors import NoDefaultRoleSession
from jupyter_wb_aws.role_sessions.assignments import (
    NO_AWS_ROLE,
    UNTOUCHED,
    Assignment,
    Assignments,
    ProcessRole,
)
from jupyter_wb_aws.role_sessions.context import Context
from jupyter_wb_aws.role_sessions.registry import Registry
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.store import NO_ROLE, DefaultChoice

log = logging.getLogger(__name__)


class Choices:
    """The choice of the default, each kernel's own choice, and what follows from them.

    `default_pending` is set while the default role is being started. `ended` is the role session whose
    end left "no AWS role" behind, None where the user chose that (or the last run did not record it).
    `followers` are called when the default changes, before the user who changed it has an answer.
    """

    def __init__(self, context: Context, sessions: Registry) -> None:
        self.default_pending = False
        self.ended: RoleSession | None = None
        self.followers: list[Callable[[], Awaitable[None]]] = []
        self.assignments = Assignments(
            changed=lambda kernel_id: context.emit("assignment_changed", {"kernel_id": kernel_id})
        )
        self.app_choices = Assignments(changed=self.app_changed)
        self._context = context
        self._sessions = sessions

    # --- The default -----------------------------------------------------------------------

    def default_session(self) -> RoleSession:
        """Return the default role session.

        Raises:
            NoDefaultRoleSession: if there is none; says why.
        """
        if self._sessions.default.session_id is None:
            raise NoDefaultRoleSession(self._why_none())
        return self._sessions.get(self._sessions.default.session_id)

    def _why_none(self) -> str:
        if not self._sessions.default.chosen:
            return "No role was chosen yet."
        if self.ended is None:
            return "New notebooks and terminals get no AWS role."
        return f"The role session of {self.ended.role.label} has ended: new notebooks and terminals get no AWS role."

    async def set_default(self, session_id: str | None) -> None:
        """Choose what starts next gets; None is "no AWS role". A caller that goes away cancels nothing.

        Raises:
            LastRunUnknown: if the last run's role sessions are not back yet.
            RoleSessionNotFound, RoleSessionEnded, RoleSessionNotShared: if it can't be the default.
        """
        await self._sessions.require_ready()
        session = None if session_id is None else self._sessions.get_shared(session_id)
        await self._context.tasks.do(self.choose(session), "choose")

    async def choose(self, session: RoleSession | None) -> None:
        """Choose the default; None is "no AWS role".

        Raises:
            RoleSessionEnded: if the role session has ended.
        """
        if session is None:
            await self._set(NO_ROLE, ended=None)
            return
        session.require_living()
        session.last_used = self._context.clock.now()
        await self._set(DefaultChoice(chosen=True, session_id=session.id), ended=None)

    async def unset_default(self, session: RoleSession) -> None:
        """Leave "no AWS role" behind, if an ended role session was the default."""
        if self._sessions.is_default(session):
            await self._set(NO_ROLE, ended=session)

    async def _set(self, choice: DefaultChoice, *, ended: RoleSession | None) -> None:
        self.ended = ended
        if choice != self._sessions.default:
            self._sessions.set_default(choice)
            self._context.emit("default_changed", {"session_id": choice.session_id})
            for follow in self.followers:
                await follow()
            await self._sessions.save()

    # --- What a process gets ---------------------------------------------------------------

    def next_role(self) -> ProcessRole:
        """Return what a process without a choice of its own would get if it started now."""
        default = self._sessions.default
        if not self._sessions.restored or (self.default_pending and not default.chosen):
            # The last run's choice is not known yet, or the default role is still being started:
            # until then a process gets nothing, rather than the machine's role.
            return NO_AWS_ROLE
        return self._role(default.session_id) if default.chosen else UNTOUCHED

    def next_role_of_kernel(self, kernel_id: str) -> ProcessRole:
        """Return what a kernel would get if it started now."""
        return self._next_role_by(self.assignments.chosen(kernel_id))

    def next_role_of_app(self, app_id: str) -> ProcessRole:
        """Return what a proxied app would get if it were launched now."""
        return self._next_role_by(self.app_choices.chosen(app_id))

    def _next_role_by(self, assignment: Assignment | None) -> ProcessRole:
        if assignment is None:
            return self.next_role()
        role = self._role(assignment.session_id)
        if role.session is None and (session := self._started_again(assignment.session_id)):
            return ProcessRole("role", session)
        return role

    def assign_to_process(self) -> ProcessRole:
        """Return what a process without a choice of its own gets as it starts; it counts as a use."""
        return self._used(self.next_role())

    def assign_to_app(self, app_id: str) -> ProcessRole:
        """Return what a proxied app gets as it is launched; it counts as a use."""
        return self._used(self.next_role_of_app(app_id))

    def assign_to_kernel(self, kernel_id: str) -> ProcessRole:
        """Return what a kernel gets as it starts; it keeps that at its restarts."""
        role = self._used(self.next_role_of_kernel(kernel_id))
        assignment = self.assignments.chosen(kernel_id)
        if role.session is not None:
            if assignment is None:
                self.assignments.keep(kernel_id, role.session.id)
            elif assignment.session_id != role.session.id:
                self.assignments.replace(kernel_id, role.session.id)
        elif assignment is not None and assignment.session_id is not None:
            log.warning(
                "Kernel %s starts without an AWS role: its role session has ended", kernel_id
            )
            self.report_no_role(kernel_id, assignment.session_id)
        elif assignment is None and not self._sessions.restored:
            log.warning(
                "Kernel %s starts without AWS credentials: the last run's role sessions are not known yet",
                kernel_id,
            )
            self.report_no_role(kernel_id, None)
        return role

    def no_role_on_purpose(self, kernel_id: str | None = None) -> bool:
        """Return whether the user chose "no AWS role", for a kernel or for what starts next."""
        assignment = self.assignments.chosen(kernel_id) if kernel_id is not None else None
        if assignment is not None:
            return assignment.session_id is None
        default = self._sessions.default
        return default.chosen and default.session_id is None and self.ended is None

    def app_changed(self, app_id: str) -> None:
        """Report that a proxied app was launched or stopped."""
        self._context.emit("assignment_changed", {"app_id": app_id})

    def terminal_changed(self, name: str) -> None:
        """Report that a terminal was switched to another role."""
        self._context.emit("assignment_changed", {"terminal_name": name})

    def switched_kernel(self, kernel_id: str, role: ProcessRole) -> None:
        """Note what a kernel has been switched to while it runs; it keeps that at its restarts."""
        if role.session is not None and self.assignments.chosen(kernel_id) is None:
            self.assignments.keep(kernel_id, role.session.id)
        self._used(role)
        self.assignments.record_start(kernel_id, role)

    def report_no_role(self, kernel_id: str, session_id: str | None) -> None:
        """Report that a kernel starts without the role that it should have.

        Args:
            kernel_id: the kernel.
            session_id: the role session that it should have; None if that is not known.
        """
        data = {"kernel_id": kernel_id, "session_id": session_id}
        self._context.emit("kernel_without_role", data)

    def _started_again(self, session_id: str | None) -> RoleSession | None:
        ended = self._sessions.find(session_id)
        return self._sessions.successor_of(ended) if ended is not None else None

    def _role(self, session_id: str | None) -> ProcessRole:
        session = self._sessions.find(session_id)
        if session is None or session.ended is not None:
            return NO_AWS_ROLE
        return ProcessRole("role", session)

    def _used(self, role: ProcessRole) -> ProcessRole:
        if role.session is not None:
            role.session.last_used = self._context.clock.now()  # its process does not live yet
        return role
