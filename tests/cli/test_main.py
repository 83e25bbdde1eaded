"""The command line as a whole: help, exit codes, and how it goes down."""

from __future__ import annotations

import subprocess
import sys
import types
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jupyter_wb_aws.cli.output import format_relative_time, format_time
from tests.cli.contract_server import role, role_session

JUPYTER = Path(sys.executable).with_name("jupyter")


def test_help_lists_every_command_and_every_exit_code(run):
    ran = run("--help")
    assert ran.code == 0
    for word in ("roles", "start", "status", "identity", "end", "settings", "demo", "130"):
        assert f"  {word} " in ran.out


@pytest.mark.parametrize(("word", "meant"), [("strat", "start"), ("signout", "sign-out")])
def test_a_misspelt_command_is_answered_with_the_one_most_like_it(run, word, meant):
    ran = run(word, "analyst")
    assert ran.code == 2
    assert f"did you mean `{meant}`?" in ran.err


@pytest.mark.parametrize("name", ["roles", "start", "status", "identity", "end", "settings"])
def test_every_command_explains_itself(run, name):
    assert run(name, "--help").out.startswith(f"usage: jupyter wb-aws {name}")


@pytest.mark.parametrize("words", [[], ["assume"], ["start"], ["roles", "--yaml"]])
def test_wrong_arguments_are_exit_code_2(run, words):
    ran = run(*words)
    assert ran.code == 2
    assert "usage: jupyter wb-aws" in ran.err


def test_the_version_is_printed(run):
    assert run("--version").out.strip() == "0.1.0"


@pytest.fixture
def extension(monkeypatch):
    """Stand in for the application, with one class of settings."""
    from traitlets import Unicode
    from traitlets.config import Configurable

    class WbAwsApp(Configurable):
        roles_file = Unicode(help="Where the roles are.").tag(config=True)

    app = types.ModuleType("jupyter_wb_aws.app")
    app.configurable_classes = lambda: [WbAwsApp]
    monkeypatch.setitem(sys.modules, "jupyter_wb_aws.app", app)


@pytest.mark.parametrize("word", ["settings", "--help-all"])
def test_every_setting_is_printed_with_its_documentation(run, extension, word):
    out = run(word).out
    assert "--WbAwsApp.roles_file" in out
    assert "Where the roles are." in out


@pytest.fixture
def demo(monkeypatch):
    module = types.ModuleType("jupyter_wb_aws.cli.demo")
    module.add_arguments = lambda parser: parser.add_argument("--port", type=int)
    module.run = lambda args: args.port
    monkeypatch.setitem(sys.modules, "jupyter_wb_aws.cli.demo", module)


def test_the_demo_gets_its_own_arguments(run, demo):
    assert run("demo", "--port", "7").code == 7


def test_the_demo_without_its_extras_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "jupyter_wb_aws.cli.demo", None)
    ran = run("demo")
    assert ran.code == 2
    assert "make demo" in ran.err


def test_ctrl_c_is_130_without_a_traceback(run, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("jupyter_wb_aws.cli.roles.connect", interrupted)
    ran = run("roles")
    assert (ran.code, ran.err) == (130, "")


def test_a_defect_is_named_by_kind_and_place_and_shows_no_text(run, monkeypatch):
    def broken():
        raise ValueError("s3cret")

    monkeypatch.setattr("jupyter_wb_aws.cli.roles.connect", broken)
    ran = run("roles")
    assert ran.code == 1
    assert "ValueError (test_main.py, line " in ran.err
    assert "s3cret" not in ran.err


def test_it_works_as_jupyters_subcommand(server):
    ran = subprocess.run(
        [JUPYTER, "wb-aws", "roles"], capture_output=True, check=False, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert "analyst" in ran.stdout


def test_a_reader_that_goes_away_causes_no_traceback(server):
    server.roles = [role(f"role-{number}") for number in range(5000)]
    command = subprocess.Popen(
        [JUPYTER, "wb-aws", "roles"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    command.stdout.readline()
    command.stdout.close()
    assert command.wait(timeout=60) == 141
    assert command.stderr.read() == b""
    command.stderr.close()


def test_a_terminal_that_lacks_a_character_gets_an_escape(server, monkeypatch):
    server.roles[0]["label"] = "Zürich"
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ran = subprocess.run([JUPYTER, "wb-aws", "roles"], capture_output=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert rb"Z\xfcrich" in ran.stdout


def test_asking_imports_neither_boto3_nor_jupyter_server(server):
    server.sessions = [role_session("analyst", default=True)]
    script = (
        "import sys; from jupyter_wb_aws.cli.main import main; code = main(['status']);"
        "heavy = {'boto3', 'jupyter_server', 'psutil', 'tornado', 'traitlets', 'jwt'} & set(sys.modules);"
        "sys.exit(code or ', '.join(sorted(heavy)) or 0)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "in 0 s"),
        (59, "in 59 s"),
        (60, "in 1 min"),
        (3599, "in 59 min"),
        (3600, "in 1 h 0 min"),
        (-200, "3 min ago"),
    ],
)
def test_how_far_away_a_time_is_in_words(seconds, words):
    assert format_relative_time(timedelta(seconds=seconds)) == words


def test_a_time_today_is_printed_with_how_far_away_it_is():
    now = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
    local = now.astimezone() + timedelta(minutes=12)
    assert format_time("2026-11-24T14:12:00Z", now) == f"{local:%H:%M} (in 12 min)"


def test_no_time_is_a_dash():
    assert format_time(None, datetime.now(UTC)) == "-"
