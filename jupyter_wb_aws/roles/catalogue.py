"""The role catalogue: all roles, with the rules that say who is offered them."""

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
from jupyter_wb_aws.roles.token_content import TokenContent

# Seconds. A file that was written more recently may be half of one, with fewer roles in it.
MIN_FILE_AGE = 1.0
# Groups, and characters of a name, that a message quotes.
MAX_GROUPS = 20
MAX_SHOWN = 100

Entry = tuple[Role, Sequence[Rule]]
Effect = Literal["kept", "offered_to_nobody", "left_out"]


@dataclass(frozen=True, slots=True)
class BadEntry:
    """A part of the roles file that can't be used; `line` counts from 1, None if it is not known.

    `arn` is the role that the entry is, or most likely is, about. `effect` says what happens to the entry's
    last good version: it stays in force, or it stays but is offered to nobody, or there is none.
    """

    line: int | None
    reason: str
    arn: RoleArn | None
    effect: Effect


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """The content of the roles file: roles in the file's order, each with its `allow` rules.

    `from_claim` says which roles a claim of the token may name, None for none. `problems` are the bad entries.
    `withheld` are the roles of bad entries that are offered to nobody. `has_unidentified`: it is not known
    which role some bad entry is about. `claim_unreadable`: the file's `roles_from_claim` can't be read.
    `token_content` is what the hub service puts into the tokens for every role. `of_hub`: the file is the hub
    service's, and the groups are the hub's.
    """

    entries: Mapping[RoleArn, Entry]
    request_url: str | None
    loaded_at: datetime
    from_claim: RolesFromClaim | None = None
    problems: tuple[BadEntry, ...] = ()
    withheld: frozenset[RoleArn] = frozenset()
    has_unidentified: bool = False
    claim_unreadable: bool = False
    token_content: TokenContent = field(default_factory=TokenContent)
    of_hub: bool = False
    _offers: dict[tuple[str, str, str], list[Role]] = field(default_factory=dict, repr=False)

    def roles(self) -> list[Role]:
        """Return all roles in the file."""
        return [role for role, _ in self.entries.values()]

    def groups_in_rules(self) -> frozenset[str]:
        """Return the groups that any rule names."""
        rules = (rule for _, rules in self.entries.values() for rule in rules)
        return frozenset().union(*(rule.groups for rule in rules))

    def offered_to(self, identity: Identity) -> list[Role]:
        """Return the roles that this user may start: in the file's order, then in the claim's."""
        # Matching thousands of roles on each request would be slow. The rules depend on nothing but the
        # claims, so they are the key.
        key = (
            identity.issuer,
            identity.subject,
            json.dumps(identity.claims, sort_keys=True, default=str),
        )
        if key not in self._offers:
            self._offers.clear()  # one server has one user; a changed token replaces the last one
            self._offers[key] = self._matching(identity)
        return self._offers[key]

    def _offered(self, identity: Identity, arn: RoleArn) -> Role | None:
        """Return one role of `offered_to`.

        Without a claim, its own rules are enough: the hub service asks for one role of another user at each call.
        """
        if self.from_claim is not None:
            return next((role for role in self.offered_to(identity) if role.arn == arn), None)
        if arn in self.withheld or arn not in self.entries:
            return None
        role, rules = self.entries[arn]
        return role if any(rule.matches(identity) for rule in rules) else None

    def _matching(self, identity: Identity) -> list[Role]:
        named = self.from_claim.named_by(identity) if self.from_claim else []
        named_set = set(named)
        listed = [
            role
            for role, rules in self.entries.values()
            if role.arn not in self.withheld
            and (role.arn in named_set or any(rule.matches(identity) for rule in rules))
        ]
        unlisted = [arn for arn in named if arn not in self.entries.keys() | self.withheld]
        return listed + [self.from_claim.role(arn) for arn in unlisted if self.from_claim]

    def find_role(self, arn: RoleArn) -> Role | None:
        """Return a role as the file describes it, offered to this user or not; None if it does not."""
        if arn in self.entries:
            return self.entries[arn][0]
        if self.from_claim is not None and self.from_claim.permits(arn):
            return self.from_claim.role(arn)
        return None

    def may_continue(self, identity: Identity, arn: RoleArn) -> bool:
        """Whether a role session may go on although its role is not offered: a bad entry may be the reason.

        The rules of the entry's last good version still apply: the user may no longer match them.
        """
        if arn not in self.entries:
            return arn in self.withheld or self.has_unidentified
        _, rules = self.entries[arn]
        if self.claim_unreadable and not rules:
            return True
        return arn in self.withheld and self._matches(identity, arn)

    def _matches(self, identity: Identity, arn: RoleArn) -> bool:
        named = self.from_claim.named_by(identity) if self.from_claim else []
        return arn in named or any(rule.matches(identity) for rule in self.entries[arn][1])

    def may_offer_startup_role(self, configured: str) -> bool:
        """Whether this file could give a user a startup role; needs no token.

        Args:
            configured: the ARN of the site's default role; may be empty.
        """
        if configured:
            return self.find_role(RoleArn.parse(configured)) is not None
        return startup_role(self.roles(), configured) is not None

    def get_offered(self, identity: Identity, arn: RoleArn) -> Role:
        """Return the role with this ARN, if it is offered to this user.

        Raises:
            RoleNotAllowed: if it isn't, whether it exists or not.
        """
        if (role := self._offered(identity, arn)) is not None:
            return role
        role_in_file = self.find_role(arn)
        request_url = (role_in_file.request_url if role_in_file else None) or self.request_url
        why, hint = "is not in your list of roles", how_to_offer(identity, of_hub=self.of_hub)
        if arn in self.withheld:
            why = "is not offered at the moment, since its entry in the roles file has an error"
            wrong = next((bad.reason for bad in self.problems if bad.arn == arn), None)
            hint = f"Correct the entry: {wrong}." if wrong else hint
        raise RoleNotAllowed(
            f"The role {arn.name} in account {arn.account_id} {why}.",
            request_url=request_url,
            admin_hint=hint,
        )


def how_to_offer(identity: Identity, *, of_hub: bool) -> str:
    """Return how an administrator offers a role to a user.

    Args:
        identity: the user.
        of_hub: whether the roles file is that of the hub service, and the groups are the hub's.
    """
    file = "hub service's roles file (HubServiceApp.roles_file)" if of_hub else "roles file"
    shown = [group[:MAX_SHOWN] for group in identity.groups[:MAX_GROUPS]]
    more = ["…"] if len(identity.groups) > MAX_GROUPS else []
    return (
        f"To offer it, give the role in the {file} an `allow` rule that matches the user"
        f" {(identity.name or identity.subject)[:MAX_SHOWN]}, or put the user into a group that has one. Groups of the user"
        f" {'on the hub' if of_hub else 'in the token'}: {', '.join([*shown, *more]) or 'none'}."
    )


def startup_role(roles: Sequence[Role], configured: str) -> Role | None:
    """Return the role that starts with the server and is then the default role; None if there is none.

    Args:
        roles: those offered to the user.
        configured: the ARN of the site's default role; if empty, the first role marked as default.
    """
    for role in roles:
        if (str(role.arn) == configured) if configured else role.default:
            return role
    return None
