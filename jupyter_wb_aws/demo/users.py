"""The users of the demo's identity provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_wb_aws.demo.names import SOURCE_IDENTITY_CLAIM, TAGS_CLAIM

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class User:
    """A user of the identity provider."""

    subject: str
    name: str
    email: str
    groups: tuple[str, ...]
    tags: Mapping[str, str]

    def claims(self) -> dict[str, object]:
        """Return the claims about this user, in the form that AWS reads."""
        return {
            "sub": self.subject,
            "preferred_username": self.subject,
            "name": self.name,
            "email": self.email,
            "groups": list(self.groups),
            TAGS_CLAIM: {
                "principal_tags": {key: [value] for key, value in self.tags.items()},
                "transitive_tag_keys": list(self.tags),
            },
            SOURCE_IDENTITY_CLAIM: self.subject,
        }


ALICE = User(
    subject="alice",
    name="Alice Archer",
    email="alice@example.com",
    groups=("analysts", "colorado"),
    tags={"Team": "analytics", "CostCenter": "4711"},
)

BOB = User(
    subject="bob",
    name="Bob Baker",
    email="bob@example.com",
    groups=("auditors", "finance"),
    tags={"Team": "finance", "CostCenter": "2600"},
)
"""A second user with other roles; only a demo with `--sign-in` knows him."""
