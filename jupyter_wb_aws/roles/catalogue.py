"""The role catalogue: which roles this user is offered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from jupyter_wb_aws.errors import RoleNotAllowed
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.roles.role import Role, RoleArn
from jupyter_wb_aws.roles.roles_from_claim import RolesFromClaim
from jupyter_wb_aws.roles.rules import Rule

Entry = tuple[Role, Sequence[Rule]]
Effect = Literal["kept", "offered_to_nobody", "left_out"]


@dataclass(frozen=True, slots=True)
class BadEntry:
    """A part of the roles file that can't be used; `line` counts from 1, None where it is not known.

    `arn` is the role that it is, or most likely was, about. `effect`: its last good form stays in force, or
    stays but is offered to nobody, or there is none.
    """

    line: int | None
    reason: str
    arn: RoleArn | None
    effect: Effect


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """One reading of the roles file: roles in the file's order, each with its `allow` rules.

    `from_claim` says whether, and which, roles are offered since the token names them. `problems` are
    entries that could not be read. `withheld` are roles that such an entry is about, and that are offered to
    nobody. `unknown`: there are entries of which no one knows which role they are about. `claim_unread`: what
    the file says of roles from a claim could not be read.
    """

    entries: Mapping[RoleArn, Entry]
    request_url: str | None
    loaded_at: datetime
    from_claim: RolesFromClaim | None = None
    problems: tuple[BadEntry, ...] = ()
    withheld: frozenset[RoleArn] = frozenset()
    unknown: bool = False
    claim_unread: bool = False
    _offers: dict[tuple[str, str, str], list[Role]] = field(default_factory=dict, repr=False)

    def roles(self) -> list[Role]:
        """Return every role in the file, whoever is offered it."""
        return [role for role, _ in self.entries.values()]

    def groups_in_rules(self) -> frozenset[str]:
        """Return the groups that any rule names."""
        rules = (rule for _, rules in self.entries.values() for rule in rules)
        return frozenset().union(*(rule.groups for rule in rules))

    def offered_to(self, identity: Identity) -> list[Role]:
        """Return the roles that this user may pick: in the file's order, then in the claim's."""
        # With thousands of roles, matching them all on each request would be felt. The claims are
        # the whole input of the rules, so they are the key.
        key = (
            identity.issuer,
            identity.subject,
            json.dumps(identity.claims, sort_keys=True, default=str),
        )
        if key not in self._offers:
            self._offers.clear()  # one server has one user; a changed token replaces the last
            self._offers[key] = self._offered_to(identity)
        return self._offers[key]

    def _offered_to(self, identity: Identity) -> list[Role]:
        named = self.from_claim.named_by(identity) if self.from_claim else []
        among_them = set(named)
        listed = [
            role
            for role, rules in self.entries.values()
            if role.arn not in self.withheld
            and (role.arn in among_them or any(rule.matches(identity) for rule in rules))
        ]
        unlisted = [arn for arn in named if arn not in self.entries.keys() | self.withheld]
        return listed + [self.from_claim.role(arn) for arn in unlisted if self.from_claim]

    def find_role(self, arn: RoleArn) -> Role | None:
        """Return what the file says of a role, whoever is offered it."""
        if arn in self.entries:
            return self.entries[arn][0]
        if self.from_claim is not None and self.from_claim.permits(arn):
            return self.from_claim.role(arn)
        return None

    def may_continue(self, identity: Identity, arn: RoleArn) -> bool:
        """Tell whether a role session goes on whose role is not offered, since a bad entry may be the reason.

        What is known of the role's last good form still counts: the user may have lost what it asks for.
        """
        if arn not in self.entries:
            return arn in self.withheld or self.unknown
        _, rules = self.entries[arn]
        if self.claim_unread and not rules:
            return True
        return arn in self.withheld and self._fits(identity, arn)

    def _fits(self, identity: Identity, arn: RoleArn) -> bool:
        named = self.from_claim.named_by(identity) if self.from_claim else []
        return arn in named or any(rule.matches(identity) for rule in self.entries[arn][1])

    def may_offer_default(self, configured: str) -> bool:
        """Tell, without a token, whether a user could have a default role by this file."""
        if configured:
            return self.find_role(RoleArn.parse(configured)) is not None
        return default_role(self.roles(), configured) is not None

    def get_offered(self, identity: Identity, arn: RoleArn) -> Role:
        """Return the role with this ARN, if it is offered to this user.

        Raises:
            RoleNotAllowed: if it isn't, whether or not it exists.
        """
        for role in self.offered_to(identity):
            if role.arn == arn:
                return role
        described = self.find_role(arn)
        request_url = (described.request_url if described else None) or self.request_url
        why = "is not in your list of roles"
        if arn in self.withheld:
            why = "is not offered at the moment, since its entry in the roles file has an error"
        raise RoleNotAllowed(
            f"The role {arn.name} in account {arn.account_id} {why}.", request_url=request_url
        )


def default_role(roles: Sequence[Role], configured: str) -> Role | None:
    """Return which of a user's roles starts by itself: the configured ARN, else the first marked so."""
    for role in roles:
        if (str(role.arn) == configured) if configured else role.default:
            return role
    return None
