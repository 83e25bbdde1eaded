"""What an answer of the hub service means, if it is not what was asked for.

Only the service's own problem documents are definite. A page of HTML, a redirect or silence is what a hub or
its proxy gives while one of them restarts: it takes nothing away from the user.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from jupyter_wb_aws.errors import (
    IdpBadAnswer,
    IdpTimeout,
    IdpUnavailable,
    RoleNotAllowed,
    TokenSourceFailed,
    WbAwsError,
)
from jupyter_wb_aws.identity.http.response import HttpResponse, capitalized
from jupyter_wb_aws.identity.provider import is_http_url, may_hold_userinfo
from jupyter_wb_aws.identity.redact import redact_secrets, redact_userinfo
from jupyter_wb_aws.identity.redact_values import redact_values

MAX_SHOWN = 500
TRY_AGAIN = "Try again in a minute. Role sessions go on, and are refreshed once it answers."
NOT_THERE = (
    "Unless the hub is restarting, waiting does not help: show this to your administrator. Role sessions go on, and are"
    " refreshed once the hub service answers."
)
REACH_HINT = (
    "This server must be able to reach the hub service: check `service_url`, `proxy` and `ca_bundle` of"
    " JupyterHubTokenSource, network policies, and whether the service is running."
)


class HubServiceUnavailable(IdpUnavailable):
    """The hub service can't be reached, is down or busy."""

    title = "The hub service is not available"
    hint = TRY_AGAIN


class HubServiceTimeout(IdpTimeout):
    """The hub service took too long."""

    title = "The hub service did not answer in time"
    hint = TRY_AGAIN


class HubServiceBadAnswer(IdpBadAnswer):
    """What answers is not the hub service, or can't be understood."""

    title = "The hub service's answer can't be used"
    hint = TRY_AGAIN


class HubServiceRefused(TokenSourceFailed):
    """The hub service gives this server nothing, for a reason that is not the user's rights."""

    title = "The hub service refuses this server"


class HubAccessMissing(RoleNotAllowed):
    """The hub gives this server no access to the hub service: the user may have no role at all."""

    title = "This server has no access to the hub service"


@contextlib.contextmanager
def hub_service_failures() -> Iterator[None]:
    """Name the hub service where the HTTP client speaks of an identity provider.

    Raises:
        HubServiceUnavailable, HubServiceTimeout, HubServiceBadAnswer: for the client's errors.
    """
    try:
        yield
    except IdpTimeout as error:
        raise HubServiceTimeout(error.detail, admin_hint=REACH_HINT) from None
    except IdpUnavailable as error:
        about_tls = error.admin_hint and ("ca_bundle" in error.admin_hint)
        hint = error.admin_hint if about_tls else REACH_HINT
        raise HubServiceUnavailable(error.detail, admin_hint=hint) from None
    except IdpBadAnswer as error:
        raise HubServiceBadAnswer(error.detail, admin_hint=REACH_HINT) from None


def refusal(response: HttpResponse, what: str, sent: Collection[str], named_by: str) -> WbAwsError:
    """Return what an answer with another status than 200 and 201 means.

    Args:
        response: the answer.
        what: what was asked, for messages: "the hub service at …".
        sent: the secrets in the request, which no message may quote.
        named_by: the setting or variable with the service's URL.
    """
    found = response.json_object() or {}
    problem = {name: _said(found, name, sent) for name in ("code", "detail", "hint", "admin_hint")}
    detail = problem["detail"]
    if response.is_busy:
        # The page of a proxy often names an hour, and is gone after a minute.
        retry_after = response.retry_after() if problem["code"] and detail else None
        return HubServiceUnavailable(
            detail or f"{capitalized(what)} is not available now: HTTP {response.status}.",
            admin_hint=problem["admin_hint"] or REACH_HINT,
            retry_after=retry_after,
        )
    if problem["code"] and detail and response.status in {400, 401, 403}:
        return _definite(problem, detail, found)
    return HubServiceBadAnswer(
        f"{capitalized(what)} does not answer as one: {what_came(response)}.",
        hint=NOT_THERE,
        admin_hint=f"The URL comes from {named_by}. It must be the hub service's, such as"
        " https://hub.example.com/services/aws/, with the hub's base URL and the service's name in it.",
    )


def _definite(
    problem: Mapping[str, str | None], detail: str, found: Mapping[str, Any]
) -> WbAwsError:
    if problem["code"] == "role_not_allowed":
        return RoleNotAllowed(
            detail,
            request_url=url_member(found, "request_url"),
            admin_hint=problem["admin_hint"],
        )
    if problem["code"] == "scope_missing":
        missing = HubAccessMissing(detail)
        missing.hint = problem["hint"] or (
            "If you were given access a short while ago, restart this server from the hub's control panel."
        )
        missing.admin_hint = problem["admin_hint"]
        return missing
    return HubServiceRefused(detail, hint=problem["hint"], admin_hint=problem["admin_hint"])


def url_member(found: Mapping[str, Any], name: str) -> str | None:
    """Return a member that is an http(s) URL without a user name; None if it is anything else."""
    url = found.get(name)
    if isinstance(url, str) and is_http_url(url) and not may_hold_userinfo(url):
        return url
    return None


def what_came(response: HttpResponse) -> str:
    """Return what an answer is that is not the hub service's: its status, and where it leads or what it has."""
    if 300 <= response.status < 400:
        location = redact_userinfo(response.headers.get("location", ""))
        host = urlsplit(location).netloc if is_http_url(location) else "another path"
        return f"HTTP {response.status}, a redirect to {host}, which is not followed"
    kind = response.headers.get("content-type", "").partition(";")[0].strip()
    return f"HTTP {response.status}, {redact_secrets(kind, 60) or 'without content'}"


def _said(found: Mapping[str, Any], name: str, sent: Collection[str]) -> str | None:
    """Return a sentence of the service's, made fit to be shown."""
    text = found.get(name)
    if not isinstance(text, str) or not text:
        return None
    return redact_secrets(redact_userinfo(redact_values(text, sent)), MAX_SHOWN)
