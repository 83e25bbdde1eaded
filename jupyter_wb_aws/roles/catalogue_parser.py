"""Parses a roles file so that a bad entry affects no other role, and a typo takes no role away.

1. A file that is not TOML, or names no roles at all, is broken: the caller keeps the last good catalogue.
2. A bad entry is left out, or stays as it was in the previous catalogue. It is recognized by its ARN, or else
   by what it has in common with the roles that no longer have an entry.
3. An entry whose `allow` can't be read is offered to nobody, regardless of its previous rules. So is one whose
   `delivery` is not the previous one: an entry is never delivered in another way than it says.
4. If a bad entry can't be recognized, no role is known to be gone: see `Catalogue.may_continue`.
5. What the file puts into the tokens for all roles stays as it was while it can't be read. Without a previous
   version, the file is broken: policies may deny by a tag that a token would lack.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from jupyter_wb_aws.errors import InvalidRoleArn
from jupyter_wb_aws.identity.claims import AWS_ROLES
from jupyter_wb_aws.identity.source import IdentityAndRoles
from jupyter_wb_aws.roles import token_parser
from jupyter_wb_aws.roles.catalogue import BadEntry, Catalogue, Effect, Entry
from jupyter_wb_aws.roles.delivery import Delivery
from jupyter_wb_aws.roles.entry_parser import (
    CLAIM_KEYS,
    KEYS,
    MAX_SHOWN,
    InvalidCatalogue,
    read_allow,
    read_arn,
    read_entry,
    read_from_claim,
    read_url,
    refuse_unknown,
    unknown_key,
)
from jupyter_wb_aws.roles.previous_entries import keep_unchanged, previous_role_of
from jupyter_wb_aws.roles.role import Role, RoleArn
from jupyter_wb_aws.roles.roles_from_claim import RolesFromClaim
from jupyter_wb_aws.roles.token_content import TokenContent
from jupyter_wb_aws.roles.token_parser import (
    CheckToken,
    for_hub_service,
    read_file_content,
    read_role_content,
    unused_transitive_tags,
)
from jupyter_wb_aws.roles.toml_line_numbers import line_of_key, lines_of_tables
from jupyter_wb_aws.roles.toml_tables import CannotSplitError, SplitFile, split

__all__ = ["CLAIM_KEYS", "KEYS", "InvalidCatalogue", "describe", "parse"]

TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")
FILE_KEYS = token_parser.OTHER_FILE_KEYS
HUB_KEYS, HUB_FILE_KEYS = KEYS | token_parser.ROLE_KEYS, FILE_KEYS | token_parser.FILE_KEYS


def describe(problem: InvalidCatalogue | BadEntry) -> str:
    """Return the line number and the reason, as one line."""
    return f"line {problem.line}: {problem.reason}" if problem.line else problem.reason


def parse(
    text: str,
    loaded_at: datetime,
    previous: Catalogue | None = None,
    check_token: CheckToken | None = None,
) -> Catalogue:
    """Parse a roles file.

    Args:
        text: the file's content.
        loaded_at: when it was read.
        previous: the catalogue in force until now; None on a fresh server.
        check_token: the hub service's check of the tokens for a role; None for a server's own roles file, which
            says nothing of tokens.

    Raises:
        InvalidCatalogue: if the file as a whole can't be used; with the line and the reason.
    """
    try:
        split_file = split(text)
        parser = _Parser(text, split_file.parsed_rest(), previous, check_token, split_file)
        if split_file.tables:
            return parser.catalogue(loaded_at)
    except CannotSplitError:
        pass  # an error must name its line, and there are other ways to write an array of tables
    document = _document(text)
    tables = document.get("roles", [])
    if not document.keys() & {"roles", "roles_from_claim"}:
        refuse_unknown(document, FILE_KEYS if check_token is None else HUB_FILE_KEYS, "the file")
        read_url(document, "the file")
        # A file that was cut off, by a full disk or an accidental `>`, must not take every role away.
        raise InvalidCatalogue("the file names no roles; if that is intended, write `roles = []`")
    if not isinstance(tables, list):
        raise InvalidCatalogue("`roles` must be written as [[roles]] tables")
    return _Parser(text, document, previous, check_token).catalogue(loaded_at)


def parse_offered(
    offered: IdentityAndRoles, loaded_at: datetime, previous: Catalogue | None = None
) -> Catalogue:
    """Make a catalogue of the roles that a token source offers to its user, each as `GET /aws/roles` has it.

    They are checked as the entries of a file are, but for members that this version does not know.

    Args:
        offered: what the source says.
        loaded_at: when they were received.
        previous: the catalogue in force until now; None on a fresh server.
    """
    document: dict[str, Any] = {"roles": [_as_entry(role) for role in offered.roles]}
    if offered.request_url is not None:
        document["request_url"] = offered.request_url
    withheld: set[RoleArn] = set()
    for arn in offered.withheld:
        with contextlib.suppress(InvalidRoleArn):
            withheld.add(RoleArn.parse(arn))
    parser = _Parser(
        "", document, previous, None, withheld=withheld, has_unidentified=offered.incomplete
    )
    return replace(parser.catalogue(loaded_at), of_hub=True)


def _as_entry(role: object) -> object:
    """Return an entry of a roles file that offers the role to everyone: only its user gets the answer."""
    if not isinstance(role, dict):
        return role
    known = {key: value for key, value in role.items() if key in KEYS and value is not None}
    return {**known, "allow": "everyone"}


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
    """A table that can't be read; `arn` is None if that can't be read either."""

    table: object
    line: int | None
    reason: str
    arn: RoleArn | None


@dataclass(slots=True)
class _Parser:
    text: str
    document: dict[str, Any]
    previous: Catalogue | None
    check_token: CheckToken | None
    split_file: SplitFile | None = None
    token_content: TokenContent = field(default_factory=TokenContent)
    problems: list[BadEntry] = field(default_factory=list)
    withheld: set[RoleArn] = field(default_factory=set)
    has_unidentified: bool = False

    def catalogue(self, loaded_at: datetime) -> Catalogue:
        self.token_content = self._token_content()
        request_url = self._request_url()
        from_claim, claim_unreadable = self._from_claim(request_url)
        read = list(self._read(request_url, from_claim, claim_unreadable=claim_unreadable))
        entries = self._resolved(read, from_claim)
        self._check_transitive_tags([role for role, _ in entries.values()])
        return Catalogue(
            entries,
            request_url,
            loaded_at,
            from_claim,
            problems=tuple(sorted(self.problems, key=lambda problem: problem.line or 0)),
            withheld=frozenset(self.withheld),
            has_unidentified=self.has_unidentified or claim_unreadable,
            claim_unreadable=claim_unreadable,
            token_content=self.token_content,
        )

    def _token_content(self) -> TokenContent:
        """Return what the file says of all tokens, or its last good version."""
        if self.check_token is None:
            return TokenContent()
        try:
            return read_file_content(self.document, self.text)
        except InvalidCatalogue as wrong:
            if self.previous is None:
                raise
            self.problems.append(BadEntry(wrong.line, wrong.reason, None, "kept"))
            return self.previous.token_content

    def _check_transitive_tags(self, roles: list[Role]) -> None:
        if unused := unused_transitive_tags(self.token_content, roles):
            line = line_of_key(self.text, "transitive_tags")
            self.problems.append(BadEntry(line, unused, None, "left_out"))

    def _request_url(self) -> str | None:
        try:
            return read_url(self.document, "the file")
        except InvalidCatalogue as broken:
            kept = self.previous.request_url if self.previous else None
            line = line_of_key(self.text, "request_url")
            self.problems.append(
                BadEntry(line, broken.reason, None, "kept" if kept else "left_out")
            )
            return kept

    def _from_claim(self, request_url: str | None) -> tuple[RolesFromClaim | None, bool]:
        """Return `roles_from_claim` or its last good version, and whether neither can be read."""
        kept = self.previous.from_claim if self.previous else None
        if "roles_from_claim" not in self.document:
            misspelt = any(map(_is_from_claim, self.document.values()))
            return (kept, kept is None) if misspelt else (None, False)
        try:
            read = read_from_claim(self.document["roles_from_claim"], request_url)
            read = replace(read, token_content=self.token_content)
            if self.check_token is not None:
                if read.claim == AWS_ROLES:
                    raise InvalidCatalogue(
                        "`roles_from_claim` needs the name of a `claim`: on the hub, that is `groups`"
                    )
                self.check_token(read.longest_role())
            return read, False
        except (InvalidCatalogue, InvalidRoleArn) as error:
            line = line_of_key(self.text, "roles_from_claim")
            self.problems.append(BadEntry(line, str(error), None, "kept" if kept else "left_out"))
            return kept, kept is None

    def _tables(self) -> Iterator[tuple[object, int | None, str | None]]:
        """Yield each table of the array `roles`, and of arrays whose name may be a misspelling of it.

        With each come its line and, for a misspelling, what is wrong.
        """
        if self.split_file is not None:
            yield from ((table, line, None) for table, line in self.split_file.parsed_tables())
        tables = self.document.get("roles", [])
        yield from ((table, line, None) for table, line in self._with_lines("roles", tables))
        known = FILE_KEYS if self.check_token is None else HUB_FILE_KEYS
        for key in sorted(self.document.keys() - known):
            unknown, value = unknown_key(key, known, "the file"), self.document[key]
            if self.check_token is not None and token_parser.is_misspelt(key, value):
                continue  # reported by `_token_content`
            if key in HUB_FILE_KEYS:
                line = line_of_key(self.text, key)
                refused = for_hub_service(key, "the file")
                self.problems.append(BadEntry(line, refused, None, "left_out"))
            elif (
                isinstance(value, list)
                and value
                and all(isinstance(table, dict) for table in value)
            ):
                yield from ((table, line, unknown) for table, line in self._with_lines(key, value))
            else:
                line = line_of_key(self.text, key)
                kept = _is_from_claim(value) and self.previous and self.previous.from_claim
                self.problems.append(BadEntry(line, unknown, None, "kept" if kept else "left_out"))

    def _with_lines(self, key: str, tables: list[Any]) -> Iterator[tuple[object, int | None]]:
        lines: list[int] = lines_of_tables(self.text, key)
        known = lines if len(lines) == len(tables) else [None] * len(tables)
        return zip(tables, known, strict=True)

    def _read(
        self, request_url: str | None, from_claim: RolesFromClaim | None, *, claim_unreadable: bool
    ) -> Iterator[Entry | _Bad]:
        seen: set[RoleArn] = set()
        previous = self.previous.entries if self.previous else {}
        for table, line, wrong in self._tables():
            arn = None
            try:
                if not isinstance(table, dict):
                    raise InvalidCatalogue("a role must be written as one of the [[roles]] tables")
                arn = read_arn(table)
                if wrong:
                    raise InvalidCatalogue(wrong)
                role, rules = self._entry(
                    table, request_url, from_claim, claim_unreadable=claim_unreadable
                )
                if arn in seen:
                    raise InvalidCatalogue(f"{arn} is listed twice")
            except InvalidRoleArn as error:
                yield _Bad(table, line, f"{str(error).removesuffix('.')}{_quoted(table)}", None)
            except InvalidCatalogue as error:
                yield _Bad(table, line, str(error), arn)
            else:
                seen.add(arn)
                yield keep_unchanged(previous.get(arn), (role, rules))

    def _entry(
        self,
        table: dict[str, Any],
        request_url: str | None,
        from_claim: RolesFromClaim | None,
        *,
        claim_unreadable: bool,
    ) -> Entry:
        where = f"the role {read_arn(table).name}"
        if self.check_token is None:
            if of_hub := sorted(table.keys() & token_parser.ROLE_KEYS):
                raise InvalidCatalogue(for_hub_service(of_hub[0], where))
            return read_entry(table, request_url, from_claim, claim_unreadable=claim_unreadable)
        role, rules = read_entry(
            table, request_url, from_claim, claim_unreadable=claim_unreadable, known=HUB_KEYS
        )
        content = read_role_content(table, where, self.token_content)
        role = replace(role, token_content=content)
        self.check_token(role)
        return role, rules

    def _resolved(
        self, read: list[Entry | _Bad], from_claim: RolesFromClaim | None
    ) -> dict[RoleArn, Entry]:
        """Replace each bad entry by its last good version, if that is known."""
        good = {slot[0].arn for slot in read if not isinstance(slot, _Bad)}
        named = good | {slot.arn for slot in read if isinstance(slot, _Bad) and slot.arn}
        previous = self.previous.entries if self.previous else {}
        orphans = [role for arn, (role, _) in previous.items() if arn not in named]
        entries: dict[RoleArn, Entry] = {}
        for slot in read:
            if not isinstance(slot, _Bad):
                entries[slot[0].arn] = slot
                continue
            if slot.arn is None and (role := previous_role_of(slot.table, orphans)) is not None:
                slot.arn = role.arn
                orphans.remove(role)
            self._keep(slot, good, previous, entries, from_claim)
        if self.has_unidentified:  # a bad entry is about one of these
            entries |= {role.arn: previous[role.arn] for role in orphans}
            self.withheld |= {role.arn for role in orphans}
        return entries

    def _keep(
        self,
        bad: _Bad,
        good: set[RoleArn],
        previous: Any,
        entries: Any,
        from_claim: RolesFromClaim | None,
    ) -> None:
        arn = bad.arn
        if arn is None:
            self.has_unidentified = True
        elif arn not in good and arn not in entries:
            if arn in previous:
                entries[arn] = previous[arn]
            if (
                arn not in previous
                or not _is_readable(bad.table, from_claim)
                or not _has_delivery(bad.table, previous[arn][0].delivery)
            ):
                self.withheld.add(arn)
        effect: Effect = "left_out"
        if arn in previous and arn not in good:
            effect = "offered_to_nobody" if arn in self.withheld else "kept"
        self.problems.append(BadEntry(bad.line, bad.reason, arn, effect))


def _quoted(table: object) -> str:
    """Quote the ARN of a table, so that its role can be found; empty if it has none."""
    written = table.get("arn") if isinstance(table, dict) else None
    return f": {str(written)[:MAX_SHOWN]!r}" if written else ""


def _is_from_claim(value: object) -> bool:
    """Whether a table has the keys of `roles_from_claim`, under any name."""
    return isinstance(value, dict) and not value.keys().isdisjoint({"claim", "accounts"})


def _is_readable(table: object, from_claim: RolesFromClaim | None) -> bool:
    """Whether a table says to whom its role is offered."""
    try:
        read_allow(table, from_claim)
    except InvalidCatalogue:
        return False
    return True


def _has_delivery(table: object, delivery: Delivery | None) -> bool:
    """Whether a table says that its role is delivered in this way."""
    return isinstance(table, dict) and table.get("delivery") == delivery
