"""URLs of Jupyter servers, without what must not be shown: users, passwords and tokens in them."""

from __future__ import annotations

from urllib.parse import urlsplit

from jupyter_wb_aws.variables import MASK

SCHEMES = {"http", "https", "http+unix"}


def base_url(given: str) -> str | None:
    """Return a server's base URL out of one that somebody has copied from a log or a browser.

    Returns:
        It without user, query and fragment; empty for an empty one; None where it is not a URL that
        a Jupyter server can have, or where a user with a `#`, `?` or `/` in their password may be
        hidden in other parts of it.
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


def shown(url: str) -> str:
    """Return a URL for a message.

    An `@` in the path belongs to a user's name on JupyterHub, or ends a password that has a slash
    in it. Nobody can tell, so that what is before it is not shown.
    """
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{MASK}{rest.rpartition('@')[2]}" if "@" in rest else url
