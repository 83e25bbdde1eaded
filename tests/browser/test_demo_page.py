"""The demo's page in a real browser: Debian's chromium, driven by playwright."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import opened_page, shot
from tests.running_demo import TOKEN


@pytest.fixture(scope="module")
def page(demo):
    with opened_page() as page:
        page.goto(f"http://127.0.0.1:{demo.port}/lab/tree/aws-in-a-notebook.ipynb?token={TOKEN}")
        yield page


def test_the_sample_notebook_opens_with_nothing_over_it(page):
    notebook = page.locator(".jp-NotebookPanel")
    expect(notebook.get_by_role("heading", name="AWS in a notebook")).to_be_visible()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    shot(page, "demo-opened")

    assert page.locator(".jp-Notification-Toast, .Toastify__toast, .jp-Dialog").count() == 0


def test_the_first_cells_pick_a_role(page):
    page.locator(".jp-CodeCell .jp-Editor").first.click()
    for _ in range(5):  # three cells, and the words between them
        page.keyboard.press("Shift+Enter")

    expect(page.get_by_text("assumed-role/analyst/alice-").first).to_be_visible()
    shot(page, "demo-role-picked")
