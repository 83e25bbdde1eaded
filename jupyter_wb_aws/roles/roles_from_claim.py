"""Roles that a claim of the token names, where the roles file says that they may be taken from there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from jupyter_wb_aws.errors import InvalidRoleArn
from jupyter_wb_aws.identity.claims import claim_by_path
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.roles.role import NAME, Role, RoleArn

log = logging.getLogger(__name__)

NAME_FIELD = "{name}"
# A list that nobody could pick from; a token that AWS takes has room for about as many.
MOST_ROLES = 1000


@dataclass(frozen=True, slots=True)
class RolesFromClaim:
    """Which claim names roles, and which of them may be offered.

    `accounts` and `partition` are the limits: whatever the claim says, no role outside of them is
    ever offered. Values that are names are put into `template` (an ARN with ``{name}``). Of a value
    only what follows `prefix` counts; one that does not begin with it is none of ours. The rest is
    said of roles that have no entry of their own in the roles file.
    """

    claim: str
    accounts: frozenset[str]
    partition: str = "aws"
    template: str | None = None
    prefix: str = ""
    region: str | None = None
    color: str | None = None
    request_url: str | None = None
    extra_environment: Mapping[str, str] = field(default_factory=dict)

    def permits(self, arn: RoleArn) -> bool:
        """Tell whether this role may be offered at all."""
        return arn.account_id in self.accounts and arn.partition == self.partition

    def role(self, arn: RoleArn) -> Role:
        """Describe a role that has no entry of its own."""
        return Role(
            arn=arn,
            label=arn.name,
            region=self.region,
            color=self.color,
            request_url=self.request_url,
            extra_environment=self.extra_environment,
        )

    def named_by(self, identity: Identity) -> list[RoleArn]:
        """Return the roles that the token names, each once, in its order.

        A value that is no role, or none that may be offered, is left out: that is the identity
        provider's business, and no failure of the user's.
        """
        claim = claim_by_path(identity.claims, self.claim)
        values = claim if isinstance(claim, list) else [] if claim is None else [claim]
        found: dict[RoleArn, None] = {}
        left_out: list[str] = []
        for value in values:
            if isinstance(value, str) and not value.startswith(self.prefix):
                continue
            try:
                arn = self._arn(value)
                if arn not in found and len(found) == MOST_ROLES:
                    raise InvalidRoleArn(f"There are more than {MOST_ROLES} roles.")
            except InvalidRoleArn as why:
                left_out.append(f"{value!r:.80}: {why}")
            else:
                found[arn] = None
        if left_out:
            log.warning(
                "Left out %d of %d values of the token's claim %s; the first is %s",
                len(left_out), len(values), self.claim, left_out[0],
            )  # fmt: skip
        return list(found)

    def _arn(self, value: object) -> RoleArn:
        """Read one value.

        Raises:
            InvalidRoleArn: if it is no role that may be offered; says why.
        """
        if not isinstance(value, str):
            raise InvalidRoleArn("It is no text.")
        text = value.removeprefix(self.prefix)
        if text.startswith("arn:"):
            arn = RoleArn.parse(text)
        elif self.template is None:
            raise InvalidRoleArn("It is no ARN, and there is no `arn` to put a name into.")
        elif not NAME.fullmatch(text):  # it goes into an ARN: no slash, no colon
            raise InvalidRoleArn("It is no ARN, and IAM takes no such name of a role.")
        else:
            arn = RoleArn.parse(self.template.replace(NAME_FIELD, text))
        if not self.permits(arn):
            raise InvalidRoleArn("Its account is not in `accounts`, or its partition another one.")
        return arn
