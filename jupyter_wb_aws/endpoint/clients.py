"""Who may ask the credential endpoint: a kernel, terminal, app or command, each with an endpoint token of its own.

What a process starts shares its token. A token lives until the server stops or its client is ended, not until the
kernel or terminal ends: a job that is left running by `nohup` may compute for hours before it writes. It is kept in
memory and in its file only.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.endpoint.processes import LivingProcesses, Programs
from jupyter_wb_aws.errors import EndpointClientNotFound, EndpointUnavailable, LeftRunning
from jupyter_wb_aws.identity.token import Identity, SecretStr
from jupyter_wb_aws.role_sessions.endpoint_access import EndpointAccess
from jupyter_wb_aws.role_sessions.placeholders import (
    endpoint_placeholders,
    placeholder_text,
)
from jupyter_wb_aws.role_sessions.private_files import Reveal
from jupyter_wb_aws.role_sessions.role_session import Ended, RoleSession
from jupyter_wb_aws.role_sessions.session_files import SessionFiles

log = logging.getLogger(__name__)

Kind = Literal["kernel", "terminal", "app", "exec", "environment"]
ClientState = Literal["running", "left_running", "ended"]

# 32 bytes can't be guessed.
TOKEN_BYTES = 32
# Jupyter lists a kernel only once it has started.
STARTING = timedelta(minutes=1)
# A client that nothing needs any more is forgotten then; until then, who asks is told why it gets nothing.
FORGOTTEN_AFTER = timedelta(hours=1)
COUNTED_AGAIN_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, eq=False)
class EndpointToken:
    """The bearer token of one client; only `reveal` has its text."""

    _text: SecretStr = field(repr=False)

    @classmethod
    def make(cls) -> EndpointToken:
        """Return a new token."""
        return cls(SecretStr(secrets.token_urlsafe(TOKEN_BYTES)))

    def reveal(self) -> str:
        """Return the text, for the token's file."""
        return str(self._text)

    def digest(self) -> bytes:
        """Return what finds the client of a token."""
        return digest_of(self._text)

    def matches(self, text: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self._text.encode(), text.encode())


