"""Which proxy is used for a URL, in any environment. Pure.

Source: `urllib.request`, whose rules botocore follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit


def proxies_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Read the variables as `urllib.request.getproxies_environment` does: by scheme, and ``no``.

    The lower-case variable wins, even if it is empty.
    """
    named = [(n, value) for n, value in environment.items() if n.lower().endswith("_proxy")]
    proxies = {name.lower()[:-6]: value for name, value in named}
    proxies.update({name.lower()[:-6]: value for name, value in named if name.endswith("_proxy")})
    return {scheme: value for scheme, value in proxies.items() if value}


def bypasses(url: str, no_proxy: str) -> bool:
    """Return whether `no_proxy` names a URL's host."""
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    host = urlsplit(url).netloc.rpartition("@")[2]
    return bool(proxy_bypass_environment(host, {"no": no_proxy}))


def urls_in(environment: Mapping[str, str]) -> list[str]:
    """Return the values that are URLs and may contain a user and a password."""
    return [
        value
        for name, value in environment.items()
        if name.lower().endswith("_proxy") or name.startswith("AWS_ENDPOINT_URL")
    ]


def variable_for(url: str, environment: Mapping[str, str]) -> str | None:
    """Return the variable that names the proxy for a URL, or None."""
    try:
        scheme, proxies = urlsplit(url).scheme, proxies_in(environment)
        if scheme not in proxies or bypasses(url, proxies.get("no", "")):
            return None
    except ValueError:  # not a URL
        return None
    names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY")
    return next((name for name in names if environment.get(name)), None)
