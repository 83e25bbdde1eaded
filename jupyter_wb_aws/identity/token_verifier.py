"""Verifies tokens of the issuer that a token source names (OIDC Core 3.1.3.7, RFC 8725)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jupyter_wb_aws.errors import TokenInvalid, WbAwsError
from jupyter_wb_aws.identity.claims import EMPTY, optional_member
from jupyter_wb_aws.identity.provider import Jwk, Provider, quoted_value, trailing_slash_note
from jupyter_wb_aws.identity.token import LEEWAY, WebIdentityToken, header_of

if TYPE_CHECKING:
    import jwt

MAX_KEY_AGE = timedelta(days=1)
# RFC 7518, 3.3.
MIN_RSA_BITS = 2048
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
PUBLIC_MEMBERS = ("kty", "n", "e", "crv", "x", "y")


@dataclass(slots=True)
class TokenVerifier:
    """Checks tokens of one issuer; keeps its signing keys until they don't match a token."""

    provider: Provider
    audience: str
    algorithms: Sequence[str]
    _keys: Sequence[Jwk] = field(default=(), repr=False)
    _fetched_at: datetime | None = None

    async def verify(self, token: WebIdentityToken, audience: str = "") -> None:
        """Check the signature, `iss`, `aud`, `exp` and `nbf`.

        Args:
            token: the token.
            audience: the `aud` of this token, if it is not the one of all.

        Raises:
            TokenInvalid: if any of them is wrong; the message names it and its value.
            TokenSourceFailed: if the issuer's keys can't be fetched.
        """
        algorithm, kid = self._header(token)
        if self._fetched_at and token.received_at - self._fetched_at > MAX_KEY_AGE:
            # A withdrawn key must not stay valid for ever; a provider that is down does not matter yet.
            with contextlib.suppress(WbAwsError):
                await self._fetch(token)
        # In a thread: a document may list thousands of keys.
        signer = await asyncio.to_thread(self._signer, token, algorithm, kid)
        if signer is None:
            # Fetch the keys again: a provider with one key may change it under the same name, or
            # without a name. This also drops the keys that the provider has withdrawn.
            await self._fetch(token)
            signer = await asyncio.to_thread(self._signer, token, algorithm, kid)
        if signer is None:
            raise self._not_signed(algorithm, kid)
        bits = signer.key.key_size
        if algorithm.startswith("RS") and bits < MIN_RSA_BITS:
            raise TokenInvalid(
                f"The token is signed with an RSA key of {bits} bits; this server accepts {MIN_RSA_BITS} or more.",
                admin_hint="Have the identity provider sign with a longer key (RFC 7518, 3.3).",
            )
        self._check_claims(token, audience or self.audience)

    async def _fetch(self, token: WebIdentityToken) -> None:
        self._keys, self._fetched_at = await self.provider.signing_keys(), token.received_at

    def _header(self, token: WebIdentityToken) -> tuple[str, str]:
        header = header_of(token.reveal())
        algorithm = optional_member(header, "alg")
        if algorithm not in self.algorithms:
            seen = (
                "does not say what it is signed with (`alg`)"
                if algorithm is None
                else f"is signed with {quoted_value(algorithm)}"
            )
            raise TokenInvalid(f"The token {seen}; accepted: {', '.join(self.algorithms)}.")
        return str(algorithm), optional_member(header, "kid", "")

    def _signer(self, token: WebIdentityToken, algorithm: str, kid: str) -> jwt.PyJWK | None:
        keys = [_public_key(jwk, algorithm) for jwk in _candidates(self._keys, algorithm, kid)]
        return next((key for key in keys if key and _has_signed(key, token.reveal())), None)

    def _not_signed(self, algorithm: str, kid: str) -> TokenInvalid:
        """Explain why none of the issuer's keys has signed a token."""
        issuer = self.provider.issuer
        named = [jwk for jwk in self._keys if not kid or _kid(jwk) in ("", kid)]
        candidates = _candidates(self._keys, algorithm, kid)
        if not named:
            return TokenInvalid(
                f"The token is signed with a key that {issuer} does not publish.",
                admin_hint="Look for the token's `kid` in the issuer's JWKS document.",
            )
        if not kid and not candidates and any(_fits(jwk, algorithm) for jwk in named):
            return TokenInvalid(
                f"The token does not name its key (`kid`), and {issuer} publishes several for {algorithm}.",
                admin_hint="Have the identity provider put `kid` into the token's header (OIDC Core, 10.1).",
            )
        if not any(_public_key(jwk, algorithm) for jwk in candidates):
            return TokenInvalid(
                f"The token's signature can't be checked: {issuer} publishes no readable key for {algorithm}"
                f"{f' under the name {quoted_value(kid)}' if kid else ''}.",
                admin_hint="Compare the key's `kty`, `crv` and `alg` in the issuer's JWKS document with RFC 7518.",
            )
        return TokenInvalid(
            f"The token's signature is not {issuer}'s.",
            admin_hint="`issuer` of the token source must be the provider that signs the tokens.",
        )

    def _check_claims(self, token: WebIdentityToken, audience: str) -> None:
        # Not with PyJWT: it compares the times with its own clock, and accepts `aud: ""` if none is set.
        claims = token.claims
        if claims.get("iss") != self.provider.issuer:
            raise self._invalid("iss", claims.get("iss"), self.provider.issuer)
        aud = claims.get("aud")
        audiences = aud if isinstance(aud, list) else [aud]
        if not audience or audience not in audiences:
            raise self._invalid("aud", aud, audience)
        now = token.received_at.timestamp()
        leeway = LEEWAY.total_seconds()
        if token.expires_at.timestamp() + leeway <= now:
            raise TokenInvalid(
                "The token has already expired.", admin_hint="Compare the clocks of both machines."
            )
        not_before = optional_member(claims, "nbf", 0)
        ahead = leeway + token.clock_ahead.total_seconds()
        if not isinstance(not_before, int | float):
            raise TokenInvalid("The token is not valid yet: its `nbf` is not a number of seconds.")
        if not not_before <= now + ahead:
            raise TokenInvalid(
                "The token is not valid yet.", admin_hint="Compare the clocks of both machines."
            )

    def _invalid(self, claim: str, seen: object, expected: str) -> TokenInvalid:
        return TokenInvalid(
            f"The token's `{claim}` is {'missing' if seen in EMPTY else quoted_value(seen)}; this server expects {expected!r}.",
            admin_hint="`issuer` and `audience` of the token source must match the token exactly, including"
            " a trailing slash." + (trailing_slash_note(seen, expected) if claim == "iss" else ""),
        )


