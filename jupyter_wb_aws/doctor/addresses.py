"""Where a process's calls go: the STS endpoint, proxies, and addresses that are never called. Pure."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from jupyter_wb_aws.aws.proxy_variables import bypasses, proxies_in, urls_in
from jupyter_wb_aws.aws.sts import configured_endpoint
from jupyter_wb_aws.doctor.profiles import Profile
from jupyter_wb_aws.identity.redact import redact_userinfo
from jupyter_wb_aws.roles.partitions import partition_of

# The machine's metadata service hands out the machine's own role. Never call it, not even to see whether
# it exists. Source: EC2 User Guide, "Access instance metadata"; one name is Google Cloud's.
METADATA = frozenset({"169.254.169.254", "fd00:ec2::254"})
METADATA_NAMES = frozenset(
    {"instance-data", "instance-data.ec2.internal", "metadata.google.internal"}
)
# A user and password before a host, in a text. Without a scheme it must not match a path or an ARN:
# a role session's name may contain an `@`.
USER = re.compile(r"(?:(?<=://)\S*|[^\s\"'/]*:[^\s\"'/]*)@")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
PROXIES = {"https": ("https_proxy", "HTTPS_PROXY"), "http": ("http_proxy", "HTTP_PROXY")}


def is_metadata(host: str) -> bool:
    """Return whether a host name or address is that of the machine's metadata service."""
    name = host.lower().rstrip(".").partition("%")[0]
    try:
        address = ipaddress.ip_address(_plain(name))
    except ValueError:
        return name in METADATA_NAMES
    mapped = getattr(address, "ipv4_mapped", None) or address
    return str(mapped) in METADATA


def _plain(name: str) -> str:
    """Normalize an IPv4 address; C also accepts a single number, hexadecimal and octal ones."""
    try:
        return socket.inet_ntoa(socket.inet_aton(name))
    except (OSError, ValueError):
        return name


def parts_of(url: str) -> SplitResult:
    """Split a URL as SDKs do: without a scheme, it begins with the host.

    Raises:
        ValueError: if it is not a URL.
    """
    return urlsplit(url if "://" in url else f"//{url}")


def host_of(url: str) -> str:
    """Return the host of a URL, or an empty string."""
    try:
        return parts_of(url).hostname or ""
    except ValueError:
        return ""


def without_secrets(url: str) -> str:
    """Return a URL without user, password and query, fit to be shown.

    Everything up to the last `@` is removed: a password that should have been escaped may contain anything.
    """
    scheme = SCHEME.match(url)
    try:
        parts = urlsplit(f"//{url[scheme.end() if scheme else 0 :].rpartition('@')[2]}")
    except ValueError:
        return "(not a URL)"
    return f"{scheme[0] if scheme else ''}{parts.netloc}{parts.path}"


def masked(text: str, environment: Mapping[str, str]) -> str:
    """Return a message of botocore or Python without the user and password of any URL in it.

    Args:
        text: the message.
        environment: its proxies and endpoints may be quoted, in whole or in part.
    """
    return USER.sub("***@", redact_userinfo(text, *urls_in(environment)))


def ignores_endpoints(environment: Mapping[str, str]) -> bool:
    """Return whether SDKs have to ignore the endpoints of variables and profiles."""
    return environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true"


def sts_endpoint(environment: Mapping[str, str], profile: Profile | None) -> str | None:
    """Return the STS endpoint that boto3's configuration names; None for AWS's own."""
    if ignores_endpoints(environment):
        return None
    return configured_endpoint(environment) or (profile.sts_endpoint if profile else None)


def sts_url(environment: Mapping[str, str], profile: Profile | None) -> str:
    """Return where boto3 calls STS: it reads only AWS_DEFAULT_REGION, and otherwise calls the global STS."""
    if endpoint := sts_endpoint(environment, profile):
        return endpoint
    region = environment.get("AWS_DEFAULT_REGION") or (profile.text("region") if profile else None)
    if not region or environment.get("AWS_STS_REGIONAL_ENDPOINTS") == "legacy":
        return "https://sts.amazonaws.com"
    partition = partition_of(
        region
    )  # for unknown regions, botocore uses the domain of the first partition
    return f"https://sts.{region}.{partition.domains[0] if partition else 'amazonaws.com'}"


def proxy_for(url: str, environment: Mapping[str, str]) -> str | None:
    """Return the proxy for a URL, as `urllib` and botocore choose it."""
    try:
        scheme, proxies = urlsplit(url).scheme, proxies_in(environment)
    except ValueError:  # not a URL
        return None
    if scheme not in proxies or bypasses(url, proxies.get("no", "")):
        return None
    return proxies[scheme]
