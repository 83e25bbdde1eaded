"""The calls of the hub service: parse, ask the hub who calls, call one method of the service, answer.

No call reads a cookie, no answer allows another origin (CORS), and none is HTML.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from tornado import web

from jupyter_wb_aws.errors import BadRequest, WbAwsError
from jupyter_wb_aws.hub import deadline
from jupyter_wb_aws.hub.caller import Caller
from jupyter_wb_aws.hub.discovery import (
    CONFIGURATION_PATH,
    KEYS_PATH,
    openid_configuration,
)
from jupyter_wb_aws.hub.errors import (
    CONTRACT_HINT,
    MAX_BODY_BYTES,
    BodyTooLarge,
    HubServiceError,
    MethodNotAllowed,
    NotFound,
    NoToken,
    UnsupportedMediaType,
)
from jupyter_wb_aws.hub.health import Health
from jupyter_wb_aws.hub.hub_client import HubClient
from jupyter_wb_aws.hub.metrics import CONTENT_TYPE, Metrics
from jupyter_wb_aws.hub.open_calls import OpenCalls
from jupyter_wb_aws.hub.token_service import TokenService
from jupyter_wb_aws.request_body import Wanted, parse_body

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
# As the hub itself reads it. Tokens are of printable characters without blanks.
AUTHORIZATION = re.compile(r"(?:token|bearer)[ ]+([!-~]{1,1024})", re.IGNORECASE)
# Seconds, unless the failure itself names a time.
DEFAULT_RETRY_AFTER = 5
# Seconds for which others may keep the contract.
CONTRACT_MAX_AGE = 3600


@dataclass(frozen=True, slots=True)
class Shared:
    """What the handlers share.

    `public_max_age` is in seconds: how long others may keep the public keys, and the issuer's metadata, which lists
    their algorithms.
    """

    service: TokenService
    hub: HubClient
    health: Health
    metrics: Metrics
    public_max_age: int
    calls: OpenCalls = field(default_factory=OpenCalls)


class HubServiceHandler(web.RequestHandler):
    """Base of the handlers. `call` names it in the metrics."""

    call = "unknown"
    code = "ok"

    def initialize(self, shared: Shared) -> None:
        """Keep what the handlers share."""
        self.shared = shared
        shared.calls.began()

    def set_default_headers(self) -> None:
        """Let nobody keep or interpret an answer, unless a handler says otherwise."""
        self.clear_header("Server")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Type", "application/json")

    def prepare(self) -> None:
        """Refuse bodies that are too large or not JSON; that of a GET has no meaning (RFC 9110, 9.3.1).

        Raises:
            BodyTooLarge, UnsupportedMediaType: with the reason.
        """
        body = self.request.body if self.request.method == "POST" else b""
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        media_type = self.request.headers.get("Content-Type", "application/json")
        if body and media_type.partition(";")[0].strip().lower() != "application/json":
            raise UnsupportedMediaType

    def compute_etag(self) -> str | None:
        """Return none: only the public documents are kept by others."""
        return None

    async def caller(self) -> Caller:
        """Return who calls, as the hub says now. The token is taken from the Authorization header only.

        Raises:
            NoToken, NotAuthenticated: if there is no token, or the hub does not know it.
            HubBusy, HubUnavailable: if the hub can't be asked.
        """
        values = self.request.headers.get_list("Authorization")
        found = AUTHORIZATION.fullmatch(values[0].strip()) if len(values) == 1 else None
        if found is None:
            raise NoToken("The call has no token of the hub in its Authorization header.")
        return await self.shared.hub.caller(found[1])

    def body(self, known: dict[str, Wanted], required: frozenset[str]) -> dict[str, Any]:
        """Read the JSON body; see `parse_body`.

        Raises:
            BadRequest: if it is not what the contract says.
        """
        try:
            return parse_body(self.request.body, known, required)
        except BadRequest as error:
            raise BadRequest(error.detail, hint=CONTRACT_HINT) from None

    def answer(self, document: object, status: int = 200) -> None:
        """Finish with JSON."""
        self.set_status(status)
        self.finish(json.dumps(document))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Report every error as a problem document, wherever it comes from."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        problem = _problem_of(status_code, error)
        self.code = problem.code
        self.set_status(problem.status)
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", PROBLEM_JSON)
        if problem.status in {429, 503}:
            self.set_header("Retry-After", str(problem.retry_after or DEFAULT_RETRY_AFTER))
        if problem.status == 401:
            self.set_header("WWW-Authenticate", "Bearer")
        if problem.status == 405:
            own = [m for m in self.SUPPORTED_METHODS if m.lower() in type(self).__dict__]
            self.set_header("Allow", ", ".join(own))
        self.finish(json.dumps(problem.as_problem()))

    def log_exception(self, _type: Any, error: Any, trace: Any) -> None:
        """Log a defect without the text of the exception, which may hold something secret.

        Args:
            error: the exception.
            trace: where it was raised.
        """
        if not isinstance(error, WbAwsError | web.HTTPError):
            where = "".join(traceback.format_tb(trace))
            log.error("Defect in %s: %s\n%s", self.call, type(error).__name__, where)

    def on_finish(self) -> None:
        """Count the call."""
        self.shared.calls.ended()
        seconds = self.request.request_time()
        self.shared.metrics.call(self.call, self.get_status(), self.code, seconds)
        log.debug("%s: %s %s in %.0f ms", self.call, self.get_status(), self.code, 1000 * seconds)


class PublicHandler(HubServiceHandler):
    """Base of the documents that AWS fetches, and others may keep."""

    def compute_etag(self) -> str | None:
        """Return the content's hash, so that it need not be sent again."""
        return web.RequestHandler.compute_etag(self)

    def answer_public(self, document: object) -> None:
        """Finish with JSON that may be kept for a while."""
        self.set_header("Cache-Control", f"public, max-age={self.shared.public_max_age}")
        self.answer(document)


