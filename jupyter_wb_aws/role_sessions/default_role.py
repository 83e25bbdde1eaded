"""The role that starts by itself with the server, where the site or the catalogue names one."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING

from jupyter_wb_aws.errors import CatalogueUnavailable, SignInRequired, WbAwsError
from jupyter_wb_aws.role_sessions.schedule import back_off
from jupyter_wb_aws.roles.catalogue import default_role

if TYPE_CHECKING:
    from jupyter_wb_aws.role_sessions.manager import RoleSessionManager

log = logging.getLogger(__name__)


async def start_default_role(
    manager: RoleSessionManager, configured: str, rng: random.Random
) -> None:
    """Start the user's default role, unless the user chooses something first.

    Args:
        configured: the ARN that the site names; empty for the one that the catalogue marks.
    """
    failures, told = 0, ""
    while not manager.choices.default.chosen:
        try:
            # Told from the file alone first: where nobody has a default role, a server that was just
            # started needs no token, and not the libraries that read one.
            possible = (await manager.catalogue.current()).may_offer_default(configured)
            offered = (await manager.roles())[1] if possible else []
            role = default_role(offered, configured)
            if role is not None:
                await manager.start(str(role.arn))
            elif configured:
                log.warning("WbAwsApp.default_role %s is not offered to the user", configured)
            return
        except WbAwsError as problem:
            failures += 1
            # Without a roles file it is not known whether there is a default role, and the file is reported.
            nameless = isinstance(problem, CatalogueUnavailable) and not configured
            if problem.detail != told and not nameless:
                told = problem.detail
                log.warning("The default role did not start: %s", told)
            asks_the_user = manager.token_cache.source.sign_in is not None
            if problem.status < 500 and (asks_the_user or not isinstance(problem, SignInRequired)):
                return  # trying again would be refused again; a sign-in begins it anew
            wait = back_off(failures, rng.random(), problem.retry_after)
            await manager.clock.sleep(wait.total_seconds())
