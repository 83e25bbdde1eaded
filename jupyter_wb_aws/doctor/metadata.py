"""Keeps the doctor away from the machine's metadata service, by address, by name and by proxy."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_wb_aws.doctor.addresses import (
    host_of,
    is_metadata,
    parts_of,
    proxy_for,
    without_secrets,
)

# boto3's requests that refresh a sign-in; it writes the answers below ~/.aws.
SIGN_IN_REFRESHES = {
    "before-send.sso-oidc.CreateToken": "IAM Identity Center (SSO)",
    "before-send.signin.CreateOAuth2Token": "`aws login`",
}


class RequestBlocked(Exception):
    """The doctor does not send this request; the text says why, and is fit to be shown."""


def leads_to_metadata(url: str, proxy: str | None) -> str | None:
    """Return why a request to `url` would reach the metadata service, or None.

    Names are resolved, because any DNS name may have that address. With a proxy they are not: the proxy
    resolves them.
    """
    if is_metadata(host_of(url)) or (proxy is None and _resolves_to_metadata(url)):
        return f"{without_secrets(url)} leads to the machine's metadata service"
    if proxy is not None and (is_metadata(host_of(proxy)) or _resolves_to_metadata(proxy)):
        return f"the proxy {without_secrets(proxy)} is the machine's metadata service"
    return None


def guard(environment: Mapping[str, str]) -> Callable[..., None]:
    """Return a handler of botocore's `before-send` event, which every request of every client emits.

    The handler raises `RequestBlocked` for requests to the metadata service, and for those that refresh a sign-in.
    """

    def refuse(request: Any, event_name: str, **_: object) -> None:
        if (sign_in := SIGN_IN_REFRESHES.get(event_name)) is not None:
            raise RequestBlocked(
                f"boto3 would refresh a sign-in of {sign_in}, and write it below ~/.aws"
            )
        url = str(request.url)
        if (reason := leads_to_metadata(url, proxy_for(url, environment))) is not None:
            raise RequestBlocked(reason)

    return refuse


def _resolves_to_metadata(url: str) -> bool:
    try:
        parts = parts_of(url)
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # a name without an address gets no request either
        return False
    return any(is_metadata(str(address[4][0])) for address in found)
