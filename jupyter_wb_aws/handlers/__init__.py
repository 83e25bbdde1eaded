"""The REST interface: one module for each resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_wb_aws.handlers.apps import RelaunchHandler
from jupyter_wb_aws.handlers.assignments import (
    AssignmentHandler,
    AssignmentsHandler,
    DefaultHandler,
)
from jupyter_wb_aws.handlers.base import UnknownPathHandler
from jupyter_wb_aws.handlers.doctor import DoctorHandler
from jupyter_wb_aws.handlers.endpoint_clients import EndpointClientHandler, EndpointClientsHandler
from jupyter_wb_aws.handlers.health import HealthHandler, OpenApiHandler
from jupyter_wb_aws.handlers.identity import CallerIdentityHandler
from jupyter_wb_aws.handlers.role_sessions import (
    RoleSessionHandler,
    RoleSessionKernelsHandler,
    RoleSessionRefreshHandler,
    RoleSessionsHandler,
    RoleSessionTerminalsHandler,
)
from jupyter_wb_aws.handlers.roles import RolesHandler
from jupyter_wb_aws.handlers.sign_in import SignInHandler
from jupyter_wb_aws.handlers.sign_in_pages import CallbackHandler, SignInPageHandler

if TYPE_CHECKING:
    from jupyter_wb_aws.handlers.server_state import ServerState

ID = r"([^/]+)"


def routes(server: ServerState) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """Return the handlers by their paths, as `ExtensionApp.handlers` takes them."""
    by_path = {
        r"/aws/roles": RolesHandler,
        r"/aws/sessions": RoleSessionsHandler,
        rf"/aws/sessions/{ID}": RoleSessionHandler,
        rf"/aws/sessions/{ID}/refresh": RoleSessionRefreshHandler,
        rf"/aws/sessions/{ID}/kernels": RoleSessionKernelsHandler,
        rf"/aws/sessions/{ID}/terminals": RoleSessionTerminalsHandler,
        r"/aws/default": DefaultHandler,
        r"/aws/assignments": AssignmentsHandler,
        rf"/aws/assignments/{ID}": AssignmentHandler,
        r"/aws/endpoint/clients": EndpointClientsHandler,
        rf"/aws/endpoint/clients/{ID}": EndpointClientHandler,
        rf"/aws/apps/{ID}/relaunch": RelaunchHandler,
        r"/aws/identity": CallerIdentityHandler,
        r"/aws/doctor": DoctorHandler,
        r"/aws/sign-in": SignInHandler,
        r"/aws/sign-in/start": SignInPageHandler,
        r"/aws/sign-in/callback": CallbackHandler,
        r"/aws/health": HealthHandler,
        r"/aws/openapi.yaml": OpenApiHandler,
        r"/aws(?:/.*)?": UnknownPathHandler,
    }
    return [(path, handler, {"server": server}) for path, handler in by_path.items()]
