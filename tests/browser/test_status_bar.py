"""The AWS role in the status bar, and the popover that it opens."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from jupyter_wb_aws.demo.names import role_arn
from tests.browser.lab import LIGHT, THEMES
from tests.marks import long


@pytest.fixture
def item(lab):
    lab.page.locator(".jp-Launcher").wait_for()  # it takes the focus when it appears
    return lab.page.locator(".jp-AwsRoles-statusButton")


@pytest.fixture
def popover(lab):
    return lab.page.locator(".jp-AwsRoles-popover")


@pytest.fixture
def session(demo):
    """The analyst's role session, the default; ended after the test."""
    session = demo.start("analyst", default=True)
    yield session
    demo("DELETE", f"/aws/sessions/{session['id']}")


def answer(lab, path, content):
    """Let the page see this as the server's answer."""
    lab.page.route(re.compile(rf"{path}(\?|$)"), lambda route: route.fulfill(json=content))


def dialog(lab):
    return lab.page.locator(".jp-Dialog")


def test_before_anything_is_chosen_it_says_what_to_do(lab, item, popover):
    expect(item).to_have_text("Pick an AWS role")
    item.click()

    expect(popover.get_by_role("button", name="Pick an AWS role…")).to_be_visible()
    lab.shot("status-nothing-chosen")
    assert lab.axe() == []


def test_it_shows_the_role_its_account_and_how_it_is(lab, item, session):
    expect(item).to_have_accessible_name("AWS role: Analyst · 111122223333 · active")
    expect(item.locator(".jp-AwsRoles-roleColor")).to_have_css("background-color", "rgb(0, 128, 0)")
    assert lab.recorder.own_errors == []


def test_the_popover_shows_who_the_user_is_to_aws(item, popover, session):
    item.click()

    expect(popover).to_contain_text("Active. AWS credentials are kept fresh.")
    for value in [session["role_arn"], session["region"], *session["identity"].values()]:
        expect(popover.get_by_text(value, exact=True).first).to_be_visible()
    expect(popover).to_contain_text("what you start next uses it.")
    expect(popover).to_contain_text(re.compile(r"Next refresh\s*.*\d:\d\d"))
    expect(popover).not_to_contain_text("expires")


def test_the_caller_identity_is_copied_as_the_aws_cli_prints_it(lab, item, popover, session):
    item.click()
    popover.get_by_role("button", name="Copy caller identity").click()

    expect(popover.get_by_role("button", name="Copied")).to_be_visible()
    copied = lab.page.evaluate("() => navigator.clipboard.readText()")
    assert json.loads(copied) == session["identity"]


def test_the_environment_says_what_programs_get(lab, item, popover, session):
    item.click()
    popover.get_by_text("Environment variables that programs get").click()

    environment = popover.locator("details")
    for name, value in session["environment"].items():
        expect(environment).to_contain_text(f"{name}{value}")
    lab.shot("status-environment")


def test_refresh_now_says_until_when_the_new_token_is_valid(lab, item, popover, session):
    item.click()
    popover.get_by_role("button", name="Refresh token now").click()

    expect(popover.get_by_role("status")).to_have_text(re.compile("valid until \\d"))
    assert f"POST /aws/sessions/{session['id']}/refresh" in lab.recorder.requests


def test_a_refresh_that_fails_says_why_in_place(lab, item, popover, session):
    lab.page.route(re.compile("/refresh"), lambda route: route.abort())
    item.click()
    popover.get_by_role("button", name="Refresh token now").click()

    expect(popover.get_by_role("alert")).to_contain_text("The Jupyter server does not answer")
    expect(popover.get_by_role("button", name="Refresh token now")).to_be_focused()


def test_it_follows_what_is_chosen_elsewhere_while_it_is_open(demo, item, popover, session):
    item.click()
    other = demo.start("auditor", default=True)

    expect(popover.get_by_role("heading")).to_have_text("AWS role: Auditor")
    expect(item).to_contain_text("Auditor")
    demo("DELETE", f"/aws/sessions/{other['id']}")
    expect(popover.get_by_role("heading")).to_have_text("No AWS role")


