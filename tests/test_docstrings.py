"""Public functions say what they take and raise."""

from __future__ import annotations

import ast
from pathlib import Path

import jupyter_wb_aws

PACKAGE = Path(jupyter_wb_aws.__file__).parent
MIN_PARAMETERS = 3  # from here on, names alone do not explain a call
# Overrides of tornado's and Jupyter's methods, whose own documentation says what they take.
OVERRIDES = {"write_error", "prepare", "initialize"}


def public_functions():
    for path in sorted(PACKAGE.rglob("*.py")):
        parents = [ast.parse(path.read_text())]
        while parents:
            for node in parents.pop().body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    parents.append(node)
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not (
                    node.name.startswith("_") or node.name in OVERRIDES
                ):
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}", node


def parameters(function):
    names = [
        p.arg for p in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    ]
    return [name for name in names if name not in ("self", "cls")]


def raises_itself(function):
    """Return whether a `raise` of its own leaves the function; one in a `try` may be caught there."""
    left = list(function.body)
    while left:
        node = left.pop()
        if isinstance(node, ast.Raise) and node.exc is not None:
            return True
        if isinstance(node, ast.Try):
            left.extend([*node.handlers, *node.orelse, *node.finalbody])
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            left.extend(ast.iter_child_nodes(node))
    return False


def test_a_function_with_three_or_more_parameters_says_what_they_are():
    lacking = [
        name for name, node in public_functions()
        if len(parameters(node)) >= MIN_PARAMETERS and "Args:" not in (ast.get_docstring(node) or "")
    ]  # fmt: skip
    assert lacking == []


def test_a_function_that_raises_says_what():
    lacking = [
        name for name, node in public_functions()
        if raises_itself(node) and "Raises:" not in (ast.get_docstring(node) or "")
    ]  # fmt: skip
    assert lacking == []
