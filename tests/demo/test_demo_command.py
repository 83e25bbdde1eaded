"""`jupyter wb-aws demo`, without a browser."""

from __future__ import annotations

import argparse
import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from jupyter_wb_aws.cli import demo
from jupyter_wb_aws.demo.lab import LabOptions, client_file
from tests.marks import long

PROGRAM = (
    "import argparse, sys; from jupyter_wb_aws.cli import demo\n"
    "parser = argparse.ArgumentParser(); demo.add_arguments(parser)\n"
    "sys.exit(demo.run(parser.parse_args()))\n"
)


def parse(*arguments):
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.fixture
def taken_port():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        yield busy.getsockname()[1]


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_busy_port_is_reported_before_anything_starts(taken_port, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert demo.run(parse("--no-browser", "--port", str(taken_port))) == 2
    said = capsys.readouterr()
    assert f"Port {taken_port} is in use" in said.err
    assert "--port" in said.err
    assert not list(tmp_path.iterdir())


def test_without_a_port_the_next_free_one_is_taken(taken_port, monkeypatch):
    monkeypatch.setattr(demo, "FIRST_PORT", taken_port)
    assert demo.next_free_port() > taken_port


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "0"],
        ["--port", "65536"],
        ["--port", "x"],
        ["--token", ""],
        ["--token", "a b"],
        ["--token", "ü"],
        ["--token-lifetime", "1"],
        ["--token-lifetime", "1.5"],
        ["--credential-lifetime", "0"],
        ["--credential-lifetime", "9999999999"],
    ],
    ids=lambda arguments: " ".join(arguments).replace("ü", "<U+00FC>"),
)
def test_a_wrong_option_is_refused_with_a_sentence(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        parse(*arguments)
    assert exit_.value.code == 2
    assert "give" in capsys.readouterr().err


def test_the_help_says_that_a_token_on_the_command_line_can_be_read_by_others(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    assert "`ps`" in capsys.readouterr().out.rpartition("--token TOKEN")[2].partition("--token-")[0]


def test_a_folder_that_cannot_hold_notebooks_is_reported(tmp_path, free_port, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".demo").write_text("a file")
    assert demo.run(parse("--no-browser", "--port", str(free_port))) == 2
    assert "a folder that you can write to" in capsys.readouterr().err


def test_missing_packages_are_named(monkeypatch, capsys):
    monkeypatch.setattr(demo, "REQUIRED_MODULES", ("a_package_that_is_not_there",))
    assert demo.run(parse()) == 2
    assert "a_package_that_is_not_there" in capsys.readouterr().err


def test_a_hub_and_a_sign_in_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as exit_:
        parse("--hub", "--sign-in")
    assert exit_.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_a_hub_needs_tokens_that_its_service_can_sign(capsys, free_port):
    arguments = parse("--hub", "--token-lifetime", "9", "--port", str(free_port))
    assert demo.run(arguments) == 2
    assert "at least 10 seconds" in capsys.readouterr().err


def test_what_a_hub_lacks_is_said_before_anything_starts(capsys, free_port, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert demo.run(parse("--hub", "--port", str(free_port))) == 2
    assert "npm install --global" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sign_in", [True, False])
def test_with_a_sign_in_the_pages_exist_and_the_secret_does_not(tmp_path, sign_in):
    arguments = parse(*(["--sign-in"] if sign_in else []))
    with demo.start_identity_provider(tmp_path, arguments, 8888) as idp:
        metadata = idp.discovery_document()
    assert ("device_authorization_endpoint" in metadata) == sign_in
    assert client_file(tmp_path).exists() != sign_in


def test_the_welcome_explains_the_sign_in_and_that_others_can_sign_in_too():
    options = LabOptions(8888, "t", Path("/root"), "http://i", "http://a", {}, sign_in=True)
    said = demo.welcome(options)
    assert "Nobody is signed in yet" in said
    assert "      jupyter wb-aws sign-in\n" in said
    assert "      http://127.0.0.1:8888/aws/sign-in/start\n" in said
    assert "every user of this machine" in said
    assert "every user of this machine" not in demo.welcome(replace(options, sign_in=False))


@pytest.mark.parametrize("signum", [*long(signal.SIGINT), signal.SIGTERM])
def test_the_demo_starts_and_a_signal_removes_every_process_and_the_state_folder(
    tmp_path, free_port, signum
):
    temporary, home = tmp_path / "tmp", tmp_path / "home"
    temporary.mkdir()
    home.mkdir()
    options = ["--no-browser", "--port", str(free_port), "--token", "s3cret"]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *options],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(temporary), "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = "".join(itertools.takewhile(lambda line: "Ctrl-C" not in line, process.stdout))
        (state,) = temporary.glob("jupyter-wb-aws-*")
        started = psutil.Process(process.pid).children(recursive=True)
        status = ask(free_port, "s3cret")
        command_lines = " ".join(command_line(child) for child in started)
        process.send_signal(signum)
        assert process.wait(30) == 0
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
    assert f"http://127.0.0.1:{free_port}/lab?token=" in said
    assert status == 200
    assert started
    assert "jupyterlab" in command_lines
    assert "s3cret" not in command_lines
    assert not psutil.wait_procs(started, 5)[1]
    assert not state.exists()
    assert not list(home.iterdir())
    assert (tmp_path / ".demo" / "aws-in-a-notebook.ipynb").exists()


def command_line(process):
    """Return a process's command line; empty if the process has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def ask(port, token):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/api/contents", headers={"Authorization": f"token {token}"})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def test_when_jupyterlab_does_not_start_the_end_of_its_log_is_shown(
    tmp_path, free_port, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(
        "jupyter_wb_aws.demo.lab.server_config",
        lambda **_: {"ServerApp": {"allow_root": True, "port": "not a port"}},
    )
    assert demo.run(parse("--no-browser", "--port", str(free_port))) == 1
    said = capfd.readouterr().err
    assert "JupyterLab did not start" in said
    assert "not a port" in said
    assert not list(Path(tmp_path).glob("jupyter-wb-aws-*"))
