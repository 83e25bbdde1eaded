"""The demo with a hub, as a newcomer sees it: the log-in by name, alice's launcher, and bob's."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab
from tests.running_hub_demo import started_hub_demo

pytestmark = pytest.mark.long  # the same hub without a browser: tests/demo


@pytest.fixture(scope="module")
def hub_demo(tmp_path_factory):
    with started_hub_demo(tmp_path_factory.mktemp("hub-demo")) as demo:
        yield demo


@pytest.fixture
def lab(browser):
    """A page of a browser of one's own, with no cookie yet."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    yield Lab(context.new_page(), None)
    context.close()


def log_in(lab, user):
    """Type a name into the hub's form, and wait for JupyterLab."""
    lab.page.get_by_label("Username").fill(user)
    lab.shot(f"hub-demo-log-in-{user}")
    lab.page.get_by_role("button", name="Sign in").click()
    lab.page.wait_for_url(f"**/user/{user}/lab**")
    lab.until_ready()
    return lab.page.get_by_role("region", name="AWS role")


def test_alice_types_her_name_and_works_as_analyst(lab, hub_demo):
    lab.page.goto(hub_demo.link)
    assert lab.page.get_by_label("Password").count() == 0
    expect(log_in(lab, "alice")).to_contain_text("4 roles")
    lab.shot("hub-demo-alice")

    lab.page.get_by_role("option", name="Analyst").click()
    expect(lab.page.get_by_role("option", name="Analyst")).to_contain_text("default")
    notebook = lab.open_notebook("aws-in-a-notebook.ipynb")
    notebook.locator(".jp-CodeCell .jp-Editor").first.click()
    lab.page.keyboard.press("Shift+Enter")
    output = notebook.locator(".jp-OutputArea-output").first
    expect(output).to_contain_text("assumed-role/analyst/alice-")
    lab.shot("hub-demo-notebook")
    assert lab.recorder.own_errors == []


def test_after_alice_has_logged_out_bob_logs_in_and_no_role_is_for_him(lab, hub_demo):
    lab.page.goto(hub_demo.link)
    log_in(lab, "alice")
    lab.page.get_by_role("menuitem", name="File").click()
    lab.page.get_by_role("menuitem", name="Log Out").click()
    lab.page.wait_for_url("**/hub/log*")
    lab.page.goto(hub_demo.url)

    region = log_in(lab, "bob")
    expect(region).to_contain_text("No AWS role is offered to you")
    lab.shot("hub-demo-bob")
    expect(region.get_by_role("option")).to_have_text(["No AWS roleWithout AWS credentials"])
