"""The URL at which a browser begins to sign in (RFC 6749, 3.1 and 4.1.1; RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from urllib.parse import unquote_plus, urlencode, urlsplit


def s256_challenge(verifier: str) -> str:
    """Return the code challenge of a verifier, by the method ``S256`` (RFC 7636, 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def with_parameters(endpoint: str, parameters: Mapping[str, str]) -> str:
    """Add parameters to the query of an endpoint, which keeps its own (RFC 6749, 3.1).

    No parameter may be there twice: one of the endpoint's that has the name of a new one goes.
    A fragment, which no endpoint may have, goes too.
    """
    url = urlsplit(endpoint)
    own = [
        one
        for one in url.query.split("&")
        if one and unquote_plus(one.partition("=")[0]) not in parameters
    ]
    return url._replace(query="&".join([*own, urlencode(parameters)]), fragment="").geturl()
