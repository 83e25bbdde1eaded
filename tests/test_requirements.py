"""The versions that we promise to work with are the versions that are tested."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_oldest_versions_that_are_promised_are_those_that_are_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = (ROOT / "requirements" / "oldest.in").read_text().splitlines()
    tested = dict(line.split("==") for line in pinned if "==" in line)
    promised = dict(line.split(">=") for line in project["dependencies"])
    assert {name: _parts(version) for name, version in tested.items()} == {
        name: _parts(version) for name, version in promised.items()
    }


def test_the_oldest_jupyterhub_that_is_promised_is_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = dict(line.split(">=") for line in project["optional-dependencies"]["hub"])
    pinned = (ROOT / "requirements" / "hub-5.in").read_text().splitlines()
    (tested,) = (line.split("==")[1] for line in pinned if line.startswith("jupyterhub=="))
    assert _parts(tested) == _parts(promised["jupyterhub"])


def _parts(version):
    return [int(part) for part in re.sub(r"(\.0)+$", "", version).split(".")]
