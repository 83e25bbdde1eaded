"""Modules and constructors that stay small enough to be read, and no circle of imports; `lint-imports` holds the layers."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

import jupyter_wb_aws

PACKAGE = Path(jupyter_wb_aws.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if PACKAGE / "demo" not in path.parents)
EVERY_MODULE = {
    ".".join(("jupyter_wb_aws", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in PACKAGE.rglob("*.py")
}
# Jupyter Server and IPython call the first two, no code of ours does. The third is for the type alone: the wiring
# reads the traits.
FROM_BELOW = {
    ("jupyter_wb_aws", "jupyter_wb_aws.app"),
    ("jupyter_wb_aws", "jupyter_wb_aws.cli.magic"),
    ("jupyter_wb_aws.wiring", "jupyter_wb_aws.app"),
}
MAX_ARGUMENTS = 9
MAX_LINES, MAX_LINES_OF_ROLE_SESSIONS = 400, 350


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def constructors(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            arguments = node.args
            yield node.lineno, [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs][1:]


def imported_by(module):
    """Yield what a module imports of the package: at its top, in its functions, and for types alone."""
    for node in ast.walk(ast.parse(EVERY_MODULE[module].read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [part if part in EVERY_MODULE else node.module for part in parts]
        for name in names:
            if name in EVERY_MODULE and (module, name) not in FROM_BELOW:
                yield name


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


def imported_at_once(path):
    """Yield the modules that are imported together with one: at its top, not in functions or for types alone."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_a_site_without_an_endpoint_role_imports_nothing_of_the_endpoint():
    outside = [path for path in MODULES if path.parent != PACKAGE / "endpoint"]
    found = {
        name_of(p): [m for m in imported_at_once(p) if m.startswith("jupyter_wb_aws.endpoint")]
        for p in outside
    }

    assert len(outside) > 100
    assert {name: modules for name, modules in found.items() if modules} == {}


def test_no_modules_import_each_other_in_a_circle():
    graph = {module: set(imported_by(module)) for module in EVERY_MODULE}

    assert any(graph.values())
    graphlib.TopologicalSorter(graph).prepare()  # CycleError names the modules of a circle


@pytest.mark.parametrize(("module", "imported"), sorted(FROM_BELOW))
def test_each_import_from_below_is_still_there(module, imported):
    assert f"from {imported} import" in EVERY_MODULE[module].read_text()
