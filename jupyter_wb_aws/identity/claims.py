"""Reading members of what an identity provider sends: optional ones, and claims within claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# AWS's own claim (2026): a token that has it is good for these roles only, whatever their trust policies say.
AWS_ROLES = "https://aws.amazon.com/roles"
EMPTY: tuple[object, ...] = (None, "", [], {})


def optional_member(document: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """Return a member, or `default` if it is missing, null or empty.

    OIDC Core 3.2, Discovery 4.2 and RFC 7519 leave optional members out; many providers send null or
    an empty value instead.

    Args:
        document: a JSON object.
        name: the member's name.
        default: any value.
    """
    value = document.get(name)
    return default if value in EMPTY else value


def claim_by_path(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, or by a path with dots such as ``realm_access.roles``; None if there is none.

    At each level, a claim with the whole name comes first: ``https://example.com/groups`` is a name, and
    ``resource_access.my.client.roles`` leads through a member that is called ``my.client``.
    """
    if claims.get(name) is not None:
        return claims[name]
    dots = [at for at, character in enumerate(name) if character == "."]
    inner = ((claims.get(name[:at]), name[at + 1 :]) for at in dots)
    found = (claim_by_path(value, rest) for value, rest in inner if isinstance(value, Mapping))
    return next((value for value in found if value is not None), None)
