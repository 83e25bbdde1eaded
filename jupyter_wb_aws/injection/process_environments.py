"""Makes the environment of one process that starts: its role session, the user's own files, its endpoint token."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

from jupyter_wb_aws.errors import EndpointUnavailable, TokenFolderRefused, WbAwsError
from jupyter_wb_aws.injection.conflict_check import (
    BLOCKING_CHECK_TIMEOUT,
    BegunCheck,
    ConflictCheck,
)
from jupyter_wb_aws.injection.environment import (
    InjectionSettings,
    differing_names,
    environment_with_user_files,
    process_environment,
)
from jupyter_wb_aws.role_sessions.assignments import NO_AWS_ROLE, ProcessRole
from jupyter_wb_aws.role_sessions.endpoint_access import EndpointAccess
from jupyter_wb_aws.variables import (
    ENDPOINT_TOKEN_FILE,
    ENDPOINT_URI,
    NO_PROXY,
    ROLE_LABEL,
    STS_ENDPOINTS,
)

if TYPE_CHECKING:  # a site without a role by endpoint never imports it
    from jupyter_wb_aws.endpoint.clients import EndpointClient, EndpointClients, Kind
    from jupyter_wb_aws.role_sessions.role_session import RoleSession

log = logging.getLogger(__name__)

# Seconds. A kernel is started all the same, and its token file is written when the disk answers.
WRITE_TIMEOUT = 2.0
# What may differ in a process that was switched while it runs: what carries its credentials, the label of the role
# that it started with, and how SDKs call STS, which a client of the endpoint has no need to do.
NO_MATTER_SWITCHED = {ENDPOINT_URI, ENDPOINT_TOKEN_FILE, *NO_PROXY, ROLE_LABEL, STS_ENDPOINTS}


class Endpoint(Protocol):
    """What is needed here of the credential endpoint."""

    @property
    def clients(self) -> EndpointClients:
        """Who may ask it."""

    def ensure_running(self) -> None:
        """Start it if it does not run.

        Raises:
            WbAwsError: if that is not possible.
        """


# Returns the credential endpoint, and makes it the first time.
GetEndpoint = Callable[[], Endpoint]


def no_endpoint() -> Endpoint:
    """Refuse, where there is no credential endpoint.

    Raises:
        EndpointUnavailable: always.
    """
    raise EndpointUnavailable


@dataclass(frozen=True, slots=True)
class Switch:
    """How a choice for a process takes effect.

    Attributes:
        now: whether it was switched while it runs.
        at_restart: the names of the variables that only a restart changes.
        old_clients_until: until when SDKs in it may use what they got before; None if they got nothing.
    """

    now: bool
    at_restart: list[str]
    old_clients_until: datetime | None = None


@dataclass(slots=True, eq=False)
class Prepared:
    """What a process starts with.

    Attributes:
        base: its environment without us.
        environment: its environment.
        given: the role that it started with.
        client: asks the credential endpoint for it; None if it has no endpoint token.
        write_files: begins to write its endpoint token into its file; None if it has none.
    """

    base: Mapping[str, str] = field(repr=False)  # may hold the server's own secrets
    environment: dict[str, str] = field(repr=False)
    given: ProcessRole
    client: EndpointClient | None = None
    write_files: Callable[[], Future[None]] | None = None

    @property
    def process_role(self) -> ProcessRole:
        """Its role now: it may have been switched."""
        if self.client is None:
            return self.given
        session = self.client.session
        return NO_AWS_ROLE if session is None else ProcessRole("role", session)

    @property
    def access(self) -> EndpointAccess | None:
        """How it reaches the credential endpoint."""
        return self.client.access if self.client else None

    def can_switch_to(self, role: ProcessRole) -> bool:
        """Return whether the process can get another role while it runs."""
        if self.client is None or self.client.state != "running":
            return False
        if role.session is None:
            return role.kind == "no_role"
        # What another user has left running in it must not get this one's role.
        is_owners = self.client.owner.same_user(role.session.owner)
        return role.session.delivery == "endpoint" and is_owners

    def seen(self) -> None:
        """Note that the process runs: if it is not there at a look, it has gone."""
        if self.client is not None:
            self.client.seen = True

    def write_soon(self) -> None:
        """Begin to write its files: a kernel needs far longer than that until it runs the first line of a user."""
        if (writing := self._begin_writing()) is not None:
            writing.add_done_callback(self._log_failure)

    async def write(self) -> None:
        """Write its files; a disk that does not answer, or is full, stops no process."""
        if (writing := self._begin_writing()) is None:
            return
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                await asyncio.shield(asyncio.wrap_future(writing))
        except (TimeoutError, TokenFolderRefused):
            self._log_late()

    def write_now(self) -> None:
        """Do the same for a caller that can't await; it blocks for `BLOCKING_CHECK_TIMEOUT` at most."""
        if (writing := self._begin_writing()) is None:
            return
        try:
            writing.result(BLOCKING_CHECK_TIMEOUT)
        except (TimeoutError, TokenFolderRefused):
            self._log_late()

    def _begin_writing(self) -> Future[None] | None:
        if self.write_files is None:
            return None
        try:
            return self.write_files()
        except RuntimeError:  # no thread can be started now; the refresher's look tries again
            self._log_late()
            return None

    def _log_failure(self, written: Future[None]) -> None:
        if not written.cancelled() and written.exception() is not None:
            self._log_late()

    def _log_late(self) -> None:
        assert self.client is not None
        log.error(
            "A new process (%s) has AWS credentials only once its endpoint token can be written to %s",
            self.client.kind, self.client.access.token_file,
        )  # fmt: skip


