"""The wheel: what is in it; installed it enables the extensions, uninstalled it leaves nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.distribution import LABEXTENSION, ROOT, UV

# Take the JupyterLab extension as `make` has built it. A build would empty `labextension/dist` for a moment, and
# pages that browser tests open at that moment would lack the extension. `tests/test_release.py` builds from a copy.
AS_BUILT = {**os.environ, "HATCH_JUPYTER_BUILDER_SKIP_NPM": "1"}


def run(*command):
    subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=AS_BUILT, check=True, capture_output=True
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (built,) = folder.glob("*.whl")
    return built


def in_labextension(wheel):
    """Return what the wheel has of the JupyterLab extension, by its path there."""
    archive = ZipFile(wheel)
    return {
        name.partition(f".data/data/{LABEXTENSION}/")[2]: archive.read(name)
        for name in archive.namelist()
        if LABEXTENSION in name
    }


def test_everything_that_is_needed_at_run_time_is_in_the_wheel(wheel):
    names = ZipFile(wheel).namelist()

    for needed in (
        "jupyter_wb_aws/handlers/openapi.yaml",
        "jupyter_wb_aws/events/session_started.yaml",
        "jupyter_wb_aws/demo/notebooks/aws-in-a-notebook.ipynb",
        "jupyter_wb_aws/demo/notebooks/parquet-with-pandas.ipynb",
        "jupyter_wb_aws/py.typed",
    ):
        assert needed in names
    assert not [name for name in names if name.startswith(("tests/", "labextension/"))]


def test_the_wheel_has_the_built_jupyterlab_extension(wheel):
    files = in_labextension(wheel)
    package = json.loads(files["package.json"])

    assert f"static/{Path(package['jupyterlab']['_build']['load']).name}" in files
    assert package["jupyterlab"]["_build"]["style"] == "./style"
    assert json.loads(files["install.json"])["packageName"] == "jupyter_wb_aws"
    schemas = {path.name for path in ROOT.glob("labextension/schema/*.json")}
    assert schemas <= {Path(name).name for name in files if name.startswith("schemas/")}


def test_the_jupyterlab_extension_is_of_one_build_and_reveals_nothing_of_the_machine(wheel):
    files = in_labextension(wheel)

    assert len([name for name in files if "remoteEntry" in name]) == 1
    assert not [name for name in files if "node_modules" in name or name.endswith((".map", ".ts"))]
    revealing = re.compile(re.escape(str(ROOT)).encode() + rb"|file:///|/home/|/tmp/")
    assert not [name for name, content in files.items() if revealing.search(content)]


def test_it_enables_the_extensions_and_leaves_nothing_behind(wheel, tmp_path):
    venv = tmp_path / "venv"
    run(UV, "venv", "--python", sys.executable, venv)
    before = set(venv.rglob("*"))

    run(UV, "pip", "install", "--python", venv / "bin/python", "--offline", "--no-deps", wheel)
    assert (venv / "etc/jupyter/jupyter_server_config.d/jupyter_wb_aws.json").exists()
    assert (venv / LABEXTENSION / "package.json").exists()
    assert (venv / "bin/jupyter-wb-aws").exists()

    run(UV, "pip", "uninstall", "--python", venv / "bin/python", "jupyter_wb_aws")
    left = [
        path for path in set(venv.rglob("*")) - before if path.is_file() and path.name != ".lock"
    ]
    assert left == []
