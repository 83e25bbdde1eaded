"""The role catalogue: which roles this user is offered, from a TOML file that may change."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import CatalogueUnavailable, InvalidRoleArn, RoleNotAllowed
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.roles.role import REGION_LABEL, Role, RoleArn
from jupyter_wb_aws.roles.rules import Rule
from jupyter_wb_aws.variables import wrong_extra

log = logging.getLogger(__name__)

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


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """One good reading of the roles file: roles in the file's order, each with its `allow` rules."""

    entries: Sequence[tuple[Role, Sequence[Rule]]]
    request_url: str | None
    loaded_at: datetime
    _offers: dict[tuple[str, str, str], list[Role]] = field(default_factory=dict, repr=False)

    def roles(self) -> list[Role]:
        """Return every role in the file, whoever is offered it."""
        return [role for role, _ in self.entries]

    def offered_to(self, identity: Identity) -> list[Role]:
        """Return the roles that this user may pick."""
        # With thousands of roles, matching them all on each request would be felt. The claims are
        # the whole input of the rules, so they are the key.
        key = (
            identity.issuer,
            identity.subject,
            json.dumps(identity.claims, sort_keys=True, default=str),
        )
        if key not in self._offers:
            self._offers.clear()  # one server has one user; a changed token replaces the last
            self._offers[key] = [
                role
                for role, rules in self.entries
                if any(rule.matches(identity) for rule in rules)
            ]
        return self._offers[key]

    def pick(self, identity: Identity, arn: RoleArn) -> Role:
        """Return the role with this ARN, if it is offered to this user.

        Raises:
            RoleNotAllowed: if it isn't, whether or not it exists.
        """
        for role in self.offered_to(identity):
            if role.arn == arn:
                return role
        listed = next((role for role, _ in self.entries if role.arn == arn), None)
        request_url = (listed.request_url if listed else None) or self.request_url
        raise RoleNotAllowed(
            f"The role {arn.name} in account {arn.account_id} is not in your list of roles.",
            request_url=request_url,
        )


class CatalogueFile:
    """The roles file, read again when it changes; a broken one keeps the last good catalogue."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.problem: BrokenCatalogue | None = None
        self._clock = clock
        self._good: Catalogue | None = None
        self._seen: tuple[int, ...] | None = None
        self._reading = asyncio.Lock()

    @property
    def last_good(self) -> Catalogue | None:
        """The catalogue in force, as far as one was ever read."""
        return self._good

    async def current(self) -> Catalogue:
        """Return the catalogue as the file has it now, else the last good one.

        Raises:
            CatalogueUnavailable: if there never was a good one.
        """
        async with self._reading:
            await asyncio.to_thread(self._read_if_changed)
        if self._good is None:
            assert self.problem is not None
            raise CatalogueUnavailable(
                "The roles file can't be used.", admin_hint=f"{self.path}: {describe(self.problem)}"
            )
        return self._good

    def written_within(self, seconds: float) -> bool:
        """Tell whether the file that was last looked at had been written that short a time before."""
        if not self._seen:
            return False
        age = self._clock.now().timestamp() - self._seen[0] / 1e9
        return 0 <= age < seconds

    def _read_if_changed(self) -> None:
        try:
            status = self.path.stat()
            seen: tuple[int, ...] = (status.st_mtime_ns, status.st_size, status.st_ino)
        except (OSError, ValueError) as error:  # the latter: a NUL in the path
            reason = error.strerror if isinstance(error, OSError) else error
            self._broken(BrokenCatalogue(f"the file can't be read: {reason}"), ())
            return
        if seen == self._seen:
            return
        if not stat.S_ISREG(status.st_mode):  # a FIFO would hang every reader
            self._broken(BrokenCatalogue("it is not a regular file"), seen)
            return
        try:
            text = self.path.read_bytes().decode("utf-8-sig")
            self._good = parse(text, self._clock.now())
        except OSError as error:
            self._broken(BrokenCatalogue(f"the file can't be read: {error.strerror}"), ())
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            self._broken(BrokenCatalogue("the file is not UTF-8", line), seen)
        except BrokenCatalogue as broken:
            self._broken(broken, seen)
        else:
            self.problem, self._seen = None, seen
            log.info("Read %d roles from %s", len(self._good.entries), self.path)

    def _broken(self, problem: BrokenCatalogue, seen: tuple[int, ...]) -> None:
        if self.problem is None or str(self.problem) != str(problem) or seen != self._seen:
            kept = "the last good one stays in force" if self._good else "no role can be offered"
            log.error("The roles file %s is broken (%s); %s", self.path, describe(problem), kept)
        self.problem, self._seen = problem, seen


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
    _only(document, {"request_url", "roles"}, "the file")
    request_url = _url(document, "the file")
    tables = document.get("roles", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise BrokenCatalogue("`roles` must be written as [[roles]] tables")
    entries: dict[RoleArn, tuple[Role, Sequence[Rule]]] = {}
    for number, table in enumerate(tables):
        try:
            role, rules = _entry(table, request_url)
            if role.arn in entries:
                raise BrokenCatalogue(f"{role.arn} is listed twice")
        except (BrokenCatalogue, InvalidRoleArn) as error:
            raise BrokenCatalogue(str(error), _line_of_role(text, number, len(tables))) from None
        entries[role.arn] = (role, rules)
    return Catalogue(list(entries.values()), request_url, loaded_at)


def _line_of_role(text: str, number: int, count: int) -> int | None:
    """Find the line of a role's header; None where the file writes roles in other ways, too."""
    headers = list(ROLES_HEADER.finditer(text))
    if len(headers) != count:
        return None
    return text.count("\n", 0, headers[number].end()) + 1


KEYS = {
    "arn", "label", "description", "region", "color", "default", "request_url", "allow", "extra_environment",
}  # fmt: skip


def _entry(table: dict[str, Any], request_url: str | None) -> tuple[Role, list[Rule]]:
    arn = RoleArn.parse(_text(table, "arn") or "")
    where = f"the role {arn.name}"
    _only(table, KEYS, where)
    region = _text(table, "region")
    if region is not None and not REGION_LABEL.fullmatch(region):
        raise BrokenCatalogue(f"`region` of {where} is no region")
    extra = table.get("extra_environment", {})
    if not isinstance(extra, dict) or (wrong := wrong_extra(extra)):
        reason = wrong if isinstance(extra, dict) else "it is no table"
        raise BrokenCatalogue(f"`extra_environment` of {where}: {reason}")
    default = table.get("default", False)
    if not isinstance(default, bool):
        raise BrokenCatalogue(f"`default` of {where} must be true or false")
    role = Role(
        arn=arn,
        label=_text(table, "label") or arn.name,
        description=_text(table, "description") or "",
        region=region,
        color=_text(table, "color"),
        default=default,
        request_url=_url(table, where) or request_url,
        extra_environment=extra,
    )
    return role, _rules(table.get("allow"), where)


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


def default_role(roles: Sequence[Role], configured: str) -> Role | None:
    """Return which of a user's roles starts by itself: the configured ARN, else the first marked so."""
    for role in roles:
        if (str(role.arn) == configured) if configured else role.default:
            return role
    return None
