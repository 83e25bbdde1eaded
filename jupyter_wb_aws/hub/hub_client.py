"""Asks the hub who a caller is: at each call, with the caller's own token. Nothing is kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import random
import socket
import ssl
from typing import Any, Protocol

from tornado.httpclient import HTTPError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from jupyter_wb_aws.hub.caller import Caller, read_caller
from jupyter_wb_aws.hub.deadline import HUB_SECONDS, REFUSAL_SECONDS, step_ends_at
from jupyter_wb_aws.hub.errors import HubUnavailable, NotAuthenticated, TooManyTokens
from jupyter_wb_aws.hub.rate_limits import CallerLimit, HubCap, OncePerMinute, RecentOwners

log = logging.getLogger(__name__)

# Questions that the hub has not answered yet. It is one thread: more would only wait there, before a log-in.
MAX_OPEN = 32
# Bytes. An administrator's token may have thousands of scopes.
MAX_ANSWER = 4 * 1024 * 1024
# What tornado says where a connection or the time ends before the answer, and where a question was not sent yet.
NO_ANSWER = 599
IN_QUEUE = "in request queue"
RETRY_AFTER = (5, 20)
# Who asks where nobody has called. No owner of a token is named so: theirs have a kind before the name.
ITSELF = "health"
# Callers are not told where it leads: the log has that.
REACH_HINT = "HubServiceApp.hub_api_url must lead to the API of a running JupyterHub."
OTHER_HINT = f"{REACH_HINT} If the hub has a base URL, it is part of it, as in http://127.0.0.1:8081/jupyter/hub/api."


class HubObserver(Protocol):
    """Notes each question to the hub: the outcome, and the seconds that it took."""

    def __call__(self, outcome: str, seconds: float) -> None:
        """Note one question."""
        ...


class HubClient:
    """Asks one hub. No proxy of the environment is used, and no redirect is followed.

    Args:
        api_url: the hub's API: ``http://127.0.0.1:8081/hub/api``.
        cap: limits the questions.
        limit: how often each user may call, so that no loop uses up the cap of all.
        rng: spreads the callers that are refused.
        observe: notes each question.
        certificates: for a hub with https.
    """

    def __init__(
        self,
        api_url: str,
        cap: HubCap,
        limit: CallerLimit,
        rng: random.Random,
        *,
        observe: HubObserver,
        certificates: ssl.SSLContext | None = None,
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._cap = cap
        self._limit = limit
        # Whose the tokens were. That decides who waits when many ask, and nothing else.
        self._owners = RecentOwners()
        self._rng = rng
        self._observe = observe
        self._certificates = certificates
        self._said = OncePerMinute()
        # A question through httpx2 takes two to three times as much: it looks at every open connection.
        self._client = SimpleAsyncHTTPClient(
            force_instance=True, max_clients=MAX_OPEN, max_body_size=MAX_ANSWER
        )

    async def caller(self, token: str) -> Caller:
        """Return whose token this is, as the hub says it now.

        Args:
            token: of printable characters alone.

        Raises:
            NotAuthenticated: if the hub does not know it.
            TooManyTokens: if its user calls too often, with this or other tokens.
            HubBusy: if the hub may not be asked so soon.
            HubUnavailable: if the hub does not answer, or not as a hub does.
        """
        key = hashlib.sha256(token.encode()).hexdigest()
        owner = self._owners.get(key)
        await self._count(owner or key)
        status, document = await self._ask("/user", {"Authorization": f"token {token}"}, owner)
        # The hub answers 403 to a token that it does not know, and 401 to one that has ended. Others on the way to it
        # refuse with JSON, too, such as `{"message": "Forbidden"}`; they know nothing of the token.
        if status in {401, 403} and document.get("status") == status and "message" in document:
            self._owners.forget(key)
            raise NotAuthenticated("The hub does not know the token of this call.")
        if status != 200:
            raise self._unavailable(f"it answers HTTP {status}", OTHER_HINT)
        caller = read_caller(document)
        named = f"{caller.kind} {caller.name}"
        self._owners.keep(key, named)
        if owner is None:  # it was counted as a stranger's
            await self._count(named)
        return caller

    async def check(self) -> None:
        """Check that the hub answers.

        Raises:
            HubBusy, HubUnavailable: if it does not.
        """
        status, document = await self._ask("/", {}, ITSELF)
        if status != 200 or "version" not in document:
            raise self._unavailable(f"it answers HTTP {status} without its version", OTHER_HINT)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    async def _count(self, caller: str) -> None:
        try:
            self._limit.use(caller)
        except TooManyTokens:
            await asyncio.sleep(REFUSAL_SECONDS)
            raise

    async def _ask(
        self, path: str, headers: dict[str, str], asker: str | None
    ) -> tuple[int, dict[str, Any]]:
        ends_at = step_ends_at(HUB_SECONDS)
        async with self._cap.turn(asker):
            loop = asyncio.get_running_loop()
            began, outcome = loop.time(), "failed"
            try:
                answer = await self._fetch(path, headers, seconds=ends_at - began)
                outcome = str(answer[0])
            finally:
                self._observe(outcome, loop.time() - began)
        return answer

    async def _fetch(
        self, path: str, headers: dict[str, str], seconds: float
    ) -> tuple[int, dict[str, Any]]:
        # tornado counts the time in its queue, within the first of these, apart from the time of the request.
        request = HTTPRequest(
            self._api_url + path,
            headers=headers,
            follow_redirects=False,
            connect_timeout=seconds / 4,
            request_timeout=seconds * 3 / 4,
            decompress_response=False,
            ssl_options=self._certificates,
        )
        try:
            response = await self._client.fetch(request, raise_error=False)
        except HTTPError as error:
            if IN_QUEUE in str(error):
                raise self._cap.busy() from None
            late = error.code == NO_ANSWER
            why = "its answer is late, too large, or breaks off" if late else f"HTTP {error.code}"
            raise self._unavailable(why) from None
        except (OSError, ValueError) as error:
            raise self._unavailable(_why(error)) from None
        return response.code, self._object(response.code, response.body)

    def _object(self, status: int, content: bytes) -> dict[str, Any]:
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            kind = "a redirect" if 300 <= status < 400 else "something else than JSON"
            raise self._unavailable(f"it answers HTTP {status} with {kind}", OTHER_HINT)
        return document

    def _unavailable(self, why: str, admin_hint: str = REACH_HINT) -> HubUnavailable:
        if self._said.is_due(why):
            log.warning("The hub at %s can't be asked: %s. %s", self._api_url, why, admin_hint)
        return HubUnavailable(
            f"The hub service can't ask the hub: {why}.",
            admin_hint=admin_hint,
            retry_after=self._rng.randint(*RETRY_AFTER),
        )


def _why(error: OSError | ValueError) -> str:
    """Return why the hub can't be reached, without the error's text, which may hold what was sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    if isinstance(error, ssl.SSLError):
        return "no encrypted connection (TLS) to it is possible"
    if isinstance(error, socket.gaierror):
        return "the name of its host is not known"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens at its address"
    if isinstance(error, OSError):
        said = os.strerror(error.errno) if error.errno else type(error).__name__
        return f"it can't be reached ({said})"
    return "its answer is not HTTP"


def certificates_of(ca_file: str, key_file: str = "", cert_file: str = "") -> ssl.SSLContext | None:
    """Return what the hub's certificate is checked with; None for the system's authorities alone.

    Args:
        ca_file: a PEM file with the authority of the hub's certificate; empty for none.
        key_file, cert_file: the service's own, where the hub asks for them (`internal_ssl`).

    Raises:
        OSError: if a file can't be read, or has nothing of the kind (`ssl.SSLError`).
    """
    if not ca_file and not cert_file:
        return None
    context = ssl.create_default_context(cafile=ca_file or None)
    if cert_file:
        context.load_cert_chain(cert_file, key_file or None)
    return context
