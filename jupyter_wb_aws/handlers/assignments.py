"""`/aws/default` and `/aws/assignments`: which role session a process gets when it starts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jupyter_wb_aws.errors import BadRequest, KernelNotFound, NewProcessNeeded
from jupyter_wb_aws.handlers.base import WbAwsHandler, endpoint
from jupyter_wb_aws.handlers.request_user import log_by_user
from jupyter_wb_aws.injection.environment import (
    InjectionSettings,
    differing_names,
    process_environment,
)
from jupyter_wb_aws.role_sessions.assignments import UNTOUCHED, Assignment, ProcessRole

if TYPE_CHECKING:
    from jupyter_wb_aws.injection.proxied_apps import ProxiedAppInjection


class DefaultHandler(WbAwsHandler):
    """The default role session."""

    @endpoint
    async def get(self) -> None:
        """Report the default. "No AWS role" as a choice differs from no choice yet."""
        manager = self.manager
        await manager.sessions.require_ready()
        default, ended = manager.sessions.default, manager.choices.ended
        self.answer(
            {
                "session_id": default.session_id,
                "chosen": default.chosen,
                "ended": ended and ended.role.label,
            }
        )

    @endpoint
    async def put(self) -> None:
        """Choose the role session; null is "no AWS role"."""
        manager = self.manager
        body = self.body({"session_id": (str, None)}, frozenset({"session_id"}))
        await manager.choices.set_default(body["session_id"])
        log_by_user(self, f"Default role session chosen: {body['session_id'] or 'no AWS role'}")
        self.set_status(204)
        self.finish()


class AssignmentsHandler(WbAwsHandler):
    """The role sessions of kernels, terminals and proxied apps."""

    @endpoint
    async def get(self) -> None:
        """List them, without the kernels that no role session reaches."""
        choices = self.manager.choices
        assignments = choices.assignments
        listed = []
        if self.server_state.kernels is not None:
            living = self.server_state.kernels.kernel_ids()
            assignments.prune(set(living))
            elsewhere = set(self.server_state.kernels.remote_kernel_ids())
            listed += [
                assignment_json(
                    "kernel",
                    kernel_id,
                    assignments.chosen(kernel_id),
                    assignments.running(kernel_id),
                    choices.next_role_of_kernel(kernel_id),
                )
                for kernel_id in living
                if kernel_id not in elsewhere
            ]
        if self.server_state.terminals is not None:
            listed += [
                assignment_json("terminal", name, assignment, process_role)
                for name, (
                    assignment,
                    process_role,
                ) in self.server_state.terminals.running().items()
            ]
        if self.server_state.apps is not None:
            listed += [
                self._app(self.server_state.apps, *each)
                for each in self.server_state.apps.running().items()
            ]
        self.answer({"assignments": listed})

    def _app(
        self, apps: ProxiedAppInjection, app_id: str, process_role: ProcessRole
    ) -> dict[str, object]:
        choices = self.manager.choices
        default = self.manager.sessions.default
        chosen = Assignment(default.session_id, "by_default") if default.chosen else None
        takes_effect = "r_session" if apps.r_sessions.follows_default(app_id) else "relaunch"
        return {
            **assignment_json("app", app_id, chosen, process_role, choices.next_role()),
            "renewed_by": takes_effect,
        }


class AssignmentHandler(WbAwsHandler):
    """The role session of one kernel, terminal or proxied app."""

    @endpoint
    async def put(self, process_id: str) -> None:
        """Choose the role session; null is "no AWS role"."""
        manager = self.manager
        body = self.body({"session_id": (str, None)}, frozenset({"session_id"}))
        self._require_kernel(process_id)
        if body["session_id"] is not None:
            manager.sessions.get_shared(body["session_id"])
        manager.choices.assignments.choose(process_id, body["session_id"])
        chosen = body["session_id"] or "no AWS role"
        log_by_user(
            self, f"Kernel {process_id} gets another role session at its next start: {chosen}"
        )
        self._answer_switch(process_id)

    @endpoint
    async def delete(self, process_id: str) -> None:
        """Go back to the default role session."""
        self._require_kernel(process_id)
        self.manager.choices.assignments.forget_choice(process_id)
        log_by_user(
            self, f"Kernel {process_id} goes back to the default role session at its next start"
        )
        self._answer_switch(process_id)

    def _require_kernel(self, process_id: str) -> None:
        """Accept the id of a kernel.

        Raises:
            NewProcessNeeded: if it is a terminal's or an app's.
            KernelNotFound: if it is nobody's.
        """
        server = self.server_state
        kind = self.get_query_argument("kind", None)
        if kind not in {None, "kernel", "terminal", "app"}:
            raise BadRequest("`kind` is `kernel`, `terminal` or `app`.")
        if (
            kind in {None, "kernel"}
            and server.kernels
            and process_id in server.kernels.kernel_ids()
        ):
            return
        if (
            kind in {None, "terminal"}
            and server.terminals
            and process_id in server.terminals.running()
        ):
            raise NewProcessNeeded(
                "A terminal keeps the role that it was opened with.",
                hint="Open another terminal with that role.",
            )
        if kind in {None, "app"} and server.apps and process_id in server.apps.running():
            raise NewProcessNeeded(
                "A proxied app has the default role of the time when it was launched.",
                hint="Change the default role, then launch the app again.",
            )
        raise KernelNotFound("No kernel, terminal or app of this server has that id.")

    def _answer_switch(self, kernel_id: str) -> None:
        choices, site = self.manager.choices, self.server_state.site or InjectionSettings()
        running = choices.assignments.running(kernel_id) or UNTOUCHED
        before = process_environment(os.environ, running, site)
        after = process_environment(os.environ, choices.next_role_of_kernel(kernel_id), site)
        self.answer(
            {
                "applies": "at_restart",
                "at_restart": differing_names(before, after),
                "old_clients_until": None,
            }
        )


def assignment_json(
    kind: str,
    name: str,
    chosen: Assignment | None,
    process_role: ProcessRole | None,
    next_role: ProcessRole | None = None,
) -> dict[str, object]:
    """Shape one assignment as the REST contract does.

    Args:
        kind: `kernel`, `terminal` or `app`.
        name: the id of the kernel, or the name of the terminal or app.
        chosen: the choice for its next start; None if there is none.
        process_role: what it was started with; None if nothing was chosen then.
        next_role: what it would get if it started now; None if it can't be started again.
    """
    session = process_role.session if process_role else None
    return {
        "kind": kind,
        "id": name,
        "chosen": {"session_id": chosen.session_id, "how": chosen.how} if chosen else None,
        "running": {"session_id": session.id, "role_arn": str(session.role.arn)}
        if session
        else None,
        "given": process_role.kind if process_role else UNTOUCHED.kind,
        "delivery": session.delivery if session else None,
        "next": next_role
        and {
            "given": next_role.kind,
            "session_id": next_role.session.id if next_role.session else None,
        },
    }
