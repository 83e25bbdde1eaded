from __future__ import annotations

import json
import stat
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from jupyter_wb_aws.demo.child_processes import end_with_all
from jupyter_wb_aws.demo.lab import LabOptions, prepare
from jupyter_wb_aws.demo.site import NOTEBOOKS


@pytest.fixture
def options(tmp_path):
    return LabOptions(
        port=8888,
        token="s3cret",
        root=tmp_path / "root",
        issuer="http://i",
        aws_url="http://a",
        ambient={},
    )


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def config(state):
    return json.loads((state / "config" / "jupyter_server_config.json").read_text())


def test_the_servers_token_is_in_a_private_file(state, options):
    prepare(state, options)
    path = state / "config" / "jupyter_server_config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert config(state)["IdentityProvider"]["token"] == "s3cret"
    assert "s3cret" not in repr(options)


def test_the_user_is_alice_unless_the_options_ask_for_a_sign_in(state, options, tmp_path):
    prepare(state, options)
    assert config(state)["WbAwsApp"]["token_source"] == "command"

    other = tmp_path / "other"
    other.mkdir()
    prepare(other, replace(options, sign_in=True))
    assert config(other)["WbAwsApp"]["token_source"] == "oidc"
    callback = "http://127.0.0.1:8888/aws/sign-in/callback"
    assert config(other)["OidcTokenSource"]["redirect_uri"] == callback
    assert "print_token" not in json.dumps(config(other))


def test_the_server_listens_only_on_the_loopback_interface_at_that_port(state, options):
    prepare(state, options)
    server = config(state)["ServerApp"]
    assert (server["ip"], server["port"], server["port_retries"]) == ("127.0.0.1", 8888, 0)


def test_nothing_asks_the_outside_world(state, options):
    prepare(state, options)
    lab = config(state)["LabApp"]
    assert lab["news_url"] is None
    assert lab["check_for_updates_class"] == "jupyterlab.NeverCheckForUpdate"
    assert lab["extension_manager"] == "readonly"


def test_terminals_are_not_login_shells(state, options):
    prepare(state, options)
    (shell,) = config(state)["ServerApp"]["terminado_settings"]["shell_command"]
    assert shell.endswith("sh")


def test_the_sample_notebooks_are_copied_once_and_never_overwritten(state, options, tmp_path):
    prepare(state, options)
    for name in NOTEBOOKS:
        assert (options.root / name).stat().st_size > 0
        (options.root / name).write_text("mine")
    again = tmp_path / "again"
    again.mkdir()
    prepare(again, options)
    assert {(options.root / name).read_text() for name in NOTEBOOKS} == {"mine"}


SLEEP = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
PARENT = (
    "import subprocess, sys, time\n"
    f"child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True)\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(60)\n"
)


def test_ending_reaches_detached_processes_that_ignore_sigterm_and_spares_others(tmp_path):
    mark = {"DEMO_TEST_MARK": str(tmp_path)}
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    parent = subprocess.Popen([sys.executable, "-c", PARENT], env=mark, stdout=subprocess.PIPE)
    with parent.stdout:
        child = psutil.Process(int(parent.stdout.readline()))
    try:
        end_with_all(parent, "DEMO_TEST_MARK", str(tmp_path))
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
