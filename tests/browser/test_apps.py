"""Proxied apps in JupyterLab: their roles and their relaunch, also with the real VS Code."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Error, expect

from jupyter_wb_aws.demo.names import role_arn
from tests.browser.lab import opened_lab
from tests.browser.lab_server import lab_server

APP = Path(__file__).parents[1] / "injection" / "apps" / "show_environment.py"


@pytest.fixture(scope="module")
def server(tmp_path_factory, demo):
    def with_app(config):
        command = [sys.executable, str(APP), "{port}"]
        config["ServerProxy"] = {
            "servers": {"shiny": {"command": command, "launcher_entry": {"title": "Sales"}}}
        }

    with lab_server(tmp_path_factory.mktemp("lab"), demo, with_app) as server:
        yield server


@pytest.fixture
def lab(browser, server):
    with opened_lab(browser, server) as lab:
        yield lab


@pytest.fixture
def app(lab, server):
    """The app's page, opened from the launcher with the analyst's role."""
    server.start(role_arn("analyst"), default=True)
    page = opened_from_launcher(lab, "Sales")
    assert role_of(page) == "Analyst"
    yield page
    server("POST", "/aws/apps/shiny/relaunch")


def opened_from_launcher(lab, title):
    with lab.page.context.expect_page() as opened:
        lab.new_launcher().locator(".jp-LauncherCard").filter(has_text=title).click()
    opened.value.wait_for_load_state()
    return opened.value


def role_of(page):
    return json.loads(page.locator("body").inner_text())["environment"]["JUPYTER_WB_AWS_ROLE"]


def item(lab):
    lab.run_command("running:show-panel")
    return lab.page.locator(".jp-AwsRoles-runningApp").filter(has_text="Sales")


def agree(lab):
    dialog = lab.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("what is not saved there is lost")
    dialog.get_by_role("button", name="Relaunch").click()
    dialog.wait_for(state="detached")


def test_an_app_is_relaunched_with_another_role_from_the_panel(lab, app, server):
    expect(item(lab)).to_contain_text("Analyst")
    assert item(lab).get_by_title("Relaunch", exact=True).count() == 0  # there is nothing to change

    server.start(role_arn("auditor"), default=True)

    expect(item(lab)).to_contain_text("Analyst → Auditor")
    app.reload()
    assert role_of(app) == "Analyst"  # a running one keeps its role
    item(lab).hover()
    item(lab).get_by_title("Relaunch", exact=True).click()
    lab.shot("relaunch-app")
    agree(lab)
    expect(item(lab)).to_have_count(0)
    app.reload()
    assert role_of(app) == "Auditor"
    expect(item(lab)).to_contain_text("Auditor")
    expect(item(lab)).not_to_contain_text("→")
    assert lab.recorder.own_errors == []


@pytest.mark.long
def test_the_status_bar_offers_it_too(lab, app, server):
    server.start(role_arn("auditor"), default=True)
    lab.page.locator(".jp-AwsRoles-statusButton").click()
    popover = lab.page.locator(".jp-AwsRoles-popover")
    popover.get_by_role("button", name="Relaunch Sales…").focus()
    assert lab.axe(".jp-AwsRoles-popover") == []

    lab.page.keyboard.press("Enter")
    agree(lab)

    app.reload()
    assert role_of(app) == "Auditor"


CODE_SERVER = Path(__file__).parents[2] / ".code-server"


@pytest.fixture
def server_with_code(tmp_path, demo):
    """JupyterLab with the real code-server, started as `jupyter-vscode-proxy` starts it."""
    entry = CODE_SERVER / "node_modules/code-server/out/node/entry.js"
    assert entry.exists(), "run .ci/need-code-server"

    def with_code(config):
        command = [
            str(Path(sys.executable).with_name("node")), str(entry), "--auth", "none",
            "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust",
            "--config", str(tmp_path / "code.yaml"), "--user-data-dir", str(tmp_path / "code"),
            "--extensions-dir", str(tmp_path / "extensions"), "--port={port}", str(tmp_path),
        ]  # fmt: skip
        config["ServerProxy"] = {
            "servers": {
                "vscode": {
                    "command": command,
                    "timeout": 120,
                    "environment": {"SHELL": "/bin/sh"},
                    "launcher_entry": {"title": "VS Code"},
                }
            }
        }

    with lab_server(tmp_path, demo, with_code) as server:
        yield server


def said_in_terminal(page, folder, command):
    """Run a command in the terminal of VS Code, and return what it wrote into a file."""
    said = folder / "said.txt"
    said.unlink(missing_ok=True)
    page.locator(".monaco-workbench").wait_for(timeout=120_000)
    terminal = page.locator(".xterm-screen:visible")
    for _ in range(12):  # it accepts keys some seconds after it appears
        page.keyboard.press("Control+Shift+Backquote")
        with contextlib.suppress(Error):
            terminal.last.wait_for(timeout=10_000)
            break
    terminal.last.click()
    # The terminal keeps what is typed before the shell is ready.
    page.keyboard.type(f"{command} >said.part 2>&1; mv said.part said.txt\n")
    for _ in range(600):
        if said.exists():
            return said.read_text("utf-8")
        page.wait_for_timeout(100)
    raise AssertionError("the terminal said nothing")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_terminal_of_the_real_vs_code_has_the_role(browser, server_with_code, tmp_path):
    server = server_with_code
    ask_aws = f"{Path(sys.executable).with_name('aws')} sts get-caller-identity"
    session = server.start(role_arn("analyst"), default=True)
    with opened_lab(browser, server) as lab:
        lab.page.context.set_default_timeout(120_000)
        page = opened_from_launcher(lab, "VS Code")
        said = json.loads(said_in_terminal(page, tmp_path, ask_aws))
        lab.page.bring_to_front()
        assert said["Arn"] == session["identity"]["Arn"]

        auditor = server.start(role_arn("auditor"), default=True)
        lab.run_command("running:show-panel")
        row = lab.page.locator(".jp-AwsRoles-runningApp").filter(has_text="VS Code")
        expect(row).to_contain_text("Analyst → Auditor")
        row.hover()
        row.get_by_title("Relaunch", exact=True).click()
        agree(lab)

        # VS Code's page asks for it again by itself; what was in it is gone.
        expect(row).to_contain_text("Auditor")
        expect(row).not_to_contain_text("→")
        page.bring_to_front()
        page.reload()
        said = json.loads(said_in_terminal(page, tmp_path, ask_aws))
        assert said["Arn"] == auditor["identity"]["Arn"]
