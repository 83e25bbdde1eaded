"""Is an address this very machine's? Then no proxy stands in between."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Tell whether a URL's host is this machine, by its look: nothing is resolved."""
    try:
        return is_loopback_host(urlsplit(url).hostname or "")
    except ValueError:  # no URL
        return False


def is_loopback_host(host: str) -> bool:
    """Tell the same of a host alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # another name
        return False
