"""Verify a token against the issuer that a token source names (OIDC Core 3.1.3.7, RFC 8725)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jupyter_wb_aws.errors import TokenInvalid, WbAwsError
from jupyter_wb_aws.identity.provider import Jwk, Provider, shown, slash_only
from jupyter_wb_aws.identity.token import LEEWAY, WebIdentityToken

OLDEST_KEYS = timedelta(days=1)


@dataclass(slots=True)
class Verifier:
    """Checks tokens of one issuer; keeps its signing keys until they don't fit a token.

    Blocking: call `verify` in a worker thread.
    """

    provider: Provider
    audience: str
    algorithms: Sequence[str]
    _keys: Mapping[str, Sequence[Jwk]] = field(default_factory=dict, repr=False)
    _fetched_at: datetime | None = None

    def verify(self, token: WebIdentityToken) -> None:
        """Check the signature, `iss`, `aud`, `exp` and `nbf`.

        Raises:
            TokenInvalid: if any of them is wrong; the message names the one and the value seen.
            TokenSourceFailed: if the issuer's keys can't be had.
        """
        algorithm, kid = self._header(token)
        if self._fetched_at and token.received_at - self._fetched_at > OLDEST_KEYS:
            # A withdrawn key must not be good for ever; a provider that is down does not matter yet.
            with contextlib.suppress(WbAwsError):
                self._fetch(token)
        if not self._signed_by_any(token, algorithm, self._keys.get(kid, ())):
            # Asked again, since a provider with one key may change it under the same name, or
            # under none. It also drops what the provider has withdrawn.
            keys = self._fetch(token)
            if kid not in keys:
                raise TokenInvalid(
                    f"The token is signed with a key that {self.provider.issuer} does not publish.",
                    admin_hint="Look for the token's `kid` in the issuer's JWKS document.",
                )
            if not self._signed_by_any(token, algorithm, keys[kid]):
                raise TokenInvalid(
                    f"The token's signature is not {self.provider.issuer}'s.",
                    admin_hint="`issuer` of the token source must be the provider that signs the tokens.",
                )
        self._check_claims(token)

    def _fetch(self, token: WebIdentityToken) -> Mapping[str, Sequence[Jwk]]:
        self._keys, self._fetched_at = self.provider.signing_keys(), token.received_at
        return self._keys

    def _header(self, token: WebIdentityToken) -> tuple[str, str]:
        import jwt

        header = jwt.get_unverified_header(token.reveal())  # its form was checked on parsing
        algorithm = header.get("alg")
        if algorithm not in self.algorithms:
            raise TokenInvalid(
                f"The token is signed with {shown(algorithm)}; accepted: {', '.join(self.algorithms)}."
            )
        # RFC 7515, 4.1.11: what must be understood, and is not, makes the token invalid. Older
        # versions of PyJWT look past it.
        if "crit" in header:
            raise TokenInvalid(
                f"The token's header has extensions that this server must understand, and does not: {shown(header['crit'])}."
            )
        return str(algorithm), str(header.get("kid", ""))

    def _signed_by_any(self, token: WebIdentityToken, algorithm: str, keys: Sequence[Jwk]) -> bool:
        return any(self._signed(token, algorithm, key) for key in keys)

    def _signed(self, token: WebIdentityToken, algorithm: str, jwk: Jwk) -> bool:
        """Tell whether the token is signed with this key, by the algorithm that it names.

        A key that names an algorithm of its own is good for no other, and a symmetric one for none
        (RFC 8725, 3.1). Older versions of PyJWT do not see to either.
        """
        import jwt

        if jwk.get("kty") not in ("RSA", "EC") or jwk.get("alg", algorithm) != algorithm:
            return False
        try:
            key = jwt.PyJWK(dict(jwk), algorithm)
            jwt.PyJWS().decode(token.reveal(), key, algorithms=list(self.algorithms))
        except (jwt.PyJWTError, TypeError, ValueError):  # the latter two: a key that is none
            return False
        return True

    def _check_claims(self, token: WebIdentityToken) -> None:
        # By hand: PyJWT would take the times from its own clock, and `aud: ""` where none is set.
        claims = token.claims
        if claims.get("iss") != self.provider.issuer:
            raise self._invalid("iss", claims.get("iss"), self.provider.issuer)
        aud = claims.get("aud")
        audiences = aud if isinstance(aud, list) else [aud]
        if not self.audience or self.audience not in audiences:
            raise self._invalid("aud", aud, self.audience)
        now = token.received_at.timestamp()
        leeway = LEEWAY.total_seconds()
        if token.expires_at.timestamp() + leeway <= now:
            raise TokenInvalid(
                "The token has expired already.", admin_hint="Compare the clocks of both machines."
            )
        not_before = claims.get("nbf", 0)
        ahead = leeway + token.clock_ahead.total_seconds()
        if not isinstance(not_before, int | float) or not not_before <= now + ahead:
            raise TokenInvalid(
                "The token is not valid yet.", admin_hint="Compare the clocks of both machines."
            )

    def _invalid(self, claim: str, seen: object, expected: str) -> TokenInvalid:
        return TokenInvalid(
            f"The token's `{claim}` is {shown(seen)}, and this server expects {expected!r}.",
            admin_hint="`issuer` and `audience` of the token source must match the token to the letter,"
            " a trailing slash included." + (slash_only(seen, expected) if claim == "iss" else ""),
        )
