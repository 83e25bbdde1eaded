"""What the server itself would pass on: the environment in which it asks STS for a role."""

from __future__ import annotations

import os

from jupyter_wb_aws.injection.environment import Site, before_stand_ins, process_environment
from jupyter_wb_aws.injection.user_files import UserFiles
from jupyter_wb_aws.role_sessions.assignments import ProcessRole
from jupyter_wb_aws.role_sessions.role_session import RoleSession


async def environment_of(
    session: RoleSession, *, site: Site, user_files: UserFiles
) -> dict[str, str]:
    """Return the environment of a process that this server would start with a role session now."""
    given = ProcessRole("role", session)
    shadow = await user_files.shadow(before_stand_ins(os.environ, given, site), None)
    return process_environment(os.environ, given, site, shadowed=shadow is not None)