def digest_of(text: str) -> bytes:
    """Return the SHA-256 of a token: how long a look-up by it takes says nothing about the token."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


@dataclass(slots=True, eq=False)
class EndpointClient:
    """A kernel, terminal, app or command that has an endpoint token, together with what it has started.

    Attributes:
        id: names it in the REST API; not a secret.
        name: the id of its kernel or role session, or the name of its terminal or app.
        owner: the user of its role session; it never gets another user's.
        session: its role session; None for "no AWS role".
        access: what its processes need to ask.
        last_expiration: the latest `Expiration` that it was given.
        seen: whether its kernel, terminal or app was seen running.
        gone_at: when it was noticed that this has gone.
    """

    id: str
    kind: Kind
    name: str
    key: Hashable
    token: EndpointToken
    access: EndpointAccess
    owner: Identity
    session: RoleSession | None
    started_at: datetime
    last_request_at: datetime | None = None
    last_expiration: datetime | None = None
    state: ClientState = "running"
    seen: bool = False
    gone_at: datetime | None = None


class EndpointClients:
    """The clients of one server. The event loops of Jupyter and of the endpoint both use them.

    Args:
        files: keep the token files.
        clock: the time.
        uri: returns where the endpoint listens; None while it does not.
    """

    def __init__(self, files: SessionFiles, clock: Clock, uri: Callable[[], str | None]) -> None:
        self._files = files
        self._clock = clock
        self._uri = uri
        self._lock = threading.Lock()
        self._by_id: dict[str, EndpointClient] = {}
        self._by_digest: dict[bytes, EndpointClient] = {}
        self._by_key: dict[Hashable, EndpointClient] = {}
        self.processes = LivingProcesses(clock)

    # --- In Jupyter's event loop -----------------------------------------------------------

    def client_for(
        self, kind: Kind, name: str, session: RoleSession, *, key: Hashable = None
    ) -> EndpointClient:
        """Return the client of a process that starts now: at a restart the same one, so that it keeps its token.

        Args:
            kind: what it is.
            name: its name.
            session: the role session that it gets.
            key: what it is the same client by; by default, its kind and name.

        Raises:
            EndpointUnavailable: if the endpoint does not run.
        """
        key = (kind, name) if key is None else key
        with self._lock:
            client = self._by_key.get(key)
            if client is not None and not client.owner.same_user(session.owner):
                # What another user has left running must not get this one's role.
                self._leave(client)
            if client is None or client.state != "running":
                client = self._new(kind, name, key, session)
            client.session = session
            return client

    def write_files(self, client: EndpointClient) -> Future[None]:
        """Write the client's token file and placeholders where they are missing; any thread may wait for the result.

        The result raises TokenFolderRefused if they can't be written; they are written as soon as that is possible.
        """
        token_file = client.access.token_file
        placeholders = endpoint_placeholders(token_file)
        texts: dict[Path, Reveal] = dict.fromkeys(placeholders, _placeholder)
        return self._files.write_private({**texts, token_file: client.token.reveal})

    def assign(self, client: EndpointClient, session: RoleSession | None) -> datetime | None:
        """Switch a running client to another role session; None is "no AWS role".

        Returns:
            until when the SDKs in it may use what they got for the previous one; None if they got nothing.

        Raises:
            LeftRunning: if its kernel, terminal or app has gone, it was ended, or another user started it.
        """
        with self._lock:
            if client.state != "running":
                raise LeftRunning("What a kernel, terminal or app has left running keeps its role.")
            if session is not None and not client.owner.same_user(session.owner):
                raise LeftRunning(
                    "Another user's role was in use here. Start it again to use yours."
                )
            client.session = session
            return _still_to_come(client.last_expiration, self._clock.now())

    def leave(self, client: EndpointClient) -> None:
        """Note that the kernel, terminal or app has gone; what it has left running keeps its role session."""
        with self._lock:
            self._leave(client)

    def leave_gone(self, kind: Kind, is_there: Callable[[EndpointClient], bool]) -> None:
        """Do this for all clients of a kind that have gone.

        Args:
            kind: kernels, terminals or apps.
            is_there: whether one's kernel, terminal or app runs.
        """
        soon = self._clock.now() - STARTING
        with self._lock:
            for client in self._by_id.values():
                if client.kind != kind or client.state != "running":
                    continue
                if is_there(client):
                    client.seen = True
                elif client.seen or client.started_at < soon:
                    self._leave(client)

    def end(self, client_id: str) -> EndpointClient:
        """Refuse credentials to one client from now on. Its token file stays, so that its SDKs are told why.

        Raises:
            EndpointClientNotFound: if no client has this id.
        """
        with self._lock:
            client = self._by_id.get(client_id)
            if client is None or client.state == "ended":
                raise EndpointClientNotFound(
                    "No client of the credential endpoint has that id; it may have been ended."
                )
            self._leave(client)
            client.state = "ended"
            return client

    def list(self) -> list[EndpointClient]:
        """Return those that have not been ended, by themselves or with their own role session; oldest first."""
        with self._lock:
            return [
                client
                for client in self._by_id.values()
                if client.state != "ended" and not _end_of_session(client)
            ]

    def has(self, kind: Kind, name: str) -> bool:
        """Return whether a client of this kind and name runs."""
        with self._lock:
            return (kind, name) in self._by_key

    def left_in_use(self) -> set[str]:
        """Return the ids of the role sessions that processes left running have, as far as that is known.

        Their processes are counted again, for the next call.
        """
        left = [client for client in self.list() if client.state == "left_running"]
        if left:
            self.processes.begin()
        programs = self.processes.last
        return {
            client.session.id
            for client in left
            if client.session is not None and (programs is None or _count(client, programs))
        }

    def forget_unused(self) -> None:
        """Forget the clients that have gone, ask no more, and that no process has; remove their files.

        An older count may be from before the job was started that is left running now. So processes are counted
        again, for the next call. A command is forgotten at once: a script may run thousands.
        """
        now = self._clock.now()
        looked_at, programs = self.processes.last_begun, self.processes.last
        with self._lock:
            silent = [
                client
                for client in self._by_id.values()
                if _gone_at(client) is not None
                and (
                    client.kind == "exec"
                    or (client.last_request_at or client.started_at) < now - FORGOTTEN_AFTER
                )
            ]
            if programs is not None and looked_at is not None:
                self._forget(
                    client
                    for client in silent
                    if (_gone_at(client) or now) <= looked_at and not _count(client, programs)
                )
        if silent and (looked_at is None or looked_at < now - COUNTED_AGAIN_AFTER):
            self.processes.begin()

    def has_ended_commands(self) -> bool:
        """Return whether a command has ended that is not yet forgotten."""
        with self._lock:
            return any(
                client.kind == "exec" and _end_of_session(client) for client in self._by_id.values()
            )

    def forget_session(self, session: RoleSession) -> None:
        """Forget the clients of a role session that did not start; remove their files."""
        with self._lock:
            self._forget([one for one in self._by_id.values() if one.session is session])

    def _new(self, kind: Kind, name: str, key: Hashable, session: RoleSession) -> EndpointClient:
        uri = self._uri()
        if uri is None:
            raise EndpointUnavailable
        client_id = secrets.token_hex(8)
        access = EndpointAccess(uri, self._files.private_path(client_id))
        token = EndpointToken.make()
        client = EndpointClient(
            client_id, kind, name, key, token, access, session.owner, session, self._clock.now()
        )
        self._by_id[client_id] = self._by_digest[token.digest()] = self._by_key[key] = client
        return client

    def _forget(self, clients: Iterable[EndpointClient]) -> None:
        for client in clients:
            self._leave(client)
            client.state = "ended"  # for an answer that is being made
            del self._by_id[client.id], self._by_digest[client.token.digest()]
            self._files.remove_private([client.access.token_file])

    def _leave(self, client: EndpointClient) -> None:
        if client.state == "running":
            client.state, client.gone_at = "left_running", self._clock.now()
        if self._by_key.get(client.key) is client:
            del self._by_key[client.key]

    # --- In the endpoint's event loop ------------------------------------------------------

    def find(self, text: str) -> EndpointClient | None:
        """Return the client that has this token, an ended one, too; it counts as a request of the client."""
        with self._lock:
            client = self._by_digest.get(digest_of(text))
            if client is None or not client.token.matches(text):
                return None
            client.last_request_at = self._clock.now()
            return client

    def may_answer(
        self, client: EndpointClient, session: RoleSession, expiration: datetime
    ) -> bool:
        """Note an answer that is about to be sent; return False if the client was switched or ended meanwhile.

        Args:
            client: who gets it.
            session: the role session whose credentials are in it.
            expiration: its `Expiration`.
        """
        with self._lock:
            if client.session is not session or client.state == "ended":
                return False
            client.last_expiration = max(client.last_expiration or expiration, expiration)
            return True


def _count(client: EndpointClient, programs: Programs) -> int:
    return len(programs.get(str(client.access.token_file), ()))


def _gone_at(client: EndpointClient) -> datetime | None:
    """Return when a client's kernel, terminal or app had gone, or the role session that it belongs to; None if not."""
    ended = _end_of_session(client)
    return client.gone_at or (ended.at if ended is not None else None)


def _end_of_session(client: EndpointClient) -> Ended | None:
    """Return the end of the role session that a client belongs to, if there is one and it has ended."""
    of_session = client.kind in {"exec", "environment"}
    return client.session.ended if of_session and client.session is not None else None


def _still_to_come(time: datetime | None, now: datetime) -> datetime | None:
    return time if time is not None and time > now else None


def _placeholder() -> str:
    # The client may be switched to another role.
    return placeholder_text("an AWS role")
