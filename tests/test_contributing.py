"""What CONTRIBUTING.md, SECURITY.md and docs/architecture.md say to contributors is true."""

from __future__ import annotations

import re
import shlex
import tomllib

import pytest

from tests.pages import ROOT, blocks

PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "docs/architecture.md"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# `path` or `path/`, and `Name` in `path`.
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)*(?:\.(?:py|md|toml|ts|tsx|yaml|yml|json|mmd)|/))`")
NAME = re.compile(r"`(\w+)(?:\(\))?`\s+in\s+`([\w./-]+)`")
FOLDERS = (ROOT, ROOT / "jupyter_wb_aws", ROOT / ".github/workflows")


def text(page):
    return page.read_text("utf-8")


def found(path):
    """Return a path that a page names from the repository's folder or the package's."""
    return next((folder / path for folder in FOLDERS if (folder / path).exists()), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_and_folder_that_is_named_exists(page):
    assert [path for path in PATH.findall(text(page)) if found(path) is None] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_said_to_be_in_a_file_is_in_it(page):
    missing = [
        (name, path)
        for name, path in NAME.findall(text(page))
        if not re.search(rf"\b{name}\b", text(found(path)))
    ]
    assert missing == []


def test_the_commands_of_a_contributor_exist():
    commands = [
        line.removeprefix("$ ")
        for block in blocks("console")
        if block.page == "CONTRIBUTING.md"
        for line in block.text.splitlines()
    ]
    installed = re.findall(r"^([\w-]+)==", text(ROOT / "requirements/dev.txt"), re.MULTILINE)
    for command in commands:
        match shlex.split(command.strip("()").replace("&& PATH=$PWD/../.venv/bin:$PATH ", "")):
            case ["make", _]:
                pass  # tests/test_docs.py
            case [".venv/bin/python", "-m", "pytest", tests, *_]:
                assert (ROOT / tests).exists()
            case [".venv/bin/pre-commit", "install"]:
                assert "pre-commit" in installed
            case ["cd", folder, "jlpm", "jest", tests]:
                assert list((ROOT / folder / tests).glob("*.spec.*"))
            case other:
                pytest.fail(f"Nothing checks this command: {other}")


def test_the_supported_versions_are_those_of_the_metadata():
    page = text(PAGES[0])
    pythons = [
        line.rpartition(" :: ")[2]
        for line in PROJECT["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
    ]
    named = f"{', '.join(pythons[:-1])} and {pythons[-1]}"
    lab, notebook = (
        re.search(rf'"{name}>=([\d.]+)"', text(ROOT / "pyproject.toml"))[1]
        for name in ("jupyterlab", "notebook")
    )

    assert f"| Python | {pythons[0]} to {pythons[-1]}; " in page
    assert f"on Linux with Python {named}." in page
    assert f"JupyterLab {lab} and Notebook {notebook} to the newest release" in page


def test_a_vulnerability_is_reported_to_nobody_who_was_made_up():
    assert not re.search(r"[\w.+-]+@[\w-]+\.\w+", text(ROOT / "SECURITY.md"))


def test_every_layer_has_a_place_in_the_architecture():
    layers = tomllib.loads(text(ROOT / "docs/diagrams/layers.toml"))["jupyter_wb_aws"]
    packages = {path.parent.name for path in (ROOT / "jupyter_wb_aws").glob("*/__init__.py")}

    assert packages - set(layers) == {"demo"}
    for package in packages - {"demo"}:
        assert f"`{package}/" in text(PAGES[2]), package