class DiscoveryHandler(PublicHandler):
    """The issuer's metadata (OpenID Connect Discovery 1.0)."""

    call = "openid-configuration"

    async def get(self) -> None:
        """Answer with the issuer's metadata."""
        service = self.shared.service
        algorithms = await service.keys.algorithms()
        self.answer_public(openid_configuration(service.settings.issuer, algorithms))


class KeysHandler(PublicHandler):
    """The public keys, and their rotation."""

    call = "keys"

    async def get(self) -> None:
        """Answer with the public keys (RFC 7517)."""
        keys = await self.shared.service.keys.public_keys()
        self.answer_public(keys)

    async def post(self) -> None:
        """Rotate the keys."""
        body = self.body({"compromised": (str, None)}, frozenset())
        caller = await self.caller()
        self.answer(await self.shared.service.rotate(caller, body.get("compromised")), 201)


class RolesHandler(HubServiceHandler):
    """The caller, and the roles that are offered to them."""

    call = "roles"

    async def get(self) -> None:
        """List the roles."""
        deadline.begin()
        self.answer(await self.shared.service.roles_of(await self.caller()))


class TokensHandler(HubServiceHandler):
    """A token for one role."""

    call = "tokens"
    is_gone = False

    def on_connection_close(self) -> None:
        """Note that nobody waits for the token any longer."""
        self.is_gone = True

    async def post(self) -> None:
        """Sign a token, if its caller is still there."""
        deadline.begin()
        body = self.body({"role_arn": str}, frozenset({"role_arn"}))
        caller = await self.caller()
        if self.is_gone:
            self.code = "caller_gone"
            self.set_status(503)
            return
        document = await self.shared.service.issue(caller, body["role_arn"])
        self.shared.metrics.token()
        self.answer(document, 201)


class HealthHandler(HubServiceHandler):
    """Whether the service can give tokens now."""

    call = "health"

    async def get(self) -> None:
        """Report the problems."""
        problems = await self.shared.health.problems()
        stopped = any(problem.stops_tokens for problem in problems)
        self.shared.metrics.problems(len(problems))
        if stopped:
            self.set_header("Retry-After", str(DEFAULT_RETRY_AFTER))
        status = "unavailable" if stopped else "degraded" if problems else "ok"
        listed = [{"code": problem.code, "detail": problem.detail} for problem in problems]
        self.answer({"status": status, "problems": listed}, 503 if stopped else 200)


class MetricsHandler(HubServiceHandler):
    """What this process counts and measures."""

    call = "metrics"

    async def get(self) -> None:
        """Answer in Prometheus' text format."""
        self.shared.metrics.key_age(await self.shared.service.key_age())
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(self.shared.metrics.text())


class OpenApiHandler(PublicHandler):
    """The contract of these calls."""

    call = "openapi.yaml"

    def get(self) -> None:
        """Answer with the contract."""
        self.set_header("Content-Type", "application/yaml")
        self.set_header("Cache-Control", f"public, max-age={CONTRACT_MAX_AGE}")
        self.finish((files("jupyter_wb_aws.hub") / "openapi.yaml").read_bytes())


class UnknownPathHandler(HubServiceHandler):
    """Every other path."""

    def prepare(self) -> None:
        """Answer that there is nothing here.

        Raises:
            NotFound: always.
        """
        raise NotFound("There is nothing at this path.")


def _problem_of(status: int, error: object) -> WbAwsError:
    if isinstance(error, WbAwsError) and error.status != 500:
        return error
    if status == 405:
        return MethodNotAllowed()
    if status == 400:
        return BadRequest("The request can't be read.", hint=CONTRACT_HINT)
    return HubServiceError()


def make_application(prefix: str, shared: Shared) -> web.Application:
    """Return tornado's application. It has no access log, which would have queries in it.

    Args:
        prefix: of all paths, with a slash at both ends.
        shared: what the handlers share.
    """
    return web.Application(routes(prefix, shared), log_function=lambda _: None)


def routes(
    prefix: str, shared: Shared
) -> list[tuple[str, type[web.RequestHandler], dict[str, Any]]]:
    """Return the handlers by their paths.

    Args:
        prefix: of all paths, with a slash at both ends.
        shared: what the handlers share.
    """
    by_path = {
        CONFIGURATION_PATH: DiscoveryHandler,
        KEYS_PATH: KeysHandler,
        "roles": RolesHandler,
        "tokens": TokensHandler,
        "health": HealthHandler,
        "metrics": MetricsHandler,
        "openapi.yaml": OpenApiHandler,
    }
    listed = [(re.escape(prefix + path), handler) for path, handler in by_path.items()]
    listed.append((r".*", UnknownPathHandler))
    return [(path, handler, {"shared": shared}) for path, handler in listed]
