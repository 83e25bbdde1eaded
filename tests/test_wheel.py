"""The wheel: installed it enables the extension, uninstalled it leaves nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).with_name("uv")


def run(*command):
    subprocess.run([str(part) for part in command], cwd=ROOT, check=True, capture_output=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (built,) = folder.glob("*.whl")
    return built


def test_everything_that_is_needed_at_run_time_is_in_the_wheel(wheel):
    names = ZipFile(wheel).namelist()

    for needed in (
        "jupyter_wb_aws/handlers/openapi.yaml",
        "jupyter_wb_aws/events/session_started.yaml",
        "jupyter_wb_aws/demo/notebooks/aws-in-a-notebook.ipynb",
        "jupyter_wb_aws/py.typed",
    ):
        assert needed in names
    assert not [name for name in names if name.startswith("tests/")]


def test_it_enables_the_extension_and_leaves_nothing_behind(wheel, tmp_path):
    venv = tmp_path / "venv"
    run(UV, "venv", "--python", sys.executable, venv)
    before = set(venv.rglob("*"))

    run(UV, "pip", "install", "--python", venv / "bin/python", "--offline", "--no-deps", wheel)
    assert (venv / "etc/jupyter/jupyter_server_config.d/jupyter_wb_aws.json").exists()
    assert (venv / "bin/jupyter-wb-aws").exists()

    run(UV, "pip", "uninstall", "--python", venv / "bin/python", "jupyter_wb_aws")
    left = [
        path for path in set(venv.rglob("*")) - before if path.is_file() and path.name != ".lock"
    ]
    assert left == []
