"""Rules that the tests themselves follow."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.conftest import IDS
from tests.parameter_ids import MAX_LENGTH, readable_id

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


# --- Private names ----------------------------------------------------------------------------------

PRIVATE = re.compile(r"_[a-zA-Z]\w*")


def private_names(tree):
    """Yield the private names that a module reads or patches in what is not its own object."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and PRIVATE.fullmatch(node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}):
                yield node.attr
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {
            "setattr",
            "delattr",
        }:
            texts = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant)]
            names = [text.rpartition(".")[2] for text in texts if isinstance(text, str)]
            yield from (name for name in names if PRIVATE.fullmatch(name))


def test_private_names_are_used_only_where_there_is_no_public_way():
    lines = (TESTS / "private_names.txt").read_text("utf-8").splitlines()
    allowed = {tuple(line.split(" ", 2)[:2]) for line in lines if not line.startswith("#")}
    used = {(path, name) for path, tree in MODULES.items() for name in private_names(tree)}

    assert used - allowed == set(), "use a public way, or explain in tests/private_names.txt"
    assert allowed - used == set(), "no longer used: take it out of tests/private_names.txt"
    assert all(len(line.split(" ", 2)[2:]) == 1 for line in lines), "a reason is missing"


@pytest.mark.parametrize(
    "line",
    [
        "manager._files",
        "monkeypatch.setattr(module, '_TIMEOUT', 1)",
        "monkeypatch.setattr('a.module._TIMEOUT', 1)",
        "made()._session.proxies",
    ],
)
def test_the_use_of_a_private_name_is_seen(line):
    assert list(private_names(ast.parse(line)))


# --- The names of parametrised tests ---------------------------------------------------------------
# A value gets its name from parameter_ids.py or, better, from the test itself: `id=`, `ids=`.

MAX_ID = 180
UNREADABLE = re.compile(r"<lambda>|<function| at 0x[0-9a-f]{6}|\\[xu][0-9a-f]{2}|(^|-)b'")
NUMBERED = re.compile(r"(.*[^\d-])(\d+)", re.DOTALL)


def unreadable_ids(tests):
    """Return the ids that show no value, or only pytest's number of it."""
    found = []
    twins = defaultdict(set)
    for node_id, names in tests.items():
        test, _, parameters = node_id.removesuffix("]").partition("[")
        counted = re.search(rf"(^|-)({'|'.join(names) or '$.'})\d+(-|$)", parameters)
        if counted or UNREADABLE.search(parameters) or len(parameters) > MAX_ID:
            found.append(node_id)
        if number := NUMBERED.fullmatch(parameters):
            twins[f"{test}[{number[1]}"].add(number[2])
    return found + [f"{stem}0]" for stem, numbers in twins.items() if {"0", "1"} <= numbers]


def test_a_parametrised_test_is_named_by_its_values(request):
    assert unreadable_ids(request.config.stash[IDS]) == []


@pytest.mark.parametrize(
    "ids",
    [
        pytest.param(["claims0"], id="the number of a value"),
        pytest.param(["eu-claims17-no role"], id="among others"),
        pytest.param(["wb0", "wb1"], id="equal names"),
        pytest.param(["<lambda>"], id="a function without a name"),
        pytest.param(["<object object at 0x7ff446585780>"], id="an address"),
        pytest.param(["caf\\xe9"], id="an escape"),
        pytest.param(["b'x'"], id="bytes"),
        pytest.param(["9" * 400], id="400 digits"),
    ],
)
def test_an_unreadable_id_is_seen(ids):
    assert unreadable_ids({f"tests/test_x.py::test_y[{id_}]": ["claims"] for id_ in ids})


def test_readable_ids_are_taken():
    named = ("us-east-1", "us-east-0", "port-0", "port-1", "no region", "{aud=wb}", "s3", "claims")
    assert unreadable_ids({f"tests/test_x.py::test_y[{id_}]": ["claims"] for id_ in named}) == []


@pytest.mark.parametrize(
    ("value", "id_"),
    [
        pytest.param(None, "no claims", id="None"),
        pytest.param({"aud": ["wb"], "exp": None}, "{aud=[wb],exp=None}", id="a dict"),
        pytest.param(b"\xef\xbb\xbf\xff", "<U+FEFF>%FF", id="bytes"),
        pytest.param("a\x00b\n c", "a<U+0000>b c", id="a text of two lines"),
        pytest.param("\n", "<U+000A>", id="a newline"),
        pytest.param("", "empty claims", id="an empty text"),
        pytest.param(10**400, "1329 bits", id="a long number"),
        pytest.param(OSError("x"), "OSError", id="an exception"),
    ],
)
def test_a_value_is_named_in_short(value, id_):
    assert readable_id(value, "claims") == id_


def test_long_values_of_the_same_beginning_have_names_of_their_own():
    one, other = (readable_id("x" * 500 + end, "text") for end in "ab")
    assert one != other
    assert max(len(one), len(other)) <= MAX_LENGTH
