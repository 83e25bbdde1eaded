"""Parses what the hub service's roles file has more than a server's: what goes into the tokens that it signs.

A server's own roles file can't have these keys: the server passes on the tokens of others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from jupyter_wb_aws.roles.entry_parser import (
    MAX_SHOWN,
    InvalidCatalogue,
    nearest_key,
    read_text,
    read_texts,
    refuse_unknown,
    unknown_key,
)
from jupyter_wb_aws.roles.role import Role
from jupyter_wb_aws.roles.session_tags import SOURCE_IDENTITY_FORM, tag_problem
from jupyter_wb_aws.roles.token_content import USER, TagRule, TokenContent
from jupyter_wb_aws.roles.toml_line_numbers import line_of_key, lines_of_tables

# Of a role, and of the file.
ROLE_KEYS = {"audience", "tags", "source_identity"}
FILE_KEYS = {"tags", "transitive_tags", "source_identity"}
# Of a server's own roles file too.
OTHER_FILE_KEYS = {"request_url", "roles", "roles_from_claim"}
TAG_RULE_KEYS = {"tags", "groups", "users"}
# Characters. IAM's own limit on the client ids of an identity provider (botocore, iam service model).
MAX_AUDIENCE_LENGTH = 255
FIELD = re.compile(r"\{[^{}]*\}")

# Raises `InvalidCatalogue` if no token for the role could be signed, or none that AWS takes.
CheckToken = Callable[[Role], None]


def for_hub_service(key: str, where: str) -> str:
    """Return a clause that refuses a key in a server's own roles file.

    Args:
        key: one of the keys above.
        where: names its table.
    """
    return (
        f"`{key}` of {where} needs the hub service (`jupyter-wb-aws-hub`), which puts it into the tokens that it"
        " signs; a server passes on the tokens of others"
    )


def read_role_content(table: dict[str, Any], where: str, of_file: TokenContent) -> TokenContent:
    """Return what the tokens for one role say.

    Args:
        table: the role's entry.
        where: names the role in messages.
        of_file: what the file says for all roles.

    Raises:
        InvalidCatalogue: if a setting can't be used.
    """
    audience = read_text(table, "audience")
    if audience is not None and len(audience) > MAX_AUDIENCE_LENGTH:
        raise InvalidCatalogue(
            f"`audience` of {where} has more than the {MAX_AUDIENCE_LENGTH} characters that IAM allows"
        )
    return replace(
        of_file,
        audience=audience,
        tags=_tags(table["tags"], where) if "tags" in table else {},
        source_identity=_source_identity(table, where) or of_file.source_identity,
    )


def read_file_content(document: dict[str, Any], text: str) -> TokenContent:
    """Return what the file puts into the tokens for all roles.

    Args:
        document: the file.
        text: its text, to find the line of what is wrong.

    Raises:
        InvalidCatalogue: if a setting can't be used, or a key may be a misspelling of one; with the line.
    """
    key = ""
    try:
        for key in sorted(document):
            if is_misspelt(key, document[key]):
                raise InvalidCatalogue(unknown_key(key, FILE_KEYS | OTHER_FILE_KEYS, "the file"))
        key = "source_identity"
        source_identity = _source_identity(document, "the file")
        key = "transitive_tags"
        transitive = read_texts(document[key], f"`{key}`") if key in document else frozenset()
        key = "tags"
        rules = document.get(key, [])
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            raise InvalidCatalogue("`tags` of the file must be written as [[tags]] tables")
    except InvalidCatalogue as wrong:
        raise InvalidCatalogue(wrong.reason, line_of_key(text, key)) from None
    return TokenContent(
        tag_rules=_tag_rules(rules, text),
        transitive=frozenset(name.lower() for name in transitive),
        source_identity=source_identity,
    )


def is_misspelt(key: str, value: object) -> bool:
    """Whether a key of the file is most likely a misspelling of one of `FILE_KEYS`."""
    if key in FILE_KEYS | OTHER_FILE_KEYS:
        return False
    tables = value if isinstance(value, list) else []
    has_tags = any(
        isinstance(table, dict) and "tags" in table and "arn" not in table for table in tables
    )
    return has_tags or nearest_key(key, FILE_KEYS | OTHER_FILE_KEYS) in FILE_KEYS


def unused_transitive_tags(of_file: TokenContent, roles: Collection[Role]) -> str | None:
    """Return a clause that names a tag of `transitive_tags` that no token has; None if there is none."""
    every = [of_file, *(role.token_content for role in roles)]
    used = {key.lower() for content in every for key, _ in content.all_tags()}
    unused = sorted(of_file.transitive - used)
    if not unused:
        return None
    return f"`transitive_tags` names the tag {unused[0][:MAX_SHOWN]!r}, which no token has"


def _tag_rules(tables: list[dict[str, Any]], text: str) -> tuple[TagRule, ...]:
    lines: list[int] = lines_of_tables(text, "tags")
    known = lines if len(lines) == len(tables) else [None] * len(tables)
    rules = []
    for table, line in zip(tables, known, strict=True):
        try:
            rules.append(_tag_rule(table))
        except InvalidCatalogue as wrong:
            raise InvalidCatalogue(wrong.reason, line) from None
    return tuple(rules)


def _tag_rule(table: dict[str, Any]) -> TagRule:
    where = "a [[tags]] table"
    refuse_unknown(table, TAG_RULE_KEYS, where)
    users, groups = (
        read_texts(table[key], f"`{key}` of {where}") if key in table else frozenset()
        for key in ("users", "groups")
    )
    return TagRule(_tags(table.get("tags"), where), users, groups)


def _tags(value: object, where: str) -> Mapping[str, str]:
    if not isinstance(value, dict) or not value:
        raise InvalidCatalogue(f'{where} needs `tags` such as `tags = {{ Team = "analytics" }}`')
    for key, text in value.items():
        shown = f"the tag {key[:MAX_SHOWN]!r} of {where}"
        if not isinstance(text, str):
            raise InvalidCatalogue(f"{shown} must have a text as its value")
        if unknown := set(FIELD.findall(text)) - {USER}:
            raise InvalidCatalogue(
                f"{shown} has the unknown field {min(unknown)[:MAX_SHOWN]} (known: {USER})"
            )
        if problem := tag_problem(key, text.replace(USER, "user")):
            raise InvalidCatalogue(f"AWS does not accept {shown}: {problem}")
    if len({key.lower() for key in value}) < len(value):
        raise InvalidCatalogue(
            f"{where} has a tag twice: AWS makes no difference between upper and lower case"
        )
    return value


def _source_identity(table: dict[str, Any], where: str) -> str | None:
    text = read_text(table, "source_identity")
    if text is None:
        return None
    if text.count(USER) != 1:
        raise InvalidCatalogue(
            f"`source_identity` of {where} must have {USER} once: it says who the user is"
        )
    if not SOURCE_IDENTITY_FORM.fullmatch(text.replace(USER, "user")):
        raise InvalidCatalogue(
            f"AWS does not accept `source_identity` of {where}: it has 2 to 256 letters, digits and _+=,.@-"
        )
    return text
