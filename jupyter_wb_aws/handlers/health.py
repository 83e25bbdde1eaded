"""`GET /aws/health` and `GET /aws/openapi.yaml`: the server's health, and the REST contract."""

from __future__ import annotations

import asyncio
import contextlib
import platform
from dataclasses import asdict
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jupyter_wb_aws import __version__
from jupyter_wb_aws.aws.iam_claims import claim_warnings, claims_for_aws
from jupyter_wb_aws.aws.sts import configured_endpoint, is_aws_endpoint
from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.errors import WbAwsError
from jupyter_wb_aws.handlers.base import WbAwsHandler, endpoint
from jupyter_wb_aws.handlers.health_problems import of_endpoint, problems_of
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.identity.token_cache import TokenStatus
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.schedule import next_refresh
from jupyter_wb_aws.roles.catalogue_file import describe_bad_entry

if TYPE_CHECKING:
    from jupyter_wb_aws.handlers.server_state import ServerState
    from jupyter_wb_aws.role_sessions.manager import RoleSessionManager

SIGNED_OUT = "Nobody is signed in: `jupyter wb-aws sign-in`."


class HealthHandler(WbAwsHandler):
    """The server's health, without secrets."""

    _track_activity = False  # a monitor must not keep an idle server alive

    @endpoint
    async def get(self) -> None:
        """Report the health of every part."""
        state = self.server_state
        notices = [{"code": code, "message": message} for code, message in state.notices]
        document: dict[str, object] = {
            "status": "not_configured",
            "message": state.message,
            "problems": [asdict(problem) for problem in state.setup_problems],
            "catalogue": None,
            "token_source": None,
            "endpoint": None,
            "role_sessions": [],
            "notices": notices,
            "versions": versions(),
        }
        if state.manager is not None:
            document |= await self._configured(state.manager, notices)
        self.answer(document)

    async def _configured(
        self, manager: RoleSessionManager, notices: list[dict[str, str]]
    ) -> dict[str, object]:
        catalogue = await catalogue_json(manager)
        problems = [
            *problems_of(manager, source_problem(manager)),
            *of_endpoint(self.server_state.endpoint),
        ]
        good_news = SIGNED_OUT if _signed_out(manager) else self.server_state.message
        notices += self._kernels_elsewhere()
        notices += [{"code": code, "message": message} for code, message in manager.notices]
        return {
            "status": "degraded" if problems else "ok",
            "message": " ".join(problem.detail for problem in problems) or good_news,
            "problems": [asdict(problem) for problem in problems],
            "catalogue": catalogue,
            "token_source": source_json(manager),
            "endpoint": endpoint_json(self.server_state),
            "role_sessions": [
                session_health(manager, session) for session in manager.sessions.living()
            ],
            "notices": notices + roles_file_notices(manager),
        }

    def _kernels_elsewhere(self) -> list[dict[str, str]]:
        kernels = self.server_state.kernels
        if kernels is None or not (elsewhere := kernels.remote_kernel_ids()):
            return []
        text = f"{len(elsewhere)} of the running kernels get no AWS role: a provisioner runs them elsewhere."
        return [{"code": "kernels_elsewhere", "message": text}]


class OpenApiHandler(WbAwsHandler):
    """The REST contract."""

    @endpoint
    async def get(self) -> None:
        """Serve `openapi.yaml`."""
        document = files("jupyter_wb_aws.handlers") / "openapi.yaml"
        content = await asyncio.to_thread(document.read_bytes)
        self.finish(content, set_content_type="application/yaml")  # RFC 9512


def versions() -> dict[str, str]:
    """Return the versions that a bug report needs."""
    return {
        "jupyter_wb_aws": __version__,  # the running version: an upgrade may have replaced the files
        "jupyter_server": version("jupyter_server"),
        "jupyter_client": version("jupyter_client"),
        "python": platform.python_version(),
    }


async def catalogue_json(manager: RoleSessionManager) -> dict[str, Any]:
    """Report the state of the role catalogue."""
    with contextlib.suppress(WbAwsError):  # the catalogue keeps it in `problem` or `failure`
        await manager.catalogue.look()
    good, broken = manager.catalogue.last_good, manager.catalogue.problem
    return {
        "path": manager.catalogue.where,
        "loaded_at": rfc3339(good.loaded_at) if good else None,
        "roles": len(good.entries) if good else 0,
        "problem": {"line": broken.line, "reason": broken.reason} if broken else None,
        "problems": [
            {
                "line": bad.line,
                "reason": bad.reason,
                "role_arn": str(bad.arn) if bad.arn else None,
                "effect": bad.effect,
            }
            for bad in (good.problems if good else ())
        ],
    }


