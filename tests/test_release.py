"""What a release is: built without Node, checked, installed without Node, and a role started with it.

`make release-check` runs this with the Pythons it is given, and leaves what was built in dist/.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import tomllib
import urllib.request
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

import jupyter_wb_aws
from jupyter_wb_aws.demo.identity_provider import IdentityProvider
from jupyter_wb_aws.demo.local_aws import LocalAws
from jupyter_wb_aws.demo.names import role_arn
from jupyter_wb_aws.demo.site import as_json, roles_file, server_config
from tests.distribution import LABEXTENSION, ROOT, UV
from tests.peers.ports import free_ports
from tests.running_server import RunningServer

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

PINNED = {"UV_CONSTRAINT": str(ROOT / "requirements/dev.txt")}
# The interpreters that the wheel is installed for.
PYTHONS = os.environ.get("WB_AWS_PYTHONS", sys.executable).split()
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
    """A folder with the sdist and the wheel, built in an isolated environment of pinned versions."""
    folder = Path(os.environ.get("WB_AWS_DIST") or tmp_path_factory.mktemp("dist"))
    assert not list(folder.glob("*")), f"{folder} is not empty"
    for kind in ("--wheel", "--sdist"):
        build = (sys.executable, "-m", "build", "--installer", "uv", kind, "-o", folder)
        run(*build, ".", cwd=checkout, env={**nodeless, **PINNED})
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
    assert sdist.stat().st_size < 2_000_000

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


# --- What is in it -------------------------------------------------------------------------

IN_THE_SDIST = {
    *(
        ".gitignore",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "SECURITY.md",
        "Makefile",
        "PKG-INFO",
        "README.md",
    ),
    *("benchmarks", "docs", "jupyter-config", "jupyter_wb_aws", "labextension", "pyproject.toml"),
    "tests",
}
NEVER = re.compile(r"node_modules|\.venv|\.demo|\.env$|\.pem$|\.key$|__pycache__|\.pyc$|\.map$")
SECRET = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/]{20}|gh[ps]_[A-Za-z0-9]{36}|//[^/\s:@]+:_authToken="
    rb"|pypi-AgE[A-Za-z0-9_-]{20}"
)


def in_sdist(sdist):
    """Return what the sdist has, by its path below the top folder."""
    with tarfile.open(sdist) as archive:
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read()
            for member in archive.getmembers()
            if member.isfile()
        }


@pytest.fixture(scope="module")
def files(built):
    """What both have, by archive and path."""
    (sdist,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
    archive = ZipFile(wheel)
    of_wheel = {("wheel", name): archive.read(name) for name in archive.namelist()}
    return of_wheel | {("sdist", name): content for name, content in in_sdist(sdist).items()}


def test_the_sdist_has_the_source_and_nothing_else(files):
    assert {name.partition("/")[0] for kind, name in files if kind == "sdist"} == IN_THE_SDIST


def test_the_wheel_has_the_package_its_metadata_and_what_jupyter_reads(files):
    assert {
        name.partition("/")[0].partition("-")[0] for kind, name in files if kind == "wheel"
    } == {"jupyter_wb_aws"}
    data = {
        name.partition(".data/data/")[2].partition("/jupyter")[0]
        for kind, name in files
        if kind == "wheel" and ".data/" in name
    }
    assert data == {"etc", "share"}


def test_neither_has_what_belongs_to_a_machine_or_is_secret(files, checkout):
    assert not [name for name in files if NEVER.search(name[1])]
    here = {str(folder).encode() for folder in (ROOT, checkout, Path.home()) if folder != Path("/")}
    assert not [
        name
        for name, content in files.items()
        if SECRET.search(content) or any(folder + b"/" in content for folder in here)
    ]


def test_neither_names_the_registry_that_it_was_built_from(files):
    configured = run(sys.executable, "-m", "pip", "config", "list", cwd=ROOT, env=os.environ)
    hosts = set(re.findall(r"https?://(?:[^/@]*@)?([^/:']+)", configured)) - {"pypi.org"}
    assert not [
        name for name, content in files.items() if any(host.encode() in content for host in hosts)
    ]


def test_the_metadata_is_what_an_index_takes(built):
    printed = run(
        *(sys.executable, "-m", "twine", "check", "--strict", *built.iterdir()),
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert printed.count("PASSED") == 2


def test_the_metadata_is_the_projects(files):
    (metadata,) = (
        message_from_bytes(content)
        for (kind, name), content in files.items()
        if kind == "wheel" and name.endswith(".dist-info/METADATA")
    )
    (package,) = (
        json.loads(content)
        for (kind, name), content in files.items()
        if kind == "wheel" and name.endswith("jupyterlab-wb-aws/package.json")
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert metadata["Name"] == project["name"]
    assert metadata["Version"] == package["version"] == jupyter_wb_aws.__version__
    assert metadata["License-Expression"] == project["license"]
    assert metadata["Requires-Python"] == project["requires-python"]
    assert set(metadata.get_all("Classifier")) == set(project["classifiers"])
    required = {line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line}
    assert {re.split(r"[\[>=]", line)[0] for line in required} == {
        re.split(r"[\[>=]", line)[0].replace("_", "-") for line in project["dependencies"]
    }


# --- A role, started with the wheel alone --------------------------------------------------


@pytest.fixture(scope="module")
def idp():
    with IdentityProvider(token_lifetime=900) as running:
        yield running


@pytest.fixture(scope="module")
def local_aws(idp):
    with LocalAws(idp.issuer) as running:
        yield running


@pytest.fixture(scope="module", params=PYTHONS, ids=lambda python: Path(python).name)
def clean(request, built, nodeless, tmp_path_factory):
    """A fresh environment with the wheel, what it requires, and a kernel to start."""
    venv = tmp_path_factory.mktemp("clean") / "venv"
    (wheel,) = built.glob("*.whl")
    run(UV, "venv", "--python", request.param, venv, cwd=venv.parent, env=os.environ)
    install = (UV, "pip", "install", "--python", venv / "bin/python", wheel)
    run(*install, cwd=venv.parent, env={**nodeless, **PINNED})
    check = (UV, "pip", "check", "--python", venv / "bin/python")
    run(*check, cwd=venv.parent, env=nodeless)
    run(*install, "ipykernel", cwd=venv.parent, env={**nodeless, **PINNED})
    return venv


@pytest.fixture
def server(clean, nodeless, idp, local_aws, tmp_path):
    """A real `jupyter server` of the clean environment, configured as a site would."""
    idp.write_client_file(client := tmp_path / "client.json")
    (tmp_path / "roles.toml").write_text(roles_file(idp.issuer))
    python, (port,) = clean / "bin/python", free_ports(1)
    config = {
        "ServerApp": {"port": port, "port_retries": 0, "open_browser": False, "allow_root": True},
        "IdentityProvider": {"token": "the-test's-own"},
        **server_config(
            roles_path=str(tmp_path / "roles.toml"),
            issuer=idp.issuer,
            aws_url=local_aws.url,
            token_command=[str(python), "-m", "jupyter_wb_aws.demo.print_token", str(client)],
        ),
    }
    (tmp_path / "config").mkdir()
    (tmp_path / "config/jupyter_server_config.json").write_text(as_json(config))
    env = {
        "PATH": f"{clean / 'bin'}:{nodeless['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
    }
    with (
        (tmp_path / "server.log").open("w") as log,
        subprocess.Popen(
            [clean / "bin/jupyter", "server"], cwd=tmp_path, env=env, stdout=log, stderr=log
        ) as process,
    ):
        try:
            until_it_listens(port)
            running = RunningServer(process, port, "the-test's-own")
            running.env = env
            yield running
        finally:
            process.terminate()
            process.wait(30)


CALLER = "import boto3; print(boto3.client('sts', 'us-east-2').get_caller_identity()['Arn'])"


def test_a_role_is_started_and_reaches_kernels_and_commands(server, clean, tmp_path):
    session = server.start(role_arn("analyst"))
    assert session["state"] == "active", (session, (tmp_path / "server.log").read_text())

    code = f"import os, sys; print(sys.prefix, os.environ['AWS_ROLE_ARN']); {CALLER}"
    of_kernel = server.run(server.kernel(), code)
    env = {
        **server.env,
        "JUPYTER_SERVER_URL": f"http://127.0.0.1:{server.port}/",
        "JUPYTER_TOKEN": server.token,
    }
    command = ("jupyter", "wb-aws", "exec", "auditor", "--", "python", "-c", CALLER)
    of_command = run(*command, cwd=tmp_path, env=env)

    assumed = "arn:aws:sts::.*:assumed-role/"
    given, used = of_kernel.splitlines()
    assert given == f"{clean} {role_arn('analyst')}"
    assert re.fullmatch(rf"{assumed}analyst/alice.*", used), used
    assert re.fullmatch(rf"{assumed}auditor/alice.*\n", of_command), of_command
