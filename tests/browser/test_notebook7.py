"""Jupyter Notebook 7, without launcher and status bar: a tab of its file page, and the toolbar."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.documents import (
    ARN,
    notebook_file,
    opened_as_users_do,
    pick_and_restart,
    role_button,
)
from tests.browser.lab import DARK, LIGHT, opened_lab
from tests.marks import long

pytestmark = pytest.mark.labs

# Notebook 7.6.5 throws this on each of its pages, even without extensions.
STOCK = "Cannot read properties of undefined (reading 'schema')"


@pytest.fixture
def tree(browser, demo):
    with opened_lab(browser, demo, "tree") as tree:
        yield tree


def tab(tree):
    """Bring our tab to the front; return what is in it."""
    tree.page.get_by_role("tab", name="AWS roles").click()
    content = tree.page.locator(".jp-AwsRoles-treeTab")
    content.wait_for()
    return content


def new_notebook(tree):
    """Open a new notebook as the user does; return its page."""
    tree.page.get_by_role("tab", name="Files").click()
    tree.page.get_by_role("menuitem", name="New").click()
    with tree.page.expect_popup() as opened:
        tree.page.get_by_role("menuitem", name="Python 3 (ipykernel)").click()
    return opened.value


def test_a_role_chosen_on_the_file_page_is_that_of_a_new_notebook(tree, demo):
    content = tab(tree)
    content.get_by_role("combobox").focus()
    tree.page.keyboard.type("aud")
    tree.page.keyboard.press("Enter")
    expect(content.get_by_role("listitem")).to_contain_text("Auditor (default)")
    tree.shot("notebook7-tree")

    page = new_notebook(tree)
    notebook = page.locator(".jp-NotebookPanel")
    expect(role_button(notebook)).to_have_text("Auditor", timeout=30_000)
    page.close()

    assert [s["label"] for s in demo("GET", "/aws/sessions")["sessions"]] == ["Auditor"]


@pytest.mark.long
def test_the_toolbar_switches_the_role_of_a_notebook(browser, demo):
    demo.start("auditor", default=True)
    path = notebook_file(demo, "seven.ipynb", {})
    with opened_lab(browser, demo, f"notebooks/{path}") as lab:
        notebook = lab.until_idle(lab.current())
        expect(role_button(notebook)).to_have_text("Auditor")
        assert "assumed-role/auditor/" in lab.run(notebook, ARN)

        pick_and_restart(lab, notebook, "ana")

        expect(role_button(notebook)).to_have_text("Analyst")
        assert "assumed-role/analyst/" in lab.run(notebook, ARN)
        lab.shot("notebook7-notebook")
        assert [error for error in lab.recorder.own_errors if STOCK not in error] == []


@pytest.mark.parametrize("how", ["click", *long("Enter")])
def test_the_panel_in_the_toolbar_stays_open(browser, demo, how):
    demo.start("auditor", default=True)
    path = notebook_file(demo, f"seven-by-{how.lower()}.ipynb", {})
    with opened_lab(browser, demo, f"notebooks/{path}") as lab:
        notebook = lab.until_idle(lab.current())
        expect(role_button(notebook)).to_have_text("Auditor")

        drop_down = opened_as_users_do(notebook, how)
        lab.page.keyboard.type("ana")

        expect(drop_down.get_by_role("option")).to_have_count(1)


def test_no_aws_role_can_be_chosen_for_what_starts_next(tree, demo):
    demo.start("analyst", default=True)
    content = tab(tree)

    content.get_by_role("option", name="No AWS role").click()

    expect(content.get_by_role("option", name="No AWS role")).to_have_attribute(
        "aria-selected", "true"
    )
    assert demo("GET", "/aws/default") == {"session_id": None, "chosen": True, "ended": None}


def test_a_role_session_is_ended_on_the_file_page(tree, demo):
    demo.start("analyst", default=True)
    content = tab(tree)

    content.get_by_role("button", name="End the role session of Analyst").click()
    dialog = tree.page.locator(".jp-Dialog")
    tree.shot("notebook7-end")
    dialog.get_by_role("button", name="End", exact=True).click()

    ended = tree.page.locator(".Toastify__toast").filter(has_text="Ended: Analyst.")
    expect(ended).to_be_visible()
    expect(content.get_by_role("button", name="End the role session of Analyst")).to_have_count(0)
    labels = [session["label"] for session in demo("GET", "/aws/sessions")["sessions"]]
    assert "Analyst" not in labels


@pytest.mark.parametrize("theme", [LIGHT, *long(DARK)])
def test_axe_finds_nothing_on_the_tab(tree, demo, theme):
    demo.start("analyst", default=True)
    tree.use_theme(theme)
    tab(tree)
    tree.page.set_viewport_size({"width": 700, "height": 700})

    tree.shot(f"notebook7-{theme.split()[-1].lower()}")
    assert tree.axe() == []
    assert tree.too_wide() == []
