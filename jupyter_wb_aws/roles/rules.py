"""The `allow` rules of the roles file: which users a role is offered to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jupyter_wb_aws.identity.claims import claim_by_path
from jupyter_wb_aws.identity.token import Identity


@dataclass(frozen=True, slots=True)
class Rule:
    """One `allow` rule: all given conditions must match; a condition matches if any of its values does.

    A rule without conditions matches nobody; `everyone` matches all users.
    """

    users: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, frozenset[str]] = field(default_factory=dict)
    everyone: bool = False

    def matches(self, identity: Identity) -> bool:
        """Whether the rule allows this user.

        `users` is compared only with the subject: users may choose their name (OIDC Core 5.7), and
        choose another user's subject. `claims` is compared with a claim's text or, if the claim is a
        list, with each of its items; booleans count as `true` and `false`. A claim may be named by a
        path; see `claim_by_path`.
        """
        if self.everyone:
            return True
        conditions = []
        if self.users:
            conditions.append(identity.subject in self.users)
        if self.names:
            conditions.append(identity.name in self.names)
        if self.groups:
            conditions.append(not self.groups.isdisjoint(identity.groups))
        conditions += [
            not wanted.isdisjoint(_texts(claim_by_path(identity.claims, claim)))
            for claim, wanted in self.claims.items()
        ]
        return bool(conditions) and all(conditions)


def _texts(claim: object) -> list[str]:
    items = claim if isinstance(claim, list) else [claim]
    return [
        str(item).lower() if isinstance(item, bool) else str(item)
        for item in items
        if isinstance(item, str | int | float)
    ]
