"""What a token for a role says besides its user and role. Only the hub service signs tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

# In a tag's value and in a source identity: the user's name.
USER = "{user}"


@dataclass(frozen=True, slots=True)
class TagRule:
    """Session tags for the users who are in `users` and in one of `groups`, as far as these are given.

    A rule without either is for everyone. The tags' values may have the field ``{user}``.
    """

    tags: Mapping[str, str]
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def matches(self, user: str, groups: Collection[str]) -> bool:
        """Whether the rule is for this user, who is in these groups."""
        in_users = not self.users or user in self.users
        return in_users and (not self.groups or not self.groups.isdisjoint(groups))


@dataclass(frozen=True, slots=True)
class TokenContent:
    """What the roles file puts into the tokens for one role.

    `audience` is None for the service's own. `tags` are the entry's, `tag_rules` the file's. `transitive` names,
    in lower case, the tags that stay when a role assumes another. `source_identity` is a text with the field ``{user}``, or
    None.
    """

    audience: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    tag_rules: tuple[TagRule, ...] = ()
    transitive: frozenset[str] = frozenset()
    source_identity: str | None = None

    def tags_for(self, user: str, groups: Collection[str]) -> dict[str, str]:
        """Return a user's session tags.

        Of several values for a tag, the first counts: the entry's, then those of the file's rules, in order. AWS
        compares the names of tags without case, so this does too.
        """
        tags: dict[str, tuple[str, str]] = {}
        for key, value in self._for(user, groups):
            tags.setdefault(key.lower(), (key, value))
        return dict(tags.values())

    def has_tags(self) -> bool:
        """Whether a token for the role may have session tags."""
        return any(self.all_tags())

    def all_tags(self) -> Iterator[tuple[str, str]]:
        """Yield every tag that any user's token may have, first the entry's."""
        yield from self.tags.items()
        for rule in self.tag_rules:
            yield from rule.tags.items()

    def _for(self, user: str, groups: Collection[str]) -> Iterator[tuple[str, str]]:
        yield from self.tags.items()
        for rule in self.tag_rules:
            if rule.matches(user, groups):
                yield from rule.tags.items()


NO_CONTENT = TokenContent()
