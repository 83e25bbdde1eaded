"""URLs of Jupyter servers, without the users, passwords and tokens in them."""

from __future__ import annotations

from urllib.parse import urlsplit

from jupyter_wb_aws.variables import MASK

SCHEMES = {"http", "https", "http+unix"}


def base_url(given: str) -> str | None:
    """Return a server's base URL from a URL that somebody has copied from a log or a browser.

    Returns:
        the URL without user, query and fragment; empty if `given` is; None if it is not a URL that a
        Jupyter server can have, or if another part of it may contain a user and a password with a
        `#`, `?` or `/`.
    """
    if not given:
        return ""
    try:
        parts = urlsplit(given)
        parts.port  # noqa: B018 - raises ValueError for what is not a port
    except ValueError:
        return None
    if parts.scheme not in SCHEMES or not parts.hostname or "@" in parts.query + parts.fragment:
        return None
    return without_token(given)


def without_token(url: str) -> str:
    """Drop the user, the query and the fragment of a well-formed URL."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def redacted_url(url: str) -> str:
    """Return the URL without what may be a user and a password, for messages.

    An `@` in the path may belong to a user name on JupyterHub, or end a password that contains a slash,
    so hide what is before it.
    """
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{MASK}{rest.rpartition('@')[2]}" if "@" in rest else url
