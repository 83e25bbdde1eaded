"""Picking a role in JupyterLab's launcher, and what starts then, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from jupyter_wb_aws.demo.names import role_arn
from tests.browser.lab import offer_roles, opened_browser, opened_lab

WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


@pytest.fixture(scope="module")
def lab(demo):
    with opened_browser() as browser, opened_lab(browser, demo) as lab:
        yield lab


@pytest.fixture
def section(lab):
    return lab.new_launcher().get_by_role("region", name="AWS role")


@pytest.fixture
def box(section):
    return section.get_by_role("combobox")


def pick(lab, box, name):
    box.fill(name)
    lab.page.keyboard.press("Enter")


@pytest.mark.labs
def test_a_role_is_chosen_by_keyboard_and_a_new_notebook_has_it(lab, section, box):
    lab.shot("launcher", section)
    box.focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):  # "no AWS role" is the first line
        lab.page.keyboard.press(key)
    expect(section.get_by_role("option", name="Analyst")).to_contain_text("default")
    lab.shot("default-role")

    notebook = lab.new_notebook()

    assert "assumed-role/analyst/alice-" in lab.run(notebook, WHO)
    lab.shot("notebook-with-role")


@pytest.mark.labs
def test_a_click_picks_too_and_a_terminal_has_the_role(lab, section, demo):
    section.get_by_role("option", name="Auditor").click()
    expect(section.get_by_role("option", name="Auditor")).to_contain_text("default")

    lab.run_command("terminal:create-new")
    terminal = lab.current()
    expect(terminal.locator(".jp-Terminal-body")).to_be_visible()
    (running,) = (
        t for t in demo("GET", "/aws/assignments")["assignments"] if t["kind"] == "terminal"
    )
    assert running["running"]["role_arn"] == role_arn("auditor")
    assert "assumed-role/auditor/alice-" in demo.terminal(
        "aws sts get-caller-identity", running["id"]
    )


def test_no_aws_role_is_a_choice(lab, section, box):
    pick(lab, box, "no aws role")

    expect(section).to_contain_text("have no AWS role")
    notebook = lab.new_notebook()
    assert "NoCredentialsError" in lab.run(notebook, WHO)


@pytest.mark.labs
def test_a_role_that_aws_refuses_is_explained(lab, section, box):
    pick(lab, box, "misconf")

    alert = section.get_by_role("alert")
    expect(alert).to_contain_text("AWS refused to let you use this role")
    expect(alert.get_by_role("link", name="Ask for this role")).to_have_attribute(
        "href", re.compile(r"^http://127\.0\.0\.1:\d+/request-a-role$")
    )
    lab.shot("misconfigured")
    alert.get_by_role("button", name="Copy details for your administrator").click()
    expect(alert.get_by_role("button", name="Copied")).to_be_visible()
    copied = lab.page.evaluate("() => navigator.clipboard.readText()")
    assert "trust_refused" in copied
    assert "subject" in copied or "sub" in copied
    assert "eyJ" not in copied  # no token


def test_a_role_that_is_not_offered_says_where_to_ask_for_it(lab, section, box):
    pick(lab, box, role_arn("finance-admin"))

    expect(section.get_by_role("alert").get_by_role("link")).to_have_attribute(
        "href", re.compile(r"/request-a-role\?team=finance$")
    )


def test_a_role_used_recently_comes_first(lab, section, box):
    pick(lab, box, "auditor")
    expect(section.get_by_role("option", name="Auditor")).to_contain_text("default")

    lab.reload()
    options = lab.new_launcher().get_by_role("region", name="AWS role").get_by_role("option")

    expect(options.nth(1)).to_contain_text("Auditor")


@pytest.fixture
def resized(lab):
    """Let a test change the window's size: after a narrow one, JupyterLab keeps its file browser wide."""
    yield
    lab.page.set_viewport_size({"width": 1280, "height": 900})
    lab.open("lab?reset")


@pytest.mark.labs
@pytest.mark.usefixtures("resized")
@pytest.mark.parametrize(
    ("width", "height"),
    [(1280, 500), (1366, 640), (1280, 800), (600, 800), (1440, 1000), (1920, 1250)],
)
def test_a_cut_off_row_shows_that_there_are_more_roles(lab, section, width, height):
    lab.page.set_viewport_size({"width": width, "height": height})
    expect(section.get_by_text("4 roles", exact=True)).to_be_in_viewport(ratio=1)
    rows = section.get_by_role("listbox").evaluate("""list => {
      const row = list.querySelector('[role=option]').offsetHeight;
      return {shown: list.clientHeight / row, all: list.scrollHeight / row};
    }""")

    cut_off = rows["shown"] % 1
    assert rows["shown"] >= min(rows["all"], 5) or 0.2 < cut_off < 0.8, rows
    section.get_by_role("combobox").fill("o")
    expect(section.get_by_text(re.compile(r"^\d of 4 roles$"))).to_be_in_viewport(ratio=1)


@pytest.mark.usefixtures("resized")
def test_the_list_of_a_few_roles_is_whole_and_as_wide_as_the_cards(lab, section):
    lab.page.set_viewport_size({"width": 1280, "height": 1200})
    for name in ("No AWS role", "Analyst", "Auditor", "Data engineer", "Misconfigured"):
        option = section.get_by_role("option", name=name)
        expect(option).to_be_in_viewport(ratio=0.95)

    ours = section.get_by_role("heading").locator("..").bounding_box()
    cards = lab.current().locator(".jp-Launcher-sectionHeader").first.bounding_box()
    assert abs(ours["x"] - cards["x"]) <= 2
    assert abs(ours["x"] + ours["width"] - cards["x"] - cards["width"]) <= 2


def test_five_thousand_roles_are_found_and_scrolled(lab, demo):
    offer_roles(demo, 5000)
    lab.reload()
    section = lab.new_launcher().get_by_role("region", name="AWS role")
    box = section.get_by_role("combobox")
    expect(section.get_by_role("option").first).to_have_attribute("aria-setsize", "5005")
    assert section.get_by_role("option").count() < 30

    box.focus()
    lab.page.keyboard.press("ArrowUp")  # to the last
    expect(section.get_by_role("option", name="Team 4999")).to_be_in_viewport()
    box.fill("team 0 production 04")

    expect(section.get_by_role("option").first).to_contain_text("Team 0400 production")
    lab.shot("five-thousand-roles")
    assert lab.axe() == []


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1280, 500), (600, 800)])
def test_the_section_leaves_the_cards_room_and_shows_a_failure_whole(
    lab, section, box, width, height
):
    lab.page.set_viewport_size({"width": width, "height": height})
    cards = lab.page.locator(".jp-Launcher-sectionHeader:visible").first
    expect(section.get_by_role("option", name="Analyst")).to_be_visible()
    if width > 600:  # else the sentence above the list alone has five lines
        assert section.bounding_box()["height"] <= max(0.33 * height, 205)  # of two rows, at least
    ours = section.locator(".jp-AwsRoles-launcherHeader").bounding_box()
    assert abs(ours["x"] - cards.bounding_box()["x"]) <= 1
    pick(lab, box, "misconf")

    alert = section.get_by_role("alert")
    expect(alert.get_by_role("button", name="Copy details")).to_be_in_viewport(ratio=1)
    expect(section.get_by_role("heading", name="AWS role")).to_be_in_viewport(ratio=1)
    lab.shot(f"refused-{width}x{height}")