@pytest.mark.labs
def test_by_keyboard_the_focus_goes_in_round_and_back(lab, item, popover, session):
    item.focus()
    lab.page.keyboard.press("Enter")
    expect(popover).to_be_focused()
    expect(item).to_have_attribute("aria-expanded", "true")
    buttons = ["Refresh token now", "Pick another role…", "Check credentials…", "End…"]
    for name in ["Copy caller identity", None, *buttons]:
        lab.page.keyboard.press("Tab")
        if name is not None:
            expect(popover.get_by_role("button", name=name)).to_be_focused()
    lab.page.keyboard.press("Tab")
    expect(popover.get_by_role("button", name="Copy caller identity")).to_be_focused()
    lab.page.keyboard.press("Shift+Tab")
    expect(popover.get_by_role("button", name="End…")).to_be_focused()

    lab.page.keyboard.press("Escape")

    expect(popover).to_have_count(0)
    expect(item).to_be_focused()
    expect(item).to_have_attribute("aria-expanded", "false")
    lab.page.keyboard.press("Space")
    expect(popover).to_be_focused()


@pytest.mark.labs
@pytest.mark.long
def test_a_click_elsewhere_closes_it(lab, item, popover, session):
    item.click()
    expect(popover).to_be_focused()
    lab.page.locator("#jp-MainLogo").click()

    expect(popover).to_have_count(0)


@pytest.mark.labs
def test_ending_asks_first_and_says_until_when_credentials_work(lab, item, popover, session):
    item.focus()
    lab.page.keyboard.press("Enter")
    expect(popover).to_be_focused()
    lab.page.keyboard.press("Shift+Tab")
    lab.page.keyboard.press("Enter")
    expect(dialog(lab)).to_contain_text("End the role session of Analyst?")
    expect(dialog(lab)).to_contain_text("What you start next has no AWS role.")
    lab.shot("status-end-question")
    lab.page.keyboard.press("Escape")
    expect(item).to_be_focused()
    expect(item).to_contain_text("active")

    lab.page.keyboard.press("Enter")
    lab.page.keyboard.press("Shift+Tab")
    lab.page.keyboard.press("Enter")
    expect(dialog(lab).get_by_role("button", name="End", exact=True)).to_be_focused()
    lab.page.keyboard.press("Enter")

    ended = lab.page.locator(".Toastify__toast").filter(has_text="Ended: Analyst.")
    expect(ended).to_contain_text(re.compile(r"until .*\d:\d\d"))
    lab.shot("status-ended")
    expect(item).to_be_focused()
    expect(item).to_have_text("No AWS role")
    expect(item).to_have_attribute("title", re.compile("The role session of Analyst has ended"))


@pytest.mark.labs
@pytest.mark.parametrize("theme", ["light", *long("dark", "high-contrast")])
def test_it_is_readable_in_every_theme(lab, item, popover, session, theme):
    lab.use_theme(THEMES[theme])
    item.click()
    popover.locator("summary").click()
    expect(popover.get_by_text("AWS_ROLE_ARN")).to_be_visible()
    expect(popover.get_by_role("button", name="Refresh token now")).to_be_in_viewport()
    lab.shot(f"status-popover-{theme}")

    assert lab.axe(".jp-AwsRoles-status") == []
    assert lab.axe(".jp-AwsRoles-popup") == []
    lab.use_theme(LIGHT)  # the server keeps it


@pytest.mark.long
def test_it_is_readable_in_the_systems_own_high_contrast(lab, item, popover, session):
    lab.page.emulate_media(forced_colors="active")
    item.click()
    expect(popover).to_be_focused()
    lab.shot("status-forced-colors")

    for button in popover.get_by_role("button").all():
        expect(button).to_have_css("border-style", "solid")
    icon = popover.locator(".jp-AwsRoles-state path").first
    assert icon.evaluate("node => getComputedStyle(node).fill") == popover.evaluate(
        "node => getComputedStyle(node).color"
    )


