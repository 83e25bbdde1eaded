"""The group "AWS role sessions" in JupyterLab's panel "Running Terminals and Kernels"."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.lab import opened_lab


@pytest.fixture
def sessions(demo):
    """The role sessions of the analyst (the default) and the auditor."""
    sessions = [demo.start("analyst", default=True), demo.start("auditor", default=False)]
    yield sessions
    for session in sessions:
        demo("DELETE", f"/aws/sessions/{session['id']}")


@pytest.fixture
def panel(lab, sessions):
    lab.page.locator('.lm-TabBar-tab[data-id="jp-running-sessions"]').click()
    return lab.page.locator("#jp-running-sessions")


def item(panel, label):
    return panel.locator(".jp-AwsRoles-running").filter(has_text=label)


def dialog(lab):
    return lab.page.locator(".jp-Dialog")


def toast(lab, text):
    return lab.page.locator(".Toastify__toast").filter(has_text=text)


def test_each_role_session_is_listed_with_its_state(lab, panel):
    expect(panel.get_by_role("heading", name="AWS role sessions")).to_be_visible()
    expect(item(panel, "Analyst")).to_contain_text("Analyst · default · active · 111122223333")
    expect(item(panel, "Auditor")).to_contain_text("Auditor · active · 111122223333")
    lab.shot("running-panel")


def test_a_click_on_a_role_session_shows_its_identity(lab, panel, sessions):
    item(panel, "Auditor").get_by_text("Auditor").click()

    expect(dialog(lab)).to_contain_text(sessions[1]["identity"]["Arn"])


@pytest.mark.labs
def test_a_role_session_is_ended(lab, panel, demo):
    item(panel, "Auditor").hover()
    item(panel, "Auditor").get_by_title("End").click()
    expect(dialog(lab)).to_contain_text("End the role session of Auditor?")
    dialog(lab).get_by_role("button", name="End", exact=True).click()

    # It is by the credential endpoint, and no program has asked that yet.
    expect(toast(lab, "Ended: Auditor. No program has AWS credentials from it.")).to_be_visible()
    expect(item(panel, "Auditor")).to_have_count(0)
    expect(item(panel, "Analyst")).to_be_visible()
    assert [each["label"] for each in demo("GET", "/aws/sessions")["sessions"]] == ["Analyst"]


@pytest.mark.labs
def test_all_role_sessions_are_ended_once_the_user_agrees(lab, panel, demo):
    panel.get_by_role("button", name="End All").click()
    expect(dialog(lab)).to_contain_text("This ends the role sessions of Analyst, Auditor.")
    expect(dialog(lab)).to_contain_text("What you start next has no AWS role.")
    dialog(lab).get_by_role("button", name="End All").click()

    expect(toast(lab, "Ended: Analyst, Auditor.")).to_contain_text(re.compile(r"until .*\d:\d\d"))
    assert demo("GET", "/aws/sessions")["sessions"] == []
    assert lab.recorder.own_errors == []


@pytest.mark.long
def test_the_command_ends_all_once_the_user_agrees(lab, sessions, demo):
    expect(lab.page.get_by_role("option", name="Auditor")).to_contain_text("role session running")
    lab.begin_command("aws-roles:end-all")
    expect(dialog(lab)).to_contain_text("End all 2 role sessions?")
    dialog(lab).get_by_role("button", name="Cancel").click()
    assert len(demo("GET", "/aws/sessions")["sessions"]) == 2

    lab.begin_command("aws-roles:end-all")
    dialog(lab).get_by_role("button", name="End All").click()
    expect(toast(lab, "Ended: Analyst, Auditor.")).to_be_visible()
    assert demo("GET", "/aws/sessions")["sessions"] == []


def test_a_server_without_the_extension_has_no_group(lab):
    lab.page.route("**/aws/**", lambda route: route.fulfill(status=404, body="<html>404</html>"))
    lab.reload()
    expect(lab.page.locator(".jp-AwsRoles-statusButton")).to_have_text("AWS roles unavailable")
    lab.page.locator('.lm-TabBar-tab[data-id="jp-running-sessions"]').click()

    panel = lab.page.locator("#jp-running-sessions")
    expect(panel.get_by_role("heading", name="Terminals")).to_be_visible()
    expect(panel.get_by_text("AWS role sessions")).to_have_count(0)


@pytest.mark.long
def test_notebook_7_lists_them_too(browser, demo, sessions):
    with opened_lab(browser, demo, "tree") as notebook:
        notebook.page.get_by_role("tab", name="Running").click()

        panel = notebook.page.locator("#jp-running-sessions-tree")
        expect(item(panel, "Analyst")).to_contain_text("Analyst · default · active")
        notebook.shot("notebook-7-running")
