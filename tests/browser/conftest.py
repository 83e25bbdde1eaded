from __future__ import annotations

import pytest


@pytest.fixture
def jp_asyncio_loop():
    """None: no server in this process, and playwright's event loop runs while a page is open."""


@pytest.fixture(autouse=True)
def jp_server_cleanup():
    """Nothing to clean up."""
