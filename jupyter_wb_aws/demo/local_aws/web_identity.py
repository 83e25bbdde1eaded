"""Verify web identity tokens as AWS STS does (RFC 7519, RFC 8725, OpenID Connect).

The keys are fetched for every token. On the loopback interface that takes two milliseconds, and a
key that the issuer has withdrawn is refused at once.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt

from jupyter_wb_aws.demo.local_aws import aws_claims
from jupyter_wb_aws.demo.local_aws.answers import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_wb_aws.demo.local_aws.aws_claims import SessionTags

_KEY_TYPES = {
    "RS256": "RSA",
    "RS384": "RSA",
    "RS512": "RSA",
    "ES256": "EC",
    "ES384": "EC",
    "ES512": "EC",
}
"""The algorithms that AWS accepts, all asymmetric, and the key type of each."""
_REQUIRED_CLAIMS = ("iss", "sub", "aud", "exp", "iat")
_MAX_DOCUMENT = 256 * 1024
_TIMEOUT = 5.0
_MAX_SUBJECT = 255


@dataclass(frozen=True, slots=True)
class Provider:
    """An IAM OIDC provider; as in IAM, `url` has no scheme."""

    arn: str
    url: str
    client_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """The contents of a verified token that AWS uses."""

    provider: Provider
    issuer: str
    subject: str
    audience: str
    authentication_methods: tuple[str, ...]
    tags: SessionTags
    source_identity: str | None
    roles: tuple[str, ...] | None
    """The only roles that the token is good for, or None if it does not name any."""
    token_id: str | None
    """The token's `jti`."""


def verify(token: str, providers: Mapping[str, Provider]) -> WebIdentity:
    """Verify `token` against the registered `providers` (by their url).

    Raises:
        AwsError: with the code of AssumeRoleWithWebIdentity, if it is not valid.
    """
    header, unverified = _read(token)
    issuer = unverified.get("iss")
    if not isinstance(issuer, str):
        raise _invalid("Missing a required claim: iss")
    provider = providers.get(issuer.partition("://")[2])
    if provider is None:
        raise _invalid(f"No OpenIDConnect provider found in your account for {issuer}")
    key = _find_key(header, _published_keys(issuer))
    claims = _verified_claims(token, key, issuer, expiry=unverified.get("exp"))
    return WebIdentity(
        provider=provider,
        issuer=issuer,
        subject=claims["sub"],
        audience=_audience(claims, provider),
        authentication_methods=_authentication_methods(claims),
        tags=aws_claims.session_tags(claims),
        source_identity=aws_claims.source_identity(claims),
        roles=aws_claims.authorized_roles(claims),
        token_id=_token_id(claims),
    )


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _invalid(
            "The ID Token provided is not a valid JWT. "
            "(You may see this error if you sent an Access Token)"
        ) from error
    return header, claims


def _published_keys(issuer: str) -> list[dict[str, Any]]:
    discovery = _fetch(f"{issuer}/.well-known/openid-configuration")
    if discovery.get("issuer") != issuer or not isinstance(discovery.get("jwks_uri"), str):
        raise _no_key()
    keys = _fetch(discovery["jwks_uri"]).get("keys")
    return [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []


def _fetch(url: str) -> dict[str, Any]:
    """Return the JSON object at `url`."""
    try:
        document = json.loads(_get(url))
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise AwsError(
            "IDPCommunicationError",
            "The request could not be fulfilled because the identity provider that was asked to "
            "verify the incoming identity token could not be reached.",
        ) from error
    return document if isinstance(document, dict) else {}


def _get(url: str) -> bytes:
    """Return a document from this machine. The demo calls no other, and follows no redirect."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not ipaddress.ip_address(parts.hostname or "").is_loopback:
        raise OSError(f"{url} is not on this machine")
    connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT)
    try:
        connection.request("GET", parts.path)
        response = connection.getresponse()
        body = response.read(_MAX_DOCUMENT + 1)
    finally:
        connection.close()
    if response.status != http.client.OK or len(body) > _MAX_DOCUMENT:
        raise OSError(f"{url} does not return a document of a plausible size")
    return body


def _find_key(header: Mapping[str, Any], keys: list[dict[str, Any]]) -> jwt.PyJWK:
    """Return the key that signed the token. The token can name the key, but not how it is used."""
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _KEY_TYPES or "crit" in header:
        raise _invalid("The token's signature algorithm is not supported")
    for key in keys:
        usable = (
            key.get("kty") == _KEY_TYPES[algorithm]
            and key.get("alg", algorithm) == algorithm
            and key.get("use", "sig") == "sig"
        )
        if usable and header.get("kid") is not None and key.get("kid") == header["kid"]:
            try:
                return jwt.PyJWK(key, algorithm)
            except (jwt.PyJWTError, ValueError, TypeError) as error:
                raise _no_key() from error
    raise _no_key()


def _verified_claims(token: str, key: jwt.PyJWK, issuer: str, expiry: object) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=issuer,
            options={"require": list(_REQUIRED_CLAIMS), "verify_aud": False},
        )
    except jwt.ExpiredSignatureError as error:
        raise AwsError(
            "ExpiredTokenException",
            f"Token expired: current date/time {int(time.time())} must be before the expiration "
            f"date/time {expiry}",
        ) from error
    except jwt.MissingRequiredClaimError as error:
        raise _invalid(f"Missing a required claim: {error.claim}") from error
    except jwt.ImmatureSignatureError as error:
        raise _invalid("Token is not valid yet: check its nbf and iat claims") from error
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
        raise _invalid(
            "The web identity token that was passed could not be validated by AWS"
        ) from error
    if not isinstance(claims["sub"], str) or len(claims["sub"]) > _MAX_SUBJECT:
        raise _invalid(f"The claim sub must be a string of at most {_MAX_SUBJECT} characters")
    return claims


def _audience(claims: Mapping[str, Any], provider: Provider) -> str:
    """Return the audience: `azp` if there is one, otherwise the only `aud`.

    Source: IAM User Guide, "Available keys for AWS OIDC federation".
    """
    audience = claims.get("azp", claims["aud"])
    if isinstance(audience, list) and len(audience) == 1:
        (audience,) = audience
    if not isinstance(audience, str) or audience not in provider.client_ids:
        raise _invalid("Incorrect token audience")
    return audience


def _authentication_methods(claims: Mapping[str, Any]) -> tuple[str, ...]:
    methods = claims.get("amr", [])
    methods = methods if isinstance(methods, list) else [methods]
    return tuple(method for method in methods if isinstance(method, str))


def _token_id(claims: Mapping[str, Any]) -> str | None:
    token_id = claims.get("jti")
    return token_id if isinstance(token_id, str) else None


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidIdentityToken", message)


def _no_key() -> AwsError:
    return _invalid(
        "Couldn't retrieve verification key from your identity provider, "
        "please reference AssumeRoleWithWebIdentity documentation for requirements"
    )
