"""The URL that begins a sign-in in the browser (RFC 6749, 3.1 and 4.1.1; RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from urllib.parse import unquote_plus, urlencode, urlsplit


def s256_challenge(code_verifier: str) -> str:
    """Return the code challenge of a verifier, by the method ``S256`` (RFC 7636, 4.2)."""
    digest = hashlib.sha256(code_verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def with_parameters(endpoint: str, parameters: Mapping[str, str]) -> str:
    """Add parameters to the query of an endpoint, which keeps its own (RFC 6749, 3.1).

    No parameter may occur twice: a new one replaces the endpoint's own of the same name. A fragment,
    which no endpoint may have, is removed.
    """
    url = urlsplit(endpoint)
    own = [
        parameter
        for parameter in url.query.split("&")
        if parameter and unquote_plus(parameter.partition("=")[0]) not in parameters
    ]
    return url._replace(query="&".join([*own, urlencode(parameters)]), fragment="").geturl()
