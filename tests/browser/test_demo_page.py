"""The demo, step by step as its first page describes it, in a real browser: Debian's chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.lab import opened_browser, opened_lab


@pytest.fixture(scope="module")
def lab(demo):
    with opened_browser() as browser, opened_lab(browser, demo, "lab") as lab:
        yield lab


def test_the_demo_opens_in_the_launcher_with_nothing_over_it(lab):
    expect(lab.page.get_by_role("region", name="AWS role")).to_be_visible()
    lab.shot("demo-opened")

    assert lab.page.locator(".jp-Notification-Toast, .Toastify__toast, .jp-Dialog").count() == 0
    assert lab.recorder.own_errors == []


def test_after_a_click_on_a_role_the_sample_notebook_works(lab):
    page = lab.page
    page.get_by_role("option", name="Analyst").click()
    expect(page.get_by_role("option", name="Analyst")).to_contain_text("default")
    page.locator(".jp-DirListing").get_by_text("aws-in-a-notebook.ipynb").dblclick()
    notebook = page.locator(".jp-NotebookPanel")
    expect(notebook.get_by_role("heading", name="AWS in a notebook")).to_be_visible()
    lab.until_idle(notebook)

    notebook.locator(".jp-CodeCell .jp-Editor").first.click()
    page.keyboard.press("Shift+Enter")

    expect(notebook.get_by_text("assumed-role/analyst/alice-")).to_be_visible()
    lab.shot("demo-notebook")
