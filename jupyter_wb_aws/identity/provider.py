"""The OpenID provider that a token source names: its metadata and its signing keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from jupyter_wb_aws.errors import IdpBadAnswer, TokenInvalid
from jupyter_wb_aws.identity.claims import optional_member
from jupyter_wb_aws.identity.http.client import HttpClient
from jupyter_wb_aws.identity.redact import redact_userinfo

# OIDC Core 2, "Issuer Identifier": a URL without query or fragment. AWS requires https; demos use http.
HTTP_URL = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")
# How many characters of a provider's value a message quotes.
MAX_SHOWN = 200

Jwk = Mapping[str, Any]


class Provider:
    """The documents of one issuer, by OpenID Connect Discovery 1.0; `http` fetches them."""

    def __init__(self, issuer: str, http: HttpClient | None = None) -> None:
        self.issuer = issuer
        self.http = http or HttpClient()
        self._metadata: dict[str, Any] | None = None

    @property
    def cached_metadata(self) -> Mapping[str, Any] | None:
        """The metadata, if it was fetched before."""
        return self._metadata

    def clear_cache(self) -> None:
        """Fetch the metadata again next time: something in it is no longer true."""
        self._metadata = None

    async def metadata(self, *, refetch: bool = False) -> Mapping[str, Any]:
        """Return the provider's metadata (OIDC Discovery, section 3), fetched once or again.

        Raises:
            TokenInvalid: if the document belongs to another issuer (section 4.3).
            TokenSourceFailed: if it can't be fetched.
        """
        metadata = self._metadata
        if metadata is None or refetch:
            found = await self.http.get_json(
                self.issuer.rstrip("/") + "/.well-known/openid-configuration"
            )
            if (named := optional_member(found, "issuer")) is None:
                raise TokenInvalid(
                    f"The discovery document of {self.issuer!r} does not name its issuer.",
                    admin_hint="Is `issuer` of the token source the URL of an OpenID provider?",
                )
            if named != self.issuer:
                raise TokenInvalid(
                    f"The discovery document of {self.issuer!r} names the issuer {self._quoted(named)}.",
                    admin_hint="Set `issuer` of the token source to exactly what the document says: a"
                    " trailing slash counts." + trailing_slash_note(named, self.issuer),
                )
            self._metadata = metadata = found
        return metadata

    async def endpoint(self, name: str) -> str | None:
        """Return the URL of an endpoint; None if the provider has none.

        Args:
            name: as in the metadata: ``token_endpoint``.

        Raises:
            IdpBadAnswer: if the URL may not be used.
            TokenInvalid, TokenSourceFailed: see `metadata`.
        """
        url = optional_member(await self.metadata(), name)
        if url is None:
            return None
        if isinstance(url, str) and may_hold_userinfo(url):
            raise IdpBadAnswer(f"{self.issuer} has its {name} at a URL with a user name in it.")
        if not isinstance(url, str) or not is_http_url(url):
            raise IdpBadAnswer(
                f"{self.issuer} has its {name} at {self._quoted(url)}, which is not an http(s) URL."
            )
        if self.issuer.startswith("https://") and not url.startswith("https://"):
            raise IdpBadAnswer(
                f"{self.issuer} has its {name} at {self._quoted(url)}, which is not an https URL."
            )
        return url

    def _quoted(self, value: object) -> str:
        return quoted_value(value, self.http.redact_proxies)

    async def signing_keys(self) -> Sequence[Jwk]:
        """Fetch the public keys that sign tokens.

        Raises:
            TokenInvalid, TokenSourceFailed: see `metadata`; also if there are no keys.
        """
        await self.metadata(refetch=True)  # a provider may move its keys
        jwks_uri = await self.endpoint("jwks_uri")
        if jwks_uri is None:
            raise IdpBadAnswer(f"{self.issuer} does not say where its keys are (`jwks_uri`).")
        listed = (await self.http.get_json(jwks_uri)).get("keys")
        # Some providers also publish the keys that encrypt.
        keys = [
            key
            for key in (listed if isinstance(listed, list) else [])
            if isinstance(key, dict) and optional_member(key, "use", "sig") == "sig"
        ]
        if not keys:
            raise IdpBadAnswer(f"{self.issuer} publishes no signing keys.")
        return keys


def is_http_url(text: str) -> bool:
    """Whether a text is an http(s) URL for every parser: with a host, a valid port, without blanks."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises if it is not a port
    except ValueError:
        return False
    printable = text.isprintable() and " " not in text
    return printable and text.startswith(("https://", "http://")) and bool(parts.hostname)


def may_hold_userinfo(url: str) -> bool:
    """Whether a URL has a user name or password in it, even if a ``/`` in the password hides it."""
    host, _, path = url.partition("//")[2].partition("/")
    return "@" in host or (":" in host and "@" in path)


def quoted_value(value: object, redact: Callable[[str], str] = redact_userinfo) -> str:
    """Return a provider's value for a message: quoted and shortened, after `redact`."""
    text = redact_userinfo(redact(repr(value)))
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def trailing_slash_note(seen: object, expected: str) -> str:
    """Return a sentence if two issuers differ only in the slash at the end, which is easily missed."""
    alike = isinstance(seen, str) and seen.rstrip("/") == expected.rstrip("/")
    return " They differ only in the slash at the end." if alike else ""
