"""Which entry a table was that can't be read any more, so that a typo takes no role away."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from jupyter_wb_aws.roles.role import NAME, Role

# An ARN with a letter more, less or wrong is 98 % alike; two roles of one account are up to 90 %.
ALIKE = 0.95
LONGEST = 700
# To compare texts takes a tenth of a millisecond: not all with all, where a template broke a thousand ARNs.
MOST_COMPARED = 50
FIELDS = ("label", "description", "region", "color", "request_url")


def previous_role_of(table: object, candidates: Iterable[Role]) -> Role | None:
    """Return the role that a table without a usable ARN most likely described; None where that is not clear.

    The only one that lost its entry is taken for it, unless the table has the name of another role.

    Args:
        table: what the file has; usually a table whose `arn` has a typo, or is missing.
        candidates: roles of the last good reading that have no entry any more.
    """
    roles = list(candidates)
    compared = len(roles) <= MOST_COMPARED
    scored = [(_likeness(table, role, compared=compared), role) for role in roles]
    best = max((score for score, _ in scored), default=0.0)
    if best == 0 and _names_a_role(table):  # of a role that was deleted while another came in
        return None
    fitting = [role for score, role in scored if score == best]
    return fitting[0] if len(fitting) == 1 else None


def _names_a_role(table: object) -> bool:
    arn = table.get("arn") if isinstance(table, dict) else table
    return isinstance(arn, str) and NAME.fullmatch(arn.rpartition("/")[2]) is not None


def _likeness(table: object, role: Role, *, compared: bool) -> float:
    """Return how much of a table is a role's: 1 for each equal field, up to 1 for a similar ARN."""
    values = table if isinstance(table, dict) else {"arn": table}
    arn = values.get("arn")
    alike = 0.0
    if isinstance(arn, str) and compared:
        alike = SequenceMatcher(None, arn[:LONGEST], str(role.arn)).ratio()
    equal = sum(1 for name in FIELDS if values.get(name) and values[name] == getattr(role, name))
    named = isinstance(arn, str) and arn.rpartition("/")[2] == role.arn.name
    return equal + named + (alike if alike >= ALIKE else 0.0)
