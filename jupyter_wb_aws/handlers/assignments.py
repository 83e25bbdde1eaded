"""`/aws/default` and `/aws/assignments`: which role session a process gets when it starts."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Literal, get_args

from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.errors import BadRequest, KernelNotFound, LeftRunning, NewProcessNeeded
from jupyter_wb_aws.handlers.base import WbAwsHandler, endpoint
from jupyter_wb_aws.handlers.request_user import log_by_user
from jupyter_wb_aws.role_sessions.assignments import (
    UNTOUCHED,
    Assignment,
    Assignments,
    ProcessRole,
)

if TYPE_CHECKING:
    from jupyter_wb_aws.injection.kernels import KernelInjection
    from jupyter_wb_aws.injection.process_environments import Prepared, Switch
    from jupyter_wb_aws.injection.proxied_apps import ProxiedAppInjection
    from jupyter_wb_aws.injection.terminals import TerminalInjection
    from jupyter_wb_aws.role_sessions.role_session import RoleSession

Kind = Literal["kernel", "terminal", "app"]
KINDS = get_args(Kind)


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
        server, listed = self.server_state, []
        if server.kernels is not None:
            listed += self._kernels(server.kernels)
        if server.terminals is not None:
            listed += [
                assignment_json("terminal", name, given.assignment, given.prepared)
                for name, given in server.terminals.running().items()
            ]
        if server.apps is not None:
            listed += [self._app(server.apps, *each) for each in server.apps.running().items()]
        self.answer({"assignments": listed})

    def _kernels(self, kernels: KernelInjection) -> list[dict[str, object]]:
        choices = self.manager.choices
        elsewhere = set(kernels.remote_kernel_ids())
        return [
            assignment_json(
                "kernel",
                kernel_id,
                choices.assignments.chosen(kernel_id),
                kernels.prepared(kernel_id),
                choices.next_role_of_kernel(kernel_id),
            )
            for kernel_id in kernels.forget_gone()
            if kernel_id not in elsewhere
        ]

    def _app(self, apps: ProxiedAppInjection, app_id: str, prepared: Prepared) -> dict[str, object]:
        choices = self.manager.choices
        default = self.manager.sessions.default
        by_default = Assignment(default.session_id, "by_default") if default.chosen else None
        chosen = choices.app_choices.chosen(app_id) or by_default
        takes_effect = "r_session" if apps.r_sessions.follows_default(app_id) else "relaunch"
        return {
            **assignment_json("app", app_id, chosen, prepared, choices.next_role_of_app(app_id)),
            "renewed_by": takes_effect,
        }


class AssignmentHandler(WbAwsHandler):
    """The role session of one kernel, terminal or proxied app."""

    @endpoint
    async def put(self, process_id: str) -> None:
        """Choose the role session; null is "no AWS role"."""
        manager = self.manager
        body = self.body(
            {"session_id": (str, None), "until_restart": bool}, frozenset({"session_id"})
        )
        kind, session_id = self._kind_of(process_id), body["session_id"]
        session = None if session_id is None else manager.sessions.get_shared(session_id)
        if session is not None:
            session.require_living()
        if kind == "terminal":
            switch = await self._terminals().switch(process_id, session, "by_user")
        elif body.get("until_restart"):
            switch = await self._until_restart(kind, process_id, session)
        else:
            self._choices(kind).choose(process_id, session_id)
            switch = await self._switch(kind, process_id)
        what = f"role session {session_id}" if session else "no AWS role"
        self._answer(kind, process_id, switch, what)

    @endpoint
    async def delete(self, process_id: str) -> None:
        """Go back to the default role session.

        Raises:
            NewProcessNeeded: if it is a terminal and nothing was ever chosen.
        """
        kind = self._kind_of(process_id)
        if kind == "terminal":
            role = self.manager.choices.next_role()
            if role.kind == "untouched":
                raise NewProcessNeeded(
                    "No default role was chosen yet, and a terminal can't go back to the time before.",
                    hint="Open another terminal.",
                )
            switch = await self._terminals().switch(process_id, role.session, "by_default")
        else:
            self._choices(kind).forget_choice(process_id)
            switch = await self._switch(kind, process_id)
        self._answer(kind, process_id, switch, "the default role session")

    def _kind_of(self, process_id: str) -> Kind:
        """Return what an id is the id of.

        Raises:
            BadRequest: if `kind` is something else.
            LeftRunning: if it has gone and left something running.
            KernelNotFound: if it is nobody's.
        """
        server, asked = self.server_state, self.get_query_argument("kind", None)
        if asked not in {None, *KINDS}:
            raise BadRequest("`kind` is `kernel`, `terminal` or `app`.")
        running: dict[Kind, Container[str]] = {
            "kernel": server.kernels.kernel_ids() if server.kernels else (),
            "terminal": server.terminals.running() if server.terminals else (),
            "app": server.apps.running() if server.apps else (),
        }
        for kind, names in running.items():
            if asked in {None, kind} and process_id in names:
                return kind
        if any(
            (client.name, client.state) == (process_id, "left_running")
            and asked in {None, client.kind}
            for client in server.endpoint_clients()
        ):
            raise LeftRunning("It has gone; what it left running keeps its role.")
        raise KernelNotFound("No kernel, terminal or app of this server has that id.")

    def _terminals(self) -> TerminalInjection:
        assert self.server_state.terminals is not None
        return self.server_state.terminals

    def _choices(self, kind: Kind) -> Assignments:
        choices = self.manager.choices
        return choices.assignments if kind == "kernel" else choices.app_choices

    async def _switch(self, kind: Kind, process_id: str) -> Switch:
        server = self.server_state
        if kind == "kernel" and server.kernels is not None:
            return await server.kernels.switch(process_id)
        assert server.apps is not None
        return await server.apps.switch(process_id)

    async def _until_restart(
        self, kind: Kind, process_id: str, session: RoleSession | None
    ) -> Switch:
        if kind != "kernel":
            raise BadRequest("`until_restart` is for kernels and terminals.")
        assert self.server_state.kernels is not None
        return await self.server_state.kernels.switch_until_restart(process_id, session)

    def _answer(self, kind: Kind, process_id: str, switch: Switch, what: str) -> None:
        when = "now" if switch.now else "at its next start"
        log_by_user(self, f"{kind.capitalize()} {process_id} gets {what} {when}")
        until = switch.old_clients_until
        self.answer(
            {
                "applies": "now" if switch.now else "at_restart",
                "at_restart": switch.at_restart,
                "old_clients_until": rfc3339(until) if until else None,
            }
        )


def assignment_json(
    kind: str,
    name: str,
    chosen: Assignment | None,
    prepared: Prepared | None,
    next_role: ProcessRole | None = None,
) -> dict[str, object]:
    """Shape one assignment as the REST contract does.

    Args:
        kind: `kernel`, `terminal` or `app`.
        name: the id of the kernel, or the name of the terminal or app.
        chosen: the choice for its next start; None if there is none.
        prepared: what it was started with; None if it is just starting.
        next_role: what it would get if it started now; None if it can't be started again.
    """
    process_role = prepared.process_role if prepared else UNTOUCHED
    session = process_role.session
    if prepared is not None and prepared.client is not None:
        delivery: str | None = "endpoint"
    else:
        delivery = session.delivery if session else None
    return {
        "kind": kind,
        "id": name,
        "chosen": {"session_id": chosen.session_id, "how": chosen.how} if chosen else None,
        "running": running_json(session) if session else None,
        "given": process_role.kind,
        "delivery": delivery,
        "next": next_role
        and {
            "given": next_role.kind,
            "session_id": next_role.session.id if next_role.session else None,
        },
    }


def running_json(session: RoleSession) -> dict[str, object]:
    """Shape what a process has; its role session may have ended, and be listed nowhere else."""
    return {
        "session_id": session.id,
        "role_arn": str(session.role.arn),
        "label": session.role.label,
    }
