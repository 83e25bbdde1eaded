"""The lines of tables and keys in a TOML file, which `tomllib` does not report."""

from __future__ import annotations

import re
from collections.abc import Callable

# Strings and comments, in the order in which TOML recognizes them (TOML 1.0, "String", "Comment").
OPAQUE = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*",
    re.DOTALL,
)


def lines_of_tables(text: str, key: str) -> list[int]:
    """Return the line of each table in the top-level array `key`: ``[[key]]`` or an inline array.

    Args:
        text: valid TOML.
        key: the array's.
    """
    plain = OPAQUE.sub(_blank(key), text)
    headers = re.finditer(rf"^[^\S\n]*\[\[\s*{re.escape(key)}\s*\]\]", plain, re.MULTILINE)
    places = [header.end() for header in headers] or _places_inline(plain, key)
    lines, line, counted = [], 1, 0
    for place in places:  # in order, so that each line break is counted once
        line += plain.count("\n", counted, place)
        counted = place
        lines.append(line)
    return lines


def line_of_key(text: str, key: str) -> int | None:
    """Return the line where a top-level key or table begins; None if it is not found."""
    plain = OPAQUE.sub(_blank(key), text)
    found = re.search(rf"^[^\S\n]*(?:\[+\s*)?{re.escape(key)}\s*(?:[\].=])", plain, re.MULTILINE)
    return plain.count("\n", 0, found.end()) + 1 if found else None


def _blank(key: str) -> Callable[[re.Match[str]], str]:
    """Return a replacement for strings and comments: as many lines, without the syntax of TOML."""

    def blank(found: re.Match[str]) -> str:
        if found[0] in {f'"{key}"', f"'{key}'"}:
            return key  # keys may be quoted
        return "_" + "\n" * found[0].count("\n") if found[0][0] != "#" else ""

    return blank


def _places_inline(plain: str, key: str) -> list[int]:
    """Return the position of each item in ``key = [item, item]``."""
    begin = re.search(rf"^[^\S\n]*{re.escape(key)}\s*=\s*\[", plain, re.MULTILINE)
    if begin is None:
        return []
    places, depth, between = [], 1, True
    for place in range(begin.end(), len(plain)):
        sign = plain[place]
        if sign == "]" and depth == 1:
            break
        if between and not sign.isspace() and sign != ",":
            places.append(place)
            between = False
        depth += (sign in "[{") - (sign in "]}")
        between = between or (sign == "," and depth == 1)
    return places
