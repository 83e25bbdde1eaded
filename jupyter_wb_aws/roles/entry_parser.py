"""Reads what one entry of a roles file says; what can't be meant is refused."""

from __future__ import annotations

from typing import Any

from jupyter_wb_aws.errors import InvalidRoleArn
from jupyter_wb_aws.roles.partitions import partitions
from jupyter_wb_aws.roles.role import ACCOUNT, REGION_LABEL, Role, RoleArn
from jupyter_wb_aws.roles.roles_from_claim import NAME_FIELD, RolesFromClaim
from jupyter_wb_aws.roles.rules import Rule
from jupyter_wb_aws.variables import extra_environment_error

SHOWN = 100


class InvalidCatalogue(Exception):
    """The roles file, or an entry of it, says something that can't be meant.

    `line` counts from 1; None where no line can be named.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


KEYS = {
    "arn", "label", "description", "region", "color", "default", "request_url", "allow", "extra_environment",
}  # fmt: skip


def read_arn(table: dict[str, Any]) -> RoleArn:
    """Read which role an entry is about.

    Raises:
        InvalidCatalogue: if there is no text.
        InvalidRoleArn: if it is no role's ARN.
    """
    return RoleArn.parse(_text(table, "arn") or "")


def read_entry(
    table: dict[str, Any],
    request_url: str | None,
    from_claim: RolesFromClaim | None,
    *,
    claim_unread: bool = False,
) -> tuple[Role, list[Rule]]:
    """Read an entry: its role, and to whom it is offered.

    Args:
        table: the entry.
        request_url: the file's own.
        from_claim: what the file says of roles from a claim; such roles need no `allow`.
        claim_unread: whether the file says something of them that can't be read.

    Raises:
        InvalidCatalogue: if a setting can't be meant.
        InvalidRoleArn: if its ARN is none of a role.
    """
    arn = read_arn(table)
    where = f"the role {arn.name}"
    refuse_unknown(table, KEYS, where)
    default = table.get("default", False)
    if not isinstance(default, bool):
        raise InvalidCatalogue(f"`default` of {where} must be true or false")
    role = Role(
        arn=arn,
        label=_text(table, "label") or arn.name,
        description=_text(table, "description") or "",
        region=_region(table, where),
        color=_text(table, "color"),
        default=default,
        request_url=read_url(table, where) or request_url,
        extra_environment=_extra(table, where),
    )
    if claim_unread and "allow" not in table:
        return role, []
    return role, read_allow(table, from_claim)


def read_allow(table: object, from_claim: RolesFromClaim | None) -> list[Rule]:
    """Read to whom an entry is offered.

    Raises:
        InvalidCatalogue: if it does not say so.
    """
    if not isinstance(table, dict):
        raise InvalidCatalogue("it is no table")
    try:
        arn = read_arn(table)
        where = f"the role {arn.name}"
    except (InvalidCatalogue, InvalidRoleArn):
        arn, where = None, "the role"
    if "allow" not in table and from_claim is not None and arn is not None:
        if not from_claim.permits(arn):
            raise InvalidCatalogue(
                f"{where} has no `allow`, and is not one that `roles_from_claim` may offer"
            )
        return []
    return _rules(table.get("allow"), where)


CLAIM_KEYS = {
    "claim", "accounts", "partition", "arn", "prefix", "region", "color", "extra_environment",
}  # fmt: skip


def read_from_claim(table: object, request_url: str | None) -> RolesFromClaim:
    """Read which roles a claim of the token may name.

    Raises:
        InvalidCatalogue: if a setting can't be meant.
        InvalidRoleArn: if the template for ARNs makes none of a role.
    """
    where = "`roles_from_claim`"
    if not isinstance(table, dict):
        raise InvalidCatalogue(f"{where} must be written as a [roles_from_claim] table")
    refuse_unknown(table, CLAIM_KEYS, where)
    claim = _text(table, "claim")
    if claim is None:
        raise InvalidCatalogue(f"{where} needs the name of a `claim`")
    accounts = table.get("accounts")
    if (
        not isinstance(accounts, list)
        or not accounts
        or not all(isinstance(a, str) and ACCOUNT.fullmatch(a) for a in accounts)
    ):
        raise InvalidCatalogue(f"{where} needs `accounts`, a list of texts of twelve digits each")
    partition = _text(table, "partition") or "aws"
    if partition not in partitions():
        raise InvalidCatalogue(f"`partition` of {where} is none of {', '.join(partitions())}")
    from_claim = RolesFromClaim(
        claim=claim,
        accounts=frozenset(accounts),
        partition=partition,
        template=_text(table, "arn"),
        prefix=_text(table, "prefix") or "",
        region=_region(table, where),
        color=_text(table, "color"),
        request_url=request_url,
        extra_environment=_extra(table, where),
    )
    _check_template(from_claim, where)
    return from_claim


def _check_template(from_claim: RolesFromClaim, where: str) -> None:
    template = from_claim.template
    if template is None:
        return
    # Only as the role's name, or a part of it: a name from a claim must not choose an account or a path.
    if template.count(NAME_FIELD) != 1 or NAME_FIELD not in template.rpartition("/")[2]:
        raise InvalidCatalogue(
            f"`arn` of {where} must have {NAME_FIELD} once, after its last slash"
        )
    arn = RoleArn.parse(template.replace(NAME_FIELD, "name"))
    if not from_claim.permits(arn):
        raise InvalidCatalogue(
            f"`arn` of {where} is not in one of the `accounts`, or in another `partition`"
        )


def _region(table: dict[str, Any], where: str) -> str | None:
    region = _text(table, "region")
    if region is not None and not REGION_LABEL.fullmatch(region):
        raise InvalidCatalogue(f"`region` of {where} names no region: {region[:SHOWN]!r}")
    return region


def _extra(table: dict[str, Any], where: str) -> dict[str, str]:
    extra = table.get("extra_environment", {})
    if not isinstance(extra, dict) or (wrong := extra_environment_error(extra)):
        reason = wrong if isinstance(extra, dict) else "it is no table"
        raise InvalidCatalogue(f"`extra_environment` of {where}: {reason}")
    return extra


def _rules(allow: object, where: str) -> list[Rule]:
    if allow == "everyone":
        return [Rule(everyone=True)]
    if (
        not isinstance(allow, list)
        or not allow
        or not all(isinstance(rule, dict) for rule in allow)
    ):
        raise InvalidCatalogue(
            f'{where} needs `allow = "everyone"`, or a list of rules such as `allow = [{{ groups = ["analysts"] }}]`'
        )
    rules = []
    for rule in allow:
        refuse_unknown(rule, {"users", "names", "groups", "claims"}, f"an `allow` rule of {where}")
        claims = rule.get("claims", {})
        if not isinstance(claims, dict) or not any(rule.values()):
            raise InvalidCatalogue(
                f"an `allow` rule of {where} has no users, names, groups or claims"
            )
        rules.append(
            Rule(
                users=_named(rule, "users", where),
                names=_named(rule, "names", where),
                groups=_named(rule, "groups", where),
                claims={
                    claim: _texts(
                        values if isinstance(values, list) else [values], f"`claims` of {where}"
                    )
                    for claim, values in claims.items()
                },
            )
        )
    return rules


def _named(rule: dict[str, Any], condition: str, where: str) -> frozenset[str]:
    if condition not in rule:
        return frozenset()
    return _texts(rule[condition], f"`{condition}` of {where}")


def _texts(values: object, what: str) -> frozenset[str]:
    # An empty list is no condition that is left out: that would let more people in, not fewer.
    if (
        not isinstance(values, list)
        or not values
        or not all(isinstance(value, str | int | bool) for value in values)
    ):
        raise InvalidCatalogue(f"{what} must be a list of one text or more")
    return frozenset(str(v).lower() if isinstance(v, bool) else str(v) for v in values)


def _text(table: dict[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is not None and (not isinstance(value, str) or not value.isprintable()):
        raise InvalidCatalogue(f"`{key}` must be a text in one line")
    return value or None


def read_url(table: dict[str, Any], where: str) -> str | None:
    """Read where to ask for roles.

    Raises:
        InvalidCatalogue: if it is no URL.
    """
    url = _text(table, "request_url")
    if url is not None and not url.startswith(("https://", "http://", "mailto:")):
        raise InvalidCatalogue(
            f"`request_url` of {where} must begin with https://, http:// or mailto:"
        )
    return url


def refuse_unknown(table: dict[str, Any], known: set[str], where: str) -> None:
    """Refuse a table that has other keys than these.

    Raises:
        InvalidCatalogue: with the first of them, in the alphabet's order.
    """
    if unknown := sorted(set(table) - known):
        raise InvalidCatalogue(unknown_key(unknown[0], known, where))


def unknown_key(key: str, known: set[str], where: str) -> str:
    """Say that a table has a key that nobody reads, which there are, and which is nearest."""
    from difflib import get_close_matches

    close = get_close_matches(key.lower(), sorted(known), 1, 0.6)
    nearest = f"; the nearest is `{close[0]}`" if close else ""
    return f"{where} has the unknown key `{key}` (known: {', '.join(sorted(known))}){nearest}"
