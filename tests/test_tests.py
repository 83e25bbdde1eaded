"""Rules that the tests themselves follow."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
MODULES = {
    str(path.relative_to(TESTS)): ast.parse(path.read_text("utf-8"))
    for path in sorted(TESTS.rglob("*.py"))
    if "node_modules" not in path.parts
}


def imported_names(tree):
    """Yield the dotted name of everything that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)


def imported_test_modules(tree):
    return [
        name
        for name in imported_names(tree)
        if any(part.startswith("test_") for part in name.split("."))
    ]


def test_no_test_module_is_imported():
    """What two of them need is in a module of its own, beside them."""
    found = {path: imported_test_modules(tree) for path, tree in MODULES.items()}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "line",
    ["import tests.test_app", "from tests import test_app", "from tests.cli.test_env import names"],
)
def test_the_import_of_a_test_module_is_seen(line):
    assert imported_test_modules(ast.parse(line))
