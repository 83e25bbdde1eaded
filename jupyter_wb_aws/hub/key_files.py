"""What a key's file holds: JSON, with the public half as a JSON Web Key, the private half as PKCS #8, and times."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from jupyter_wb_aws.hub.jwk import PrivateKey, public_key_of
from jupyter_wb_aws.hub.rotation import Key

MAX_BYTES = 8192  # an RSA key of 4096 bits takes 5000
_NAME = re.compile(r"[A-Za-z0-9_-]{43}\.json")  # a thumbprint: 32 bytes in base64url
_TIMES = ("made_at", "signs_from", "published_until")
# Later times leave no room to calculate with them.
_LAST_YEAR = 8999


def file_name(kid: str) -> str:
    """Return the name of a key's file."""
    return f"{kid}.json"


def is_file_name(name: str) -> bool:
    """Return whether a file is named like a key's."""
    return _NAME.fullmatch(name) is not None


def as_file(key: Key) -> bytes:
    """Return what the key's file holds."""
    fields: dict[str, object] = {
        name: time.isoformat() for name in _TIMES if (time := getattr(key, name)) is not None
    }
    fields["public_key"] = key.jwk
    if key.private is not None:
        pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        fields["private_key"] = pem.decode()
    return json.dumps(fields, indent=2).encode() + b"\n"


def from_file(name: str, content: bytes) -> Key:
    """Read a key's file.

    Raises:
        ValueError: if `as_file` has not made it. The message has nothing of its content.
    """
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    jwk = fields.get("public_key") if isinstance(fields, dict) else None
    if not isinstance(jwk, dict):
        raise ValueError("has no public_key")  # noqa: TRY004 - of the file, not of an argument
    times = {time: _time(fields, time) for time in _TIMES}
    made_at, signs_from = times["made_at"], times["signs_from"]
    if made_at is None or signs_from is None:
        raise ValueError("has no made_at or no signs_from")
    key = Key(
        public_key_of(jwk),
        made_at,
        signs_from,
        times["published_until"],
        _private_key(fields.get("private_key")),
    )
    if key.private is not None and key.private.public_key() != key.public:
        raise ValueError("has a private_key that does not belong to its public_key")
    if key.private is not None and key.published_until is not None:
        # It would sign, and not be published.
        raise ValueError("has a published_until, and still its private_key")
    if name != file_name(key.kid):
        raise ValueError(f"holds the key of {file_name(key.kid)}")
    return key


def _private_key(pem: object) -> PrivateKey | None:
    if pem is None:
        return None
    try:
        key = load_pem_private_key(str(pem).encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("has a private_key that can't be read") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("has a private_key for another algorithm")  # noqa: TRY004 - as above
    return key


def _time(fields: dict[str, object], name: str) -> datetime | None:
    value = fields.get(name)
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"has a {name} that is not a time") from None
    if time.tzinfo is None:
        raise ValueError(f"has a {name} without a time zone")
    try:
        time = time.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"has a {name} before the year 1") from None
    if time.year > _LAST_YEAR:
        raise ValueError(f"has a {name} after the year {_LAST_YEAR}")
    return time
