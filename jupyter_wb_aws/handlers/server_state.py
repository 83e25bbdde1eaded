"""What the handlers know of the server they are in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jupyter_wb_aws.child_processes import ChildProcesses
from jupyter_wb_aws.injection.user_files import UserFiles

if TYPE_CHECKING:  # a server where nothing is set up never needs these
    from jupyter_wb_aws.injection.environment import Site
    from jupyter_wb_aws.injection.kernels import KernelInjection
    from jupyter_wb_aws.injection.proxied_apps import ProxiedAppInjection
    from jupyter_wb_aws.injection.terminals import TerminalInjection
    from jupyter_wb_aws.role_sessions.boto3_sessions import Boto3Sessions
    from jupyter_wb_aws.role_sessions.manager import RoleSessionManager
    from jupyter_wb_aws.roles.role import Role


@dataclass(slots=True)
class ServerState:
    """The parts that the handlers call; `manager` is None where the extension is not set up.

    `message` says in a sentence how things are: what to configure, or that all is well.
    `notices` are things that a user or an administrator should know, as (code, sentence).
    `children` runs our helper processes; `doctors` bounds how many of them are the doctor's, so that a
    role can be started meanwhile.
    `user_files` looks at the user's own `~/.aws`.
    `encoded_roles` is the last answer of `GET /aws/roles`, with the list that it was made from.
    """

    message: str
    manager: RoleSessionManager | None = None
    site: Site | None = None
    kernels: KernelInjection | None = None
    terminals: TerminalInjection | None = None
    apps: ProxiedAppInjection | None = None
    boto3_sessions: Boto3Sessions | None = None
    children: ChildProcesses = field(default_factory=ChildProcesses)
    notices: tuple[tuple[str, str], ...] = ()
    user_files: UserFiles = field(default_factory=UserFiles)
    doctors: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    encoded_roles: tuple[list[Role], bytes] | None = None
