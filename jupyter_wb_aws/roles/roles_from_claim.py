"""Roles that a claim of the token names, if the roles file has `roles_from_claim`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from jupyter_wb_aws.errors import InvalidRoleArn
from jupyter_wb_aws.identity.claims import AWS_ROLES, claim_by_path
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.roles.delivery import Delivery
from jupyter_wb_aws.roles.role import MAX_NAME_LENGTH, NAME, Role, RoleArn
from jupyter_wb_aws.roles.token_content import TokenContent

log = logging.getLogger(__name__)

NAME_FIELD = "{name}"
# Nobody can choose from a longer list, and a token that AWS accepts has room for about as many.
MAX_ROLES = 1000


@dataclass(frozen=True, slots=True)
class RolesFromClaim:
    """Which claim names roles, and which of them may be offered.

    `claim` may be AWS's own: then the user is offered what STS lets the token have, as far as it may be offered.
    `accounts` and `partition` are the limits: no role outside of them is ever offered. A value that is
    a role's name is put into `template` (an ARN with ``{name}``). Only values that begin with `prefix` count,
    without it. The other fields describe the roles that have no entry of their own in the roles file.
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
    token_content: TokenContent = field(default_factory=TokenContent)
    delivery: Delivery | None = None
    lease: int | None = None
    credential_lifetime: int | None = None

    def permits(self, arn: RoleArn) -> bool:
        """Whether this role may be offered at all."""
        return arn.account_id in self.accounts and arn.partition == self.partition

    def role(self, arn: RoleArn) -> Role:
        """Return the description of a role without an entry of its own."""
        return Role(
            arn=arn,
            label=arn.name,
            region=self.region,
            color=self.color,
            request_url=self.request_url,
            extra_environment=self.extra_environment,
            token_content=self.token_content,
            delivery=self.delivery,
            lease=self.lease,
            credential_lifetime=self.credential_lifetime,
        )

    def longest_role(self) -> Role:
        """Return a role with the longest name that the claim may bring."""
        return self.role(RoleArn(self.partition, min(self.accounts), "/", "x" * MAX_NAME_LENGTH))

    def named_by(self, identity: Identity) -> list[RoleArn]:
        """Return the roles that the token names, each once, in its order.

        A value that is not a role, or a role that may not be offered, is left out and logged: the identity
        provider sent it, and the user can't correct it.
        """
        claim = claim_by_path(identity.claims, self.claim)
        if isinstance(claim, str) and self.claim == AWS_ROLES:
            claim = [text.strip() for text in claim.split(";") if text.strip()]
        values = claim if isinstance(claim, list) else [] if claim is None else [claim]
        found: dict[RoleArn, None] = {}
        left_out: list[str] = []
        for value in values:
            if isinstance(value, str) and not value.startswith(self.prefix):
                continue
            try:
                arn = self._arn(value)
                if arn not in found and len(found) == MAX_ROLES:
                    raise InvalidRoleArn(f"There are more than {MAX_ROLES} roles.")
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
        """Return the ARN that one value names.

        Raises:
            InvalidRoleArn: if it is not a role that may be offered; the message says why.
        """
        if not isinstance(value, str):
            raise InvalidRoleArn("It is not a text.")
        text = value.removeprefix(self.prefix)
        if text.startswith("arn:"):
            arn = RoleArn.parse(text)
        elif self.template is None:
            raise InvalidRoleArn("It is not an ARN, and there is no `arn` to put a name into.")
        elif not NAME.fullmatch(text):  # it goes into an ARN: no slash, no colon
            raise InvalidRoleArn("It is neither an ARN nor a role name that IAM accepts.")
        else:
            arn = RoleArn.parse(self.template.replace(NAME_FIELD, text))
        if not self.permits(arn):
            raise InvalidRoleArn("Its account is not in `accounts`, or its partition differs.")
        return arn
