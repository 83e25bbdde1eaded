"""What is wrong with a setting of the hub service, as a sentence. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from jupyter_wb_aws.identity.provider import is_http_url, may_hold_userinfo
from jupyter_wb_aws.loopback import is_loopback

# IAM takes issuers of up to 255 characters (CreateOpenIDConnectProvider), and audiences as well.
MAX_LENGTH = 255
ISSUER_PATH = re.compile(r"[A-Za-z0-9._~@/-]*")
PREFIX = re.compile(r"/([A-Za-z0-9._~@%-]+/)*")


def issuer_problem(issuer: str) -> str | None:
    """Return what is wrong with an issuer; None if nothing is."""
    if not is_http_url(issuer) or len(issuer) > MAX_LENGTH:
        return f"it must be a URL of at most {MAX_LENGTH} characters, such as https://hub.example.org/services/aws."
    if may_hold_userinfo(issuer) or "?" in issuer or "#" in issuer:
        return "it may not have a user name, a query or a fragment."
    if not issuer.startswith("https://") and not is_loopback(issuer):
        return "it must be an https URL, since AWS fetches the keys from there; http works on this machine alone."
    path = urlsplit(issuer).path
    if not ISSUER_PATH.fullmatch(path) or "//" in path or {".", ".."} & set(path.split("/")):
        return (
            "its path may have letters, digits and the characters ._~@- only, and no empty parts."
        )
    return None


def issuer_warning(issuer: str) -> str | None:
    """Return why AWS would not accept an issuer that S3-compatible stores may; None if AWS would."""
    parts = urlsplit(issuer)
    if parts.scheme != "https":
        return "AWS accepts https URLs only."
    if parts.port is not None:
        return "AWS accepts no issuer with a port."
    return None


def url_problem(url: str) -> str | None:
    """Return what is wrong with the URL of the hub's API; None if nothing is."""
    if not is_http_url(url) or may_hold_userinfo(url) or "?" in url or "#" in url:
        return "it must be an http(s) URL, such as http://127.0.0.1:8081/hub/api."
    return None


def prefix_problem(prefix: str) -> str | None:
    """Return what is wrong with the path below which the service answers; None if nothing is."""
    if not PREFIX.fullmatch(prefix):
        return "it must be a path with a slash at both ends, such as /services/aws/."
    return None


def audience_problem(audience: str) -> str | None:
    """Return what is wrong with an audience; None if nothing is."""
    if not 0 < len(audience) <= MAX_LENGTH or not audience.isprintable() or " " in audience:
        return f"it must have 1 to {MAX_LENGTH} characters, without blanks."
    return None


def managed_address(environment: Mapping[str, str]) -> tuple[str, int]:
    """Return the address and port to listen at: those that the hub gives a service that it manages.

    Args:
        environment: of this process.
    """
    ip, port = "127.0.0.1", 10101
    url = environment.get("JUPYTERHUB_SERVICE_URL", "")
    if url and is_http_url(url):
        parts = urlsplit(url)
        ip, port = parts.hostname or ip, parts.port or port
    return ip, port
