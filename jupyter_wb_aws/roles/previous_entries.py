"""The previous entries of a changed roles file: kept if they are the same, recognized if they can no longer be read."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from jupyter_wb_aws.roles.catalogue import Entry
from jupyter_wb_aws.roles.role import NAME, Role

# An ARN with one wrong letter is 98 % similar; two roles of one account are up to 90 % similar.
MIN_SIMILARITY = 0.95
MAX_ARN_LENGTH = 700
# Comparing two texts takes a tenth of a millisecond: too long for all pairs if a template broke 1,000 ARNs.
MAX_COMPARED = 50
FIELDS = ("label", "description", "region", "color", "request_url")


def keep_unchanged(previous: Entry | None, entry: Entry) -> Entry:
    """Return an entry, with the objects of its previous version as far as they are equal.

    Thousands of new objects would have the garbage collector stop the whole server for 80 ms.
    """
    if previous is None:
        return entry
    role, rules = entry
    same_rules = previous[1] == rules
    return (
        previous
        if same_rules and previous[0] == role
        else (role, previous[1] if same_rules else rules)
    )


def previous_role_of(table: object, candidates: Iterable[Role]) -> Role | None:
    """Return the role that a table without a usable ARN most likely described; None if that is not clear.

    If only one role lost its entry, it is that one, unless the table has the name of another role.

    Args:
        table: from the file; usually a table whose `arn` has a typo, or is missing.
        candidates: the roles of the previous catalogue that no longer have an entry.
    """
    roles = list(candidates)
    compare_arns = len(roles) <= MAX_COMPARED
    scored = [(_similarity(table, role, compare_arns=compare_arns), role) for role in roles]
    best = max((score for score, _ in scored), default=0.0)
    if best == 0 and _names_a_role(table):  # one role was deleted, and another added
        return None
    fitting = [role for score, role in scored if score == best]
    return fitting[0] if len(fitting) == 1 else None


def _names_a_role(table: object) -> bool:
    arn = table.get("arn") if isinstance(table, dict) else table
    return isinstance(arn, str) and NAME.fullmatch(arn.rpartition("/")[2]) is not None


def _similarity(table: object, role: Role, *, compare_arns: bool) -> float:
    """Return how similar a table is to a role: 1 for each equal field, up to 1 for a similar ARN."""
    values = table if isinstance(table, dict) else {"arn": table}
    arn = values.get("arn")
    ratio = 0.0
    if isinstance(arn, str) and compare_arns:
        ratio = SequenceMatcher(None, arn[:MAX_ARN_LENGTH], str(role.arn)).ratio()
    equal = sum(1 for name in FIELDS if values.get(name) and values[name] == getattr(role, name))
    same_name = isinstance(arn, str) and arn.rpartition("/")[2] == role.arn.name
    return equal + same_name + (ratio if ratio >= MIN_SIMILARITY else 0.0)
