"""`/aws/sessions`: start, show, refresh and end role sessions, and start kernels and terminals with them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import NoSuchKernel

from jupyter_wb_aws.aws.file_conflicts import describe_conflict, hidden_files_message
from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.errors import BadRequest, NotFound, TokenSourceFailed, WbAwsError
from jupyter_wb_aws.handlers.base import WbAwsHandler, endpoint
from jupyter_wb_aws.handlers.request_user import log_by_user
from jupyter_wb_aws.injection.environment import (
    InjectionSettings,
    environment_with_user_files,
    role_session_variables,
)
from jupyter_wb_aws.role_sessions.assignments import ProcessRole
from jupyter_wb_aws.role_sessions.role_session import RoleSession, State
from jupyter_wb_aws.role_sessions.schedule import next_refresh
from jupyter_wb_aws.variables import without_passwords

if TYPE_CHECKING:
    from jupyter_wb_aws.handlers.server_state import ServerState
    from jupyter_wb_aws.role_sessions.manager import RoleSessionManager


async def sessions_json(
    server: ServerState, manager: RoleSessionManager, sessions: Iterable[RoleSession]
) -> list[dict[str, object]]:
    """Shape role sessions as `session_json` does; look for conflicts with the user's own AWS files.

    Args:
        server: the server's parts and settings.
        manager: the role sessions of this server.
        sessions: those to shape.
    """
    site = server.site or InjectionSettings()
    looked_at = [
        (s, environment_with_user_files(os.environ, ProcessRole("role", s), site)) for s in sessions
    ]
    conflicts = [await server.conflict_check.find(environment) for _, environment in looked_at]
    return [
        session_json(server, manager, session, conflict)
        for (session, _), conflict in zip(looked_at, conflicts, strict=True)
    ]


def session_json(
    server: ServerState, manager: RoleSessionManager, session: RoleSession, conflict: str | None
) -> dict[str, object]:
    """Shape a role session as the REST contract does, without secrets.

    Args:
        server: the server's parts and settings.
        manager: the role sessions of this server.
        session: the role session, which may have ended.
        conflict: how the user's own AWS files conflict with it; None if they don't.
    """
    token_status = manager.sessions.token_status(session)
    state = manager.sessions.state_of(session)
    living = session.ended is None
    site = server.site or InjectionSettings()
    variables = role_session_variables(
        ProcessRole("role", session), site, has_conflict=conflict is not None
    )
    # Of the token in the file; before there is one, of the current token.
    expires_at = session.file_expires_at or (
        token_status.token.expires_at if token_status.token else None
    )
    problem = _problem(session, state, token_status.problem) if living else None
    credentials, lease = session.credentials_expire_at, None
    if session.delivery == "endpoint":
        lease = int(manager.settings.lease_of(session.role).total_seconds())
    return {
        "id": session.id,
        "role_arn": str(session.role.arn),
        "label": session.role.label,
        "region": session.region,
        "state": state,
        "default": manager.sessions.is_default(session),
        "shared": session.shared,
        "delivery": session.delivery,
        "lease": lease,
        "identity": session.caller.as_json(),
        "environment": without_passwords(variables) if living else {},
        "started_at": rfc3339(session.started_at),
        "credentials_expire_at": rfc3339(credentials) if living and credentials else None,
        "token_expires_at": rfc3339(expires_at) if living and expires_at else None,
        "next_refresh_at": rfc3339(next_refresh(token_status, manager.clock.now()))
        if living
        else None,
        "problem": problem.as_problem() if problem else None,
        "notices": _notices(site, conflict) if living else [],
        "end_reason": session.ended.reason if session.ended else None,
    }


def _problem(session: RoleSession, state: State, of_token: WbAwsError | None) -> WbAwsError | None:
    problem = session.file_problem or of_token or session.credential_problem
    if problem is None and state in (State.DEGRADED, State.EXPIRED):
        return TokenSourceFailed(
            "The token source has no newer token, and the current one has expired or is about to."
        )
    return problem


def _notices(site: InjectionSettings, conflict: str | None) -> list[dict[str, str]]:
    if conflict is None:
        if site.user_aws_files != "hide":
            return []
        text = "This server hides your own ~/.aws files from processes with a role. Your profiles can't be used there."
        return [{"code": "own_aws_files_set_aside", "message": text}]
    if site.user_aws_files == "keep":
        text = (
            f"{describe_conflict(conflict, 'overrides this role in some AWS SDKs, or breaks it')}. Run `jupyter wb-aws doctor` to see"
            " what to change."
        )
        return [{"code": "own_aws_files_win", "message": text}]
    return [{"code": "own_aws_files_set_aside", "message": hidden_files_message(conflict)}]


class RoleSessionAnswerHandler(WbAwsHandler):
    """Base of the handlers that answer with a role session."""

    async def answer_session(self, session: RoleSession, status: int = 200) -> None:
        """Finish with a role session."""
        (answered,) = await sessions_json(self.server_state, self.manager, [session])
        self.answer(answered, status)


class RoleSessionsHandler(RoleSessionAnswerHandler):
    """The role sessions of this server."""

    @endpoint
    async def get(self) -> None:
        """List the role sessions that have not ended."""
        manager = self.manager
        self.answer(
            {"sessions": await sessions_json(self.server_state, manager, manager.sessions.living())}
        )

    @endpoint
    async def post(self) -> None:
        """Start a role session; with `shared: false`, it is for the caller alone.

        Raises:
            BadRequest: if fields exclude each other.
        """
        manager = self.manager
        body = self.body(
            {
                "role_arn": str,
                "default": bool,
                "region": str,
                "shared": bool,
                "process": {"pid": int, "started": str},
            },
            frozenset({"role_arn", "process.pid"}),
        )
        shared, default, process = (body.get(name) for name in ("shared", "default", "process"))
        if shared is False:
            if default:
                raise BadRequest("A role session that is not shared can't be the default.")
            session, created = await self._start_unshared(body), True
        elif process is not None:
            raise BadRequest("`process` is allowed with `shared: false` only.")
        else:
            session, created = await manager.starter.start(
                body["role_arn"], body.get("region"), default=default
            )
        how = "started" if created else "found or refreshed"
        log_by_user(self, f"Role session {session.id} ({session.role.arn}) {how}")
        self.set_header("Location", f"{self.base_url}aws/sessions/{session.id}")
        await self.answer_session(session, 201 if created else 200)

    async def _start_unshared(self, body: Mapping[str, Any]) -> RoleSession:
        process = body.get("process", {})
        return await self.manager.starter.start_unshared(
            body["role_arn"],
            body.get("region"),
            pid=process.get("pid"),
            started=process.get("started"),
        )


class RoleSessionHandler(RoleSessionAnswerHandler):
    """One role session, by its id."""

    @endpoint
    async def get(self, session_id: str) -> None:
        """Show the role session, even if it has ended."""
        await self.answer_session(self.manager.sessions.get(session_id))

    @endpoint
    async def delete(self, session_id: str) -> None:
        """End the role session."""
        ended = await self.manager.ending.end_by_user(session_id)
        log_by_user(self, f"Role session {session_id} ended")
        stop_by = ended.clients_stop_by
        self.answer(
            {
                "credentials_expire_at": rfc3339(ended.credentials_expire_at),
                "clients_stop_by": rfc3339(stop_by) if stop_by else None,
            }
        )


class RoleSessionRefreshHandler(RoleSessionAnswerHandler):
    """A refresh on demand."""

    @endpoint
    async def post(self, session_id: str) -> None:
        """Fetch a new token now."""
        manager = self.manager
        self.body({})
        session = await manager.refresher.refresh(session_id)
        log_by_user(self, f"Role session {session_id} refreshed")
        await self.answer_session(session)


class RoleSessionKernelsHandler(WbAwsHandler):
    """Kernels with a given role session instead of the default."""

    @endpoint
    async def post(self, session_id: str) -> None:
        """Start a kernel; the answer is the same model as in `/api/kernels`.

        Raises:
            NotFound: if this server's kernels run elsewhere.
            BadRequest: if the path or the kernel's name can't be used.
        """
        session = self.manager.sessions.get_shared(session_id)
        await self.require("kernels")
        body = self.body({"name": str, "path": str})
        kernels = self.server_state.kernels
        if kernels is None:
            raise NotFound(
                "This server's kernels run elsewhere, where no role session reaches them."
            )
        if ".." in body.get("path", "").split("/"):
            raise BadRequest("`path` must not contain `..`.")
        if "name" in body:
            try:
                await asyncio.to_thread(
                    kernels.kernels.kernel_spec_manager.get_kernel_spec, body["name"]
                )
            except (NoSuchKernel, ValueError):
                raise BadRequest(
                    "No kernel with that name is installed; see GET /api/kernelspecs."
                ) from None
        model = await kernels.start(session, body.get("name"), body.get("path"))
        log_by_user(self, f"Kernel {model['id']} started with role session {session.id}")
        self.set_header("Location", f"{self.base_url}api/kernels/{model['id']}")
        self.answer(model, 201)


class RoleSessionTerminalsHandler(WbAwsHandler):
    """Terminals with a given role session instead of the default."""

    @endpoint
    async def post(self, session_id: str) -> None:
        """Start a terminal; the answer is the same model as in `/api/terminals`.

        Raises:
            NotFound: if terminals are switched off.
        """
        session = self.manager.sessions.get_shared(session_id)
        await self.require("terminals")
        self.body({})
        if self.server_state.terminals is None:
            raise NotFound("Terminals are switched off on this server.")
        model = await self.server_state.terminals.start(session)
        log_by_user(self, f"Terminal {model['name']} started with role session {session.id}")
        self.set_header("Location", f"{self.base_url}api/terminals/{model['name']}")
        self.answer(model, 201)
