"""Recognizes addresses of this machine; no proxy is used for them."""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from urllib.parse import urlsplit

SHORT_FORMS = re.compile(r"[0-9a-fx.]+", re.ASCII)


def is_loopback(url: str) -> bool:
    """Return whether a URL's host is this machine. Names are not resolved."""
    try:
        return is_loopback_host(urlsplit(url).hostname or "")
    except ValueError:  # not a URL
        return False


def is_loopback_host(host: str) -> bool:
    """Return whether a host is this machine; an IPv6 address has no brackets.

    Names follow RFC 6761, section 6.3. Addresses are recognized in every spelling that connects: C's short,
    decimal, octal and hexadecimal forms (inet_aton(3)), IPv4 in IPv6, with a zone, and the unspecified address,
    which leads to this machine too.
    """
    # Full-width digits and dots connect like plain ones (IDNA, RFC 3490, section 3.1).
    name = unicodedata.normalize("NFKC", host).replace("\u3002", ".").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name.partition("%")[0])
    if address is None:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        if SHORT_FORMS.fullmatch(text):  # inet_aton alone accepts anything after a blank
            return ipaddress.IPv4Address(socket.inet_aton(text))
        return ipaddress.ip_address(text)
    except (OSError, ValueError):  # a name
        return None
