"""Which proxy a URL is reached through, by the rules of Python's standard library and of botocore."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import SplitResult, quote, unquote, urlsplit

from jupyter_wb_aws.errors import IdpUnavailable
from jupyter_wb_aws.identity.redact import redact_userinfo
from jupyter_wb_aws.identity.redact_values import MIN_VALUE_LENGTH, redact_values
from jupyter_wb_aws.loopback import is_loopback

DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
SETTING = "`proxy` of the token source"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; `named_by` is the setting or variable that names it, for messages."""

    named_by: str
    scheme: str
    host: str
    port: int
    auth: tuple[str, str] | None = field(default=None, repr=False)

    def redact(self, text: str) -> str:
        """Return a text without the user name and password: a proxy may quote what it was sent."""
        if self.auth is None:
            return text
        name, password = self.auth
        values = (name, password, f"{name}:{password}")
        text = redact_values(text, [value for value in values if len(value) >= MIN_VALUE_LENGTH])
        return redact_userinfo(text, f"//{quote(name, safe='')}:{quote(password, safe='')}@")


class InvalidProxy(ValueError):
    """A text that is not the URL of a proxy; the message says why, without quoting the text."""


def proxy_for(url: str, setting: str) -> Proxy | None:
    """Return the proxy for a URL; None for a direct connection.

    A loopback address is never reached through a proxy. The variables are read as
    `urllib.request.getproxies` and `proxy_bypass` read them, and botocore with them.

    Args:
        url: where the request goes.
        setting: the site's `proxy`, which overrides the variables, ``NO_PROXY`` too.

    Raises:
        IdpUnavailable: if the proxy for this URL can't be used; the message names the variable.
    """
    if is_loopback(url):
        return None
    if setting:
        return _usable(setting, SETTING)
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    scheme = parts.scheme if parts.scheme in proxies else "all"
    value = proxies.get(scheme)
    if value is None:
        return None
    netloc = parts.netloc.rpartition("@")[2]
    # The host alone too: the standard library takes the end of an IPv6 address for a port.
    if proxy_bypass(netloc) or proxy_bypass(parts.hostname or ""):
        return None
    return _usable(value, _variable(scheme, value))


def read_proxy(text: str, named_by: str) -> Proxy:
    """Read a proxy's URL; without a scheme it is http, as for botocore.

    Args:
        text: the URL.
        named_by: the setting or variable that names it.

    Raises:
        InvalidProxy: if it can't be used; the message says why.
    """
    text = text.strip()
    url = f"http:{text}" if text.startswith("//") else text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidProxy("it is not a URL") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise InvalidProxy("it does not begin with http:// or https://")
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        raise InvalidProxy(
            "a user name or password in it holds a character that must be percent-encoded"
            " (/ as %2F, ? as %3F, # as %23)"
        )
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        raise InvalidProxy(
            "it is a SOCKS proxy, which needs the package socksio in the environment of jupyter_wb_aws"
        )
    return Proxy(named_by, parts.scheme, _host(parts), _port(parts), _auth(parts))


def _usable(text: str, named_by: str) -> Proxy:
    try:
        return read_proxy(text, named_by)
    except InvalidProxy as why:
        raise IdpUnavailable(
            f"The identity provider can't be reached: the proxy of {named_by} can't be used: {why}.",
            admin_hint=f"{named_by} must look like http://proxy.example.com:3128, or name the identity provider's"
            " host in NO_PROXY.",
        ) from None


def _host(parts: SplitResult) -> str:
    try:
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except UnicodeError:
        host = ""
    if not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+(%[\w.-]+)?", host):
        raise InvalidProxy("it does not name a host")
    return host


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise InvalidProxy("its port is not a number from 1 to 65535")
    return port or DEFAULT_PORTS[parts.scheme]


def _auth(parts: SplitResult) -> tuple[str, str] | None:
    if not parts.username and not parts.password:
        return None
    return unquote(parts.username or ""), unquote(parts.password or "")


def _variable(scheme: str, value: str) -> str:
    """Return the name of the variable with this value; the one in lower case wins."""
    name = f"{scheme}_proxy"
    names = [name, *(other for other in os.environ if other.lower() == name)]
    return next((n for n in names if os.environ.get(n) == value), "the system's proxy settings")
