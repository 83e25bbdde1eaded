"""Checking AWS credentials from JupyterLab: the status bar's popover, and the dialog it opens."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def dialog(lab):
    return lab.page.locator(".jp-Dialog .jp-AwsRoles-doctor")


@pytest.fixture
def session(demo):
    """The analyst's role session, the default; ended after the test."""
    session = demo.start("analyst", default=True)
    yield session
    demo("DELETE", f"/aws/sessions/{session['id']}")


def test_from_the_popover_it_makes_a_real_call_and_shows_whose_credentials_it_used(
    lab, dialog, session
):
    lab.page.locator(".jp-Launcher").wait_for()  # it takes the focus when it appears
    lab.page.locator(".jp-AwsRoles-statusButton").click()
    lab.page.get_by_role("button", name="Check credentials…").click()

    expect(dialog.get_by_role("status")).to_contain_text(
        re.compile("what you start now", re.IGNORECASE), timeout=30_000
    )
    expect(dialog).to_contain_text(session["identity"]["Arn"])
    expect(dialog).to_contain_text("assume-role-with-web-identity")
    dialog.get_by_role("button", name="Copy report").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    copied = lab.page.evaluate("() => navigator.clipboard.readText()")
    assert session["identity"]["Arn"] in copied
    lab.shot("doctor")
    assert lab.axe() == []
    assert lab.recorder.own_errors == []


def test_the_command_shows_what_to_do_and_asks_again(lab, dialog, session):
    lab.page.locator(".jp-Launcher").wait_for()
    lab.begin_command("aws-roles:doctor")
    finding = dialog.get_by_text("endpoint_set", exact=True)
    expect(finding).to_be_visible(timeout=30_000)

    with lab.page.expect_response("**/aws/doctor*"):
        dialog.get_by_role("button", name="Check again").click()
    expect(finding).to_be_visible(timeout=30_000)
