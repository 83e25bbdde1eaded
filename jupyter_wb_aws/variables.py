"""The environment variables by which AWS SDKs find credentials.

Source: AWS SDKs and Tools Reference Guide, "Settings reference"; for each name's reason to be
here, docs/decisions/0003-environment.md.
"""

from __future__ import annotations

from collections.abc import Mapping

# Any one of these silently wins over a web identity in some SDK.
SHADOWING = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
    }
)
SHADOWING_PREFIXES = ("AWS_CONTAINER_", "AWS_BEARER_TOKEN_")

# Files with keys, for SDKs that found nothing else, a web identity included.
LAST_RESORT = frozenset({"AWS_CREDENTIAL_FILE", "BOTO_CONFIG"})

WEB_IDENTITY = frozenset({"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_SESSION_NAME"})
REGION = frozenset({"AWS_REGION", "AWS_DEFAULT_REGION"})

ROLE_LABEL = "JUPYTER_WB_AWS_ROLE"
# In a kernel that we gave a role to, or took it from: which kernel the command line is typed in.
KERNEL_ID = "JUPYTER_WB_AWS_KERNEL_ID"

# What goes besides the shadowing ones where a process is to have no AWS role at all.
CREDENTIAL = WEB_IDENTITY | LAST_RESORT | {ROLE_LABEL}

# What `extra_environment` may not set: it is the role session's to set, or to keep out.
RESERVED = (
    SHADOWING
    | WEB_IDENTITY
    | REGION
    | LAST_RESORT
    | {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED", ROLE_LABEL}
)


def is_shadowing(name: str) -> bool:
    """Tell whether a variable would win over the picked role in some SDK."""
    return name in SHADOWING or name.startswith(SHADOWING_PREFIXES)


def is_credential(name: str) -> bool:
    """Tell whether a variable gives a process AWS credentials, a role session's own included."""
    return is_shadowing(name) or name in CREDENTIAL


def is_reserved(name: str) -> bool:
    """Tell whether a variable is the role session's to set, or to keep out."""
    return name in RESERVED or is_shadowing(name)


def wrong_extra(variables: Mapping[str, object]) -> str | None:
    """Say what is wrong with an `extra_environment`, or None."""
    for name, value in variables.items():
        if not name.isidentifier() or not name.isascii():
            return f"{name!r} is no name of an environment variable"
        if is_reserved(name):
            return f"{name} belongs to the role session and can't be set here"
        if not isinstance(value, str) or "\0" in value:
            return f"the value of {name} is no text"
    return None
