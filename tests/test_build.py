"""Built from a checkout on a machine that has no Node, and used on one that has none either."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from zipfile import ZipFile

import pytest

from tests.distribution import LABEXTENSION, ROOT, UV
from tests.peers.ports import free_ports

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

NODE = ("node", "npm", "npx", "yarn", "yarnpkg", "corepack", "jlpm", "pnpm")


@pytest.fixture(scope="module")
def nodeless(tmp_path_factory):
    """The environment of a machine without Node."""
    programs = tmp_path_factory.mktemp("bin")
    for name in ("sh", "env", "uname", "dirname", "basename", "sed"):  # npm's scripts need these
        (programs / name).symlink_to(shutil.which(name))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "VIRTUAL_ENV"))}
    environment = {**kept, "PATH": str(programs)}
    assert not [name for name in NODE if shutil.which(name, path=environment["PATH"])]
    return environment


def run(*command, cwd, env):
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """This checkout as git has it: nothing built, no `node_modules`."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def built(checkout, nodeless, tmp_path_factory):
    """A folder with the sdist and the wheel, built in an environment that pip's like isolates."""
    folder = tmp_path_factory.mktemp("dist")
    for kind in ("--wheel", "--sdist"):
        build = (sys.executable, "-m", "build", "--installer", "uv", kind, "-o", folder)
        run(*build, ".", cwd=checkout, env=nodeless)
    return folder


@pytest.fixture(scope="module")
def venv(built, nodeless, tmp_path_factory):
    """A fresh environment with the wheel, JupyterLab and Notebook."""
    venv = tmp_path_factory.mktemp("fresh") / "venv"
    (wheel,) = built.glob("*.whl")
    run(UV, "venv", "--python", sys.executable, venv, cwd=venv.parent, env=nodeless)
    install = (UV, "pip", "install", "--python", venv / "bin/python")
    run(*install, wheel, "jupyterlab", "notebook", cwd=venv.parent, env=nodeless)
    return venv


def content(wheel):
    return {
        name: ZipFile(wheel).read(name)
        for name in ZipFile(wheel).namelist()
        if LABEXTENSION in name
    }


def test_the_wheel_of_a_machine_without_node_has_the_jupyterlab_extension(built):
    (wheel,) = built.glob("*.whl")

    names = [name.partition(LABEXTENSION)[2] for name in content(wheel)]
    assert [name for name in names if name.startswith("/static/remoteEntry.")]
    assert "/install.json" in names


def test_the_sdist_is_small_and_makes_the_same_wheel_with_nothing_from_npm(
    built, nodeless, tmp_path
):
    (sdist,) = built.glob("*.tar.gz")
    (wheel,) = built.glob("*.whl")
    assert sdist.stat().st_size < 1_500_000

    shutil.unpack_archive(sdist, tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    env = {**nodeless, "npm_config_registry": "http://127.0.0.1:9", "YARN_ENABLE_NETWORK": "0"}
    build = (sys.executable, "-m", "build", "--installer", "uv", "--wheel", "-o", tmp_path / "dist")
    run(*build, ".", cwd=source, env=env)

    (again,) = (tmp_path / "dist").glob("*.whl")
    assert not (source / "labextension/node_modules").exists()
    assert content(again) == content(wheel)


def test_jupyter_lists_it_as_enabled(venv, nodeless, tmp_path):
    env = {**nodeless, "HOME": str(tmp_path)}
    lab = run(venv / "bin/jupyter", "labextension", "list", cwd=tmp_path, env=env)
    server = run(venv / "bin/jupyter", "server", "extension", "list", cwd=tmp_path, env=env)

    (line,) = (line for line in lab.splitlines() if "jupyterlab-wb-aws" in line)
    assert re.search(r"enabled.*OK.*python, jupyter_wb_aws", line), line
    assert re.search(r"jupyter_wb_aws.*enabled", server), server


def test_jupyterlab_and_notebook_load_it(venv, nodeless, tmp_path):
    (port,) = free_ports(1)
    env = {**nodeless, "HOME": str(tmp_path)}
    command = [
        *(venv / "bin/jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *(f"--port={port}", "--IdentityProvider.token=", "--ServerApp.password="),
    ]
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            next(line for line in process.stderr if "is running at" in line)
            until_it_listens(port)  # jupyter_server says so before it does
            for page in ("lab", "tree"):
                ours = federated(f"http://127.0.0.1:{port}/{page}")
                entry = f"http://127.0.0.1:{port}/lab/extensions/jupyterlab-wb-aws/{ours['load']}"
                assert b"jupyterlab-wb-aws" in get(entry)
        finally:
            process.terminate()
            process.communicate(timeout=30)


def until_it_listens(port):
    with socket.socket() as probe:
        deadline = time.monotonic() + 30
        while probe.connect_ex(("127.0.0.1", port)) != 0 and time.monotonic() < deadline:
            time.sleep(0.05)


def federated(url):
    """Return what a page of JupyterLab or Notebook says of our extension."""
    config = re.search(rb'id="jupyter-config-data"[^>]*>(.*?)</script>', get(url), re.DOTALL)[1]
    (ours,) = (
        extension
        for extension in json.loads(config)["federated_extensions"]
        if extension["name"] == "jupyterlab-wb-aws"
    )
    return ours


def get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as answer:
        return answer.read()
