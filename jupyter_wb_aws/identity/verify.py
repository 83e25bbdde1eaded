"""Verify a token against the issuer that a token source names (OIDC Core 3.1.3.7, RFC 8725)."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from jupyter_wb_aws.errors import TokenInvalid, TokenSourceFailed
from jupyter_wb_aws.identity.token import WebIdentityToken

if TYPE_CHECKING:
    from jwt import PyJWK

# Clocks of two well-kept machines differ by seconds; two minutes forgive a badly kept one.
LEEWAY = timedelta(minutes=2)
ANSWER_LIMIT = 1024 * 1024
TIMEOUT = 5.0


@dataclass(slots=True)
class Verifier:
    """Checks tokens of one issuer; keeps its signing keys until a token names another one.

    Blocking: call `verify` in a worker thread.
    """

    issuer: str
    audience: str
    algorithms: Sequence[str]
    _keys: dict[str, PyJWK] = field(default_factory=dict, repr=False)

    def verify(self, token: WebIdentityToken) -> None:
        """Check the signature, `iss`, `aud` and `exp`.

        Raises:
            TokenInvalid: if any of them is wrong; the message names the one and the value seen.
            TokenSourceFailed: if the issuer's keys can't be had.
        """
        import jwt

        key = self._key(token)
        now = token.received_at.timestamp()
        claims = token.claims
        try:
            jwt.decode(
                token.reveal(),
                key,
                algorithms=list(self.algorithms),
                # The times are judged below, by the clock that received the token.
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
                audience=self.audience,
                issuer=self.issuer,
            )
        except jwt.InvalidIssuerError:
            raise self._invalid("iss", claims.get("iss"), self.issuer) from None
        except (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError):
            raise self._invalid("aud", claims.get("aud"), self.audience) from None
        except jwt.InvalidTokenError as error:
            raise TokenInvalid(
                f"The token's signature is not {self.issuer}'s ({type(error).__name__}).",
                admin_hint="TokenSource.issuer must be the provider that signs the tokens.",
            ) from None
        if token.expires_at.timestamp() + LEEWAY.total_seconds() <= now:
            raise TokenInvalid(
                "The token has expired already.", admin_hint="Compare the clocks of both machines."
            )
        not_before = claims.get("nbf", 0)
        if isinstance(not_before, int | float) and not_before - LEEWAY.total_seconds() > now:
            raise TokenInvalid(
                "The token is not valid yet.", admin_hint="Compare the clocks of both machines."
            )

    def _key(self, token: WebIdentityToken) -> PyJWK:
        import jwt

        header = jwt.get_unverified_header(token.reveal())
        if header.get("alg") not in self.algorithms:
            taken = ", ".join(self.algorithms)
            raise TokenInvalid(
                f"The token is signed with {header.get('alg')!r}; accepted: {taken}."
            )
        kid = str(header.get("kid", ""))
        if kid not in self._keys:
            self._keys = self._fetch_keys()  # also drops what the provider has withdrawn
        if kid not in self._keys:
            raise TokenInvalid(
                f"The token is signed with a key that {self.issuer} does not publish.",
                admin_hint="Look for the token's `kid` in the issuer's JWKS document.",
            )
        return self._keys[kid]

    def _fetch_keys(self) -> dict[str, PyJWK]:
        import jwt

        discovery = _get_json(self.issuer.rstrip("/") + "/.well-known/openid-configuration")
        # OIDC Discovery 4.3: the document must be about the issuer that was asked.
        if discovery.get("issuer") != self.issuer:
            raise self._invalid("issuer", discovery.get("issuer"), self.issuer)
        document = _get_json(str(discovery.get("jwks_uri", "")))
        try:
            keys = jwt.PyJWKSet.from_dict(document).keys
        except (jwt.PyJWTError, AttributeError, TypeError):
            raise TokenSourceFailed(f"{self.issuer} publishes no usable signing keys.") from None
        found = {str(key.key_id or ""): key for key in keys}
        if len(keys) == 1:
            found.setdefault("", keys[0])  # a provider with one key need not name it
        return found

    def _invalid(self, claim: str, seen: object, expected: str) -> TokenInvalid:
        return TokenInvalid(
            f"The token's `{claim}` is {seen!r}, and this server expects {expected!r}.",
            admin_hint="TokenSource.issuer and TokenSource.audience must match the token to the letter,"
            " a trailing slash included.",
        )


def _get_json(url: str) -> dict[str, Any]:
    """Fetch a JSON object by HTTP(S); no redirect is followed to another scheme."""
    if not url.startswith(("https://", "http://")):
        raise TokenSourceFailed(f"{url!r} is no http(s) URL.")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310
            content = answer.read(ANSWER_LIMIT)
        document = json.loads(content)
    except (OSError, ValueError) as error:
        raise TokenSourceFailed(
            f"The identity provider's document {url} can't be read: {error}.",
            admin_hint="The server must be able to reach the issuer to verify tokens.",
        ) from None
    if not isinstance(document, dict):
        raise TokenSourceFailed(f"The identity provider's document {url} is no JSON object.")
    return document
