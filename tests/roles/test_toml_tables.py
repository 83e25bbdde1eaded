"""A roles file in parts has the same content as the whole, or is not split."""

from __future__ import annotations

import tomllib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.roles.toml_tables import CannotSplitError, split

ROLES = """request_url = "https://ask.example.com"

[[roles]]
arn = "a"
allow = [{ groups = ["b"] }]
[roles.extra_environment]
X = "1"

[roles_from_claim]
accounts = ["111122223333"]

[[roles]]   # the second
arn = "c"
[[roles.allow]]
users = ["d"]
"""
# Lines that are headers, or only look like headers.
LINES = (
    "[[roles]]", "  [[ roles ]]", "[[roles]] # one", "[['roles']]", '[["roles"]]', "[roles]", "roles = []",
    "[roles.x]", "[[roles.x]]", "[[roles . x]]", "[other]", "[[other]]", "[other.roles]", "[[rolesx]]", "[[roles]",
    "roles = [", "x = [", "[[1]],", "[1]]", "]", 'a = """', '"""', "b = '''", "'''", 'c = "[[roles]]"',
    "d = 1", "# [[roles]]", "e = '[[roles]]", "", "\t", "\r",
)  # fmt: skip


def in_parts(text):
    parts = split(text)
    document = parts.parsed_rest()
    tables = list(parts.parsed_tables())
    if tables:
        document["roles"] = [table for table, _ in tables]
    return document, [line for _, line in tables]


def whole(text):
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


@pytest.mark.parametrize("text", [ROLES, ROLES.replace("\n", "\r\n")], ids=["unix", "windows"])
def test_tables_are_parsed_one_by_one_with_their_lines(text):
    assert in_parts(text) == (tomllib.loads(text), [3, 12])


@given(st.lists(st.sampled_from(LINES), max_size=12).map("\n".join))
def test_parts_never_say_anything_else_than_the_whole(text):
    try:
        document, lines = in_parts(text)
    except CannotSplitError:
        return

    assert document == whole(text)
    assert all(line < later for line, later in pairwise(lines))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('[[roles]]\narn = """\n[[roles]]\n"""\n', id="a header in a string"),
        pytest.param('[["roles"]]\narn = "a"\n[[roles]]\narn = "b"\n', id="a quoted header"),
        pytest.param('roles = [{ arn = "a" }]\n', id="an inline array"),
        pytest.param('[[roles]]\narn = "a"\n[x]\n[[roles]]\narn = "b"\n[x]\n', id="a table twice"),
        pytest.param("[[roles]]\narn = \n", id="a value is missing"),
    ],
)
def test_what_is_written_in_another_way_is_parsed_as_a_whole(text):
    with pytest.raises(CannotSplitError):
        in_parts(text)
