from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.lab import opened_browser, opened_lab

# A kernel that imports boto3 on a busy machine takes longer than playwright's five seconds.
expect.set_options(timeout=20_000)


@pytest.fixture
def jp_asyncio_loop():
    """Replace pytest-jupyter's event loop: playwright runs its own while a page is open."""


@pytest.fixture(autouse=True)
def jp_server_cleanup():
    """Replace pytest-jupyter's clean-up: no server runs in this process."""


@pytest.fixture(scope="module")
def browser():
    """One Chromium for the module; not to be combined with `opened_page`, which starts its own."""
    with opened_browser() as browser:
        yield browser


@pytest.fixture
def lab(browser, demo):
    """JupyterLab of the module's demo, in a window of its own, with a launcher."""
    with opened_lab(browser, demo) as lab:
        yield lab
