"""Signing in from JupyterLab, at the demo's identity provider, in a real browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.lab import DARK, HIGH_CONTRAST, LIGHT, opened_lab
from tests.marks import long
from tests.running_demo import started_demo

POPUPS_BLOCKED = "window.open = () => null"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with started_demo(tmp_path_factory.mktemp("demo"), "--sign-in") as demo:
        yield demo


@pytest.fixture(autouse=True)
def _signed_out(demo):
    yield
    demo("DELETE", "/aws/sign-in")


def opened_dialog(lab):
    lab.begin_command("aws-roles:sign-in")
    dialog = lab.page.get_by_role("dialog", name="Sign in for AWS")
    dialog.wait_for()
    return dialog


def opened_window(lab, button):
    """Press a button; return the window that it opens, once the provider's page is there."""
    with lab.page.expect_popup() as opened:
        button.click()
    window = opened.value
    window.get_by_role("heading", name="Choose who you are").wait_for()
    return window


def choose(window, name):
    window.get_by_role("button", name=name).click()


def toast(lab, text):
    return lab.page.locator(".jp-toast-message").filter(has_text=text)


def sign_in_by_code(lab, name="Alice Archer"):
    """Sign in by the pop-up; return where the provider is."""
    dialog = opened_dialog(lab)
    window = opened_window(lab, dialog.get_by_role("button", name="Sign in", exact=True))
    provider = window.url.partition("/authorize")[0]
    choose(window, name)
    dialog.wait_for(state="detached")
    return provider


# --- The code flow -------------------------------------------------------------------------


@pytest.mark.labs
def test_from_the_launcher_by_keyboard_to_the_list_of_roles(lab):
    lab.page.get_by_role("button", name="Sign in…").focus()
    lab.page.keyboard.press("Enter")
    dialog = lab.page.get_by_role("dialog", name="Sign in for AWS")
    expect(dialog.get_by_role("button", name="Sign in", exact=True)).to_be_focused()
    lab.shot("sign-in-begin")
    with lab.page.expect_popup() as opened:
        lab.page.keyboard.press("Enter")
    window = opened.value
    window.get_by_role("button", name="Alice Archer").wait_for()
    expect(dialog.get_by_role("status")).to_contain_text("Waiting for you to sign in")
    lab.shot("sign-in-waiting")
    assert window.evaluate("window.opener") is None

    with window.expect_event("close"):
        choose(window, "Alice Archer")

    dialog.wait_for(state="detached")
    expect(toast(lab, "You are signed in as alice.")).to_be_visible()
    expect(lab.page.get_by_role("option", name="Analyst")).to_be_visible()
    lab.shot("sign-in-done")
    assert lab.recorder.own_errors == []


def test_a_refusal_is_shown_with_its_reason_and_can_be_retried(lab):
    dialog = opened_dialog(lab)
    window = opened_window(lab, dialog.get_by_role("button", name="Sign in", exact=True))
    choose(window, "Don't sign in")

    failure = dialog.get_by_role("alert")
    expect(failure).to_contain_text("you or the identity provider refused")
    expect(failure).not_to_contain_text("jupyter wb-aws")
    again = dialog.get_by_role("button", name="Try again")
    expect(again).to_be_focused()
    expect(window.get_by_role("heading")).to_have_text("The sign-in failed")
    lab.shot("sign-in-refused-in-lab")

    choose(opened_window(lab, again), "Alice Archer")
    dialog.wait_for(state="detached")


def test_a_window_that_was_closed_can_be_opened_again(lab):
    dialog = opened_dialog(lab)
    opened_window(lab, dialog.get_by_role("button", name="Sign in", exact=True)).close()
    expect(dialog.get_by_text("The sign-in window is closed.")).to_be_visible()
    lab.shot("sign-in-window-closed")

    choose(
        opened_window(lab, dialog.get_by_role("button", name="Open the window again")),
        "Alice Archer",
    )
    dialog.wait_for(state="detached")


def test_where_the_browser_blocks_the_window_a_link_opens_it(lab):
    lab.page.evaluate(POPUPS_BLOCKED)
    dialog = opened_dialog(lab)
    dialog.get_by_role("button", name="Sign in", exact=True).click()
    link = dialog.get_by_role("link", name="Open the sign-in page")
    expect(link).to_be_focused()
    expect(dialog.get_by_text("you leave JupyterLab, so save your work first")).to_be_visible()
    lab.shot("sign-in-blocked")

    choose(opened_window(lab, link), "Alice Archer")
    dialog.wait_for(state="detached")


@pytest.mark.long
def test_as_a_last_resort_the_whole_window_goes_there_and_back(lab):
    lab.page.evaluate(POPUPS_BLOCKED)
    dialog = opened_dialog(lab)
    dialog.get_by_role("button", name="Sign in", exact=True).click()
    dialog.get_by_role("link", name="Leave JupyterLab and sign in").click()
    choose(lab.page, "Alice Archer")
    lab.page.get_by_role("link", name="Jupyter").click()
    lab.until_ready()
    lab.new_launcher()

    expect(lab.page.get_by_role("option", name="Analyst")).to_be_visible()


# --- The device flow -----------------------------------------------------------------------


