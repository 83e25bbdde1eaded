"""Parses one entry of a roles file; refuses settings that make no sense."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from jupyter_wb_aws.errors import InvalidRoleArn
from jupyter_wb_aws.identity.claims import AWS_ROLES
from jupyter_wb_aws.roles.delivery import (
    DELIVERIES,
    MAX_CREDENTIAL_LIFETIME,
    MAX_LEASE,
    MIN_CREDENTIAL_LIFETIME,
    MIN_LEASE,
    DeliverySettings,
)
from jupyter_wb_aws.roles.partitions import partitions
from jupyter_wb_aws.roles.role import ACCOUNT, REGION_LABEL, Role, RoleArn
from jupyter_wb_aws.roles.roles_from_claim import NAME_FIELD, RolesFromClaim
from jupyter_wb_aws.roles.rules import Rule
from jupyter_wb_aws.variables import extra_environment_error

# Characters of a value in a message.
MAX_SHOWN = 100
# Shared by thousands of rules: the garbage collector looks at each object.
NO_TEXTS: frozenset[str] = frozenset()


class InvalidCatalogue(Exception):
    """The roles file, or an entry of it, can't be used.

    Args:
        reason: why.
        line: counts from 1; None if no line can be named.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


KEYS = {
    "arn", "label", "description", "region", "color", "default", "request_url", "allow", "extra_environment",
    "delivery", "lease", "credential_lifetime",
}  # fmt: skip


def read_arn(table: dict[str, Any]) -> RoleArn:
    """Return the ARN of an entry.

    Raises:
        InvalidCatalogue: if it is not a text.
        InvalidRoleArn: if it is not the ARN of a role.
    """
    return RoleArn.parse(read_text(table, "arn") or "")


def read_entry(
    table: dict[str, Any],
    request_url: str | None,
    from_claim: RolesFromClaim | None,
    *,
    claim_unreadable: bool = False,
    known: AbstractSet[str] = frozenset(KEYS),
) -> tuple[Role, list[Rule]]:
    """Return the role of an entry, and its rules.

    Args:
        table: the entry.
        request_url: the file's, for entries without their own.
        from_claim: the file's `roles_from_claim`; roles that it permits need no `allow`.
        claim_unreadable: whether `roles_from_claim` can't be read.
        known: the keys that the entry may have.

    Raises:
        InvalidCatalogue: if a setting can't be used.
        InvalidRoleArn: if its ARN is not the ARN of a role.
    """
    arn = read_arn(table)
    where = f"the role {arn.name}"
    refuse_unknown(table, known, where)
    default = table.get("default", False)
    if not isinstance(default, bool):
        raise InvalidCatalogue(f"`default` of {where} must be true or false")
    role = Role(
        arn=arn,
        label=read_text(table, "label") or arn.name,
        description=read_text(table, "description") or "",
        region=_region(table, where),
        color=read_text(table, "color"),
        default=default,
        request_url=read_url(table, where) or request_url,
        extra_environment=_extra(table, where),
        **_delivery(table, where),
    )
    if claim_unreadable and "allow" not in table:
        return role, []
    return role, read_allow(table, from_claim)


def read_allow(table: object, from_claim: RolesFromClaim | None) -> list[Rule]:
    """Return the rules of an entry: to whom its role is offered.

    Args:
        table: the entry.
        from_claim: the file's `roles_from_claim`; roles that it permits need no `allow`.

    Raises:
        InvalidCatalogue: if there are none, or they can't be used.
    """
    if not isinstance(table, dict):
        raise InvalidCatalogue("it is not a table")
    try:
        arn = read_arn(table)
        where = f"the role {arn.name}"
    except (InvalidCatalogue, InvalidRoleArn):
        arn, where = None, "the role"
    if "allow" not in table and from_claim is not None and arn is not None:
        if not from_claim.permits(arn):
            raise InvalidCatalogue(
                f"{where} has no `allow`, and `roles_from_claim` may not offer it"
            )
        return []
    return _rules(table.get("allow"), where)


CLAIM_KEYS = {
    "claim", "accounts", "partition", "arn", "prefix", "region", "color", "extra_environment",
    "delivery", "lease", "credential_lifetime",
}  # fmt: skip


def read_from_claim(table: object, request_url: str | None) -> RolesFromClaim:
    """Return which roles a claim of the token may name.

    Args:
        table: the file's `roles_from_claim`.
        request_url: the file's.

    Raises:
        InvalidCatalogue: if a setting can't be used.
        InvalidRoleArn: if the template for ARNs does not make the ARN of a role.
    """
    where = "`roles_from_claim`"
    if not isinstance(table, dict):
        raise InvalidCatalogue(f"{where} must be written as a [roles_from_claim] table")
    refuse_unknown(table, CLAIM_KEYS, where)
    claim = read_text(table, "claim")
    if claim is None and "claim" in table:
        raise InvalidCatalogue(f"`claim` of {where} needs the name of a claim")
    accounts = table.get("accounts")
    if (
        not isinstance(accounts, list)
        or not accounts
        or not all(isinstance(a, str) and ACCOUNT.fullmatch(a) for a in accounts)
    ):
        raise InvalidCatalogue(f"{where} needs `accounts`, a list of texts of twelve digits each")
    partition = read_text(table, "partition") or "aws"
    if partition not in partitions():
        raise InvalidCatalogue(f"`partition` of {where} is not one of {', '.join(partitions())}")
    from_claim = RolesFromClaim(
        claim=claim or AWS_ROLES,
        accounts=frozenset(accounts),
        partition=partition,
        template=read_text(table, "arn"),
        prefix=read_text(table, "prefix") or "",
        region=_region(table, where),
        color=read_text(table, "color"),
        request_url=request_url,
        extra_environment=_extra(table, where),
        **_delivery(table, where),
    )
    _check_template(from_claim, where)
    return from_claim


