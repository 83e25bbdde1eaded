"""Roles that the credential endpoint delivers: switched in a running notebook and terminal, and left running."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from jupyter_wb_aws.demo.names import REGION, role_arn
from tests.browser.documents import opened, pick, role_button
from tests.browser.lab import opened_lab
from tests.browser.lab_server import lab_server

pytestmark = pytest.mark.long

# A session of its own: boto3's default one keeps its credentials for a minute.
WHO = "import boto3; print(boto3.Session().client('sts').get_caller_identity()['Arn'])"
AUDITORS_REGION = "eu-west-1"
TIME = r"\d{1,2}:\d\d"
# The command to open a terminal, and what it prints of its job.
LEAVE_A_JOB = "nohup sleep 600 >/dev/null 2>&1 & echo job=$!"


def by_endpoint(config):
    """Deliver all roles by the credential endpoint, and give the auditor a region of its own."""
    settings = config["WbAwsApp"]
    settings["delivery"] = "endpoint"
    roles = Path(settings["roles_file"])
    text = roles.read_text("utf-8")
    analysts, auditors = text.split('label = "Auditor"')
    auditors = auditors.replace(f'region = "{REGION}"', f'region = "{AUDITORS_REGION}"', 1)
    roles.write_text(f'{analysts}label = "Auditor"{auditors}', "utf-8")


@pytest.fixture(scope="module")
def server(demo, tmp_path_factory):
    with lab_server(tmp_path_factory.mktemp("by_endpoint"), demo, by_endpoint) as server:
        yield server


@pytest.fixture
def lab(browser, server):
    server.start(role_arn("analyst"), default=True)
    with opened_lab(browser, server) as lab:
        yield lab
    for session in server("GET", "/aws/sessions")["sessions"]:
        server("DELETE", f"/aws/sessions/{session['id']}")


def test_a_running_notebook_is_switched_by_its_toolbar_and_keeps_its_variables(lab):
    notebook = lab.new_notebook()
    assert "assumed-role/analyst/" in lab.run(notebook, f"kept = 1; {WHO}")

    drop_down = opened(notebook)
    expect(drop_down).to_contain_text(
        "Another role takes effect at once; only a new region needs a restart."
    )
    lab.page.keyboard.press("Escape")
    drop_down = pick(notebook, "aud")

    said = drop_down.get_by_role("status").filter(has_text="boto3")
    expect(said).to_have_text(re.compile(rf"Auditor .* other programs.* by {TIME}.* at the latest"))
    expect(drop_down).to_contain_text("The kernel keeps its region")
    expect(drop_down.get_by_role("button", name="Later")).to_be_focused()
    assert lab.axe() == []
    lab.shot("toolbar-switched")
    lab.page.keyboard.press("Enter")
    expect(role_button(notebook)).to_have_text("Auditor")
    assert "assumed-role/auditor/" in lab.run(notebook, f"print(kept); {WHO}")
    lab.shot("toolbar-switched-notebook")

    pick(notebook, "no aws")
    expect(role_button(notebook)).to_have_text("No AWS role")
    lab.page.keyboard.press("Escape")
    assert "NoAwsRole" in lab.run(notebook, WHO)
    assert lab.recorder.errors == []


def test_a_running_terminal_is_switched(lab, server):
    lab.run_command("terminal:create-new")
    expect(lab.current().locator(".jp-Terminal-body")).to_be_visible()
    (terminal,) = server("GET", "/api/terminals")
    who = "aws sts get-caller-identity"
    assert "assumed-role/analyst/" in server.terminal(who, terminal["name"])

    lab.begin_command("aws-roles:switch-terminal")
    dialog = lab.page.locator(".jp-Dialog")
    expect(dialog.get_by_role("combobox")).to_be_focused()
    lab.page.keyboard.type("aud")
    lab.page.keyboard.press("Enter")

    expect(dialog).to_contain_text("use Auditor now")
    expect(dialog).to_contain_text("The terminal keeps its region")
    lab.shot("terminal-switched", dialog)
    # The terminal repeats what it has printed before.
    server.begin_in_terminal(who, terminal["name"]).shows("assumed-role/auditor/")
    dialog.get_by_role("button", name="Close").click()
    server("DELETE", f"/api/terminals/{terminal['name']}")


@pytest.fixture
def left_job(server):
    """A job that a terminal has left running with its role; return the terminal's name."""
    name = server("POST", "/api/terminals")["name"]
    server("GET", "/aws/assignments")  # as a page does: the server learns the terminal's name
    job = int(re.search(r"job=(\d+)", server.terminal(LEAVE_A_JOB, name))[1])
    server("DELETE", f"/api/terminals/{name}")
    yield name
    os.kill(job, signal.SIGKILL)


def test_what_a_closed_terminal_left_running_is_ended_in_the_panel(lab, server, left_job):
    lab.page.locator('.lm-TabBar-tab[data-id="jp-running-sessions"]').click()
    panel = lab.page.locator("#jp-running-sessions")
    panel.get_by_role("button", name=re.compile("Refresh")).first.click()

    left = panel.locator(".jp-AwsRoles-leftRunning").filter(has_text=f"Terminal {left_job}")
    expect(left).to_contain_text(re.compile(r"Analyst · \w+ \(process \d+\) · "))
    lab.shot("running-panel-left-running")
    left.hover()
    left.get_by_title("End AWS access").click()
    dialog = lab.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text(f"Terminal {left_job} (Analyst)")
    expect(dialog).to_contain_text("With boto3 it can use AWS for about 6 minutes more")
    lab.shot("left-running-question", dialog)
    dialog.get_by_role("button", name="End", exact=True).click()

    expect(left).to_have_count(0)
    clients = server("GET", "/aws/endpoint/clients")["clients"]
    (session,) = server("GET", "/aws/sessions")["sessions"]
    assert session["state"] == "active"
    of_session = [each["kind"] for each in clients if each["session_id"] == session["id"]]
    assert of_session == []


def test_an_end_says_when_programs_stop_and_until_when_copies_work(lab, server):
    notebook = lab.new_notebook()
    assert "assumed-role/analyst/" in lab.run(notebook, WHO)

    lab.begin_command("aws-roles:end")
    dialog = lab.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("boto3 can use AWS with it for about 6 minutes more")
    expect(dialog).to_contain_text(re.compile(f"copied from a program work until .*{TIME}"))
    lab.shot("end-question-endpoint", dialog)
    dialog.get_by_role("button", name="End", exact=True).click()

    toast = lab.page.locator(".Toastify__toast").filter(has_text="Ended: Analyst.")
    expect(toast).to_have_text(
        re.compile(f"Programs stop by {TIME}.*; copied credentials work until .*{TIME}")
    )
    assert "RoleSessionEnded" in lab.run(notebook, WHO)
