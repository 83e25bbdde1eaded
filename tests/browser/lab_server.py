"""A JupyterLab that a test may kill and start again, or set up wrongly."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import jupyter_wb_aws
from jupyter_wb_aws.demo import lab as demo_lab
from tests.peers.ports import free_ports
from tests.running_demo import TESTED, TOKEN
from tests.running_server import RunningServer


class LabServer(RunningServer):
    """JupyterLab beside a running demo, with the demo's identity provider, AWS, roles and settings.

    Args:
        folder: an empty one.
        demo: the running demo.
        change: takes the server's configuration, and changes it.
    """

    def __init__(self, folder, demo, change=lambda config: None):
        (port,) = free_ports(1)
        super().__init__(None, port, TOKEN)
        (others,) = demo.folder.glob("tmp/*/config/jupyter_server_config.json")
        config = json.loads(others.read_text("utf-8"))
        self._state = folder / "state"
        self._state.mkdir(mode=0o700)
        self._options = demo_lab.LabOptions(
            port=port,
            token=TOKEN,
            root=folder / "notebooks",
            issuer=config["CommandTokenSource"]["issuer"],
            aws_url=config["WbAwsApp"]["extra_environment"]["AWS_ENDPOINT_URL"],
            ambient=os.environ,
            python=TESTED / "bin/python",
        )
        demo_lab.prepare(self._state, self._options)
        shutil.copy(demo_lab.client_file(others.parents[1]), demo_lab.client_file(self._state))
        own = self._state / "config/jupyter_server_config.json"
        config = json.loads(own.read_text("utf-8"))
        change(config)
        own.write_text(json.dumps(config), "utf-8")

    def launch(self):
        (self._state / "jupyterlab.log").unlink(missing_ok=True)  # of the one that was killed
        self._lab = demo_lab.Lab(self._state, self._options)
        while not self._lab.answers():
            assert self._lab.exit_code is None, self._lab.log_tail()
            time.sleep(0.05)

    def upgrade(self, version):
        """Let the next launch run the same code under another version number."""
        folder = self._state / version
        package = folder / "jupyter_wb_aws"
        shutil.copytree(Path(jupyter_wb_aws.__file__).parent, package)
        code = (package / "__init__.py").read_text("utf-8")
        changed = code.replace(f'"{jupyter_wb_aws.__version__}"', f'"{version}"')
        (package / "__init__.py").write_text(changed, "utf-8")
        ambient = {**os.environ, "PYTHONPATH": str(folder)}
        self._options = dataclasses.replace(self._options, ambient=ambient)

    def kill(self):
        """Kill it: it can't clean up or notify anyone."""
        self._lab._process.kill()
        self._lab._process.wait()

    def end(self):
        self._lab.end()


@contextmanager
def lab_server(folder, demo, change=lambda config: None):
    server = LabServer(folder, demo, change)
    server.launch()
    try:
        yield server
    finally:
        server.end()