@pytest.mark.parametrize("width", [*long(700), 400])
def test_a_narrow_window_shows_role_and_state(lab, item, popover, session, width):
    lab.page.set_viewport_size({"width": width, "height": 700})
    expect(item.get_by_text("Analyst")).to_be_in_viewport()
    expect(item.get_by_text("active")).to_be_in_viewport()
    item.click()
    expect(popover.get_by_role("button", name="End…")).to_be_in_viewport()
    lab.shot(f"status-popover-{width}")
    assert [line for line in lab.too_wide() if "status" in line or "popover" in line] == []


STATES = {
    "degraded": ("degraded, 9 minutes left", "the current one is valid for 9 minutes"),
    "sign_in_required": ("sign-in required, 9 minutes left", "Sign in to continue"),
    "expired": ("expired", "It is refreshed automatically"),
}
PROBLEM = {
    "type": "urn:jupyter-wb-aws:problem:token_source_failed",
    "title": "The token was not refreshed",
    "status": 503,
    "detail": "The identity provider does not answer.",
    "code": "token_source_failed",
    "hint": "Try again in a minute.",
    "admin_hint": "The provider can not be reached.",
    "message": "",
    "reason": "",
}


@pytest.mark.parametrize("state", ["degraded", *long("sign_in_required", "expired")])
def test_a_role_session_that_needs_attention_says_how_long_it_is_valid_and_why(
    lab, item, popover, session, state
):
    words, sentence = STATES[state]
    expires = (datetime.now(UTC) + timedelta(minutes=9, seconds=50)).isoformat()
    changed = session | {"state": state, "problem": PROBLEM, "token_expires_at": expires}
    answer(lab, "/aws/sessions", {"sessions": [changed]})
    lab.reload()
    expect(item).to_contain_text(words)
    item.click()

    expect(popover).to_contain_text(sentence)
    expect(popover.get_by_role("alert")).to_contain_text("The identity provider does not answer.")
    assert lab.axe(".jp-AwsRoles-status") == []
    assert lab.axe(".jp-AwsRoles-popup") == []
    lab.shot(f"status-{state}")


def test_a_signed_out_user_is_asked_to_sign_in(lab, item, popover, session):
    signed_out = {"state": "signed_out", "user": None, "expires_at": None, "flows": ["code"]}
    answer(lab, "/aws/sign-in", signed_out | {"problem": None})
    answer(lab, "/aws/sessions", {"sessions": [session | {"state": "sign_in_required"}]})
    lab.reload()
    expect(item).to_contain_text("sign-in required")
    item.click()

    expect(popover.get_by_role("button", name="Sign in…")).to_be_visible()
    lab.shot("status-signed-out")


def test_when_the_server_goes_away_the_last_known_state_stays(lab, item, popover, session, demo):
    expect(item).to_contain_text("active")
    lab.page.route("**/aws/**", lambda route: route.abort())
    demo(
        "POST", f"/aws/sessions/{session['id']}/refresh"
    )  # the page gets an event, and reads again

    expect(item).to_have_accessible_name("AWS role: Analyst · 111122223333 · server not reachable")
    item.click()
    expect(popover).to_contain_text("This is the last known state")
    expect(popover).not_to_contain_text("kept fresh")
    for button in ["Refresh token now", "Pick another role…", "End…"]:
        expect(popover.get_by_role("button", name=button)).to_be_disabled()
    lab.shot("status-unreachable")
    assert lab.axe(".jp-AwsRoles-popup") == []


def test_a_server_without_the_extension_is_shown_quietly(lab, item, popover):
    lab.page.route("**/aws/**", lambda route: route.fulfill(status=404, body="<html>404</html>"))
    lab.reload()
    expect(item).to_have_text("AWS roles unavailable")
    item.click()

    expect(popover).to_contain_text("lacks the extension jupyter_wb_aws")
    expect(popover.get_by_role("button")).to_have_count(0)
    lab.shot("status-missing")
    assert lab.recorder.own_errors == []


