"""The environment variables by which AWS SDKs find credentials.

Source: AWS SDKs and Tools Reference Guide, "Settings reference"; docs/decisions/0003-environment.md has the
reason for each name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Each of these silently overrides a web identity in some SDK.
CONFLICTING = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
    }
)
CONFLICTING_PREFIXES = ("AWS_CONTAINER_", "AWS_BEARER_TOKEN_")

# Files with keys, which SDKs read as a last resort, after a web identity.
LAST_RESORT = frozenset({"AWS_CREDENTIAL_FILE", "BOTO_CONFIG"})

WEB_IDENTITY = frozenset({"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_SESSION_NAME"})
REGION = frozenset({"AWS_REGION", "AWS_DEFAULT_REGION"})
# What the credential endpoint's clients have instead of a web identity.
ENDPOINT_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
ENDPOINT_TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - a variable's name

# Through these, polars and deltalake would send the endpoint token to a proxy.
PROXIES = frozenset(
    {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}
)
NO_PROXY = ("NO_PROXY", "no_proxy")
ENDPOINT_HOST = "127.0.0.1"

ROLE_LABEL = "JUPYTER_WB_AWS_ROLE"
# Keeps most SDKs from asking the machine for its own role.
METADATA_DISABLED = "AWS_EC2_METADATA_DISABLED"
STS_ENDPOINTS = "AWS_STS_REGIONAL_ENDPOINTS"
# Set in kernels that got a role, or lost one: it tells the command line in which kernel it runs.
KERNEL_ID = "JUPYTER_WB_AWS_KERNEL_ID"
# The names of all variables that a role session has set, separated by blanks; another one removes them.
NAMES_SET = "JUPYTER_WB_AWS_VARIABLES"

# What is removed, besides the conflicting ones, from a process that must have no AWS role.
REMOVED_WITHOUT_ROLE = WEB_IDENTITY | LAST_RESORT | {ROLE_LABEL}

# What a role session sets itself, besides `extra_environment`.
ROLE_SESSION_VARIABLES = (
    WEB_IDENTITY
    | REGION
    | {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG", ROLE_LABEL}
    | {ENDPOINT_URI, ENDPOINT_TOKEN_FILE, METADATA_DISABLED}
)

# What `extra_environment` may not set: the role session sets it, or removes it.
RESERVED = (
    CONFLICTING
    | WEB_IDENTITY
    | REGION
    | LAST_RESORT
    | {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", METADATA_DISABLED}
    | {ROLE_LABEL, NAMES_SET}
)

# Up to the last @: programs accept a password with an unescaped @.
USER_OF_A_URL = re.compile(r"(\w://)[^/\s]*@")
# A proxy may lack a scheme.
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# A host before the first slash of a URL: an `@` after it belongs to the path, not to a user.
HOST = re.compile(r"(\[[\w:.%]+\]|[\w.-]*)(:\d{0,5})?")
HOST_AND_PORT = re.compile(r"(\[[\w:.%]+\]|[\w.-]+):\d{1,5}/?")
MASK = "***@"


def is_conflicting(name: str) -> bool:
    """Return whether a variable overrides the role in some SDK."""
    return name in CONFLICTING or name.startswith(CONFLICTING_PREFIXES)


def is_credential(name: str) -> bool:
    """Return whether a variable gives a process AWS credentials, including a role session's own."""
    return is_conflicting(name) or name in REMOVED_WITHOUT_ROLE


def is_reserved(name: str) -> bool:
    """Return whether the role session sets or removes a variable."""
    return name in RESERVED or is_conflicting(name)


def with_role(
    base: Mapping[str, str], variables: Mapping[str, str], *, by_endpoint: bool = False
) -> dict[str, str]:
    """Return `base` changed for a process with a role session.

    It lacks the variables that override the role, and those that another role session has set in `base`, whose
    region or store may differ. The credential endpoint comes last in all SDKs, so that everything that gives
    credentials overrides it; and no proxy may see its tokens.

    Args:
        base: the environment without us.
        variables: those of the role session.
        by_endpoint: whether the credential endpoint delivers it.
    """
    overrides = is_credential if by_endpoint else is_conflicting
    kept = {n: v for n, v in _before_a_role(base).items() if not overrides(n)}
    environment = {**kept, **variables}
    if by_endpoint:
        environment = with_direct_endpoint(environment)
    return {**environment, NAMES_SET: " ".join(sorted(variables))}


def with_direct_endpoint(environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` changed so that no proxy is used for the credential endpoint, if there is one."""
    if not any(environment.get(name) for name in PROXIES):
        return dict(environment)
    upper, lower = NO_PROXY
    # Each program reads one of the two names first, and would miss what only the other has.
    before = {
        upper: environment.get(upper, environment.get(lower, "")),
        lower: environment.get(lower, environment.get(upper, "")),
    }
    return {**environment, **{name: _with_endpoint_host(value) for name, value in before.items()}}


def _with_endpoint_host(no_proxy: str) -> str:
    hosts = no_proxy.replace(",", " ").split()
    if hosts == ["*"] or ENDPOINT_HOST in hosts:
        return no_proxy
    return f"{no_proxy.rstrip(', ')},{ENDPOINT_HOST}" if hosts else ENDPOINT_HOST


def without_role(base: Mapping[str, str]) -> dict[str, str]:
    """Return `base` changed for a process without AWS credentials.

    It also lacks the variables that a role session has set in `base`, such as a store's endpoint.
    """
    kept = {n: v for n, v in _before_a_role(base).items() if not is_credential(n)}
    # Otherwise an SDK would use the machine's or the pod's own role.
    return {**kept, METADATA_DISABLED: "true"}


def _before_a_role(base: Mapping[str, str]) -> dict[str, str]:
    """Return `base` without the variables that a role session has set."""
    of_role = {NAMES_SET, *base.get(NAMES_SET, "").split()}
    return {name: value for name, value in base.items() if name not in of_role}


def without_passwords(variables: Mapping[str, str]) -> dict[str, str]:
    """Mask the user and password in URLs, such as a proxy's."""
    return {name: _without_password(name, value) for name, value in variables.items()}


def _without_password(name: str, value: str) -> str:
    if not _is_proxy(name) and not name.startswith("AWS_ENDPOINT_URL"):
        return USER_OF_A_URL.sub(rf"\1{MASK}", value)
    # The whole value is one URL, whose password may contain anything, even a slash.
    scheme = SCHEME.match(value)
    rest = value[scheme.end() :] if scheme else value
    _, at, host = rest.rpartition("@")
    in_path = HOST.fullmatch(rest.partition("/")[0]) and not HOST_AND_PORT.fullmatch(host)
    return f"{scheme[0] if scheme else ''}{MASK}{host}" if at and not in_path else value


def is_masked(name: str, value: str) -> bool:
    """Return whether `without_passwords` has masked a part of a value."""
    return f"://{MASK}" in value or (_is_proxy(name) and value.startswith(MASK))


def _is_proxy(name: str) -> bool:
    return name.lower().endswith("_proxy")


def is_name(name: str) -> bool:
    """Return whether a name is valid in every shell. Source: POSIX, 3.216 "Name"."""
    return name.isidentifier() and name.isascii()


def extra_environment_error(variables: Mapping[str, object]) -> str | None:
    """Return what is wrong with an `extra_environment`, or None."""
    for name, value in variables.items():
        if not is_name(name):
            return f"{name!r} is not the name of an environment variable"
        if is_reserved(name):
            return f"{name} belongs to the role session and can't be set here"
        if not isinstance(value, str) or "\0" in value:
            return f"the value of {name} is not text"
    return None