def _check_template(from_claim: RolesFromClaim, where: str) -> None:
    template = from_claim.template
    if template is None:
        return
    # Only in the role's name: a name from a claim must not choose an account or a path.
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
    region = read_text(table, "region")
    if region is not None and not REGION_LABEL.fullmatch(region):
        raise InvalidCatalogue(f"`region` of {where} is not a region: {region[:MAX_SHOWN]!r}")
    return region


def _extra(table: dict[str, Any], where: str) -> dict[str, str]:
    extra = table.get("extra_environment", {})
    if not isinstance(extra, dict) or (wrong := extra_environment_error(extra)):
        reason = wrong if isinstance(extra, dict) else "it is not a table"
        raise InvalidCatalogue(f"`extra_environment` of {where}: {reason}")
    return extra


def _delivery(table: dict[str, Any], where: str) -> DeliverySettings:
    delivery = table.get("delivery")
    if delivery is not None and delivery not in DELIVERIES:
        raise InvalidCatalogue(
            f"`delivery` of {where} is {str(delivery)[:MAX_SHOWN]!r}, and this version knows {' and '.join(DELIVERIES)}"
        )
    for key in ("lease", "credential_lifetime"):
        # Not by the site's delivery: an entry means the same in every site's file, and in the hub service's.
        if table.get(key) is not None and delivery != "endpoint":
            beside = "beside it" if delivery else "beside it, even if that is the site's default"
            raise InvalidCatalogue(
                f'`{key}` of {where} needs `delivery = "endpoint"` {beside}: with web identity, each process asks'
                " AWS STS itself, and decides how long its credentials live"
            )
    return {
        "delivery": delivery,
        "lease": _seconds(
            table, "lease", where, (MIN_LEASE, MAX_LEASE),
            f"; below {MIN_LEASE}, boto3 would have no time to ask again: it fails once less than 600 s are left",
        ),
        "credential_lifetime": _seconds(
            table, "credential_lifetime", where, (MIN_CREDENTIAL_LIFETIME, MAX_CREDENTIAL_LIFETIME),
            ", the limits of AWS STS",
        ),
    }  # fmt: skip


def _seconds(
    table: dict[str, Any], key: str, where: str, limits: tuple[int, int], why: str
) -> int | None:
    value = table.get(key)
    least, most = limits
    if value is not None and (type(value) is not int or not least <= value <= most):
        raise InvalidCatalogue(
            f"`{key}` of {where} must be a whole number of seconds from {least} to {most}{why}"
        )
    return value


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
                    claim: read_texts(
                        values if isinstance(values, list) else [values], f"`claims` of {where}"
                    )
                    for claim, values in claims.items()
                },
            )
        )
    return rules


def _named(rule: dict[str, Any], condition: str, where: str) -> frozenset[str]:
    if condition not in rule:
        return NO_TEXTS
    return read_texts(rule[condition], f"`{condition}` of {where}")


def read_texts(values: object, what: str) -> frozenset[str]:
    """Return the texts of a list; numbers and booleans count as texts.

    Raises:
        InvalidCatalogue: if it is not a list of one or more; `what` names it.
    """
    # An empty list does not count as a missing condition: that would let in more people, not fewer.
    if (
        not isinstance(values, list)
        or not values
        or not all(isinstance(value, str | int | bool) for value in values)
    ):
        raise InvalidCatalogue(f"{what} must be a list of one or more texts")
    return frozenset(str(v).lower() if isinstance(v, bool) else str(v) for v in values)


def read_text(table: dict[str, Any], key: str) -> str | None:
    """Return a text; None if it is missing or empty.

    Raises:
        InvalidCatalogue: if it is not a text in one line.
    """
    value = table.get(key)
    if value is not None and (not isinstance(value, str) or not value.isprintable()):
        raise InvalidCatalogue(f"`{key}` must be a text in one line")
    return value or None


def read_url(table: dict[str, Any], where: str) -> str | None:
    """Return the URL where users ask for roles.

    Args:
        table: the file or an entry.
        where: names it in messages.

    Raises:
        InvalidCatalogue: if it is not a URL.
    """
    url = read_text(table, "request_url")
    if url is not None and not url.startswith(("https://", "http://", "mailto:")):
        raise InvalidCatalogue(
            f"`request_url` of {where} must begin with https://, http:// or mailto:"
        )
    return url


def refuse_unknown(table: dict[str, Any], known: AbstractSet[str], where: str) -> None:
    """Refuse a table that has any other keys.

    Args:
        table: any table of the file.
        known: the keys that it may have.
        where: names the table in messages.

    Raises:
        InvalidCatalogue: with the first other key, in alphabetical order.
    """
    if unknown := sorted(set(table) - known):
        raise InvalidCatalogue(unknown_key(unknown[0], known, where))


def unknown_key(key: str, known: AbstractSet[str], where: str) -> str:
    """Return a clause about an unknown key: which keys are known, and which is the nearest.

    Args:
        key: the unknown key.
        known: the keys that the table may have.
        where: names the table.
    """
    close = nearest_key(key, known)
    nearest = f"; the nearest is `{close}`" if close else ""
    return f"{where} has the unknown key `{key}` (known: {', '.join(sorted(known))}){nearest}"


def nearest_key(key: str, known: AbstractSet[str]) -> str | None:
    """Return the known key that an unknown one most likely is; None if it is like none."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(key.lower(), sorted(known), 1, 0.6)), None)
