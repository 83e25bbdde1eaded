"""The base of every handler: who may call it, how it answers, and how it reports a failure."""

from __future__ import annotations

import functools
import http
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_wb_aws.errors import NotFound, WbAwsError
from jupyter_wb_aws.handlers.problem import (
    MAX_BODY_BYTES,
    PROBLEM_JSON,
    BodyTooLarge,
    CrossOrigin,
    Forbidden,
    ProblemHTTPError,
    UnsupportedMediaType,
    begin_problem,
    problem_document,
    problem_of,
    xsrf_problem,
)
from jupyter_wb_aws.handlers.request_user import require_owner
from jupyter_wb_aws.request_body import Wanted, parse_body

if TYPE_CHECKING:
    from jupyter_wb_aws.handlers.server_state import ServerState
    from jupyter_wb_aws.role_sessions.manager import RoleSessionManager


# Source: RFC 9110, 9.2.1, "Safe Methods"; those that have a handler.
READS = frozenset({"GET", "HEAD"})

P = ParamSpec("P")
H = TypeVar("H", bound="WbAwsHandler")


class WbAwsHandler(APIHandler):
    """Base of the handlers. A handler parses, authorizes, calls one domain method and answers."""

    auth_resource = "aws"

    def initialize(self, server: ServerState) -> None:
        """Keep what the handlers share."""
        self.server_state = server

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse what Jupyter Server refuses, and bodies that are too large or not JSON.

        Raises:
            ProblemHTTPError: with the reason.
        """
        try:
            await super().prepare()
        except web.HTTPError as error:
            # APIHandler answers 404 to a foreign origin, and only to that.
            if error.status_code == http.HTTPStatus.NOT_FOUND:
                raise ProblemHTTPError(CrossOrigin()) from None
            raise
        body = self.request.body
        if len(body) > MAX_BODY_BYTES:
            raise ProblemHTTPError(BodyTooLarge())
        media_type = self.request.headers.get("Content-Type", "application/json")
        if body and media_type.partition(";")[0].strip().lower() != "application/json":
            raise ProblemHTTPError(UnsupportedMediaType())

    def check_xsrf_cookie(self) -> None:
        """Check as Jupyter Server does.

        Raises:
            ProblemHTTPError: with the one of the two checks that failed.
        """
        try:
            super().check_xsrf_cookie()
        except web.HTTPError as error:
            raise xsrf_problem(self, error) from None

    @property
    def manager(self) -> RoleSessionManager:
        """The role sessions of this server.

        Raises:
            NotConfigured: if the extension is installed but not set up.
        """
        return self.server_state.require_manager()

    def body(
        self, known: Mapping[str, Wanted], required: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        """Read the JSON body; see `parse_body`."""
        return parse_body(self.request.body, known, required)

    def refuse_other_sites(self) -> None:
        """Refuse a GET with side effects, unless a page of this server or a program sends it.

        Any page can make a browser send a GET with the log-in cookie, but not with the token, which the
        page does not know. Only the browser sets `Sec-Fetch-Site` (W3C Fetch Metadata), over https and
        on loopback. Elsewhere `Referer` has to show the page.

        Raises:
            CrossOrigin: if a page of another origin sends it, or may have sent it.
        """
        if self.token_authenticated or self._is_of_an_allowed_origin():
            return
        site = self.request.headers.get("Sec-Fetch-Site")
        if site in {"same-origin", "none"} or (site is None and self.check_referer()):
            return
        raise CrossOrigin(
            "This call starts programs or calls other servers, and the request does not show that it comes from a page"
            " of this Jupyter Server.",
            hint="A program sends the server's token in the Authorization header. A page sends `Referer` if the"
            " browser does not send `Sec-Fetch-Site` (http, except on this machine).",
        )

    def _is_of_an_allowed_origin(self) -> bool:
        """Return whether the site allows the page's origin (`allow_origin`), or all origins."""
        if self.allow_origin == "*":
            return True
        # Our own origin does not count: a redirect by another site keeps it; Sec-Fetch-Site is reliable.
        origin = self.request.headers.get("Origin", "")
        ours = urlsplit(origin.lower()).netloc == self.request.headers.get("Host")
        return bool(origin) and not ours and self.check_origin()

    async def require(self, resource: str) -> None:
        """Require the right to write to one of Jupyter's own resources too.

        Raises:
            Forbidden: if the Authorizer refuses it.
        """
        if not await ensure_async(
            self.authorizer.is_authorized(self, self.current_user, "write", resource)
        ):
            raise Forbidden(f"You may not change {resource} on this Jupyter Server.")

    def answer(self, document: object, status: int = 200) -> None:
        """Finish with JSON."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.finish(document if isinstance(document, bytes) else json.dumps(document, default=str))

    def answer_problem(self, problem: WbAwsError, **more: object) -> None:
        """Finish with a problem document.

        Args:
            problem: the failure.
            more: fields to add to the usual ones.
        """
        begin_problem(self, problem)
        self.finish(problem_document(problem, **more), set_content_type=PROBLEM_JSON)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Report every error as a problem document, wherever it comes from."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        self.answer_problem(problem_of(self, status_code, error))


def endpoint(
    method: Callable[Concatenate[H, P], Awaitable[None]],
) -> Callable[Concatenate[H, P], Awaitable[None]]:
    """Make a handler's method an endpoint: authenticated, authorized, failures as problem documents."""

    @functools.wraps(method)
    async def answered(self: H, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            if self.request.method not in READS:
                require_owner(self, self.server_state.only_user)
            await method(self, *args, **kwargs)
        except WbAwsError as problem:
            self.answer_problem(problem)

    return cast(
        "Callable[Concatenate[H, P], Awaitable[None]]", web.authenticated(authorized(answered))
    )


class UnknownPathHandler(WbAwsHandler):
    """Every other path below /aws."""

    @endpoint
    async def get(self) -> None:
        """Answer that there is nothing here.

        Raises:
            NotFound: always.
        """
        raise NotFound("There is nothing at this path.")

    post = put = delete = patch = head = get
