"""The documentation's site: it builds without a warning and without the internet, and its reference is whole."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from jupyter_wb_aws.app import configurable_classes
from jupyter_wb_aws.cli.main import COMMANDS
from jupyter_wb_aws.events import NAMES, schema_id
from jupyter_wb_aws.hub.app import HubServiceApp

ROOT = Path(__file__).parent.parent
CONTRACT = yaml.safe_load((ROOT / "jupyter_wb_aws/handlers/openapi.yaml").read_text())
HUB_CONTRACT = ROOT / "jupyter_wb_aws/hub/openapi.yaml"
OFFLINE = """
import socket, sys
def nowhere(*_): raise OSError("The site's build asked for the network.")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = nowhere
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-c", OFFLINE, "-q", "-W", "--keep-going", "-d", folder / "trees", ROOT / "docs", folder / "html"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return folder / "html"


@pytest.fixture
def text(site):
    """Gives a page's text, without its tags."""
    return lambda page: html.unescape(re.sub(r"<[^>]+>", "", (site / f"{page}.html").read_text()))


def plain(text):
    """Drop what a page sets otherwise than the code has it: quotes, backticks, ends of lines."""
    return " ".join(re.sub("[`\"'\u2018\u2019\u201c\u201d]", "", text.replace("…", "...")).split())


def test_every_page_is_in_the_site_and_nothing_else(site):
    pages = {
        path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")
    }
    built = {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")}
    built = {page for page in built if page.parts[0] != "_static"}  # the theme's own
    assert built - pages == {Path("genindex"), Path("search")}
    assert pages <= built


def test_a_reader_of_the_site_loads_nothing_from_elsewhere(site):
    loads = re.compile(r"<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)=\"(?:https?:)?//[^\"]*\"")
    assert not [
        (path.name, found)
        for path in site.rglob("*.html")
        for found in loads.findall(path.read_text())
    ]


def test_every_setting_is_in_the_reference_with_its_documentation(text):
    shown = plain(text("reference/settings"))
    for configurable in configurable_classes():
        for name, trait in configurable.class_own_traits(config=True).items():
            if trait.this_class is configurable:
                assert f"{configurable.__name__}.{name}" in shown
                assert trait.help
                assert plain(trait.help) in shown
    assert "TokenSource.groups_claim" in shown


def test_every_call_is_in_the_reference(text):
    shown = text("reference/rest")
    for path, item in CONTRACT["paths"].items():
        for method in item.keys() - {"parameters"}:
            assert f"{method.upper()} {path}" in shown
    for schema in CONTRACT["components"]["schemas"]:
        assert schema in shown


def test_every_command_of_the_hub_service_is_in_the_reference(text):
    shown = text("reference/hub-service")
    assert all(f"jupyter-wb-aws-hub {name}" in shown for name in HubServiceApp.subcommands)
    assert "--compromised" in shown


def test_every_setting_call_and_error_code_of_the_hub_service_is_in_the_reference(text):
    shown, contract = plain(text("reference/hub-service")), yaml.safe_load(HUB_CONTRACT.read_text())
    for name, trait in HubServiceApp.class_own_traits(config=True).items():
        if trait.this_class is HubServiceApp:
            assert f"HubServiceApp.{name}" in shown
            assert plain(trait.help) in shown
    for path, item in contract["paths"].items():
        assert all(f"{method.upper()} {path}" in shown for method in item)
    assert all(code in shown for code in contract["x-codes"])
    assert all(schema in shown for schema in contract["components"]["schemas"])


def test_every_command_error_code_and_event_is_in_the_reference(text):
    command_line = text("reference/command-line")
    assert all(f"usage: jupyter wb-aws {name}" in command_line for name in COMMANDS)
    error_codes = text("reference/error-codes")
    assert all(code in error_codes for code in CONTRACT["x-codes"])
    events = text("reference/events")
    assert all(schema_id(name) in events for name in NAMES)


@pytest.mark.parametrize("picture", [*(ROOT / "docs/pictures").glob("*.svg")], ids=lambda p: p.name)
def test_a_drawing_says_what_it_shows_and_loads_nothing(picture):
    drawing = ET.parse(picture).getroot()
    said = [child.text for child in drawing if child.tag.endswith(("title", "desc"))]
    assert len(said) == 2
    assert "prefers-color-scheme: dark" in picture.read_text()
    assert not re.search(r"(href|src|url\()=?[\"']?https?:", picture.read_text())
