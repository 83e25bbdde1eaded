"""Reads a roles file as a whole: a bad entry takes no other role away, and a typo nobody's.

1. A file that is no TOML, or names no roles at all, is broken: the caller keeps the last good catalogue.
2. A bad entry is left out, or stays as it was in the catalogue before. Its ARN says which one it was, or else
   what it has in common with the roles that no longer have an entry.
3. An entry whose `allow` can't be read is offered to nobody, whatever it was before.
4. Of a bad entry that can't be recognised, no role is known to be gone: see `Catalogue.may_continue`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jupyter_wb_aws.errors import InvalidRoleArn
from jupyter_wb_aws.roles.catalogue import BadEntry, Catalogue, Effect, Entry
from jupyter_wb_aws.roles.entry_parser import (
    CLAIM_KEYS,
    KEYS,
    SHOWN,
    InvalidCatalogue,
    read_allow,
    read_arn,
    read_entry,
    read_from_claim,
    read_url,
    refuse_unknown,
    unknown_key,
)
from jupyter_wb_aws.roles.previous_entries import previous_role_of
from jupyter_wb_aws.roles.role import RoleArn
from jupyter_wb_aws.roles.roles_from_claim import RolesFromClaim
from jupyter_wb_aws.roles.toml_line_numbers import line_of_key, lines_of_tables

__all__ = ["CLAIM_KEYS", "KEYS", "InvalidCatalogue", "describe", "parse"]

TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")
KNOWN = {"request_url", "roles", "roles_from_claim"}


def describe(problem: InvalidCatalogue | BadEntry) -> str:
    """Say where and why, in a line."""
    return f"line {problem.line}: {problem.reason}" if problem.line else problem.reason


def parse(text: str, loaded_at: datetime, before: Catalogue | None = None) -> Catalogue:
    """Read a roles file.

    Args:
        text: the file's content.
        loaded_at: when it was read.
        before: the catalogue in force until now; None on a fresh server.

    Raises:
        InvalidCatalogue: if the file as a whole can't be used; with the line and the reason.
    """
    document = _document(text)
    tables = document.get("roles", [])
    if not document.keys() & {"roles", "roles_from_claim"}:
        refuse_unknown(document, KNOWN, "the file")
        read_url(document, "the file")
        # A file that was cut off, by a full disk or an unlucky `>`, must not take every role away.
        raise InvalidCatalogue("the file names no roles; where none is meant, write `roles = []`")
    if not isinstance(tables, list):
        raise InvalidCatalogue("`roles` must be written as [[roles]] tables")
    return _Reading(text, document, before).catalogue(loaded_at)


def _document(text: str) -> dict[str, Any]:
    import tomllib  # in the worker thread that reads the file, and not at a server's start

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = TOML_LINE.search(str(error))
        reason = TOML_LINE.sub("", str(error)).strip()
        raise InvalidCatalogue(reason, int(found[1]) if found else text.count("\n") + 1) from None
    except RecursionError:
        raise InvalidCatalogue("tables are nested too deeply") from None
    except ValueError as error:  # a number with thousands of digits
        raise InvalidCatalogue(str(error)) from None


@dataclass(slots=True)
class _Bad:
    """A table that can't be read, with its ARN where that can."""

    table: object
    line: int | None
    reason: str
    arn: RoleArn | None


