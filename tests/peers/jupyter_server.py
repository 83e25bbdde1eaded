"""A real `jupyter server`, as users have it, whose user signs in at the peers' provider."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

import psutil

from tests.heard import listening
from tests.peers.ports import free_ports
from tests.peers.site import configuration, roles_file
from tests.running_server import RunningServer

JUPYTER = Path(sys.executable).with_name("jupyter")

# Of every library in the server, and not of Jupyter alone, as `--debug` has it.
LOG_ALL = "import logging; logging.basicConfig(level=logging.DEBUG)"


class JupyterServer(RunningServer):
    """A server in `folder`, which is all that it knows of this machine; it logs all there is.

    `answered` holds everything that its REST calls gave to this client; `heard`, its events. Two
    servers in one folder are one user's.

    Args:
        folder: for the user's home, notebooks (`work`) and token files (`run`).
        config: its configuration; a token is added.
        within: the command that it is run by, if it is.
    """

    def __init__(self, folder, config, within=()):
        (port,) = free_ports(1)
        super().__init__(None, port, secrets.token_urlsafe(16))
        self.folder = folder
        self.answered = []
        self._logged = []
        self._within = within
        self._config = {**config, "IdentityProvider": {"token": self.token}}

    @property
    def log(self) -> str:
        return "".join(self._logged)

    def ask(self, method, path, content):
        answer = super().ask(method, path, content)
        self.answered.append(answer.decode())
        return answer

    def __enter__(self) -> Self:
        config_dir = self.folder / f"config-{self.port}"
        for path in (config_dir, *(self.folder / name for name in ("home", "work", "run", "tmp"))):
            path.mkdir(mode=0o700, exist_ok=True)
        (config_dir / "jupyter_server_config.json").write_text(json.dumps(self._config))
        (config_dir / "jupyter_server_config.py").write_text(LOG_ALL)
        ambient = {
            k: v for k, v in os.environ.items() if not k.startswith(("AWS", "JUPYTER", "JPY"))
        }
        self.process = subprocess.Popen(
            [
                *self._within,
                JUPYTER,
                "server",
                "--debug",
                "--no-browser",
                "--allow-root",
                "--ip=127.0.0.1",
                f"--port={self.port}",
            ],
            cwd=self.folder / "work",
            env={
                **ambient,
                "HOME": str(self.folder / "home"),
                "JUPYTER_CONFIG_DIR": str(config_dir),
                "XDG_RUNTIME_DIR": str(self.folder / "run"),
                "TMPDIR": str(self.folder / "tmp"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._announced = threading.Event()
        self._reader = threading.Thread(target=self._keep_log)
        self._reader.start()
        with contextlib.ExitStack() as stack:
            stack.callback(self._stop)
            assert self._announced.wait(60), self.log
            self._until_it_listens()
            self.heard = stack.enter_context(listening(self.socket("/api/events/subscribe")))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def processes(self):
        """Return the server, and everything that it has started."""
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]

    def _keep_log(self):
        for line in self.process.stderr:
            self._logged.append(line)
            if "is running at" in line:
                self._announced.set()

    def _until_it_listens(self):
        # It says where it runs some milliseconds before it does.
        while self.process.poll() is None:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return

    def _stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self._reader.join()
        self.process.stderr.close()


@contextlib.contextmanager
def jupyter_server(folder, provider, store, **settings):
    """Run one for people of a provider who use a store; `settings` are the token source's."""
    path = folder / "roles.toml"
    path.write_text(roles_file(store.url))
    config = configuration(provider, path)
    config["OidcTokenSource"] |= settings
    with JupyterServer(folder, config) as server:
        yield server
