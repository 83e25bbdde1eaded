"""Verify a token against the issuer that a token source names (OIDC Core 3.1.3.7, RFC 8725)."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import IO, Any

from jupyter_wb_aws.errors import TokenInvalid, TokenSourceFailed
from jupyter_wb_aws.identity.token import WebIdentityToken
from jupyter_wb_aws.loopback import is_loopback

# Clocks of two well-kept machines differ by seconds; two minutes forgive a badly kept one.
LEEWAY = timedelta(minutes=2)
ANSWER_LIMIT = 1024 * 1024
TIMEOUT = 5.0
# A value of a token is told as far as that.
SHOWN = 200

Jwk = Mapping[str, Any]


@dataclass(slots=True)
class Verifier:
    """Checks tokens of one issuer; keeps its signing keys until they don't fit a token.

    Blocking: call `verify` in a worker thread.
    """

    issuer: str
    audience: str
    algorithms: Sequence[str]
    _keys: Mapping[str, Sequence[Jwk]] = field(default_factory=dict, repr=False)

    def verify(self, token: WebIdentityToken) -> None:
        """Check the signature, `iss`, `aud`, `exp` and `nbf`.

        Raises:
            TokenInvalid: if any of them is wrong; the message names the one and the value seen.
            TokenSourceFailed: if the issuer's keys can't be had.
        """
        algorithm, kid = self._header(token)
        if not self._signed_by_any(token, algorithm, self._keys.get(kid, ())):
            # Asked again, since a provider with one key may change it under the same name, or
            # under none. It also drops what the provider has withdrawn.
            self._keys = keys = self._fetch_keys()
            if kid not in keys:
                raise TokenInvalid(
                    f"The token is signed with a key that {self.issuer} does not publish.",
                    admin_hint="Look for the token's `kid` in the issuer's JWKS document.",
                )
            if not self._signed_by_any(token, algorithm, keys[kid]):
                raise TokenInvalid(
                    f"The token's signature is not {self.issuer}'s.",
                    admin_hint="TokenSource.issuer must be the provider that signs the tokens.",
                )
        self._check_claims(token)

    def _header(self, token: WebIdentityToken) -> tuple[str, str]:
        import jwt

        header = jwt.get_unverified_header(token.reveal())  # its form was checked on parsing
        algorithm = header.get("alg")
        if algorithm not in self.algorithms:
            raise TokenInvalid(
                f"The token is signed with {_shown(algorithm)}; accepted: {', '.join(self.algorithms)}."
            )
        # RFC 7515, 4.1.11: what must be understood, and is not, makes the token invalid. Older
        # versions of PyJWT look past it.
        if "crit" in header:
            raise TokenInvalid(
                f"The token's header has extensions that this server must understand, and does not: {_shown(header['crit'])}."
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
        if claims.get("iss") != self.issuer:
            raise self._invalid("iss", claims.get("iss"), self.issuer)
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
        if not isinstance(not_before, int | float) or not not_before - leeway <= now:
            raise TokenInvalid(
                "The token is not valid yet.", admin_hint="Compare the clocks of both machines."
            )

    def _fetch_keys(self) -> Mapping[str, Sequence[Jwk]]:
        discovery = _get_json(self.issuer.rstrip("/") + "/.well-known/openid-configuration")
        # OIDC Discovery 4.3: the document must be about the issuer that was asked.
        if discovery.get("issuer") != self.issuer:
            raise TokenInvalid(
                f"The discovery document of {self.issuer!r} says that it is of {_shown(discovery.get('issuer'))}.",
                admin_hint="Set TokenSource.issuer to what the document says, to the letter."
                + _slash(discovery.get("issuer"), self.issuer),
            )
        jwks_uri = str(discovery.get("jwks_uri", ""))
        if self.issuer.startswith("https://") and not jwks_uri.startswith("https://"):
            raise TokenSourceFailed(
                f"{self.issuer} has its keys at {_shown(jwks_uri)}, which is no https URL."
            )
        listed = _get_json(jwks_uri).get("keys")
        # Some providers publish the keys that encrypt, too; they sign nothing.
        keys = [
            key
            for key in (listed if isinstance(listed, list) else [])
            if isinstance(key, dict) and key.get("use", "sig") == "sig"
        ]
        if not keys:
            raise TokenSourceFailed(f"{self.issuer} publishes no signing keys.")
        # RFC 7517, 4.5: keys of two types may share a name, and some providers' of one type do.
        found: dict[str, list[Jwk]] = {}
        for key in keys:
            found.setdefault(str(key.get("kid", "")), []).append(key)
        if len(keys) == 1:
            found.setdefault("", [*keys])  # a provider with one key need not name it
        return found

    def _invalid(self, claim: str, seen: object, expected: str) -> TokenInvalid:
        return TokenInvalid(
            f"The token's `{claim}` is {_shown(seen)}, and this server expects {expected!r}.",
            admin_hint="TokenSource.issuer and TokenSource.audience must match the token to the letter,"
            " a trailing slash included." + (_slash(seen, expected) if claim == "iss" else ""),
        )


def _slash(seen: object, expected: str) -> str:
    """Say so where two issuers differ in nothing but the slash at the end: nobody sees that."""
    alike = isinstance(seen, str) and seen.rstrip("/") == expected.rstrip("/")
    return " They differ in nothing but the slash at the end." if alike else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to the same scheme, or to https: never from https to anything less."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Judge one redirect."""
        if not newurl.startswith((f"{req.type}://", "https://")):
            raise urllib.error.URLError("it redirects away from https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _get_json(url: str) -> dict[str, Any]:
    """Fetch a JSON object by HTTP(S)."""
    if not url.startswith(("https://", "http://")):
        raise TokenSourceFailed(f"{_shown(url)} is no http(s) URL.")
    handlers: list[urllib.request.BaseHandler] = [_SameScheme()]
    if is_loopback(url):
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=TIMEOUT) as answer:
            content = answer.read(ANSWER_LIMIT)
        document = json.loads(content)
    except (OSError, ValueError, http.client.HTTPException, RecursionError) as error:
        raise TokenSourceFailed(
            f"The identity provider's document {url} can't be read: {_shown(error)}.",
            admin_hint="The server must be able to reach the issuer to verify tokens.",
        ) from None
    if not isinstance(document, dict):
        raise TokenSourceFailed(f"The identity provider's document {url} is no JSON object.")
    return document
