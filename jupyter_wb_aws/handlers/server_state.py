"""What the handlers share: the parts of the extension in this server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jupyter_wb_aws.child_processes import ChildProcesses
from jupyter_wb_aws.errors import NotConfigured
from jupyter_wb_aws.injection.conflict_check import ConflictCheck

if TYPE_CHECKING:  # a server that is not set up never imports these
    from jupyter_wb_aws.endpoint.clients import EndpointClient
    from jupyter_wb_aws.endpoint.endpoint import CredentialEndpoint
    from jupyter_wb_aws.handlers.health_problems import HealthProblem
    from jupyter_wb_aws.injection.environment import InjectionSettings
    from jupyter_wb_aws.injection.kernels import KernelInjection
    from jupyter_wb_aws.injection.proxied_apps import ProxiedAppInjection
    from jupyter_wb_aws.injection.terminals import TerminalInjection
    from jupyter_wb_aws.role_sessions.boto3_sessions import Boto3Sessions
    from jupyter_wb_aws.role_sessions.manager import RoleSessionManager
    from jupyter_wb_aws.roles.role import Role
    from jupyter_wb_aws.single_user import SingleUserServer

READY = "AWS roles are ready to use."


@dataclass(slots=True)
class ServerState:
    """The parts that the handlers call.

    Attributes:
        manager: the role sessions; None if the extension is not set up.
        setup_problems: why the extension is not set up; empty if it is.
        notices: what a user or an administrator should know, as (code, sentence).
        hub: this server as a hub's, if a hub has started it.
        only_user: the only Jupyter user who may change anything; None if all may who can use the server.
        children: runs our helper processes.
        conflict_check: examines the user's own `~/.aws`.
        doctors: limits how many helper processes are the doctor's, so that a role can start meanwhile.
        endpoint: the credential endpoint; None before the first role session that it delivers.
        encoded_roles: the last answer of `GET /aws/roles`, with the list that it was made from.
    """

    manager: RoleSessionManager | None = None
    setup_problems: tuple[HealthProblem, ...] = ()
    site: InjectionSettings | None = None
    kernels: KernelInjection | None = None
    terminals: TerminalInjection | None = None
    apps: ProxiedAppInjection | None = None
    boto3_sessions: Boto3Sessions | None = None
    endpoint: CredentialEndpoint | None = None
    hub: SingleUserServer | None = None
    only_user: str | None = None
    children: ChildProcesses = field(default_factory=ChildProcesses)
    notices: tuple[tuple[str, str], ...] = ()
    conflict_check: ConflictCheck = field(default_factory=ConflictCheck)
    doctors: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    encoded_roles: tuple[list[Role], bytes] | None = None

    @property
    def message(self) -> str:
        """What to configure, or that all is well, in a sentence."""
        return " ".join(problem.detail for problem in self.setup_problems) or READY

    def require_manager(self) -> RoleSessionManager:
        """Return the role sessions of this server.

        Raises:
            NotConfigured: if the extension is installed but not set up.
        """
        if self.manager is not None:
            return self.manager
        first, *others = self.setup_problems
        hint = " ".join(problem.detail for problem in others) or None
        raise NotConfigured(first.detail, hint=first.hint, admin_hint=first.admin_hint or hint)

    def endpoint_clients(self) -> list[EndpointClient]:
        """Return the clients of the credential endpoint, with a look at which have gone."""
        if self.endpoint is None:
            return []
        clients = self.endpoint.clients
        if self.kernels is not None:
            kernels = self.kernels.forget_gone()
            clients.leave_gone("kernel", lambda client: client.name in kernels)
        if self.terminals is not None:
            terminals = {id(given.prepared.client) for given in self.terminals.running().values()}
            clients.leave_gone("terminal", lambda client: id(client) in terminals)
        if self.apps is not None:
            apps = self.apps.running().keys()
            clients.leave_gone("app", lambda client: client.name in apps)
        clients.forget_unused()
        return clients.list()

    def role_sessions_in_use(self) -> set[str]:
        """Return the ids of the role sessions that living processes of this server use."""
        parts = (self.kernels, self.terminals, self.apps)
        used = set().union(*(part.session_ids_in_use() for part in parts if part is not None))
        if self.endpoint_clients() and self.endpoint is not None:
            used |= self.endpoint.clients.left_in_use()
        return used
