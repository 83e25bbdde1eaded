"""The environment in which the server calls STS: that of a process that it would start."""

from __future__ import annotations

import os

from jupyter_wb_aws.injection.conflict_check import ConflictCheck
from jupyter_wb_aws.injection.environment import (
    InjectionSettings,
    environment_with_user_files,
    process_environment,
)
from jupyter_wb_aws.role_sessions.assignments import ProcessRole
from jupyter_wb_aws.role_sessions.role_session import RoleSession


async def sts_environment(
    session: RoleSession, *, site: InjectionSettings, conflict_check: ConflictCheck
) -> dict[str, str]:
    """Return the environment of a process that this server would start with a role session.

    Args:
        session: the role session.
        site: the site's settings.
        conflict_check: checks the user's own `~/.aws` files.
    """
    process_role = ProcessRole("role", session)
    conflict = await conflict_check.find(
        environment_with_user_files(os.environ, process_role, site), None
    )
    return process_environment(os.environ, process_role, site, has_conflict=conflict is not None)
