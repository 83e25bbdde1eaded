"""Who leads to the machine's metadata service, which is never asked: by address, by name, by proxy."""

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

# What boto3 sends to renew a sign-in, whose answer it writes below ~/.aws.
RENEWALS = {
    "before-send.sso-oidc.CreateToken": "IAM Identity Center (SSO)",
    "before-send.signin.CreateOAuth2Token": "`aws login`",
}


class RequestBlocked(Exception):
    """A request that the doctor does not make; its text says which, and is fit to be shown."""


def leads_to_metadata(url: str, proxy: str | None) -> str | None:
    """Say what leads to the metadata service when `url` is asked for, or None.

    A name is resolved, since anybody's DNS may name that address; not where there is a proxy, which
    resolves it itself.
    """
    if is_metadata(host_of(url)) or (proxy is None and _resolves_to_metadata(url)):
        return f"{without_secrets(url)} leads to the machine's metadata service"
    if proxy is not None and (is_metadata(host_of(proxy)) or _resolves_to_metadata(proxy)):
        return f"the proxy {without_secrets(proxy)} is the machine's metadata service"
    return None


def guard(environment: Mapping[str, str]) -> Callable[..., None]:
    """Return a handler of botocore's `before-send`, by which every request of every client passes.

    It raises `RequestBlocked` for what leads to the metadata service, and for what would renew a sign-in.
    """

    def refuse(request: Any, event_name: str, **_: object) -> None:
        if (sign_in := RENEWALS.get(event_name)) is not None:
            raise RequestBlocked(
                f"boto3 would renew a sign-in of {sign_in}, and write it below ~/.aws"
            )
        url = str(request.url)
        if (reason := leads_to_metadata(url, proxy_for(url, environment))) is not None:
            raise RequestBlocked(reason)

    return refuse


def _resolves_to_metadata(url: str) -> bool:
    try:
        parts = parts_of(url)
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # a name without an address is not asked either
        return False
    return any(is_metadata(str(address[4][0])) for address in found)
