"""The door to this package: wires its parts, opens and closes them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jupyter_wb_aws.aws.sts_subprocess import AsyncStsClient
from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import (
    CatalogueUnavailable,
    RoleNotAllowed,
    ServerStopping,
    TokenFolderRefused,
    WbAwsError,
)
from jupyter_wb_aws.identity.token_cache import TokenCache
from jupyter_wb_aws.role_sessions.choices import Choices
from jupyter_wb_aws.role_sessions.claim_notices import ClaimNotices
from jupyter_wb_aws.role_sessions.context import Context, Emit
from jupyter_wb_aws.role_sessions.default_role import DefaultRole
from jupyter_wb_aws.role_sessions.ending import Ending
from jupyter_wb_aws.role_sessions.endpoint_delivery import EndpointDelivery, NoEndpoint
from jupyter_wb_aws.role_sessions.limits import InUse, Limits
from jupyter_wb_aws.role_sessions.places import Place
from jupyter_wb_aws.role_sessions.records import Records
from jupyter_wb_aws.role_sessions.refresher import Refresher
from jupyter_wb_aws.role_sessions.registry import Registry
from jupyter_wb_aws.role_sessions.restoring import restored_sessions
from jupyter_wb_aws.role_sessions.rights import Rights
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.role_session_sts import RoleSessionSts, StsEnvironment
from jupyter_wb_aws.role_sessions.session_files import FOLDER_TIMEOUT, SessionFiles
from jupyter_wb_aws.role_sessions.settings import RoleSessionSettings
from jupyter_wb_aws.role_sessions.sign_in_changes import SignInChanges
from jupyter_wb_aws.role_sessions.starting import Starter
from jupyter_wb_aws.role_sessions.store import NO_ROLE, Snapshot
from jupyter_wb_aws.role_sessions.token_folders import TokenFolders
from jupyter_wb_aws.roles.catalogue import Catalogue
from jupyter_wb_aws.roles.role_catalogue import RoleCatalogue

log = logging.getLogger(__name__)

# The last run's role sessions come back without the role catalogue, too, if it takes longer.
ROLES_FILE_TIMEOUT = 3.0
CLOSE_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class ServerHooks:
    """What this package asks of the parts of the server that stand above it.

    Args:
        sts_environment: returns the environment in which STS is asked: that of a process of the role session;
            None for the variables of the site and the role alone.
        in_use: returns the ids of the role sessions that living processes use.
        endpoint: delivers by the credential endpoint.
    """

    sts_environment: StsEnvironment | None = None
    in_use: InUse = frozenset
    endpoint: EndpointDelivery = field(default_factory=NoEndpoint)


class RoleSessionManager:
    """The role sessions of one server, with the parts that look after them.

    Ask the part that you need: `sessions` has the role sessions, `starter` starts them, `refresher`
    refreshes their tokens, `ending` ends them, `choices` decides which process gets which, `rights`
    knows what the user is offered, `files` has the token files, `sign_in_changes` signs out.

    Args:
        settings: what the site decides.
        token_cache: has the tokens.
        catalogue: the role catalogue.
        clock: dates and waits.
        rng: draws ids and jitter.
        emit: reports an event, by its name and data; see `jupyter_wb_aws/events/`.
        sts: AWS STS.
        hooks: what is asked of the parts of the server that stand above.
    """

    def __init__(
        self,
        settings: RoleSessionSettings,
        token_cache: TokenCache,
        catalogue: RoleCatalogue,
        *,
        clock: Clock,
        rng: random.Random,
        emit: Emit,
        sts: AsyncStsClient,
        hooks: ServerHooks | None = None,
    ) -> None:
        hooks = hooks or ServerHooks()
        self.settings, self.clock = settings, clock
        self.token_cache = token_cache
        self.catalogue = catalogue
        self.context = context = Context(settings, clock, rng, emit, hooks.endpoint)
        state_dir = Place(settings.state_dir, "WbAwsApp.state_dir")
        token_dir = Place(settings.token_dir, "WbAwsApp.token_dir")
        self.records = Records(
            settings.store_places or [state_dir], settings.root_dir, settings.server_name
        )
        self.sessions = sessions = Registry(context, token_cache, self.records, self._late_hint())
        folders = TokenFolders(
            settings.token_places or [token_dir],
            settings.root_dir,
            self.records,
            allow_hidden=settings.allow_hidden,
        )
        self.files = SessionFiles(context, sessions, self.records, folders)
        self.choices = Choices(context, sessions)
        self.claim_notices = ClaimNotices(token_cache, catalogue)
        self.rights = Rights(context, sessions, token_cache, catalogue, self.claim_notices)
        self.ending = Ending(context, sessions, self.files, self.choices)
        limits = Limits(context, sessions, hooks.in_use)
        self.refresher = Refresher(
            context, sessions, token_cache, self.files, self.rights, limits, self.ending
        )
        self.starter = Starter(
            context, sessions, self.files, self.choices, self.rights, limits, self.refresher,
            self.ending,
            RoleSessionSts(sts, hooks.sts_environment or self._extra_variables, settings.start_timeout),
        )  # fmt: skip
        self.default_role = DefaultRole(
            context, sessions, token_cache, catalogue, self.choices, self.rights, self.starter
        )
        self.sign_in_changes = SignInChanges(
            context, sessions, token_cache, self.rights, self.ending, self.refresher,
            self.default_role,
        )  # fmt: skip

    @property
    def notices(self) -> list[tuple[str, str]]:
        """What users and administrators should know of our folders and the token's claims, as (code, sentence)."""
        late, lost = self.sessions.last_run_notice, self.records.problem
        another = self.rights.another_user(refused=False)
        return [
            *([("last_run_unknown", late)] if late else []),
            *([("store_failed", lost)] if lost else []),
            *([(another.code, another.detail)] if another else []),
            *self.files.notices,
            *self.records.notices,
            *((problem.code, problem.message) for problem in self.claim_notices.current()),
        ]

    async def open(self) -> None:
        """Bring back the last run's role sessions, and look after them from now on.

        A disk that hangs does not hang the caller: they are brought back once it answers.
        """
        self.sessions.begin_restore()
        opening = self.context.tasks.begin(self._bring_back(), "open")
        if await self.sessions.wait_until_ready():
            await asyncio.shield(opening)

    async def _bring_back(self) -> None:
        try:
            await self._restore()
        except Exception:  # a bug, or a disk that fails in a new way, must not end the refreshes
            log.exception("The last run's role sessions could not be brought back")
            # Nobody knows whether "no AWS role" was chosen: so it was.
            self.sessions.restore_default(NO_ROLE)
        finally:
            self.sessions.end_restore()
        opening = []
        for session in self.sessions.living():
            self.ending.end_with_process(session)
            if session.delivery == "endpoint":
                work = self._open_endpoint_again(session)
                opening.append(self.context.tasks.begin(work, "open the endpoint again"))
        self.context.tasks.begin(self.refresher.run(), "refresher")
        self.default_role.begin()
        if opening:  # a disk that hangs hangs neither the refreshes nor the server's start or stop
            await asyncio.wait(opening, timeout=FOLDER_TIMEOUT)

    async def _restore(self) -> None:
        snapshot = await self.records.open()
        if self.sign_in_changes.signed_out_early:
            snapshot = Snapshot(NO_ROLE)
        catalogue, hangs = await self._read_catalogue()
        try:
            await self.files.open()
        except TokenFolderRefused as refused:
            log.error("%s %s", refused.detail, refused.admin_hint)
        back = restored_sessions(snapshot.records, catalogue, self.files.path_of, self.clock.now())
        self.sessions.restore(back, snapshot.default)
        self.default_role.expect(catalogue, unknown=hangs)
        await self.files.clear_leftovers()

    async def _open_endpoint_again(self, session: RoleSession) -> None:
        """Give a role session of the last run a token of its own again; credentials are fetched with the next token."""
        try:
            await self.context.endpoint.open(session, None)
        except WbAwsError as problem:
            session.credential_problem = problem
            log.error("%s", problem.detail)

    async def _read_catalogue(self) -> tuple[Catalogue | None, bool]:
        """Return the catalogue if it can be read, and whether it may still be."""
        try:
            async with asyncio.timeout(ROLES_FILE_TIMEOUT):
                return await self.catalogue.look(), False
        except TimeoutError:
            log.error("The %s %s does not answer", self.catalogue.what, self.catalogue.where)
            return None, True
        except WbAwsError as problem:  # it is reported where it is read
            final = isinstance(problem, CatalogueUnavailable | RoleNotAllowed)
            return None, not final

    async def close(self) -> None:
        """Stop: remove the token files, and keep the records for the next run."""
        known = self.sessions.restored
        await self.context.tasks.cancel()
        await self.catalogue.close()
        await self.token_cache.close()
        # What was under way was cut short: an end that had begun is one all the same.
        self.sessions.restore_default(self.sessions.default)
        if known:  # else the records would be replaced by nothing
            with contextlib.suppress(ServerStopping):  # closed before: it is saved
                await self.sessions.save()
        for part in (self.files, self.records):
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await part.close()
            except TimeoutError:
                log.error("A disk does not answer: token files of this server may stay behind")

    async def _extra_variables(self, session: RoleSession) -> Mapping[str, str]:
        return self.settings.extra_variables(session.role)

    def _late_hint(self) -> str:
        disks = {
            "WbAwsApp.state_dir": str(self.settings.state_dir),
            "WbAwsApp.token_dir": str(self.settings.token_dir),
        }
        if self.catalogue.disk_setting is not None:
            disks[self.catalogue.disk_setting] = self.catalogue.where
        names, paths = _listed(disks), _listed(disks.values())
        return f"Look at the disks of {paths}, or set {names} to folders that answer."


def _listed(texts: Iterable[str]) -> str:
    *others, last = texts
    return f"{', '.join(others)} and {last}"
