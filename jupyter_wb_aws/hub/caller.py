"""Who calls the hub service, and what that token gives them: decided from what the hub says of the token. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_wb_aws.hub.errors import HubUnavailable, NotAServer, NotAUser, ScopeMissing

SERVERS = "access:servers!server="
SERVICES = "access:services"
# With this scope, a caller may rotate the keys.
KEYS_SCOPE = "custom:jupyter-wb-aws:keys"
MAX_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Caller:
    """The user or service whose token the caller sent.

    `server` is the name of the user's server that the token belongs to ("" is the default server); None for a token
    of another kind.
    """

    kind: str
    name: str
    groups: tuple[str, ...]
    scopes: frozenset[str]
    token_id: str
    server: str | None = None


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Which tokens may ask for roles: those with access to this service, by default of servers only."""

    service_name: str
    only_from_servers: bool = True


def read_caller(document: Mapping[str, Any]) -> Caller:
    """Read the answer of the hub's `GET /user`.

    Raises:
        HubUnavailable: if it does not have the form of JupyterHub 5 and later.
    """
    kind, name = document.get("kind"), document.get("name")
    # Every hub names a user's groups, and none a service's. Without them, a user would lose each role of a group.
    groups = document.get("groups", None if kind == "user" else [])
    scopes = document.get("scopes")
    token_id = document.get("token_id")
    if (
        not (isinstance(kind, str) and isinstance(name, str) and name)
        or not (_texts(groups) and _texts(scopes))
        or not isinstance(token_id, str)
    ):
        raise HubUnavailable(
            "The hub's answer does not say whose token this is.",
            admin_hint="The service needs JupyterHub 5 or later: does `hub_api_url` lead to the hub's API?",
        )
    held = frozenset(scopes or ())
    return Caller(kind, name, tuple(groups), held, token_id, _server_of(name, held))


def check_access(caller: Caller, rules: AccessRules) -> None:
    """Check that this token may ask for roles.

    Raises:
        NotAUser: if it is a service's.
        ScopeMissing: if it gives no access to this service.
        NotAServer: if it is not that of one of the user's own servers, where this is required.
    """
    if caller.kind != "user":
        raise NotAUser(f"The token belongs to a {caller.kind[:MAX_SHOWN]!a}.")
    scope = f"{SERVICES}!service={rules.service_name}"
    if caller.scopes.isdisjoint({scope, SERVICES}):
        raise ScopeMissing(
            "The hub gives you no access to the hub service for AWS.",
            admin_hint="On the hub (c.JupyterHub.load_roles), two roles of the hub need the scope"
            f" {scope}: one that the user or one of their groups has, and the role `server`.",
        )
    if rules.only_from_servers and caller.server is None:
        raise NotAServer(
            "The hub service answers a user's own server only.",
            admin_hint=f"Exactly one scope {SERVERS}USER/… must be among the token's, and USER its owner.",
        )


def check_may_rotate(caller: Caller) -> None:
    """Check that this token, of a user or a service, may rotate the keys.

    Raises:
        ScopeMissing: if it may not.
    """
    if KEYS_SCOPE not in caller.scopes:
        raise ScopeMissing(
            "This token may not rotate the keys.",
            hint="Contact your hub's administrator.",
            admin_hint=f"It needs the scope {KEYS_SCOPE}, from a role of the hub.",
        )


def _server_of(user: str, scopes: frozenset[str]) -> str | None:
    """Return the name of the user's server whose token has these scopes; None if there is not exactly one.

    The hub puts names into scopes as they are, and allows no slash in a user's name. So only `USER/SERVER` with
    one slash is unambiguous; anything else gains nothing.
    """
    named = [scope.removeprefix(SERVERS) for scope in scopes if scope.startswith(SERVERS)]
    if len(named) != 1 or named[0].count("/") != 1:
        return None
    owner, _, server = named[0].partition("/")
    return server if owner == user else None


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
