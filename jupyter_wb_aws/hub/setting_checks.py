"""What is wrong with the settings of the hub service, or probably is, as sentences. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from jupyter_wb_aws.hub.service_settings import ServiceSettings
from jupyter_wb_aws.identity.provider import is_http_url, may_hold_userinfo
from jupyter_wb_aws.loopback import is_loopback

# IAM takes issuers of up to 255 characters (CreateOpenIDConnectProvider), and audiences as well.
MAX_LENGTH = 255
# Seconds. Shorter lifetimes are for tests.
SHORT_TOKEN_LIFETIME = 300
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


def warnings_about(settings: ServiceSettings, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield what an administrator should look at, although the service can start with it.

    Args:
        settings: each without a problem by itself.
        environment: of this process.
    """
    yield from _warnings_about_issuer(settings)
    if settings.token_lifetime < SHORT_TOKEN_LIFETIME:
        yield (
            f"HubServiceApp.token_lifetime is {settings.token_lifetime} s. So short an outage of the service or the hub"
            " leaves kernels without credentials; 900 or more is usual."
        )
    name = unquote(settings.prefix.rstrip("/").rpartition("/")[2])
    if name and name != settings.service_name:
        yield (
            f"HubServiceApp.prefix is {settings.prefix}, but HubServiceApp.service_name is {settings.service_name}. If the"
            f" hub's configuration calls the service {name}, set service_name to that: otherwise every user is refused"
            " (scope_missing) and loses their role sessions."
        )
    if environment.get("JUPYTERHUB_SERVICE_URL", "").startswith("https:"):
        yield (
            "JUPYTERHUB_SERVICE_URL is an https URL, but the service answers plain http. In c.JupyterHub.services, let"
            " its `url` begin with http://; or the hub's proxy can't reach it."
        )


def not_for_aws(issuer: str) -> str | None:
    """Return why AWS would refuse an issuer that S3-compatible stores may accept; None if AWS would not."""
    parts = urlsplit(issuer)
    for_stores = f"The issuer {issuer} is for S3-compatible stores and tests: AWS accepts"
    if parts.scheme != "https":
        return f"{for_stores} https URLs only."
    return None if parts.port is None else f"{for_stores} no issuer with a port."


def _warnings_about_issuer(settings: ServiceSettings) -> Iterator[str]:
    issuer = settings.issuer
    parts = urlsplit(issuer)
    if (warning := not_for_aws(issuer)) is not None:
        yield warning
    if issuer.endswith("/"):
        yield f"The issuer {issuer} ends with a slash. Where it is entered without it, tokens are refused."
    if parts.path.rstrip("/") != unquote(settings.prefix.rstrip("/")):
        yield (
            f"The path of the issuer {issuer} is not {settings.prefix} (HubServiceApp.prefix), where the service answers."
            " Correct one of the two, unless a web server serves at the issuer what `export` writes (a private hub)."
        )


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
