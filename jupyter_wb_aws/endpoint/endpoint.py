"""The door to this package: answers clients, and delivers role sessions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta

from jupyter_wb_aws.aws.credential_options import CredentialOptions
from jupyter_wb_aws.aws.sts import Credentials
from jupyter_wb_aws.clock import rfc3339
from jupyter_wb_aws.endpoint import refusals
from jupyter_wb_aws.endpoint.answers import Answer, Refusal
from jupyter_wb_aws.endpoint.clients import EndpointClient, EndpointClients, Kind
from jupyter_wb_aws.endpoint.credentials import CredentialCache
from jupyter_wb_aws.endpoint.lease import lease_end
from jupyter_wb_aws.endpoint.server import EndpointServer
from jupyter_wb_aws.errors import (
    EndpointUnavailable,
    ServerStopping,
    TokenFolderRefused,
    WbAwsError,
)
from jupyter_wb_aws.role_sessions.context import Context
from jupyter_wb_aws.role_sessions.registry import Registry
from jupyter_wb_aws.role_sessions.role_session import RoleSession
from jupyter_wb_aws.role_sessions.role_session_sts import RoleSessionSts
from jupyter_wb_aws.role_sessions.session_files import SessionFiles

log = logging.getLogger(__name__)

# Seconds that code in this server waits for STS; as long as a start does.
BLOCKING_PATIENCE = 16.0
# A thread that dies again and again must not take a core.
RESTART_PAUSE = 0.5
# The credentials of a role session that only commands may use are kept fresh for so long after the last of them.
COMMANDS_REMEMBERED = timedelta(hours=1)
OK = 200


class CredentialEndpoint:
    """The credential endpoint of one server. Its methods are called in Jupyter's event loop, except where they say so.

    Args:
        context: what the parts of role sessions share.
        sessions: the role sessions.
        files: keep the token files.
        make_sts: makes what asks STS; called in the endpoint's loop, once for each of its threads.
        rng: draws jitter.
    """

    def __init__(
        self,
        context: Context,
        sessions: Registry,
        files: SessionFiles,
        make_sts: Callable[[], RoleSessionSts],
        rng: random.Random,
    ) -> None:
        self._context = context
        self._clock = clock = context.clock
        self._sessions = sessions
        self._make_sts = make_sts
        self._sts = make_sts()
        self._jupyter = asyncio.get_running_loop()
        self._closed = False
        self._server = EndpointServer(self.answer)
        self._keeping: Future[None] | None = None
        self._logged: set[tuple[str, str]] = set()
        self._opening: set[str] = set()  # ids of role sessions
        self.clients = EndpointClients(files, clock, lambda: self.uri)
        self.credentials = CredentialCache(
            self._fetch, self._token_of, self._is_used, self._changed, clock, rng
        )

    @property
    def uri(self) -> str | None:
        """Where it listens; None before its first start."""
        return self._server.uri

    @property
    def port(self) -> int | None:
        """The port on which it listens; None before its first start."""
        return self._server.port

    @property
    def running(self) -> bool:
        """Whether its thread is alive."""
        return self._server.running

    @property
    def problem(self) -> tuple[str, str] | None:
        """Why it does not run, as (code, sentence), if so."""
        return self._server.problem

    # --- The thread ------------------------------------------------------------------------

    def ensure_running(self) -> None:
        """Start it, or start it again on the same port if its thread has died.

        Raises:
            EndpointUnavailable: if that fails; says why.
            ServerStopping: if it was closed.
        """
        is_first_start = self._server.port is None
        if not self._server.ensure_running():
            assert self._server.problem is not None
            raise EndpointUnavailable(self._server.problem[1])
        if is_first_start:
            log.info("The credential endpoint listens at %s.", self.uri)
        if self._keeping is None or self._keeping.done():
            self._keeping = self._server.submit(self._keep_fresh())
            self._keeping.add_done_callback(self._thread_ended)

    async def close(self) -> None:
        """Stop answering, for good."""
        self._closed = True
        await self._server.close()

    async def _keep_fresh(self) -> None:
        self._sts = self._make_sts()  # what it waits for belongs to this thread's loop
        await self.credentials.run()

    def _thread_ended(self, keeping: Future[None]) -> None:
        """Start the thread again from Jupyter's loop; called in the thread that ends."""
        if not keeping.cancelled() and (error := keeping.exception()) is not None:
            log.error("The credential endpoint stopped refreshing: %s", type(error).__name__)
        with contextlib.suppress(RuntimeError):  # Jupyter's loop has ended
            self._jupyter.call_soon_threadsafe(
                lambda: self._jupyter.call_later(RESTART_PAUSE, self.look)
            )

    # --- What role sessions ask ------------------------------------------------------------

    async def open(self, session: RoleSession, credentials: Credentials | None) -> None:
        """Answer for a role session from now on; see `EndpointDelivery`.

        Args:
            session: the role session.
            credentials: those of its start; None for one of the last run.

        Raises:
            EndpointUnavailable: if the endpoint can't be started.
            TokenFolderRefused: if a token file can't be written; for one of the last run, it is written later.
        """
        self._opening.add(session.id)
        try:
            await self._open(session, credentials)
        except BaseException:
            self.abandon(session)
            raise
        finally:
            self._opening.discard(session.id)

    async def _open(self, session: RoleSession, credentials: Credentials | None) -> None:
        self.ensure_running()
        kind: Kind = "environment" if session.process is None else "exec"
        client = self.clients.client_for(kind, session.id, session)
        await self._write_files(client, later=credentials is None)
        self.credentials.add(session, credentials)
        session.access = client.access

    def abandon(self, session: RoleSession) -> None:
        """Undo `open` for a role session that does not start after all: nothing of it stays."""
        self.clients.forget_session(session)
        self.credentials.forget(session)

    async def _write_files(self, client: EndpointClient, *, later: bool) -> None:
        try:
            await asyncio.wrap_future(self.clients.write_files(client))
        except TokenFolderRefused as problem:
            if not later:
                raise
            log.error("%s", problem.detail)

    async def refresh(self, session: RoleSession) -> None:
        """Fetch new credentials now; see `EndpointDelivery`.

        Raises:
            EndpointUnavailable: if the endpoint does not run.
            RoleSessionEnded: if the role session has ended.
            WbAwsError: what STS says.
        """
        self.ensure_running()
        await asyncio.wrap_future(self._server.submit(self.credentials.fetch_now(session)))

    def credentials_of(self, session: RoleSession) -> Credentials:
        """Return current credentials to code in this server. Blocking; called in any thread.

        Raises:
            EndpointUnavailable: if the endpoint does not run.
            RoleSessionEnded: if the role session has ended.
            WbAwsError: why there are none.
        """
        session.require_living()
        if (fresh := self.credentials.peek(session)) is not None:
            return fresh
        try:
            asking = self._server.submit(self.credentials.current(session, BLOCKING_PATIENCE))
        except ServerStopping:
            raise EndpointUnavailable from None
        return asking.result(BLOCKING_PATIENCE + 4)

    def look(self) -> None:
        """Look at the role sessions and at the thread again."""
        if self._closed:
            return
        try:
            self.ensure_running()
        except WbAwsError as problem:
            log.error("%s", problem.detail)
        for session in self._sessions.living():
            if session.delivery == "endpoint" and self._lacks_access(session):
                self._context.tasks.begin(self._open_again(session), "open the endpoint again")
        with contextlib.suppress(
            RuntimeError
        ):  # no thread can be started now: the next look tries again
            self.clients.forget_unused()
        self.credentials.wake()
        if self.clients.has_ended_commands():
            with contextlib.suppress(ServerStopping):  # it removes all files
                self._context.tasks.begin(self._forget_commands(), "forget commands")

    async def _forget_commands(self) -> None:
        """Remove the files of commands that have ended; programs that one has left running are told why they get nothing."""
        await self.clients.processes.look()
        self.clients.forget_unused()

    def _lacks_access(self, session: RoleSession) -> bool:
        """Return whether a role session's commands need a new endpoint token, such as after the end of the one before."""
        if session.id in self._opening:
            return False
        ended = not self.clients.has("environment", session.id) and session.process is None
        return session.access is None or ended

    async def _open_again(self, session: RoleSession) -> None:
        """Open a role session of the last run for which that has failed, or whose access was ended."""
        try:
            await self.open(session, None)
        except WbAwsError as problem:
            session.credential_problem = problem

    # --- In the endpoint's loop ------------------------------------------------------------

    async def answer(self, authorization: str | None) -> Answer:
        """Answer a request.

        Args:
            authorization: the header of that name, which is an endpoint token, or None.

        Raises:
            Refusal: why there are no credentials.
        """
        if not authorization:
            raise self._logged_once("", refusals.NO_TOKEN)
        client = self.clients.find(authorization)
        if client is None:
            raise self._logged_once("", refusals.UNKNOWN_TOKEN)
        while True:
            session = client.session
            if client.state == "ended":
                raise self._logged_once(client.id, refusals.ended_client(client))
            if session is None:
                raise self._logged_once(client.id, refusals.without_role(client))
            if (answer := await self._answer(client, session)) is not None:
                return answer

    async def _answer(self, client: EndpointClient, session: RoleSession) -> Answer | None:
        """Return a role session's credentials; None if the client was switched or ended meanwhile."""
        try:
            credentials = await self.credentials.current(session)
            now = self._clock.now()
            lease = self._context.settings.lease_of(session.role)
            expiration = lease_end(credentials.expiration, lease, now).replace(microsecond=0)
            if not self.clients.may_answer(client, session, expiration):
                return None
            # In this order: an end marks the role session first, and then reads until when clients stop.
            session.clients_stop_by = max(session.clients_stop_by or expiration, expiration)
            session.last_used = now
            session.require_living()
        except WbAwsError as problem:
            raise self._logged_once(client.id, refusals.for_problem(session, problem)) from None
        return Answer(
            OK,
            {
                "AccessKeyId": credentials.access_key_id,
                "SecretAccessKey": credentials.secret_access_key,
                "Token": credentials.session_token or "",
                "Expiration": rfc3339(expiration),
                "AccountId": session.role.arn.account_id,
                "RoleArn": str(session.role.arn),
            },
        )

    def _logged_once(self, client_id: str, refusal: Refusal) -> Refusal:
        """Log a refusal, once for each client and reason."""
        if (client_id, refusal.code) not in self._logged:
            self._logged.add((client_id, refusal.code))
            log.info(
                "The credential endpoint refused %s: %s", client_id or "a request", refusal.message
            )
        return refusal

    async def _fetch(self, session: RoleSession, options: CredentialOptions) -> Credentials:
        token = self._sessions.require_token(session)
        deadline = asyncio.get_running_loop().time() + self._context.settings.start_timeout
        assumed = await self._sts.assume(session, token, deadline, options)
        assert assumed.credentials is not None
        return assumed.credentials

    def _token_of(self, session: RoleSession) -> str | None:
        token = self._sessions.token_for(session)
        return token.fingerprint if token is not None else None

    def _is_used(self, session: RoleSession) -> bool:
        recently = self._clock.now() - COMMANDS_REMEMBERED
        return not session.shared or any(
            client.session is session
            and (
                client.kind != "environment"
                or (client.last_request_at or client.started_at) > recently
            )
            for client in self.clients.list()
        )

    def _changed(self) -> None:
        with contextlib.suppress(RuntimeError):  # Jupyter's loop has ended
            self._jupyter.call_soon_threadsafe(self._sessions.changed.set)
