"""Splits a roles file into its `[[roles]]` tables, so that it can be parsed in small steps.

`tomllib` parses a text in one step. With thousands of roles, the objects it makes would live so long that
Python's garbage collector looks at all objects of the server meanwhile, and nothing else runs for 80 ms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jupyter_wb_aws.pacing import paced

# The line of a header, up to the first part of its key.
HEADER = re.compile(r"^[^\S\n]*(\[\[?)[^\S\n]*([A-Za-z0-9_-]+)[^\S\n]*(\]\])?", re.MULTILINE)


class CannotSplitError(Exception):
    """The text must be parsed as a whole: it is written in another way, or is not TOML."""


@dataclass(frozen=True, slots=True)
class SplitFile:
    """A TOML file in parts: `rest` is all but the tables, `tables` is each table's text with its line.

    A part begins where a line looks like a header. If that line is within a string or a list, the part before
    it is not TOML, so parsing shows whether the file was split in the right places.
    """

    rest: str
    tables: tuple[tuple[int, str], ...]

    def parsed_rest(self) -> dict[str, Any]:
        """Return the content of all but the tables.

        Raises:
            CannotSplitError: if it is not TOML, or has roles.
        """
        document = _parsed(self.rest)
        if "roles" in document:
            raise CannotSplitError
        return document

    def parsed_tables(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield the content of each table, with its line.

        Raises:
            CannotSplitError: if one is not TOML, or has anything else than one role.
        """
        for line, text in paced(self.tables):
            document = _parsed(text)
            if document.keys() != {"roles"} or len(document["roles"]) != 1:
                raise CannotSplitError
            yield document["roles"][0], line


def split(text: str) -> SplitFile:
    """Split the text of a roles file."""
    rest, tables = [], []
    begin, line, table_line = 0, 1, 0
    for is_table, place in [*_places(text), (False, len(text))]:
        part = text[begin:place]
        if table_line:
            tables.append((table_line, part))
        else:
            rest.append(part)
        line += part.count("\n")
        begin, table_line = place, line if is_table else 0
    return SplitFile("".join(rest), tuple(tables))


def _places(text: str) -> Iterator[tuple[bool, int]]:
    """Yield where each part but the first begins, and whether it is a role's table."""
    for header in paced(HEADER.finditer(text)):
        opening, key, closing = header.groups()
        is_table = opening == "[[" and key == "roles" and closing is not None
        if is_table or key != "roles":  # else a table within the role's
            yield is_table, header.start()


def _parsed(text: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        raise CannotSplitError from None
