"""The hub service, as a server asks it: who the user is, their roles, and a token for one of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jupyter_wb_aws.errors import WbAwsError
from jupyter_wb_aws.identity.claims import optional_member
from jupyter_wb_aws.identity.http.client import HttpClient
from jupyter_wb_aws.identity.http.response import HttpResponse, capitalized, clock_ahead
from jupyter_wb_aws.identity.hub_environment import SERVICE_URL
from jupyter_wb_aws.identity.hub_service_errors import (
    REACH_HINT,
    HubServiceBadAnswer,
    HubServiceUnavailable,
    hub_service_failures,
    refusal,
    url_member,
    what_came,
)
from jupyter_wb_aws.identity.provider import HTTP_URL, may_hold_userinfo
from jupyter_wb_aws.identity.token import Identity, SecretStr

WELL_KNOWN = ".well-known/openid-configuration"
# Where the site names no URL.
FOUND_BY = "the hub's own variables, JUPYTERHUB_PUBLIC_HUB_URL and JUPYTERHUB_API_URL"


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What `GET roles` says: the user of the hub, and what they are offered.

    `issuer` and `audience` are those of the service's tokens; a role in `audiences` has its own. `withheld` and
    `incomplete` are those of `IdentityAndRoles`. `key_ids` are the published keys; None if they are not known.
    """

    identity: Identity
    audience: str
    roles: Sequence[object]
    audiences: Mapping[str, str]
    request_url: str | None
    withheld: Sequence[str] = ()
    incomplete: bool = False
    key_ids: Collection[str] | None = None

    @property
    def issuer(self) -> str:
        """The issuer of the service's tokens."""
        return self.identity.issuer

    def audience_for(self, role_arn: str | None) -> str:
        """Return the `aud` of a token for this role."""
        return self.audiences.get(role_arn or "", self.audience)


@dataclass(slots=True)
class HubService:
    """Asks the hub service with the server's own API token; no redirect is followed.

    The token is sent to one URL alone: the one that the site names, else the first of `urls` that has the public
    documents of an OpenID provider, which are asked for without the token.

    Args:
        urls: where the service may be, each with a slash at its end.
        api_token: the server's, from the hub.
        http: sends the requests.
        named_by: the setting or variable in which the site names the URL; None if it does not.
    """

    urls: Sequence[str]
    api_token: SecretStr
    http: HttpClient
    named_by: str | None
    _url: str | None = None

    def __post_init__(self) -> None:
        """Take the URL that the site names."""
        if self.named_by:
            self._url = self.urls[0]

    @property
    def where(self) -> str:
        """The URL, as far as it is known."""
        return self._url or " or ".join(self.urls)

    async def roles(self) -> ServiceAnswer:
        """Ask who the user is, and which roles they are offered.

        Raises:
            RoleNotAllowed: if the hub gives this server no access to the service.
            WbAwsError: if it is not known now.
        """
        response = await self._ask("GET", "roles")
        found = response.json_object()
        if found is None or not isinstance(found.get("roles"), list):
            raise self._bad_answer("its list of roles is not the JSON object that was asked for")
        return self._read_roles(found)

    async def token(self, role_arn: str) -> tuple[str, timedelta]:
        """Ask for a token for one role; return its text, and how far the service's clock is ahead of ours.

        Raises:
            RoleNotAllowed: if the user may not have this role.
            WbAwsError: if no token is available now.
        """
        began = datetime.now(UTC)
        response = await self._ask("POST", "tokens", {"role_arn": role_arn})
        token = (response.json_object() or {}).get("token")
        if not isinstance(token, str):
            raise self._bad_answer("its answer has no token")
        return token, clock_ahead(response, began)

    async def _ask(self, method: str, call: str, body: object = None) -> HttpResponse:
        url = await self._found()
        what = f"the hub service at {url}"
        secret = str(self.api_token)
        headers = {"Authorization": f"Bearer {secret}"}
        with hub_service_failures():
            response = await self.http.send(what, method, url + call, headers, body, sent=[secret])
        if response.status not in {200, 201}:
            raise refusal(response, what, [secret], self.named_by or FOUND_BY)
        return response

    async def _found(self) -> str:
        """Return the service's URL; where there are several places, find it by its public documents."""
        if self._url is None:
            failures: list[str] = []
            for url in self.urls:
                if await self._is_service(url, failures):
                    self._url = url
                    return url
            raise HubServiceUnavailable(
                f"No hub service was found at {self.where}.",
                admin_hint="Set JupyterHubTokenSource.service_url to the service's URL, or, in the hub's configuration,"
                f" the variable {SERVICE_URL} of c.Spawner.environment. " + " ".join(failures),
            )
        return self._url

    async def _is_service(self, url: str, failures: list[str]) -> bool:
        try:
            with hub_service_failures():
                response = await self.http.send(
                    f"the hub service at {url}", "GET", url + WELL_KNOWN, {}
                )
        except WbAwsError as problem:
            failures.append(problem.detail)
            return False
        document = response.json_object() if response.status == 200 else None
        if document is not None and isinstance(document.get("issuer"), str):
            return True
        failures.append(f"{url} answers {what_came(response)}.")
        return False

    def _read_roles(self, found: Mapping[str, Any]) -> ServiceAnswer:
        issuer, user = found.get("issuer"), found.get("user")
        if (
            not isinstance(issuer, str)
            or not HTTP_URL.fullmatch(issuer)
            or may_hold_userinfo(issuer)
        ):
            raise self._bad_answer("it names no issuer that is an http(s) URL")
        if not isinstance(user, str) or not user:
            raise self._bad_answer("it does not say who the user is")
        about = found.get("identity")
        about = about if isinstance(about, Mapping) else {}
        name = optional_member(about, "name")
        groups = about.get("groups")
        return ServiceAnswer(
            Identity(
                issuer,
                user,
                name if isinstance(name, str) else user,
                _texts(groups),
                {},
            ),
            str(optional_member(found, "audience", "")),
            found["roles"],
            _audiences(found["roles"]),
            url_member(found, "request_url"),
            _texts(found.get("withheld")),
            found.get("incomplete") is True,
            _texts(found.get("key_ids")) or None,
        )

    def _bad_answer(self, why: str) -> HubServiceBadAnswer:
        what = capitalized(f"the hub service at {self.where}")
        return HubServiceBadAnswer(f"{what} can't be understood: {why}.", admin_hint=REACH_HINT)


def _texts(listed: object) -> tuple[str, ...]:
    items = listed if isinstance(listed, list) else []
    return tuple(item for item in items if isinstance(item, str) and item)


def _audiences(roles: Sequence[object]) -> dict[str, str]:
    """Return the audience of each role that has its own, by ARN."""
    entries = (entry for entry in roles if isinstance(entry, Mapping))
    pairs = ((entry.get("arn"), optional_member(entry, "audience")) for entry in entries)
    return {
        a: audience for a, audience in pairs if isinstance(a, str) and isinstance(audience, str)
    }