def endpoint_json(state: ServerState) -> dict[str, object] | None:
    """Report the state of the credential endpoint; None before the first role session that it delivers."""
    if state.endpoint is None:
        return None
    # The commands of a role session that starts could ask, but nobody may ever run one.
    clients = [client for client in state.endpoint_clients() if client.kind != "environment"]
    return {
        "running": state.endpoint.running,
        "port": state.endpoint.port,
        "clients": len(clients),
    }


def roles_file_notices(manager: RoleSessionManager) -> list[dict[str, str]]:
    """Return the entries of the role catalogue that can't be used, and whether others can change it."""
    catalogue, good = manager.catalogue, manager.catalogue.last_good
    named = f"The {catalogue.what} {catalogue.where}"
    notices = [
        {
            "code": "roles_file_entry",
            "message": f"{named}, {describe_bad_entry(bad)}.",
        }
        for bad in (good.problems if good else ())
    ]
    if catalogue.unsafe_permissions:
        message = f"{named}: {catalogue.unsafe_permissions}. Only root should be able to change it."
        notices.append({"code": "roles_file_exposed", "message": message})
    return notices


def source_json(manager: RoleSessionManager) -> dict[str, object]:
    """Report the state of the token source; of one with a token for each role, that of the default role's."""
    source = manager.token_cache.source
    token_status, *others = token_statuses(manager)
    token = valid_token(manager, token_status)
    problem = source_problem(manager) or manager.catalogue.failure
    is_aws_sts = uses_aws_sts(manager)
    tokens = [token, *(valid_token(manager, other) for other in others)]
    warnings = {w: None for t in tokens if t for w in claim_warnings(t, is_aws_sts=is_aws_sts)}
    user = manager.catalogue.user
    subject = token.claims["sub"] if token else user.subject if user else None
    return {
        "name": getattr(source, "short_name", type(source).__name__),
        "binds_role": source.binds_role,
        "subject": subject,
        "claims": claims_for_aws(token.claims) if token else None,
        "warnings": [{"code": w.code, "message": w.message} for w in warnings],
        "expires_at": rfc3339(token.expires_at) if token else None,
        "next_refresh_at": rfc3339(next_refresh(token_status, manager.clock.now()))
        if manager.sessions.living()
        else None,
        "problem": problem.as_problem() if problem else None,
    }


def source_problem(manager: RoleSessionManager) -> WbAwsError | None:
    """Return why the token source gives no new token, if so."""
    sign_in = manager.token_cache.source.sign_in
    signing_in = sign_in.problem if sign_in is not None and sign_in.user is None else None
    problems = (token_status.problem for token_status in token_statuses(manager))
    return signing_in or next(filter(None, problems), None)


def token_statuses(manager: RoleSessionManager) -> list[TokenStatus]:
    """Return what is known of the one token of the user; of those in use, the default role's first, if each role has its own."""
    source = manager.token_cache.source
    if not source.binds_role:
        return [manager.token_cache.status(None)]
    # With a roles file, a token without a role says who the user is.
    without_role = [] if source.knows_roles else [manager.token_cache.status(None)]
    sessions = sorted(
        manager.sessions.living(), key=lambda session: not manager.sessions.is_default(session)
    )
    by_role = {str(s.role.arn): manager.sessions.token_status(s) for s in sessions}
    return [*by_role.values(), *without_role] or [TokenStatus()]


def valid_token(manager: RoleSessionManager, token_status: TokenStatus) -> WebIdentityToken | None:
    """Return the current token, unless it has expired."""
    token = token_status.token
    return token if token is not None and token.expires_at > manager.clock.now() else None


def _signed_out(manager: RoleSessionManager) -> bool:
    sign_in = manager.token_cache.source.sign_in
    return sign_in is not None and sign_in.user is None


def uses_aws_sts(manager: RoleSessionManager) -> bool:
    """Return whether at least one role uses AWS STS, and not the STS of an S3-compatible store."""
    good = manager.catalogue.last_good
    roles = good.roles() if good else []
    settings = manager.settings
    endpoints = {configured_endpoint(settings.extra_variables(role)) for role in roles}
    # Without any role, the site's own variables decide.
    endpoints = endpoints or {configured_endpoint(settings.extra_environment)}
    return any(is_aws_endpoint(endpoint) for endpoint in endpoints)


def session_health(manager: RoleSessionManager, session: RoleSession) -> dict[str, object]:
    """Report the health of one role session."""
    token_status = manager.token_cache.status(str(session.role.arn))
    token = valid_token(manager, token_status)
    problem = session.file_problem or token_status.problem or session.credential_problem
    at = rfc3339(token_status.attempted_at) if token_status.attempted_at else None
    return {
        "id": session.id,
        "state": manager.sessions.state_of(session),
        "claims": claims_for_aws(token.claims) if token else None,
        "next_refresh_at": rfc3339(next_refresh(token_status, manager.clock.now())),
        "last_failure": {"at": at, "code": problem.code, "detail": problem.detail}
        if problem
        else None,
    }
