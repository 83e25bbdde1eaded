"""The OpenID provider that a token source names: its metadata and its signing keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_wb_aws.errors import IdpBadAnswer, TokenInvalid
from jupyter_wb_aws.identity.members import member

if TYPE_CHECKING:
    from jupyter_wb_aws.identity.http import HttpSettings

# OIDC Core 2, "Issuer Identifier": a URL without query or fragment. AWS wants https; demos have http.
HTTP_URL = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")
SHOWN = 200

Jwk = Mapping[str, Any]


class Provider:
    """One issuer's documents, by OpenID Connect Discovery 1.0. Blocking: use it in a worker thread."""

    def __init__(self, issuer: str, http: Callable[[], HttpSettings] | None = None) -> None:
        self.issuer = issuer
        self._http = http
        self._metadata: dict[str, Any] | None = None

    @property
    def http(self) -> HttpSettings:
        """How it is reached."""
        from jupyter_wb_aws.identity.http import HttpSettings

        return self._http() if self._http else HttpSettings()

    @property
    def known(self) -> Mapping[str, Any] | None:
        """The metadata, as far as they were fetched before."""
        return self._metadata

    def forget(self) -> None:
        """Read the metadata anew next time: something in them is true no more."""
        self._metadata = None

    def metadata(self, *, anew: bool = False) -> Mapping[str, Any]:
        """Return the provider's metadata (OIDC Discovery, section 3), fetched once or `anew`.

        Raises:
            TokenInvalid: if the document is of another issuer (section 4.3).
            TokenSourceFailed: if it can't be had.
        """
        from jupyter_wb_aws.identity.http import get_json

        known = self._metadata
        if known is None or anew:
            found = get_json(
                self.issuer.rstrip("/") + "/.well-known/openid-configuration", self.http
            )
            if found.get("issuer") != self.issuer:
                raise TokenInvalid(
                    f"The discovery document of {self.issuer!r} says that it is of {shown(found.get('issuer'))}.",
                    admin_hint="Set `issuer` of the token source to what the document says, to the letter: a"
                    " trailing slash counts." + slash_only(found.get("issuer"), self.issuer),
                )
            self._metadata = known = found
        return known

    def endpoint(self, name: str) -> str | None:
        """Return the URL of an endpoint, None where the provider has none.

        Raises:
            IdpBadAnswer: if it is none that one may talk to.
        """
        url = member(self.metadata(), name)
        if url is None:
            return None
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise IdpBadAnswer(
                f"{self.issuer} has its {name} at {shown(url)}, which is no http(s) URL."
            )
        if self.issuer.startswith("https://") and not url.startswith("https://"):
            raise IdpBadAnswer(
                f"{self.issuer} has its {name} at {shown(url)}, which is no https URL."
            )
        return url

    def signing_keys(self) -> Sequence[Jwk]:
        """Fetch the public keys that sign.

        Raises:
            TokenInvalid, TokenSourceFailed: as `metadata` does; or if there are none.
        """
        from jupyter_wb_aws.identity.http import get_json

        self.metadata(anew=True)  # a provider may move its keys
        jwks_uri = self.endpoint("jwks_uri")
        if jwks_uri is None:
            raise IdpBadAnswer(f"{self.issuer} does not say where its keys are (`jwks_uri`).")
        listed = get_json(jwks_uri, self.http).get("keys")
        # Some providers publish the keys that encrypt, too; they sign nothing.
        keys = [
            key
            for key in (listed if isinstance(listed, list) else [])
            if isinstance(key, dict) and member(key, "use", "sig") == "sig"
        ]
        if not keys:
            raise IdpBadAnswer(f"{self.issuer} publishes no signing keys.")
        return keys


def shown(value: object) -> str:
    """Tell a value that somebody else sent, as far as fits into a sentence."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def slash_only(seen: object, expected: str) -> str:
    """Say so where two issuers differ in nothing but the slash at the end: nobody sees that."""
    alike = isinstance(seen, str) and seen.rstrip("/") == expected.rstrip("/")
    return " They differ in nothing but the slash at the end." if alike else ""
