"""Public keys as the hub service publishes them: JSON Web Keys (RFC 7517), named by their thumbprint (RFC 7638)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

# AWS also takes RS384, RS512, ES384 and ES512, which sign nothing here that these two do not.
ALGORITHMS = ("RS256", "ES256")
_RSA_BITS = 2048
_MAX_RSA_BITS = 4096  # longer ones take seconds to check
_COORDINATE_BYTES = 32


def make_private_key(algorithm: str) -> PrivateKey:
    """Generate a private key for `RS256` or `ES256`.

    Raises:
        ValueError: if it is another algorithm.
    """
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, _RSA_BITS)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    raise ValueError(f"{algorithm!r} is not one of {', '.join(ALGORITHMS)}")


def jwk_of(key: PublicKey) -> dict[str, str]:
    """Return the public key as it is published."""
    if isinstance(key, rsa.RSAPublicKey):
        rsa_numbers = key.public_numbers()
        algorithm = "RS256"
        required = {
            "e": _base64url(rsa_numbers.e, _bytes(rsa_numbers.e)),
            "kty": "RSA",
            "n": _base64url(rsa_numbers.n, _bytes(rsa_numbers.n)),
        }
    else:
        numbers = key.public_numbers()
        algorithm = "ES256"
        required = {
            "crv": "P-256",
            "kty": "EC",
            "x": _base64url(numbers.x, _COORDINATE_BYTES),
            "y": _base64url(numbers.y, _COORDINATE_BYTES),
        }
    return {**required, "kid": _thumbprint(required), "use": "sig", "alg": algorithm}


def public_key_of(jwk: Mapping[str, object]) -> PublicKey:
    """Read what `jwk_of` has returned.

    Raises:
        ValueError: if it is anything else, such as a weaker key, one with other members, or a private one.
    """
    try:
        key = _read(jwk)
    except (KeyError, TypeError, AttributeError):
        raise ValueError("is not a JSON Web Key") from None
    if jwk_of(key) != jwk:
        raise ValueError("is not a JSON Web Key as this service writes it")
    return key


def _read(jwk: Mapping[str, object]) -> PublicKey:
    if jwk["kty"] == "EC" and jwk["crv"] == "P-256":
        curve = ec.SECP256R1()
        return ec.EllipticCurvePublicNumbers(_int(jwk["x"]), _int(jwk["y"]), curve).public_key()
    if jwk["kty"] == "RSA":
        modulus = _int(jwk["n"])
        if not _RSA_BITS <= modulus.bit_length() <= _MAX_RSA_BITS:
            raise ValueError(f"has an RSA key of {modulus.bit_length()} bits")
        return rsa.RSAPublicNumbers(_int(jwk["e"]), modulus).public_key()
    raise ValueError("is neither an RSA key nor one of the curve P-256")


def _thumbprint(required: Mapping[str, str]) -> str:
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True)
    return _encode(hashlib.sha256(canonical.encode()).digest())


def _bytes(number: int) -> int:
    return (number.bit_length() + 7) // 8


def _base64url(number: int, length: int) -> str:
    return _encode(number.to_bytes(length, "big"))


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _int(text: object) -> int:
    if not isinstance(text, str):
        raise TypeError("not text")
    return int.from_bytes(base64.urlsafe_b64decode(f"{text}=="), "big")
