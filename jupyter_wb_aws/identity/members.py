"""Reading optional members of what an identity provider sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EMPTY: tuple[object, ...] = (None, "", [], {})


def member(document: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """Return a member, or `default` where it is absent, null or empty.

    OIDC Core 3.2, Discovery 4.2 and RFC 7519 leave optional members out; many providers send null or
    an empty value for the same.
    """
    value = document.get(name)
    return default if value in EMPTY else value