@dataclass(slots=True)
class _Reading:
    text: str
    document: dict[str, Any]
    before: Catalogue | None
    problems: list[BadEntry] = field(default_factory=list)
    withheld: set[RoleArn] = field(default_factory=set)
    unknown: bool = False

    def catalogue(self, loaded_at: datetime) -> Catalogue:
        request_url = self._request_url()
        from_claim, claim_unread = self._from_claim(request_url)
        read = list(self._read(request_url, from_claim, claim_unread=claim_unread))
        entries = self._resolved(read, from_claim)
        return Catalogue(
            entries,
            request_url,
            loaded_at,
            from_claim,
            problems=tuple(sorted(self.problems, key=lambda problem: problem.line or 0)),
            withheld=frozenset(self.withheld),
            unknown=self.unknown or claim_unread,
            claim_unread=claim_unread,
        )

    def _request_url(self) -> str | None:
        try:
            return read_url(self.document, "the file")
        except InvalidCatalogue as broken:
            kept = self.before.request_url if self.before else None
            line = line_of_key(self.text, "request_url")
            self.problems.append(
                BadEntry(line, broken.reason, None, "kept" if kept else "left_out")
            )
            return kept

    def _from_claim(self, request_url: str | None) -> tuple[RolesFromClaim | None, bool]:
        """Return what `roles_from_claim` says, or last said, and whether nothing of it is known."""
        kept = self.before.from_claim if self.before else None
        if "roles_from_claim" not in self.document:
            misspelt = any(map(_is_from_claim, self.document.values()))
            return (kept, kept is None) if misspelt else (None, False)
        try:
            return read_from_claim(self.document["roles_from_claim"], request_url), False
        except (InvalidCatalogue, InvalidRoleArn) as error:
            line = line_of_key(self.text, "roles_from_claim")
            self.problems.append(BadEntry(line, str(error), None, "kept" if kept else "left_out"))
            return kept, kept is None

    def _tables(self) -> Iterator[tuple[object, int | None, str | None]]:
        """Give each table of the array, and of arrays whose name may be a misspelt one."""
        tables = self.document.get("roles", [])
        yield from ((table, line, None) for table, line in self._with_lines("roles", tables))
        for key in sorted(self.document.keys() - KNOWN):
            unknown, value = unknown_key(key, KNOWN, "the file"), self.document[key]
            if (
                isinstance(value, list)
                and value
                and all(isinstance(table, dict) for table in value)
            ):
                yield from ((table, line, unknown) for table, line in self._with_lines(key, value))
            else:
                line = line_of_key(self.text, key)
                kept = _is_from_claim(value) and self.before and self.before.from_claim
                self.problems.append(BadEntry(line, unknown, None, "kept" if kept else "left_out"))

    def _with_lines(self, key: str, tables: list[Any]) -> Iterator[tuple[object, int | None]]:
        lines: list[int] = lines_of_tables(self.text, key)
        known = lines if len(lines) == len(tables) else [None] * len(tables)
        return zip(tables, known, strict=True)

    def _read(
        self, request_url: str | None, from_claim: RolesFromClaim | None, *, claim_unread: bool
    ) -> Iterator[Entry | _Bad]:
        seen: set[RoleArn] = set()
        for table, line, wrong in self._tables():
            arn = None
            try:
                if not isinstance(table, dict):
                    raise InvalidCatalogue("a role must be written as one of the [[roles]] tables")
                arn = read_arn(table)
                if wrong:
                    raise InvalidCatalogue(wrong)
                role, rules = read_entry(table, request_url, from_claim, claim_unread=claim_unread)
                if arn in seen:
                    raise InvalidCatalogue(f"{arn} is listed twice")
            except InvalidRoleArn as error:
                yield _Bad(table, line, f"{str(error).removesuffix('.')}{_quoted(table)}", None)
            except InvalidCatalogue as error:
                yield _Bad(table, line, str(error), arn)
            else:
                seen.add(arn)
                yield role, rules

    def _resolved(
        self, read: list[Entry | _Bad], from_claim: RolesFromClaim | None
    ) -> dict[RoleArn, Entry]:
        """Put what was there before in the place of each bad entry, as far as it is known."""
        good = {slot[0].arn for slot in read if not isinstance(slot, _Bad)}
        named = good | {slot.arn for slot in read if isinstance(slot, _Bad) and slot.arn}
        before = self.before.entries if self.before else {}
        orphans = [role for arn, (role, _) in before.items() if arn not in named]
        entries: dict[RoleArn, Entry] = {}
        for slot in read:
            if not isinstance(slot, _Bad):
                entries[slot[0].arn] = slot
                continue
            if slot.arn is None and (role := previous_role_of(slot.table, orphans)) is not None:
                slot.arn = role.arn
                orphans.remove(role)
            self._keep(slot, good, before, entries, from_claim)
        if self.unknown:  # a bad entry is about one of these
            entries |= {role.arn: before[role.arn] for role in orphans}
            self.withheld |= {role.arn for role in orphans}
        return entries

    def _keep(
        self,
        bad: _Bad,
        good: set[RoleArn],
        before: Any,
        entries: Any,
        from_claim: RolesFromClaim | None,
    ) -> None:
        arn = bad.arn
        if arn is None:
            self.unknown = True
        elif arn not in good and arn not in entries:
            if arn in before:
                entries[arn] = before[arn]
            if arn not in before or not _is_readable(bad.table, from_claim):
                self.withheld.add(arn)
        effect: Effect = "left_out"
        if arn in before and arn not in good:
            effect = "offered_to_nobody" if arn in self.withheld else "kept"
        self.problems.append(BadEntry(bad.line, bad.reason, arn, effect))


def _quoted(table: object) -> str:
    """Quote the ARN of a table, by which its role is found; empty where it has none."""
    written = table.get("arn") if isinstance(table, dict) else None
    return f": {str(written)[:SHOWN]!r}" if written else ""


def _is_from_claim(value: object) -> bool:
    """Tell whether a table of the file says which roles a claim may name, under any name."""
    return isinstance(value, dict) and not value.keys().isdisjoint({"claim", "accounts"})


def _is_readable(table: object, from_claim: RolesFromClaim | None) -> bool:
    """Tell whether a table says to whom its role is offered."""
    try:
        read_allow(table, from_claim)
    except InvalidCatalogue:
        return False
    return True
