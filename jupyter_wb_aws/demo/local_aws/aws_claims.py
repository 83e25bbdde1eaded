"""The claims of a web identity token that AWS itself defines: roles, session tags, source identity.

Source: IAM User Guide, "Pass session tags in AWS STS" and "Monitor and control actions taken with
assumed roles"; botocore's service model of STS (limits and patterns). The roles claim is described
only in the Service Authorization Reference of STS (`sts:RoleAuthorizedByIdp`); how STS answers is
from what others observed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_wb_aws.demo.local_aws.answers import AwsError
from jupyter_wb_aws.demo.names import ROLES_CLAIM, SOURCE_IDENTITY_CLAIM, TAGS_CLAIM

if TYPE_CHECKING:
    from collections.abc import Mapping

_FLAT_TAG = f"{TAGS_CLAIM}/principal_tags/"
_FLAT_TRANSITIVE = f"{TAGS_CLAIM}/transitive_tag_keys"
_MAX_TAGS, _MAX_KEY, _MAX_VALUE = 50, 128, 256
_PACKED_LIMIT = 2048
"""Bytes of all keys and values. AWS says neither how it packs them nor into how much space; session
policies of up to 2,048 characters share it."""
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+", re.ASCII)
_SOURCE_IDENTITY = re.compile(r"[\w+=,.@-]{2,256}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SessionTags:
    """The session tags of a token."""

    values: Mapping[str, str]
    transitive_keys: tuple[str, ...] = ()

    @property
    def packed_size(self) -> int:
        """The percentage of the space for session tags that they take."""
        size = sum(len(key.encode()) + len(value.encode()) for key, value in self.values.items())
        return -(-100 * size // _PACKED_LIMIT)


def authorized_roles(claims: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the only roles that the token is good for; None if it has no roles claim.

    Raises:
        AwsError: if the claim has another form, or no ARN of a role.
    """
    claim = claims.get(ROLES_CLAIM)
    if claim is None:
        return None
    if isinstance(claim, str):
        claim = claim.split(";")
    if not isinstance(claim, list):
        raise _invalid("The roles claim is not in a supported format")
    candidates = (item.strip() for item in claim if isinstance(item, str))
    roles = tuple(item for item in candidates if _ROLE_ARN.fullmatch(item))
    if not roles:
        raise _invalid("The roles claim contains no valid role ARNs")
    return roles


def session_tags(claims: Mapping[str, Any]) -> SessionTags:
    """Return the session tags, from either of the two forms that AWS reads.

    Raises:
        AwsError: if they can't be read, or are too many or too large.
    """
    flat = {
        name.removeprefix(_FLAT_TAG): value
        for name, value in claims.items()
        if name.startswith(_FLAT_TAG)
    }
    if TAGS_CLAIM in claims:
        if flat:
            raise _invalid(f"The claim {TAGS_CLAIM} is there in two forms")
        tags = _nested(claims[TAGS_CLAIM])
    else:
        tags = SessionTags(flat, _texts(claims.get(_FLAT_TRANSITIVE, [])))
    _check(tags)
    return tags


def source_identity(claims: Mapping[str, Any]) -> str | None:
    """Return the source identity, if there is one.

    Raises:
        AwsError: if AWS does not accept it.
    """
    value = claims.get(SOURCE_IDENTITY_CLAIM)
    if value is None:
        return None
    accepted = isinstance(value, str) and _SOURCE_IDENTITY.fullmatch(value)
    if not accepted or value.lower().startswith("aws:"):
        raise _invalid(f"The claim {SOURCE_IDENTITY_CLAIM} can't be read")
    return str(value)


def _nested(claim: object) -> SessionTags:
    """Read the form in which each key has a list of exactly one value."""
    if not isinstance(claim, dict):
        raise _unreadable()
    try:
        values = {key: value for key, (value,) in claim["principal_tags"].items()}
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise _unreadable() from error
    return SessionTags(values, _texts(claim.get("transitive_tag_keys", [])))


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _unreadable()
    return tuple(value)


def _check(tags: SessionTags) -> None:
    readable = all(
        isinstance(value, str)
        and 1 <= len(key) <= _MAX_KEY
        and len(value) <= _MAX_VALUE
        and _of_tags(key + value)
        and not key.lower().startswith("aws:")
        for key, value in tags.values.items()
    )
    keys = {key.lower() for key in tags.values}
    if not readable or len(keys) < len(tags.values) or len(keys) > _MAX_TAGS:
        raise _unreadable()
    if not {key.lower() for key in tags.transitive_keys} <= keys:
        raise _invalid("The specified transitive tag key must be included in the requested tags")
    if tags.packed_size > 100:
        raise AwsError(
            "PackedPolicyTooLarge",
            f"Packed size of session tags consumes {tags.packed_size}% of allotted space.",
        )


def _of_tags(text: str) -> bool:
    r"""Return whether all characters are of `[\p{L}\p{Z}\p{N}_.:/=+\-@]`."""
    return all(unicodedata.category(c)[0] in "LZN" or c in "_.:/=+-@" for c in text)


def _unreadable() -> AwsError:
    return _invalid(f"The claim {TAGS_CLAIM} can't be read")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidIdentityToken", message)
