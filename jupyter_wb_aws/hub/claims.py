"""The claims of the tokens that the hub service signs, and the signature."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jupyter_wb_aws.hub.names import NameNotAllowed, source_identity, subject, tag_value
from jupyter_wb_aws.identity.claims import AWS_ROLES
from jupyter_wb_aws.identity.token import SecretStr
from jupyter_wb_aws.roles.role import Role
from jupyter_wb_aws.roles.session_tags import (
    MAX_PACKED_SIZE,
    SOURCE_IDENTITY,
    TAGS,
    packed_size,
)

if TYPE_CHECKING:
    from jupyter_wb_aws.hub.keys import SigningKey

# Seconds. AWS's clock, or a store's, may be behind the hub's.
EARLIER = 60


@dataclass(frozen=True, slots=True)
class ClaimSettings:
    """What the service's settings put into every token.

    `audience` is for roles without their own. `token_lifetime` is in seconds. `subject_template` is one without a
    `subject_template_problem`.
    """

    issuer: str
    audience: str = "sts.amazonaws.com"
    subject_template: str = "user:{user}"
    token_lifetime: int = 3600


def make_claims(
    settings: ClaimSettings, user: str, groups: Collection[str], role: Role, now: datetime
) -> dict[str, Any]:
    """Return the claims of a token for one user and one role.

    Args:
        settings: the service's.
        user: the hub's name of the user.
        groups: the user's groups on the hub; they choose tags, and are not in the token.
        role: as the hub service's roles file describes it.
        now: when the token is signed.

    Raises:
        NameNotAllowed: if AWS does not take the user's name in `sub`, or in a tag or the source identity where
            the roles file puts it. A token without them is never signed instead: policies may deny by them.
    """
    issued = int(now.timestamp())
    claims: dict[str, Any] = {
        "iss": settings.issuer,
        "aud": role.token_content.audience or settings.audience,
        "sub": subject(settings.subject_template, user, role.arn),
        "iat": issued,
        "nbf": issued - EARLIER,
        "exp": issued + settings.token_lifetime,
        "jti": str(uuid.uuid4()),
        "preferred_username": user,
        # Exact ARNs only. STS refuses every other role before it looks at the trust policy.
        AWS_ROLES: [str(role.arn)],
    }
    if tags := session_tags(user, groups, role):
        transitive = sorted(key for key in tags if key.lower() in role.token_content.transitive)
        claims[TAGS] = {"principal_tags": {key: [value] for key, value in tags.items()}}
        claims[TAGS] |= {"transitive_tag_keys": transitive} if transitive else {}
    if role.token_content.source_identity is not None:
        claims[SOURCE_IDENTITY] = source_identity(role.token_content.source_identity, user)
    return claims


def session_tags(user: str, groups: Collection[str], role: Role) -> dict[str, str]:
    """Return the session tags of a user's tokens for a role.

    Args:
        user: the hub's name of the user.
        groups: the user's groups on the hub.
        role: as the hub service's roles file describes it.

    Raises:
        NameNotAllowed: if AWS does not take the user's name in a tag, or not so many tags.
    """
    wanted = role.token_content.tags_for(user, groups)
    tags = {key: tag_value(value, user, key) for key, value in wanted.items()}
    if (size := packed_size(tags)) > MAX_PACKED_SIZE:
        raise NameNotAllowed(
            f"With this user name, the session tags have {size} bytes; AWS has room for about {MAX_PACKED_SIZE}.",
            admin_hint="The roles file puts user names into tags: use fewer such tags, or rename the user.",
        )
    return tags


def sign(claims: dict[str, Any], key: SigningKey) -> SecretStr:
    """Return the token with these claims: a JWT in its compact form, signed with this key."""
    import jwt

    text = jwt.encode(claims, key.private_key, algorithm=key.algorithm, headers={"kid": key.kid})
    return SecretStr(text)
