"""Starts the site's default role with the server: the one that the setting or the catalogue names.

From then on it is the default role of what starts next, until the user picks another.
"""

from __future__ import annotations

import logging

from jupyter_wb_aws.errors import CatalogueUnavailable, SignInRequired, WbAwsError
from jupyter_wb_aws.identity.token_cache import TokenCache
from jupyter_wb_aws.role_sessions.choices import Choices
from jupyter_wb_aws.role_sessions.context import Context
from jupyter_wb_aws.role_sessions.registry import Registry
from jupyter_wb_aws.role_sessions.rights import Rights
from jupyter_wb_aws.role_sessions.schedule import back_off
from jupyter_wb_aws.role_sessions.starting import Starter
from jupyter_wb_aws.roles.catalogue import Catalogue, startup_role
from jupyter_wb_aws.roles.role_catalogue import RoleCatalogue

log = logging.getLogger(__name__)


class DefaultRole:
    """Starts the site's default role, unless the user picks something first.

    Args:
        context: what all parts share; its settings may name the role.
        sessions: say whether anything was chosen.
        token_cache: says whether the user has to sign in.
        catalogue: may mark the role.
        choices: give nothing to new processes while the default role is being started.
        rights: decides which roles the user is offered.
        starter: starts the role.
    """

    def __init__(
        self,
        context: Context,
        sessions: Registry,
        token_cache: TokenCache,
        catalogue: RoleCatalogue,
        choices: Choices,
        rights: Rights,
        starter: Starter,
    ) -> None:
        self._context = context
        self._sessions = sessions
        self._token_cache = token_cache
        self._catalogue = catalogue
        self._choices = choices
        self._rights = rights
        self._starter = starter
        self._configured = context.settings.default_role

    def expect(self, catalogue: Catalogue | None, *, unknown: bool) -> None:
        """Note whether there may be a default role, before it is known for this user.

        Args:
            catalogue: what the role catalogue says; None if it can't be read.
            unknown: it has not answered yet.
        """
        possible = catalogue is not None and catalogue.may_offer_startup_role(self._configured)
        self._choices.default_pending = bool(self._configured) or unknown or possible

    def begin(self) -> None:
        """Start it in the background, unless the user has chosen something."""
        if not self._sessions.default.chosen:
            self._context.tasks.begin(self._run(), "default role")

    async def _run(self) -> None:
        try:
            await self._start()
        finally:
            sign_in = self._token_cache.source.sign_in
            # It is still to come as long as nobody has signed in.
            self._choices.default_pending &= sign_in is not None and sign_in.user is None

    async def _start(self) -> None:
        failures, reported = 0, ""
        while not self._sessions.default.chosen:
            try:
                await self._try_to_start()
                return
            except WbAwsError as problem:
                failures += 1
                # Without a roles file it is not known whether there is a default role, and health
                # reports the file.
                nameless = isinstance(problem, CatalogueUnavailable) and not self._configured
                if problem.detail != reported and not nameless:
                    reported = problem.detail
                    log.warning("The default role did not start: %s", reported)
                if self._is_final(problem):
                    return
                wait = back_off(failures, self._context.random.random(), problem.retry_after)
                await self._context.clock.sleep(wait.total_seconds())

    async def _try_to_start(self) -> None:
        # The catalogue alone comes first: where nobody has a default role, a server that has just started
        # needs no token, and none of the libraries that read one.
        possible = (await self._catalogue.look()).may_offer_startup_role(self._configured)
        offered = (await self._rights.offered_roles())[1] if possible else []
        role = startup_role(offered, self._configured)
        if role is not None:
            await self._starter.start(str(role.arn))
        elif self._configured:
            log.warning("WbAwsApp.default_role %s is not offered to the user", self._configured)

    def _is_final(self, problem: WbAwsError) -> bool:
        """Return whether another try would be refused again; a sign-in begins again from the start."""
        asks_the_user = self._token_cache.source.sign_in is not None
        return problem.status < 500 and (asks_the_user or not isinstance(problem, SignInRequired))
