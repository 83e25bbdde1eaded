"""A stand-in for the server, runtime files as Jupyter writes them, and a hostile environment."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyter_wb_aws.cli.main import main
from tests.cli.contract_server import State, role, served
from tests.cli.live import WB_AWS, CommandLine

DEAD_PROXY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def hostile_environment(monkeypatch, tmp_path):
    """No trace of the Jupyter these tests may run in; proxies that would swallow every call."""
    for name in list(os.environ):
        if name.startswith(("JUPYTER", "JPY_")):
            monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, DEAD_PROXY)
        monkeypatch.setenv(name.upper(), DEAD_PROXY)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def site_config(site_config):
    """The server reaches the local AWS; the proxies are there for the command line alone."""
    site_config["WbAwsApp"]["extra_environment"] |= {
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    return site_config


@dataclass
class RuntimeDir:
    """Jupyter's runtime directory."""

    path: Path

    def add(self, url: str, *, pid: int | None = None, token: str = "s3cret", **more) -> None:
        """Describe a server as jupyter_server's `server_info` does."""
        self.path.mkdir(exist_ok=True)
        info = {
            "url": url,
            "hostname": "127.0.0.1",
            "port": 8888,
            "sock": "",
            "secure": False,
            "base_url": "/",
            "token": token,
            "root_dir": "/home/alice",
            "password": False,
            "pid": pid or os.getpid(),
            "version": "2.21.1",
            **more,
        }
        file = self.path / f"jpserver-{info['pid']}.json"
        file.write_text(json.dumps(info))
        file.chmod(0o600)  # as Jupyter does, with any umask


@pytest.fixture
def runtime(tmp_path):
    return RuntimeDir(tmp_path / "runtime")


class Net:
    """A table of listening sockets, as Linux has it in /proc/self/net; see proc(5)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = {"tcp": [], "tcp6": []}
        path.mkdir()
        for name in self._lines:
            self._write(name)

    def add(
        self, address: str, port: int, *, uid: int | None = None, state="0A", inode=4711
    ) -> None:
        name = "tcp6" if ":" in address else "tcp"
        binary = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        words = [int.from_bytes(binary[i : i + 4], sys.byteorder) for i in range(0, len(binary), 4)]
        local = "".join(f"{word:08X}" for word in words) + f":{port:04X}"
        other = "0" * 8 * len(words) + ":0000"
        owner = os.geteuid() if uid is None else uid
        self._lines[name].append(
            f"{len(self._lines[name]):4}: {local} {other} {state} 00000000:00000000 00:00000000 00000000"
            f" {owner:5}        0 {inode} 1 0000000000000000 100 0 0 10 0"
        )
        self._write(name)

    def _write(self, name: str) -> None:
        lines = ["  sl  local_address rem_address   st tx_queue …", *self._lines[name]]
        (self.path / name).write_text("\n".join(lines) + "\n")


@pytest.fixture
def net(tmp_path):
    return Net(tmp_path / "net")


@pytest.fixture
def unregistered():
    """A stand-in that no runtime file names, with its URL."""
    state = State(roles=[role("analyst", label="Analyst"), role("auditor")])
    with served(state) as server:
        state.url = f"http://127.0.0.1:{server.server_port}{state.base}/"
        yield state
    assert state.violations == []


@pytest.fixture
def server(unregistered, runtime):
    """A stand-in that is this user's only running server."""
    runtime.add(unregistered.url)
    return unregistered


@dataclass
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys):
    """Run the command line in this process."""

    def run_it(*words: str) -> Ran:
        code = main(words)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run_it


@pytest.fixture
def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def wb_aws(jp_serverapp, http_server, jp_http_port, jp_base_url, tmp_path):
    dropped = ("AWS_", "JUPYTER", "JPY")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(dropped) and not name.lower().endswith("_proxy")
    }
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return CommandLine(
        {
            **kept,
            "HOME": str(home),
            "JUPYTER_SERVER_URL": f"http://127.0.0.1:{jp_http_port}{jp_base_url}",
            "JUPYTER_TOKEN": jp_serverapp.identity_provider.token,
            "PATH": f"{WB_AWS.parent}{os.pathsep}{os.environ['PATH']}",
        }
    )
