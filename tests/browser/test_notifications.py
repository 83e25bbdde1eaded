"""What JupyterLab notifies its user of, and what not, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.lab import opened_lab
from tests.demo_pages import DemoBrowser
from tests.running_demo import started_demo

WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo whose token is valid long enough for a refresh that fails."""
    folder = tmp_path_factory.mktemp("demo")
    with started_demo(folder, "--token-lifetime", "30") as demo:
        yield demo


@pytest.fixture(scope="module")
def sign_in_demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sign-in-demo")
    with started_demo(folder, "--sign-in", "--token-lifetime", "10") as demo:
        yield demo


@pytest.fixture
def signed_in(browser, sign_in_demo):
    """JupyterLab of alice, who works as analyst; her browser is signed in at the provider, too."""
    with opened_lab(browser, sign_in_demo) as lab:
        lab.provider = sign_in(lab, "Alice Archer")
        sign_in_demo.start("analyst", default=True)
        yield lab
    sign_in_demo("DELETE", "/aws/sign-in")


@pytest.fixture
def analyst(lab, demo):
    """JupyterLab whose user works as analyst."""
    demo.start("analyst", default=True)
    expect(lab.page.get_by_text("work as Analyst")).to_be_visible()
    yield lab
    for session in demo("GET", "/aws/sessions")["sessions"]:
        demo("DELETE", f"/aws/sessions/{session['id']}")


def sign_in(lab, name):
    """Sign in by the dialog, whether it is open or not; return where the provider is."""
    dialog = lab.page.get_by_role("dialog", name="Sign in for AWS")
    if not dialog.is_visible():
        lab.begin_command("aws-roles:sign-in")
    with lab.page.expect_popup() as opened:
        dialog.get_by_role("button", name="Sign in", exact=True).click()
    choice = opened.value.get_by_role("button", name=name)
    choice.wait_for()
    provider = opened.value.url.partition("/authorize")[0]
    choice.click()
    dialog.wait_for(state="detached")
    return provider


def toast(lab, text=""):
    return lab.page.locator(".Toastify__toast").filter(has_text=text)


def shown(lab, name, *toasts):
    """Take a picture once the toasts have slid in."""
    for each in toasts:
        expect(each).not_to_have_class(re.compile("Toastify--animate"))
    lab.shot(name)


def state_of(server):
    return [session["state"] for session in server("GET", "/aws/sessions")["sessions"]]


@pytest.fixture
def no_tokens(demo):
    """From `begin` to `restore`, the command that fetches tokens fails."""
    (path,) = demo.folder.glob("tmp/**/token-client.json")
    away = path.with_suffix(".away")

    class NoTokens:
        @staticmethod
        def begin():
            path.rename(away)

        @staticmethod
        def restore():
            if away.exists():
                away.rename(path)

    yield NoTokens
    NoTokens.restore()


# --- Signing in ----------------------------------------------------------------------------


def test_a_user_who_is_signed_out_at_the_provider_signs_in_and_continues(signed_in, sign_in_demo):
    lab = signed_in
    notebook = lab.new_notebook()
    assert "assumed-role/analyst/" in lab.run(notebook, f"kept = 42\n{WHO}")

    there = lab.page.context.new_page()
    there.goto(f"{lab.provider}/end-session")
    there.get_by_role("button", name="Sign out").click()
    there.get_by_role("heading", name="You are signed out").wait_for()
    there.close()

    notification = toast(lab, "Sign in again to keep using AWS as Analyst.")
    expect(notification).to_be_visible(timeout=30_000)
    expect(notification).to_have_count(1)
    shown(lab, "notification-sign-in", notification)
    notification.get_by_role("button", name="Sign in").click()
    dialog = lab.page.get_by_role("dialog", name="Sign in for AWS")
    expect(dialog.get_by_role("button", name="Sign in", exact=True)).to_be_focused()
    lab.shot("notification-sign-in-dialog")
    sign_in(lab, "Alice Archer")

    expect(notification).to_have_count(0)
    expect(toast(lab, "You are signed in as alice.Your role sessions continue.")).to_be_visible()
    assert state_of(sign_in_demo) == ["active"]
    assert re.search(r"42\s.*assumed-role/analyst/", lab.run(notebook, f"print(kept)\n{WHO}"))
    assert lab.recorder.own_errors == []


