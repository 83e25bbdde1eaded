"""Modules and constructors that stay small enough to be read; `lint-imports` holds who imports whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import jupyter_wb_aws

PACKAGE = Path(jupyter_wb_aws.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if PACKAGE / "demo" not in path.parents)
MAX_ARGUMENTS = 9
MAX_LINES, MAX_LINES_OF_ROLE_SESSIONS = 400, 350


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def constructors(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            arguments = node.args
            yield node.lineno, [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs][1:]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_short_enough_to_be_read_at_once(path):
    of_role_sessions = path.parent == PACKAGE / "role_sessions"
    limit = MAX_LINES_OF_ROLE_SESSIONS if of_role_sessions else MAX_LINES

    assert len(path.read_text().splitlines()) <= limit


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_constructor_takes_few_arguments(path):
    """Values apart: a dataclass writes its constructor itself."""
    for line, arguments in constructors(path):
        assert len(arguments) <= MAX_ARGUMENTS, f"line {line}"
