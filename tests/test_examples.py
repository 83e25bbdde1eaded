"""The example of an image, docs/examples: Docker does not run here, so what the files name is looked up."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from traitlets.config import PyFileConfigLoader

from jupyter_wb_aws.app import WbAwsApp
from jupyter_wb_aws.identity.oidc_source import OidcTokenSource
from jupyter_wb_aws.roles.catalogue_parser import parse
from tests.conftest import NOON
from tests.pages import ROOT

FOLDER = ROOT / "docs/examples"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIRED = {canonicalize_name(r.name): r for r in map(Requirement, PROJECT["dependencies"])}
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in DOCKERFILE.replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
]


def arguments(instruction):
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def test_the_dockerfile_is_valid():
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), "--no-color", FOLDER / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_its_images_have_a_python_that_is_supported():
    pythons = re.findall(r"\bpython:(3\.\d+)-", DOCKERFILE)
    assert len(pythons) == 2
    for version in pythons:
        assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def test_what_it_copies_exists_and_goes_where_the_settings_expect_it():
    for copied in arguments("COPY"):
        *sources, target = [word for word in copied.split() if not word.startswith("--from=")]
        if "--from=" not in copied:
            assert all((ROOT / source).exists() for source in sources)
        if target == "/etc/jupyter/":
            copies = {f"{target}{Path(source).name}" for source in sources}
    assert config()["WbAwsApp"]["roles_file"] in copies
    assert "/etc/jupyter/jupyter_server_config.py" in copies


def test_what_it_installs_is_what_the_project_supports():
    (install,) = (run for run in arguments("RUN") if run.startswith("pip install"))
    installed = {r.name: r for r in map(Requirement, re.findall(r'"([^"]+)"', install))}
    supported = {
        r.name: r
        for extra in PROJECT["optional-dependencies"].values()
        for r in map(Requirement, extra)
    }

    assert set(installed) == {"jupyterhub", "jupyterlab"}
    assert installed["jupyterlab"].specifier == supported["jupyterlab"].specifier
    assert arguments("CMD") == ['["jupyterhub-singleuser", "--ip=0.0.0.0"]']


def config():
    loader = PyFileConfigLoader("jupyter_server_config.py", path=str(FOLDER))
    return loader.load_config()


def test_its_settings_exist_and_lack_nothing():
    settings = config()
    known = {"WbAwsApp": WbAwsApp, "OidcTokenSource": OidcTokenSource}

    for name, section in settings.items():
        assert set(section) <= set(known[name].class_traits(config=True))
        assert {key: getattr(known[name](config=settings), key) for key in section} == section
    assert OidcTokenSource(config=settings).missing_setting() is None


def test_its_roles_file_offers_a_role():
    (arn,) = parse((FOLDER / "aws-roles.toml").read_text(), NOON).entries
    assert arn.name == "analyst"


def test_the_conda_environment_has_every_dependency_of_the_wheel():
    listed = yaml.safe_load((FOLDER / "environment.yml").read_text())["dependencies"]
    environment = {canonicalize_name(r.name): r.specifier for r in map(Requirement, listed)}

    assert environment.pop("python") == SpecifierSet(PROJECT["requires-python"])
    assert environment.pop("pip") == SpecifierSet()
    assert environment == {name: r.specifier for name, r in REQUIRED.items()}


def test_the_page_says_of_every_dependency_whether_conda_forge_has_it():
    page = (ROOT / "docs/administration.md").read_text()
    table = page.partition("| run-time dependency |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines()[2:]]
    listed = [canonicalize_name(name) for row in rows for name in re.findall(r"`([\w-]+)`", row)]

    assert sorted(listed) == sorted(REQUIRED)