@pytest.mark.long
def test_a_setting_hides_it(lab, item):
    lab.run_command("settingeditor:open", query="AWS Roles")
    shown = lab.page.get_by_role("checkbox", name="Status bar")
    shown.uncheck()
    expect(item).to_be_hidden()
    lab.shot("settings")

    shown.check()
    expect(item).to_be_visible()


# --- Commands: the palette, and the menu "AWS Role" of the settings --------------------------


@pytest.mark.labs
def test_a_role_is_chosen_from_the_palette_by_keyboard(lab, item, demo):
    expect(item).to_be_visible()
    lab.page.keyboard.press("ControlOrMeta+Shift+c")
    lab.page.keyboard.type("pick aws role")
    lab.page.keyboard.press("Enter")
    expect(dialog(lab).get_by_role("combobox")).to_be_focused()
    lab.page.keyboard.type("audit")
    lab.shot("pick-dialog")
    lab.page.keyboard.press("Enter")

    expect(dialog(lab)).to_have_count(0)
    expect(item).to_contain_text("Auditor")
    assert demo("GET", "/aws/identity")["Arn"].split("/")[1] == "auditor"


def test_no_aws_role_is_chosen_from_the_menu(lab, item, session):
    expect(item).to_contain_text("Analyst")
    open_menu(lab)
    lab.shot("menu")
    lab.page.get_by_role("menuitem", name="Use No AWS Role").click()

    expect(item).to_have_text("No AWS role")
    open_menu(lab)
    none = lab.page.locator(".lm-Menu-item", has_text="Use No AWS Role")
    expect(none).to_have_class(re.compile("lm-mod-toggled"))
    end = lab.page.locator(".lm-Menu-item", has_text="End AWS Role Session…")
    expect(end).to_have_class(re.compile("lm-mod-disabled"))


def open_menu(lab):
    lab.page.get_by_role("menuitem", name="Settings").click()
    lab.page.locator('.lm-Menu-item[data-type="submenu"]', has_text="AWS Role").click()


@pytest.mark.long
def test_the_menu_offers_nothing_where_the_extension_is_missing(lab, item):
    lab.page.route("**/aws/**", lambda route: route.fulfill(status=404, body="<html>404</html>"))
    lab.reload()
    expect(item).to_have_text("AWS roles unavailable")
    open_menu(lab)

    entries = lab.page.locator(".lm-Menu-item", has_text="AWS R").filter(visible=True)
    expect(entries).to_have_text(["AWS Role", "Pick AWS Role…"])
    expect(entries.last).to_have_class(re.compile("lm-mod-disabled"))


def test_a_command_picks_nothing_without_the_user(lab, item, session):
    # Markdown of a notebook may hold a button that runs a command, with arguments of its author's.
    lab.begin_command("aws-roles:pick", role_arn=role_arn("auditor"))

    expect(dialog(lab).get_by_role("combobox")).to_be_focused()
    expect(item).to_contain_text("Analyst")
    lab.page.keyboard.press("Escape")


def test_a_role_that_aws_refuses_is_explained(lab, item, session):
    lab.begin_command("aws-roles:pick")
    dialog(lab).get_by_role("combobox").fill("misconf")
    lab.page.keyboard.press("Enter")

    expect(dialog(lab).get_by_role("alert")).to_contain_text("AWS refused to let you use this role")
    expect(dialog(lab).get_by_role("button", name="Copy details")).to_be_visible()
    lab.shot("pick-refused")
    assert lab.axe(".jp-AwsRoles-failure") == []
    expect(item).to_contain_text("Analyst")


@pytest.mark.long
def test_a_command_shows_who_the_user_is_to_aws(lab, item, session):
    expect(item).to_contain_text("Analyst")
    lab.begin_command("aws-roles:show-identity")

    expect(dialog(lab)).to_contain_text(session["identity"]["Arn"])
    lab.shot("identity-dialog")
    assert lab.axe(".jp-AwsRoles-facts") == []