@pytest.mark.labs
def test_by_a_code_in_a_second_tab(lab):
    dialog = opened_dialog(lab)
    dialog.get_by_role("button", name="Another way").click()
    code = dialog.locator("code").inner_text()
    assert re.fullmatch(r"[A-Z]{4}-[A-Z]{4}", code)
    expect(dialog.get_by_text("The code is valid for 9 minutes.")).to_be_visible()
    dialog.get_by_role("button", name="Copy code").click()
    assert lab.page.evaluate("navigator.clipboard.readText()") == code
    lab.shot("sign-in-device")

    tab = opened_window(lab, dialog.get_by_role("link", name="Open the sign-in page"))
    expect(tab.get_by_text(code)).to_be_visible()
    assert tab.evaluate("window.opener") is None
    choose(tab, "Bob Baker")

    dialog.wait_for(state="detached")
    expect(toast(lab, "You are signed in as bob.")).to_be_visible()
    assert lab.recorder.own_errors == []


def test_a_closed_dialog_shows_the_same_code_again(lab):
    dialog = opened_dialog(lab)
    dialog.get_by_role("button", name="Another way").click()
    code = dialog.locator("code").inner_text()
    lab.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")

    dialog = opened_dialog(lab)
    dialog.get_by_role("button", name="Another way").click()
    expect(dialog.locator("code")).to_have_text(code)


def test_a_refused_code_is_shown_with_its_reason(lab):
    dialog = opened_dialog(lab)
    dialog.get_by_role("button", name="Another way").click()
    tab = opened_window(lab, dialog.get_by_role("link", name="Open the sign-in page"))
    choose(tab, "Don't sign in")

    expect(dialog.get_by_role("alert")).to_contain_text("refused on the identity provider's page")
    dialog.get_by_role("button", name="Try again").click()
    expect(dialog.locator("code")).to_be_visible()


@pytest.mark.long
def test_a_code_expires_while_the_user_watches(lab):
    def soon_over(route):
        if route.request.method != "POST":
            route.continue_()
            return
        answer = route.fetch()
        soon = datetime.now(UTC) + timedelta(seconds=4)
        expires_at = soon.strftime("%Y-%m-%dT%H:%M:%SZ")
        route.fulfill(response=answer, json={**answer.json(), "expires_at": expires_at})

    dialog = opened_dialog(lab)
    lab.page.route(re.compile("/aws/sign-in"), soon_over)
    dialog.get_by_role("button", name="Another way").click()
    expect(dialog.get_by_text("The code is valid for less than a minute.")).to_be_visible()

    expect(dialog.get_by_role("alert")).to_have_text("The code expired before it was used.")
    expect(dialog.get_by_role("button", name="Try again")).to_be_focused()
    expect(dialog.locator("code")).to_have_count(0)
    lab.shot("sign-in-expired")


# --- Signed in -----------------------------------------------------------------------------


@pytest.mark.long
def test_a_second_window_follows(browser, demo, lab):
    with opened_lab(browser, demo) as other:
        dialog = opened_dialog(other)
        sign_in_by_code(lab)
        dialog.wait_for(state="detached")
        expect(other.page.get_by_role("option", name="Analyst")).to_be_visible()


def test_a_signed_in_user_sees_their_name_and_can_sign_out(lab, demo):
    provider = sign_in_by_code(lab)
    demo.start("analyst")
    dialog = opened_dialog(lab)
    expect(dialog.get_by_text("You are signed in as alice")).to_be_visible()
    lab.shot("sign-in-signed-in")
    dialog.get_by_role("button", name="Sign out…").click()

    question = lab.page.get_by_role("dialog", name="Sign out of AWS?")
    expect(question.get_by_text("All your role sessions end: Analyst.")).to_be_visible()
    lab.shot("sign-out-question")
    question.get_by_role("button", name="Sign out").click()

    answer = lab.page.get_by_role("dialog", name="You are signed out")
    expect(answer.get_by_text("can use them until")).to_be_visible()
    link = answer.get_by_role("link", name="Sign out there, too")
    expect(link).to_have_attribute("href", f"{provider}/end-session")
    lab.shot("sign-out-done")
    assert demo("GET", "/aws/sign-in")["state"] == "signed_out"
    assert demo("GET", "/aws/sessions")["sessions"] == []
    lab.page.keyboard.press("Escape")
    expect(lab.page.get_by_text("Sign in to see the AWS roles")).to_be_visible()
    assert not any("ended" in toast for toast in lab.toasts())  # it was the user's doing
    assert lab.recorder.own_errors == []


def test_a_cancelled_sign_out_ends_nothing(lab, demo):
    sign_in_by_code(lab)
    lab.begin_command("aws-roles:sign-out")
    lab.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    lab.page.get_by_role("dialog").wait_for(state="detached")
    assert demo("GET", "/aws/sign-in")["state"] == "signed_in"


# --- How it looks --------------------------------------------------------------------------


@pytest.mark.labs
@pytest.mark.parametrize("theme", [LIGHT, *long(DARK, HIGH_CONTRAST)])
def test_every_theme_is_readable(lab, theme):
    lab.use_theme(theme)
    try:
        dialog = opened_dialog(lab)
        dialog.get_by_role("button", name="Another way").click()
        dialog.locator("code").wait_for()
        lab.shot(f"sign-in-device-{theme.replace(' ', '-').lower()}")
        assert lab.axe(".jp-Dialog") == []
        lab.page.keyboard.press("Escape")
    finally:
        lab.use_theme(LIGHT)


@pytest.mark.long
def test_a_narrow_window_cuts_nothing_off(browser, demo):
    with opened_lab(browser, demo, width=400, height=640) as lab:
        dialog = opened_dialog(lab)
        dialog.get_by_role("button", name="Another way").click()
        dialog.locator("code").wait_for()
        lab.shot("sign-in-narrow")
        box = dialog.locator(".jp-Dialog-content").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 400