def _candidates(keys: Sequence[Jwk], algorithm: str, kid: str) -> Sequence[Jwk]:
    """Return the keys that may have signed a token whose header names `kid`; empty if it names none.

    Both sides may leave `kid` out (RFC 7515, 4.1.4; RFC 7517, 4.5): a key without a name may be the one.
    Several keys may share a name. A token without a `kid` is unambiguous only if one key fits (OIDC
    Core, 10.1).
    """
    fitting = [jwk for jwk in keys if _fits(jwk, algorithm)]
    if kid:
        return [jwk for jwk in fitting if _kid(jwk) in ("", kid)]
    return fitting if sum(_public_key(jwk, algorithm) is not None for jwk in fitting) == 1 else []


def _kid(jwk: Jwk) -> str:
    return str(optional_member(jwk, "kid", ""))


def _fits(jwk: Jwk, algorithm: str) -> bool:
    """Whether a key is for this algorithm (RFC 7518, 3.1 and 6).

    A key that names an algorithm is for no other, and a symmetric key for none (RFC 8725, 3.1).
    """
    kty, curve = ("EC", CURVES[algorithm]) if algorithm in CURVES else ("RSA", None)
    return (jwk.get("kty"), optional_member(jwk, "alg", algorithm)) == (kty, algorithm) and (
        curve is None or jwk.get("crv") == curve
    )


def _public_key(jwk: Jwk, algorithm: str) -> jwt.PyJWK | None:
    """Parse a key; None if it is broken, so that the others beside it still count."""
    import jwt

    try:
        return jwt.PyJWK({k: jwk[k] for k in PUBLIC_MEMBERS if k in jwk}, algorithm)
    except Exception:  # noqa: BLE001 - a stranger's document, and PyJWT lets through what cryptography raises
        return None


def _has_signed(key: jwt.PyJWK, text: str) -> bool:
    # Not `PyJWS.decode`: it parses the header again, and refuses a `kid` of null.
    signed, _, signature = text.rpartition(".")
    try:
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except ValueError:
        return False
    return bool(key.Algorithm.verify(signed.encode(), key.key, raw))
