"""Installation and configuration: what an administrator does first."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from jupyter_server.gateway.gateway_client import GatewayClient

from jupyter_wb_aws.app import WbAwsApp, configurable_classes


@pytest.fixture
def jupyter(tmp_path):
    """Runs `jupyter …` with nothing of the developer's own."""

    def run(*arguments, timeout=60, **environment):
        for name in ("config", "data", "runtime"):
            (tmp_path / name).mkdir(exist_ok=True)
        return subprocess.run(  # noqa: PLW1510 - the exit code is what a test looks at
            [sys.executable, "-m", "jupyter", *arguments],
            env={
                **os.environ,
                "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
                "JUPYTER_DATA_DIR": str(tmp_path / "data"),
                "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
                **environment,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    return run


def test_the_extension_is_enabled_by_its_installation_alone(jupyter):
    listed = jupyter("server", "extension", "list")

    said = listed.stdout + listed.stderr
    assert "jupyter_wb_aws" in said
    assert "enabled" in said[said.index("jupyter_wb_aws") :].splitlines()[0]
    assert "OK" in said[said.index("jupyter_wb_aws") :]


@pytest.fixture
def configured(jp_configurable_serverapp, tmp_path, monkeypatch):
    """Starts a server with settings; returns the extension."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))

    def start(**sections):
        sections.setdefault("ServerApp", {})["jpserver_extensions"] = {"jupyter_wb_aws": True}
        server = jp_configurable_serverapp(config=sections)
        return server.extension_manager.extension_points["jupyter_wb_aws"].app

    return start


WRONG = {
    "token_source": {"WbAwsApp": {"token_source": "nowhere"}},
    "token_source ": {"WbAwsApp": {"token_source": "os.path"}},
    "token_source  ": {"WbAwsApp": {"token_source": "json.JSONDecoder"}},
    "token_source    ": {"WbAwsApp": {"token_source": "."}},
    "token_source     ": {"WbAwsApp": {"token_source": "tests.broken_source.Source"}},
    "roles_file": {"WbAwsApp": {"roles_file": "~nosuchuser/x"}},
    "token_dir": {"WbAwsApp": {"token_dir": "~nosuchuser/x"}},
    "state_dir": {"WbAwsApp": {"state_dir": "~nosuchuser/x"}},
    "session_name_template ": {"WbAwsApp": {"session_name_template": "{user[a]}"}},
    "default_role": {"WbAwsApp": {"default_role": "analyst"}},
    "user_aws_files": {"WbAwsApp": {"user_aws_files": "sometimes"}},
    "session_name_template": {"WbAwsApp": {"session_name_template": "{nobody}"}},
    "extra_environment": {"WbAwsApp": {"extra_environment": {"AWS_ACCESS_KEY_ID": "x"}}},
    "max_role_sessions": {"WbAwsApp": {"max_role_sessions": -1}},
    "idle_timeout": {"WbAwsApp": {"idle_timeout": "soon"}},
    "idle_timeout ": {"WbAwsApp": {"idle_timeout": -1}},
    "timeout": {"WbAwsApp": {"token_source": "command"}, "CommandTokenSource": {"timeout": "soon"}},
    "command": {
        "WbAwsApp": {"token_source": "command"},
        "CommandTokenSource": {"command": ["print token"]},
    },
    "algorithms": {
        "WbAwsApp": {"token_source": "command"},
        "CommandTokenSource": {"algorithms": ["HS256"]},
    },
}


@pytest.mark.parametrize(("named", "sections"), WRONG.items(), ids=WRONG)
def test_a_wrong_value_is_refused_at_start_with_a_sentence_that_names_it(
    configured, capsys, named, sections
):
    with pytest.raises(SystemExit) as exit_:
        configured(**sections)

    assert exit_.value.code == 1
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if "Bad config" in line]
    assert named.strip() in line
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("name", "near"), [("oid", "oidc"), ("comand", "command"), ("File", "file")]
)
def test_a_misspelt_token_source_is_answered_with_the_nearest(configured, capsys, name, near):
    with pytest.raises(SystemExit):
        configured(WbAwsApp={"token_source": name})

    assert f"the nearest is '{near}'" in capsys.readouterr().err


def test_a_wrong_value_on_the_command_line_ends_in_a_sentence_and_no_traceback(jupyter):
    refused = jupyter(
        "server", "--allow-root", "--no-browser", "--port=0", "--WbAwsApp.token_source=nowhere"
    )

    assert refused.returncode == 1
    assert "'token_source' trait of WbAwsApp" in refused.stderr
    assert "Traceback" not in refused.stderr


MISSING = {
    "WbAwsApp.token_source": {},
    "WbAwsApp.roles_file": {"WbAwsApp": {"token_source": "command"}},
    "CommandTokenSource.command": {"WbAwsApp": {"token_source": "command", "roles_file": "r"}},
    "FileTokenSource.path": {"WbAwsApp": {"token_source": "file", "roles_file": "r"}},
    "CommandTokenSource.audience": {
        "WbAwsApp": {"token_source": "command", "roles_file": "r"},
        "CommandTokenSource": {"command": ["x"], "issuer": "https://idp.example.com"},
    },
}


@pytest.mark.parametrize(("setting", "sections"), MISSING.items(), ids=MISSING)
def test_unconfigured_it_does_nothing_and_says_what_to_set(
    configured, setting, sections, monkeypatch
):
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE", raising=False)

    extension = configured(**sections)

    assert f"set {setting}" in extension.server_state.message
    assert extension.server_state.manager is None
    assert extension.server_state.kernels is None


def test_root_is_refused_with_the_home_of_another(configured, monkeypatch, tmp_path):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    home = tmp_path / "other"
    home.mkdir()
    if os.getuid() == 0:  # else tmp_path is another's than root's already
        os.chown(home, 12345, 12345)
    monkeypatch.setenv("HOME", str(home))

    extension = configured(
        WbAwsApp={"token_source": "command", "roles_file": "r"},
        CommandTokenSource={"command": ["x"]},
    )

    assert extension.server_state.manager is None
    assert "runs as root with the home folder of another user" in extension.server_state.message


def test_on_windows_it_stays_out_of_the_way(configured, monkeypatch, capsys):
    monkeypatch.setattr("sys.platform", "win32")

    extension = configured()

    assert extension.server_state is None
    assert extension.handlers == []
    assert "does not support Windows yet" in capsys.readouterr().err


def test_a_gateways_kernels_are_left_alone_and_that_is_said(configured):
    GatewayClient.clear_instance()

    extension = configured(
        WbAwsApp={"token_source": "command", "roles_file": "r"},
        CommandTokenSource={"command": [sys.executable, "-c", ""]},
        GatewayClient={"url": "http://127.0.0.1:9"},
    )

    assert extension.server_state.kernels is None
    assert [code for code, _ in extension.server_state.notices] == ["kernels_elsewhere"]
    GatewayClient.clear_instance()


def test_a_third_partys_source_is_found_by_its_import_path(configured, monkeypatch):
    extension = configured(
        WbAwsApp={"token_source": "tests.conftest.ScriptedSource", "roles_file": "r"},
    )

    assert extension.server_state.manager is not None


def test_every_setting_is_documented():
    for configurable in configurable_classes():
        for name, trait in configurable.class_own_traits(config=True).items():
            assert trait.help, f"{configurable.__name__}.{name}"


def test_settings_come_from_json_too(jupyter, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "jupyter_server_config.json").write_text(
        json.dumps({"WbAwsApp": {"user_aws_files": "sometimes"}})
    )

    refused = jupyter("server", "--allow-root", "--no-browser", "--port=0")

    assert refused.returncode == 1
    assert "user_aws_files" in refused.stderr


def test_the_extension_keeps_its_name():
    assert WbAwsApp.name == "jupyter_wb_aws"


@pytest.mark.parametrize("how", ["py", "json", "command line"])
def test_a_misspelt_setting_is_named_in_the_log_wherever_it_stands(
    jp_configurable_serverapp, jp_config_dir, capsys, how
):
    arguments = []
    if how == "py":
        (jp_config_dir / "jupyter_server_config.py").write_text("c.WbAwsApp.token_sorce = 'file'\n")
    elif how == "json":
        content = {"WbAwsApp": {"token_sorce": "file"}}
        (jp_config_dir / "jupyter_server_config.json").write_text(json.dumps(content))
    else:
        arguments = ["--WbAwsApp.token_sorce=file"]
    config = {"ServerApp": {"jpserver_extensions": {"jupyter_wb_aws": True}}}

    server = jp_configurable_serverapp(config=config, argv=arguments)

    assert "`WbAwsApp.token_sorce` is not a setting of jupyter_wb_aws" in capsys.readouterr().err
    app = server.extension_manager.extension_points["jupyter_wb_aws"].app
    assert "the nearest is `WbAwsApp.token_source`" in app.server_state.message
    assert [code for code, _ in app.server_state.notices] == ["unknown_setting"]


def test_a_sites_own_subclass_reads_the_section_of_the_extension_too(
    jp_configurable_serverapp, tmp_path, monkeypatch
):
    (tmp_path / "site_of_ours.py").write_text(
        "from jupyter_wb_aws.app import WbAwsApp\n"
        "class SiteApp(WbAwsApp):\n    pass\n"
        "def _jupyter_server_extension_points():\n"
        "    return [{'module': 'site_of_ours', 'app': SiteApp}]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = {
        "ServerApp": {"jpserver_extensions": {"site_of_ours": True}},
        "WbAwsApp": {"idle_timeout": 60, "token_sorce": "file"},
    }

    server = jp_configurable_serverapp(config=config)

    points = server.extension_manager.extensions["site_of_ours"].extension_points
    (found,) = [text for _, text in points["jupyter_wb_aws"].app.server_state.notices]
    assert "the nearest is `WbAwsApp.token_source`" in found
