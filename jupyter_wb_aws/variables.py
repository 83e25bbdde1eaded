"""The environment variables by which AWS SDKs find credentials.

Source: AWS SDKs and Tools Reference Guide, "Settings reference"; for each name's reason to be
here, docs/decisions/0003-environment.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Any one of these silently wins over a web identity in some SDK.
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

# Files with keys, for SDKs that found nothing else, a web identity included.
LAST_RESORT = frozenset({"AWS_CREDENTIAL_FILE", "BOTO_CONFIG"})

WEB_IDENTITY = frozenset({"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_SESSION_NAME"})
REGION = frozenset({"AWS_REGION", "AWS_DEFAULT_REGION"})

ROLE_LABEL = "JUPYTER_WB_AWS_ROLE"
# In a kernel that we gave a role to, or took it from: which kernel the command line is typed in.
KERNEL_ID = "JUPYTER_WB_AWS_KERNEL_ID"
# The names of what a role session has set, with blanks between: another one takes them back.
NAMES_SET = "JUPYTER_WB_AWS_VARIABLES"

# What goes besides the conflicting ones where a process is to have no AWS role at all.
CREDENTIAL = WEB_IDENTITY | LAST_RESORT | {ROLE_LABEL}

# What a role session sets itself, besides what `extra_environment` adds.
ROLE_SESSION_VARIABLES = (
    WEB_IDENTITY | REGION | {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", ROLE_LABEL}
)

# What `extra_environment` may not set: it is the role session's to set, or to keep out.
RESERVED = (
    CONFLICTING
    | WEB_IDENTITY
    | REGION
    | LAST_RESORT
    | {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"}
    | {ROLE_LABEL, NAMES_SET}
)

# To the last @: programs take a password with an @ in it, though none should stand there as it is.
USER_OF_A_URL = re.compile(r"(\w://)[^/\s]*@")
# A proxy may be named without a scheme.
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# What stands before the first slash of a URL without a user: an `@` behind it is then one of its path.
HOST = re.compile(r"(\[[\w:.%]+\]|[\w.-]*)(:\d{0,5})?")
HOST_AND_PORT = re.compile(r"(\[[\w:.%]+\]|[\w.-]+):\d{1,5}/?")
MASK = "***@"


def is_conflicting(name: str) -> bool:
    """Tell whether a variable would win over the picked role in some SDK."""
    return name in CONFLICTING or name.startswith(CONFLICTING_PREFIXES)


def is_credential(name: str) -> bool:
    """Tell whether a variable gives a process AWS credentials, a role session's own included."""
    return is_conflicting(name) or name in CREDENTIAL


def is_reserved(name: str) -> bool:
    """Tell whether a variable is the role session's to set, or to keep out."""
    return name in RESERVED or is_conflicting(name)


def with_role(base: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that has a role session, instead of `base`.

    What would win over the role is left out, and so is what another role session has set in `base`:
    its region or its store's endpoint is not this one's.

    Args:
        base: what it would have got without us.
        variables: those of the role session.
    """
    kept = {n: v for n, v in _before_a_role(base).items() if not is_conflicting(n)}
    return {**kept, **variables, NAMES_SET: " ".join(sorted(variables))}


def without_role(base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that has no AWS credentials, instead of `base`.

    What a role session has set in `base` is left out too: its store's endpoint, its stand-ins for
    `~/.aws`.
    """
    kept = {n: v for n, v in _before_a_role(base).items() if not is_credential(n)}
    # Else an SDK would go on to the machine's or the pod's own role.
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true"}


def _before_a_role(base: Mapping[str, str]) -> dict[str, str]:
    """Return `base` without what a role session has set in it."""
    of_role = {NAMES_SET, *base.get(NAMES_SET, "").split()}
    return {name: value for name, value in base.items() if name not in of_role}


def without_passwords(variables: Mapping[str, str]) -> dict[str, str]:
    """Mask the user's part of URLs: a proxy's may hold a password."""
    return {name: _without_password(name, value) for name, value in variables.items()}


def _without_password(name: str, value: str) -> str:
    if not _is_proxy(name) and not name.startswith("AWS_ENDPOINT_URL"):
        return USER_OF_A_URL.sub(rf"\1{MASK}", value)
    # The whole value is one URL, whose password may hold anything, a slash too.
    scheme = SCHEME.match(value)
    rest = value[scheme.end() :] if scheme else value
    _, at, host = rest.rpartition("@")
    in_path = HOST.fullmatch(rest.partition("/")[0]) and not HOST_AND_PORT.fullmatch(host)
    return f"{scheme[0] if scheme else ''}{MASK}{host}" if at and not in_path else value


def is_masked(name: str, value: str) -> bool:
    """Tell whether `without_passwords` has left something out of a variable's value."""
    return f"://{MASK}" in value or (_is_proxy(name) and value.startswith(MASK))


def _is_proxy(name: str) -> bool:
    return name.lower().endswith("_proxy")


def is_name(name: str) -> bool:
    """Tell whether every shell has a variable of this name. Source: POSIX, 3.216 "Name"."""
    return name.isidentifier() and name.isascii()


def extra_environment_error(variables: Mapping[str, object]) -> str | None:
    """Say what is wrong with an `extra_environment`, or None."""
    for name, value in variables.items():
        if not is_name(name):
            return f"{name!r} is no name of an environment variable"
        if is_reserved(name):
            return f"{name} belongs to the role session and can't be set here"
        if not isinstance(value, str) or "\0" in value:
            return f"the value of {name} is no text"
    return None
