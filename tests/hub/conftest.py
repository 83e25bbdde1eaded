"""A JupyterHub for each module of tests: `start_hub`."""

from __future__ import annotations

import contextlib
import os

import pytest

from tests.hub.running_hub import running_hub


@pytest.fixture(autouse=True)
def _no_ambient_aws(monkeypatch):
    """The developer's own AWS settings stay out."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def start_hub():
    """Start a hub that runs until the module's tests are done: `start_hub(groups={"analysts": ["alice"]})`."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(running_hub(**options))
