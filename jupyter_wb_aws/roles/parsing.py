"""Reads what a roles file says; whatever can't be meant is refused, with its line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jupyter_wb_aws.errors import InvalidRoleArn
from jupyter_wb_aws.roles.catalogue import Catalogue
from jupyter_wb_aws.roles.from_claim import NAME_FIELD, RolesFromClaim
from jupyter_wb_aws.roles.role import ACCOUNT, REGION_LABEL, REGIONS_OF_PARTITION, Role, RoleArn
from jupyter_wb_aws.roles.rules import Rule
from jupyter_wb_aws.variables import wrong_extra

CLAIM_HEADER = re.compile(r"^\s*\[\s*roles_from_claim\s*\]", re.MULTILINE)
ROLES_HEADER = re.compile(r"^\s*\[\[\s*roles\s*\]\]", re.MULTILINE)
TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")


class BrokenCatalogue(Exception):
    """The roles file says something that can't be meant.

    `line` counts from 1; None where no line can be named.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def describe(problem: BrokenCatalogue) -> str:
    """Say where and why, in a line."""
    return f"line {problem.line}: {problem.reason}" if problem.line else problem.reason


def parse(text: str, loaded_at: datetime) -> Catalogue:
    """Read a roles file.

    Raises:
        BrokenCatalogue: with the line and the reason.
    """
    import tomllib  # in the worker thread that reads the file, and not at a server's start

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = TOML_LINE.search(str(error))
        reason = TOML_LINE.sub("", str(error)).strip()
        raise BrokenCatalogue(reason, int(found[1]) if found else text.count("\n") + 1) from None
    except RecursionError:
        raise BrokenCatalogue("tables are nested too deeply") from None
    except ValueError as error:  # a number with thousands of digits
        raise BrokenCatalogue(str(error)) from None
    _only(document, {"request_url", "roles", "roles_from_claim"}, "the file")
    request_url = _url(document, "the file")
    # A file that was cut off, by a full disk or an unlucky `>`, must not take every role away.
    if not document.keys() & {"roles", "roles_from_claim"}:
        raise BrokenCatalogue("the file names no roles; where none is meant, write `roles = []`")
    from_claim = _read_from_claim(document, request_url, text)
    tables = document.get("roles", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise BrokenCatalogue("`roles` must be written as [[roles]] tables")
    entries: dict[RoleArn, tuple[Role, Sequence[Rule]]] = {}
    for number, table in enumerate(tables):
        try:
            role, rules = _entry(table, request_url, from_claim)
            if role.arn in entries:
                raise BrokenCatalogue(f"{role.arn} is listed twice")
        except (BrokenCatalogue, InvalidRoleArn) as error:
            raise BrokenCatalogue(
                str(error), _line_of(ROLES_HEADER, text, number, len(tables))
            ) from None
        entries[role.arn] = (role, rules)
    return Catalogue(entries, request_url, loaded_at, from_claim)


def _read_from_claim(
    document: dict[str, Any], request_url: str | None, text: str
) -> RolesFromClaim | None:
    if "roles_from_claim" not in document:
        return None
    try:
        return _from_claim(document["roles_from_claim"], request_url)
    except (BrokenCatalogue, InvalidRoleArn) as error:
        raise BrokenCatalogue(str(error), _line_of(CLAIM_HEADER, text, 0, 1)) from None


def _line_of(header: re.Pattern[str], text: str, number: int, count: int) -> int | None:
    """Find the line of a table's header; None where the file writes such tables in other ways, too."""
    headers = list(header.finditer(text))
    if len(headers) != count:
        return None
    return text.count("\n", 0, headers[number].end()) + 1


KEYS = {
    "arn", "label", "description", "region", "color", "default", "request_url", "allow", "extra_environment",
}  # fmt: skip


def _entry(
    table: dict[str, Any], request_url: str | None, from_claim: RolesFromClaim | None
) -> tuple[Role, list[Rule]]:
    arn = RoleArn.parse(_text(table, "arn") or "")
    where = f"the role {arn.name}"
    _only(table, KEYS, where)
    default = table.get("default", False)
    if not isinstance(default, bool):
        raise BrokenCatalogue(f"`default` of {where} must be true or false")
    role = Role(
        arn=arn,
        label=_text(table, "label") or arn.name,
        description=_text(table, "description") or "",
        region=_region(table, where),
        color=_text(table, "color"),
        default=default,
        request_url=_url(table, where) or request_url,
        extra_environment=_extra(table, where),
    )
    if "allow" not in table and from_claim is not None:
        if not from_claim.permits(arn):
            raise BrokenCatalogue(
                f"{where} has no `allow`, and is not one that `roles_from_claim` may offer"
            )
        return role, []
    return role, _rules(table.get("allow"), where)


CLAIM_KEYS = {
    "claim", "accounts", "partition", "arn", "prefix", "region", "color", "extra_environment",
}  # fmt: skip


def _from_claim(table: object, request_url: str | None) -> RolesFromClaim:
    where = "`roles_from_claim`"
    if not isinstance(table, dict):
        raise BrokenCatalogue(f"{where} must be written as a [roles_from_claim] table")
    _only(table, CLAIM_KEYS, where)
    claim = _text(table, "claim")
    if claim is None:
        raise BrokenCatalogue(f"{where} needs the name of a `claim`")
    accounts = table.get("accounts")
    if (
        not isinstance(accounts, list)
        or not accounts
        or not all(isinstance(a, str) and ACCOUNT.fullmatch(a) for a in accounts)
    ):
        raise BrokenCatalogue(f"{where} needs `accounts`, a list of texts of twelve digits each")
    partition = _text(table, "partition") or "aws"
    if partition not in REGIONS_OF_PARTITION:
        raise BrokenCatalogue(
            f"`partition` of {where} is none of {', '.join(REGIONS_OF_PARTITION)}"
        )
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
        raise BrokenCatalogue(f"`arn` of {where} must have {NAME_FIELD} once, after its last slash")
    arn = RoleArn.parse(template.replace(NAME_FIELD, "name"))
    if not from_claim.permits(arn):
        raise BrokenCatalogue(
            f"`arn` of {where} is not in one of the `accounts`, or in another `partition`"
        )


def _region(table: dict[str, Any], where: str) -> str | None:
    region = _text(table, "region")
    if region is not None and not REGION_LABEL.fullmatch(region):
        raise BrokenCatalogue(f"`region` of {where} is no region")
    return region


def _extra(table: dict[str, Any], where: str) -> dict[str, str]:
    extra = table.get("extra_environment", {})
    if not isinstance(extra, dict) or (wrong := wrong_extra(extra)):
        reason = wrong if isinstance(extra, dict) else "it is no table"
        raise BrokenCatalogue(f"`extra_environment` of {where}: {reason}")
    return extra


def _rules(allow: object, where: str) -> list[Rule]:
    if allow == "everyone":
        return [Rule(everyone=True)]
    if (
        not isinstance(allow, list)
        or not allow
        or not all(isinstance(rule, dict) for rule in allow)
    ):
        raise BrokenCatalogue(
            f'{where} needs `allow = "everyone"`, or a list of rules such as `allow = [{{ groups = ["analysts"] }}]`'
        )
    rules = []
    for rule in allow:
        _only(rule, {"users", "names", "groups", "claims"}, f"an `allow` rule of {where}")
        claims = rule.get("claims", {})
        if not isinstance(claims, dict) or not any(rule.values()):
            raise BrokenCatalogue(
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
        raise BrokenCatalogue(f"{what} must be a list of one text or more")
    return frozenset(str(v).lower() if isinstance(v, bool) else str(v) for v in values)


def _text(table: dict[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is not None and (not isinstance(value, str) or not value.isprintable()):
        raise BrokenCatalogue(f"`{key}` must be a text in one line")
    return value or None


def _url(table: dict[str, Any], where: str) -> str | None:
    url = _text(table, "request_url")
    if url is not None and not url.startswith(("https://", "http://", "mailto:")):
        raise BrokenCatalogue(
            f"`request_url` of {where} must begin with https://, http:// or mailto:"
        )
    return url


def _only(table: dict[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(set(table) - known):
        raise BrokenCatalogue(
            f"{where} has the unknown key `{unknown[0]}` (known: {', '.join(sorted(known))})"
        )
