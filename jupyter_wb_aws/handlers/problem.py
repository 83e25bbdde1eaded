"""How a failure becomes an answer: HTTP's own refusals, the headers and the problem document (RFC 9457)."""

from __future__ import annotations

import http
import json
from typing import TYPE_CHECKING

from tornado import web

from jupyter_wb_aws.errors import BadRequest, NotFound, WbAwsError

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler

MAX_BODY_BYTES = 64 * 1024
# Seconds, unless the failure itself names a time.
DEFAULT_RETRY_AFTER = 5
PROBLEM_JSON = "application/problem+json"


class NotAuthenticated(WbAwsError):
    """Nobody is signed in to this Jupyter Server."""

    code = "not_authenticated"
    status = 403  # what Jupyter Server answers to API calls
    title = "Not signed in to this Jupyter Server"
    hint = "Send the server's token, or sign in to Jupyter in this browser."


class Forbidden(WbAwsError):
    """The server's Authorizer refuses the call."""

    code = "forbidden"
    status = 403
    title = "Not allowed on this Jupyter Server"
    hint = "Ask the administrator of this Jupyter Server for the right to do this."


class NotOwner(WbAwsError):
    """On a shared server, only its owner may change anything."""

    code = "not_owner"
    status = 403
    title = "Only the owner of this server may change AWS roles"
    hint = "Ask the owner of this server, or start a server of your own."


class XsrfRefused(WbAwsError):
    """A request with a cookie but without its XSRF token."""

    code = "xsrf_refused"
    status = 403
    title = "The request lacks its XSRF token"
    hint = (
        "Reload the page; a program sends the server's token in the Authorization header instead."
    )


class CrossOrigin(WbAwsError):
    """A request from a page of another origin."""

    code = "cross_origin"
    status = 403
    title = "The request comes from another site"
    hint = "Only pages of this Jupyter Server, and origins that it allows, may call it."


class MethodNotAllowed(WbAwsError):
    """The path exists, but does not have this method."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"
    hint = "Compare the request with GET /aws/openapi.yaml."


class BodyTooLarge(WbAwsError):
    """The body is larger than any valid request."""

    code = "body_too_large"
    status = 413
    title = "The body is too large"
    hint = f"A body may have up to {MAX_BODY_BYTES} bytes."


class UnsupportedMediaType(WbAwsError):
    """The body is declared as something other than JSON."""

    code = "unsupported_media_type"
    status = 415
    title = "The body is not declared as JSON"
    hint = "Send the header Content-Type: application/json."


class ProblemHTTPError(web.HTTPError):
    """A problem as tornado's own exception, for code that runs before the handler."""

    def __init__(self, problem: WbAwsError) -> None:
        super().__init__(problem.status, "%s", problem.detail)
        self.problem = problem


def problem_of(handler: JupyterHandler, status: int, error: object) -> WbAwsError:
    """Return the problem for anything that ended a request.

    Args:
        handler: the handler of the request.
        status: the HTTP status.
        error: the exception, if there was one.
    """
    if isinstance(error, ProblemHTTPError):
        return error.problem
    if isinstance(error, WbAwsError):
        return error
    if status in {401, 403}:
        signed_in = getattr(handler, "_jupyter_current_user", None)
        return Forbidden() if signed_in else NotAuthenticated()
    named: dict[int, type[WbAwsError]] = {
        400: BadRequest,
        404: NotFound,
        405: MethodNotAllowed,
        413: BodyTooLarge,
    }
    problem = named.get(status, WbAwsError)()
    problem.status = status
    return problem


def xsrf_problem(handler: JupyterHandler, error: web.HTTPError) -> ProblemHTTPError:
    """Return the problem for a refusal by Jupyter Server's `check_xsrf_cookie`, which has two reasons."""
    foreign = error.status_code == http.HTTPStatus.NOT_FOUND or not handler.check_origin()
    return ProblemHTTPError(CrossOrigin() if foreign else XsrfRefused())


def begin_problem(handler: JupyterHandler, problem: WbAwsError) -> None:
    """Set the status and its headers, for a problem document or a page."""
    handler.set_status(problem.status)
    handler.set_header("Cache-Control", "no-store")
    if problem.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        handler.set_header("Retry-After", str(problem.retry_after or DEFAULT_RETRY_AFTER))
    if isinstance(problem, MethodNotAllowed):
        handler.set_header("Allow", ", ".join(_methods(handler)))


def problem_document(problem: WbAwsError, **more: object) -> str:
    """Return the problem document as JSON; `more` are fields to add to the usual ones."""
    return json.dumps({**problem.as_problem(), **more})


def _methods(handler: JupyterHandler) -> list[str]:
    own = type(handler).__dict__
    return [m for m in handler.SUPPORTED_METHODS if m != "OPTIONS" and m.lower() in own]