class ProcessEnvironments:
    """Makes the environments of the processes that one part of the server starts.

    Args:
        site: the site's settings.
        endpoint: returns the credential endpoint.
    """

    def __init__(self, site: InjectionSettings, endpoint: GetEndpoint) -> None:
        self.site = site
        self._endpoint = endpoint
        self._conflict_check = ConflictCheck()

    def begin_check(self, base: Mapping[str, str], process_role: ProcessRole) -> BegunCheck | None:
        """Begin to check the user's files for a process that starts in a moment, so that it need not wait.

        Args:
            base: its environment without us, as far as that is known.
            process_role: what it gets, most likely.
        """
        session = process_role.session
        if session is None:
            return None
        # Its own client has another token file, at the same address.
        looked_at = environment_with_user_files(
            base, process_role, self.site, access=session.access
        )
        return self._conflict_check.begin(looked_at)

    async def prepare(
        self,
        client_as: tuple[Kind, str],
        base: Mapping[str, str],
        process_role: ProcessRole,
        cwd: str | None,
        *,
        before: Prepared | None = None,
        key: Hashable = None,
        begun: BegunCheck | None = None,
    ) -> Prepared:
        """Make the environment of a process.

        Args:
            client_as: the kind and name by which it asks the credential endpoint.
            base: its environment without us.
            process_role: what it gets.
            cwd: the folder that it starts in; None if it is not known.
            before: what it had before a restart.
            key: what it keeps its endpoint token by; see `EndpointClients.client_for`.
            begun: what `begin_check` returned.
        """
        prepared = self._begin(client_as, base, process_role, before, key)
        has_conflict = await self._has_conflict(prepared, cwd, begun)
        return self._with_environment(prepared, has_conflict=has_conflict)

    def prepare_now(
        self,
        client_as: tuple[Kind, str],
        base: Mapping[str, str],
        process_role: ProcessRole,
        cwd: str | None,
        *,
        key: Hashable,
    ) -> Prepared:
        """Do the same for a caller that can't await; it blocks for a second at most.

        Args:
            client_as: the kind and name by which it asks the credential endpoint.
            base: its environment without us.
            process_role: what it gets.
            cwd: the folder that it starts in; None if it is not known.
            key: what it keeps its endpoint token by; see `EndpointClients.client_for`.
        """
        prepared = self._begin(client_as, base, process_role, None, key)
        has_conflict = (
            prepared.process_role.session is not None
            and self._conflict_check.find_now(self._looked_at(prepared), cwd) is not None
        )
        return self._with_environment(prepared, has_conflict=has_conflict)

    async def switch(
        self, prepared: Prepared, role: ProcessRole, others: Iterable[EndpointClient] = ()
    ) -> Switch:
        """Switch a running process to another role, if it can be.

        Args:
            prepared: what it was started with.
            role: what it gets.
            others: clients that belong to the same process, beside its own.
        """
        now, until = prepared.can_switch_to(role), None
        if now and prepared.client is not None:
            assign = self._endpoint().clients.assign
            ends = [assign(client, role.session) for client in {prepared.client, *others}]
            until = max((end for end in ends if end is not None), default=None)
        return Switch(now, await self.at_restart(prepared, role), until)

    async def at_restart(self, prepared: Prepared, next_role: ProcessRole) -> list[str]:
        """Return the names of the variables that a restart with a role would change in a process, where that matters.

        Nothing that stays matters to a process that was switched to "no AWS role": the endpoint refuses it.

        Args:
            prepared: what the process was started with.
            next_role: what it would get.
        """
        now = prepared.can_switch_to(next_role)
        if now and next_role.session is None:
            return []
        again = Prepared(prepared.base, {}, next_role, prepared.client)
        has_conflict = await self._has_conflict(again, "")
        after = process_environment(
            prepared.base, next_role, self.site, has_conflict=has_conflict, access=prepared.access
        )
        names = differing_names(prepared.environment, after)
        hidden = NO_MATTER_SWITCHED if now else frozenset()
        return [name for name in names if name not in hidden]

    def _begin(
        self,
        client_as: tuple[Kind, str],
        base: Mapping[str, str],
        process_role: ProcessRole,
        before: Prepared | None,
        key: Hashable,
    ) -> Prepared:
        prepared = Prepared(base, {}, process_role)
        session = process_role.session
        if session is not None and session.delivery == "endpoint":
            self._take_client(prepared, client_as, session, key)
        old = before.client if before else None
        if old is not None and old is not prepared.client:
            self._endpoint().clients.leave(old)
        return prepared

    def _take_client(
        self, prepared: Prepared, client_as: tuple[Kind, str], session: RoleSession, key: Hashable
    ) -> None:
        """Give a process its endpoint token, or no role where there is no endpoint."""
        try:
            endpoint = self._endpoint()
            endpoint.ensure_running()
            clients = endpoint.clients
            prepared.client = clients.client_for(*client_as, session, key=key)
        except WbAwsError as problem:
            log.error(
                "A new process (%s) starts without an AWS role: %s", client_as[0], problem.detail
            )
            prepared.given = NO_AWS_ROLE
        else:
            prepared.write_files = partial(clients.write_files, prepared.client)

    async def _has_conflict(
        self, prepared: Prepared, cwd: str | None, begun: BegunCheck | None = None
    ) -> bool:
        if prepared.process_role.session is None:
            return False
        looked_at = self._looked_at(prepared)
        return await self._conflict_check.find(looked_at, cwd, begun=begun) is not None

    def _looked_at(self, prepared: Prepared) -> dict[str, str]:
        return environment_with_user_files(
            prepared.base, prepared.process_role, self.site, access=prepared.access
        )

    def _with_environment(self, prepared: Prepared, *, has_conflict: bool) -> Prepared:
        prepared.environment = process_environment(
            prepared.base,
            prepared.process_role,
            self.site,
            has_conflict=has_conflict,
            access=prepared.access,
        )
        return prepared
