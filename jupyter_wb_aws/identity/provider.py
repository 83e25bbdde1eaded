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

# OIDC Core 2, "Issuer Identifier": a URL without query or fragment. AWS wants https; demos have http.
HTTP_URL = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")
SHOWN = 200

Jwk = Mapping[str, Any]


class Provider:
    """One issuer's documents, by OpenID Connect Discovery 1.0; `http` is how it is reached."""

    def __init__(self, issuer: str, http: HttpClient | None = None) -> None:
        self.issuer = issuer
        self.http = http or HttpClient()
        self._metadata: dict[str, Any] | None = None

    @property
    def known(self) -> Mapping[str, Any] | None:
        """The metadata, as far as they were fetched before."""
        return self._metadata

    def forget(self) -> None:
        """Read the metadata anew next time: something in them is true no more."""
        self._metadata = None

    async def metadata(self, *, anew: bool = False) -> Mapping[str, Any]:
        """Return the provider's metadata (OIDC Discovery, section 3), fetched once or `anew`.

        Raises:
            TokenInvalid: if the document is of another issuer (section 4.3).
            TokenSourceFailed: if it can't be had.
        """
        known = self._metadata
        if known is None or anew:
            found = await self.http.get_json(
                self.issuer.rstrip("/") + "/.well-known/openid-configuration"
            )
            if (named := optional_member(found, "issuer")) is None:
                raise TokenInvalid(
                    f"The discovery document of {self.issuer!r} does not say which issuer it is of.",
                    admin_hint="Is `issuer` of the token source the URL of an OpenID provider?",
                )
            if named != self.issuer:
                raise TokenInvalid(
                    f"The discovery document of {self.issuer!r} says that it is of {self._shown(named)}.",
                    admin_hint="Set `issuer` of the token source to what the document says, to the letter: a"
                    " trailing slash counts." + slash_only(named, self.issuer),
                )
            self._metadata = known = found
        return known

    async def endpoint(self, name: str) -> str | None:
        """Return the URL of an endpoint, None where the provider has none.

        Raises:
            IdpBadAnswer: if it is none that one may talk to.
        """
        url = optional_member(await self.metadata(), name)
        if url is None:
            return None
        if isinstance(url, str) and may_hold_userinfo(url):
            raise IdpBadAnswer(f"{self.issuer} has its {name} at a URL with a user name in it.")
        if not isinstance(url, str) or not is_http_url(url):
            raise IdpBadAnswer(
                f"{self.issuer} has its {name} at {self._shown(url)}, which is not an http(s) URL."
            )
        if self.issuer.startswith("https://") and not url.startswith("https://"):
            raise IdpBadAnswer(
                f"{self.issuer} has its {name} at {self._shown(url)}, which is not an https URL."
            )
        return url

    def _shown(self, value: object) -> str:
        return shown(value, self.http.without_proxies)

    async def signing_keys(self) -> Sequence[Jwk]:
        """Fetch the public keys that sign.

        Raises:
            TokenInvalid, TokenSourceFailed: as `metadata` does; or if there are none.
        """
        await self.metadata(anew=True)  # a provider may move its keys
        jwks_uri = await self.endpoint("jwks_uri")
        if jwks_uri is None:
            raise IdpBadAnswer(f"{self.issuer} does not say where its keys are (`jwks_uri`).")
        listed = (await self.http.get_json(jwks_uri)).get("keys")
        # Some providers publish the keys that encrypt, too; they sign nothing.
        keys = [
            key
            for key in (listed if isinstance(listed, list) else [])
            if isinstance(key, dict) and optional_member(key, "use", "sig") == "sig"
        ]
        if not keys:
            raise IdpBadAnswer(f"{self.issuer} publishes no signing keys.")
        return keys


def is_http_url(text: str) -> bool:
    """Tell whether a text is an http(s) URL that every parser reads: with a host, a port, no blanks."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # refuses what is not a port
    except ValueError:
        return False
    printable = text.isprintable() and " " not in text
    return printable and text.startswith(("https://", "http://")) and bool(parts.hostname)


def may_hold_userinfo(url: str) -> bool:
    """Tell whether a URL has a user name or password in it, even if a ``/`` in the password hides it."""
    host, _, path = url.partition("//")[2].partition("/")
    return "@" in host or (":" in host and "@" in path)


def shown(value: object, clean: Callable[[str], str] = redact_userinfo) -> str:
    """Tell a value that somebody else sent, as far as fits into a sentence."""
    text = redact_userinfo(clean(repr(value)))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def slash_only(seen: object, expected: str) -> str:
    """Say so where two issuers differ in nothing but the slash at the end: nobody sees that."""
    alike = isinstance(seen, str) and seen.rstrip("/") == expected.rstrip("/")
    return " They differ in nothing but the slash at the end." if alike else ""