@pytest.mark.long
def test_a_dismissed_notification_stays_away(signed_in):
    lab = signed_in
    there = lab.page.context.new_page()
    there.goto(f"{lab.provider}/end-session")
    there.get_by_role("button", name="Sign out").click()
    there.close()
    notification = toast(lab, "Sign in again")
    expect(notification).to_be_visible(timeout=30_000)

    lab.page.evaluate("jupyterapp.commands.execute('apputils:display-notifications')")
    center = lab.page.locator(".jp-Notification-Center")
    center.get_by_title("Dismiss all notifications").click()
    lab.page.evaluate("jupyterapp.commands.execute('apputils:display-notifications')")
    expect(notification).to_have_count(0)

    lab.reload()
    expect(
        toast(lab, "Sign in again")
    ).to_be_visible()  # a new page asks again, since the user has to act


@pytest.mark.long
def test_another_user_learns_which_role_sessions_ended(signed_in, sign_in_demo):
    lab = signed_in
    expect(lab.page.get_by_text("work as Analyst")).to_be_visible()
    begun = sign_in_demo("POST", "/aws/sign-in", {"flow": "device"})
    with DemoBrowser() as browser:
        browser.approve_device(begun["verification_uri_complete"], "bob")

    notification = toast(lab, "Another user has signed in, so these role sessions ended: Analyst.")
    expect(notification).to_be_visible(timeout=15_000)
    expect(toast(lab, "Sign in again")).to_have_count(0)
    shown(lab, "notification-another-user", notification)


# --- Refresh -------------------------------------------------------------------------------


@pytest.mark.long
def test_a_failed_refresh_is_reported_once_until_it_recovers(analyst, demo, no_tokens):
    (session,) = demo("GET", "/aws/sessions")["sessions"]
    no_tokens.begin()
    demo("POST", f"/aws/sessions/{session['id']}/refresh", {})  # fails at once
    notification = toast(
        analyst, re.compile("Couldn.t refresh AWS access as Analyst; less than a minute left")
    )
    expect(notification).to_be_visible(timeout=20_000)
    expect(notification).to_have_count(1)
    shown(analyst, "notification-degraded", notification)

    notification.get_by_role("button", name="Copy details for your administrator").click()
    copied = analyst.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("No web identity token is available (token_source_failed)")
    expect(notification).to_be_visible()

    over = toast(analyst, "AWS access as Analyst has expired.")
    expect(over).to_be_visible(timeout=40_000)
    expect(notification).to_have_count(0)
    shown(analyst, "notification-expired", over)

    no_tokens.restore()
    demo("POST", f"/aws/sessions/{session['id']}/refresh", {})
    expect(over).to_have_count(0)
    assert state_of(demo) == ["active"]
    assert analyst.recorder.own_errors == []


# --- Ends ----------------------------------------------------------------------------------


def test_a_withdrawn_role_is_reported_and_so_is_a_kernel_without_it(analyst, demo):
    analyst.new_notebook()
    (path,) = demo.folder.glob("tmp/**/roles.toml")
    before = path.read_text("utf-8")
    try:
        path.write_text(before.replace('{ groups = ["analysts"] }', '{ groups = ["nobody"] }'))
        notification = toast(analyst, "You may no longer use the AWS role Analyst")
        expect(notification).to_be_visible(timeout=60_000)
        shown(analyst, "notification-withdrawn", notification)

        kernel = analyst.page.evaluate(
            "jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
        )
        demo("POST", f"/api/kernels/{kernel}/restart", {})
        bare = toast(analyst, "Untitled.ipynb runs without an AWS role")
        expect(bare).to_be_visible()
        shown(analyst, "notification-kernel-without-role", bare)
    finally:
        path.write_text(before)

    analyst.reload()
    expect(analyst.page.locator(".jp-AwsRoles-statusButton")).to_be_visible()
    assert analyst.toasts() == []  # the page is opened on it, and its toolbar shows it


def test_what_the_user_ends_is_not_reported(analyst, demo):
    (session,) = demo("GET", "/aws/sessions")["sessions"]
    with analyst.page.expect_response(f"**/aws/sessions/{session['id']}?*"):  # asks why it ended
        demo("DELETE", f"/aws/sessions/{session['id']}")
    expect(analyst.page.get_by_text("work as Analyst")).to_have_count(0)
    assert analyst.toasts() == []


def test_nobody_is_asked_to_sign_in_where_that_is_not_needed(lab):
    visible = "id => jupyterapp.commands.isVisible(id)"
    assert not lab.page.evaluate(visible, "aws-roles:sign-in")
    assert not lab.page.evaluate(visible, "aws-roles:sign-out")
    expect(lab.page.locator(".jp-AwsRoles-statusButton")).to_be_visible()
    assert lab.toasts() == []
