"""The diagrams of docs/architecture.md: drawn from their text, up to date, and readable."""

from __future__ import annotations

import importlib.util
import re
import sys
import xml.etree.ElementTree as ET

import pytest

from tests.pages import ROOT

FOLDER = ROOT / "docs/diagrams"
SVG = "{http://www.w3.org/2000/svg}"
FOLDERS = (ROOT, ROOT / "jupyter_wb_aws")


def load():
    spec = importlib.util.spec_from_file_location("draw", FOLDER / "draw.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


draw = load()
COMMITTED = sorted(FOLDER.glob("*.svg"))


def ids(path):
    return path.stem


def test_none_is_stale():
    """`make diagrams` draws them again."""
    assert draw.draw_all() == {path: path.read_text("utf-8") for path in COMMITTED}


@pytest.mark.parametrize("package", ["jupyter_wb_aws", "jupyter_wb_aws.role_sessions"])
def test_the_picture_of_the_layers_is_that_of_the_import_contract(package):
    names = [name for row in draw.contract(package) for name in row]
    file = FOLDER / f"layers-{package.rpartition('.')[2]}.svg"
    svg = ET.fromstring(file.read_text("utf-8"))

    assert [t.text for t in svg.iter(f"{SVG}text") if t.get("class") == "name"] == names
    with pytest.raises(draw.BadDiagram, match=r"differ in: another\."):
        draw.draw_layers(package, {**dict.fromkeys(names, "Any."), "another": "Any."})


@pytest.mark.parametrize("path", COMMITTED, ids=ids)
def test_it_is_readable_in_light_and_dark_and_loads_nothing(path):
    text = path.read_text("utf-8")
    svg = ET.fromstring(text)

    assert "@media (prefers-color-scheme: dark)" in text
    assert not re.search(r"<script|<image|url\((?!#)|@import|href=", text)
    assert svg.find(f"{SVG}title").text
    assert svg.find(f"{SVG}desc").text
    # GitHub shows about 830 pixels: 13 px in a wider picture would be too small to read.
    assert float(svg.get("viewBox").split()[2]) <= 1250


@pytest.mark.parametrize("path", COMMITTED, ids=ids)
def test_nothing_is_drawn_outside_of_it(path):
    svg = ET.fromstring(path.read_text("utf-8"))
    _, _, wide, high = map(float, svg.get("viewBox").split())
    for text in svg.iter(f"{SVG}text"):
        x, y = float(text.get("x")), float(text.get("y"))
        length = draw.width(text.text, 11 if text.get("class").startswith("code") else 12)
        left = x - length / 2 if "middle" in text.get("class") else x
        assert left >= 0, text.text
        assert left + length <= wide, text.text
        assert 0 < y < high


@pytest.mark.parametrize("source", sorted(FOLDER.glob("*.mmd")), ids=ids)
def test_every_file_that_it_names_exists(source):
    named = re.findall(r"[\w-]+(?:/[\w-]+)*\.(?:py|toml|yaml)", source.read_text("utf-8"))
    assert named
    assert [n for n in named if not any((folder / n).exists() for folder in FOLDERS)] == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("participant A as a\nA->>B: hello", "No participant is called B"),
        ("participant A as a\nloop every minute", "This line is not understood: loop"),
    ],
    ids=["unknown-participant", "unknown-line"],
)
def test_a_line_that_it_cannot_draw_is_named(text, sentence):
    with pytest.raises(draw.BadDiagram, match=sentence):
        draw.parse(text)
