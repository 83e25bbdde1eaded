"""Output for the user: plain text, without anything that could control a terminal."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TextIO

# The width of a notebook's cell, about.
WIDTH = 96
DEFAULT_LEGEND = "* default role: new notebooks, consoles and terminals get it"


def print_text(text: str = "", *, file: TextIO | None = None) -> None:
    """Print one or more lines."""
    print(plain(text), file=file or sys.stdout)


def plain(text: str) -> str:
    """Remove escapes from text that others wrote (labels, messages)."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def print_json(text: str) -> None:
    """Print the server's JSON unchanged, except that control characters are escaped.

    Outside of its strings, JSON has only printable characters, line breaks and tabs.
    """
    print(
        "".join(c if c.isprintable() or c in "\n\r\t" else _escaped(c) for c in text.rstrip("\n"))
    )


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; each column is as wide as its longest cell."""
    lines = [[one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print_text("  ".join(cells).rstrip())


def print_problem(problem: Mapping[str, Any], *, file: TextIO, indent: str = "") -> None:
    """Print what happened and why, what the user can do, and what an administrator needs.

    Args:
        problem: title, detail, hint and admin_hint, as in ``openapi.yaml``'s Problem.
        file: stdout or stderr.
        indent: what to put before each line.
    """
    title, detail = str(problem.get("title", "")), str(problem.get("detail", ""))
    # The detail says it in a sentence; the title would only repeat it.
    lines = [detail or title]
    lines.append(str(problem.get("hint") or ""))
    if problem.get("admin_hint"):
        lines += wrapped(f"For your administrator: {problem['admin_hint']}")
    for line in filter(None, lines):
        print_text(indent + line, file=file)


def print_wrapped(text: str) -> None:
    """Print a long line as several lines."""
    for line in wrapped(text):
        print_text(line)


def wrapped(text: str) -> list[str]:
    """Wrap a long line: a notebook's cell would break it within words."""
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def print_error(problem: Mapping[str, Any], text: str | None, *, as_json: bool) -> None:
    """Print why a command failed.

    Args:
        problem: the failure, as in ``openapi.yaml``'s Problem.
        text: the server's answer, byte for byte, if there was one.
        as_json: print JSON to stdout for programs instead of sentences to stderr.
    """
    if as_json:
        print_json(text or json.dumps(problem))
    else:
        print("jupyter wb-aws: ", end="", file=sys.stderr)
        print_problem(problem, file=sys.stderr)


def print_notices(notices: Sequence[Mapping[str, Any]]) -> None:
    """Print the notices of an answer."""
    for notice in notices:
        print_text(f"Note: {notice['message']}")


def format_time(text: str | None, now: datetime) -> str:
    """Format a time of the REST contract for people: ``16:05 (in 12 min)``, in their time zone."""
    if text is None:
        return "-"
    when = datetime.fromisoformat(text).astimezone()
    far = abs(when - now) > timedelta(hours=20)
    return f"{when:%Y-%m-%d %H:%M}" if far else f"{when:%H:%M} ({format_relative_time(when - now)})"


def format_relative_time(difference: timedelta) -> str:
    """Format how far away a time is: ``in 12 min``, ``3 min ago``."""
    seconds = round(abs(difference).total_seconds())
    if seconds < 60:
        words = f"{seconds} s"
    elif seconds < 3600:
        words = f"{seconds // 60} min"
    else:
        words = f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{words} ago" if difference < timedelta(0) else f"in {words}"


def one_line(text: str) -> str:
    """Put text that others wrote on one line, so that it can't look like a sentence of ours."""
    return " ".join(text.split())


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]
