"""A hub that can misbehave, and the service that asks it."""

from __future__ import annotations

import re

import pytest

from tests.hub_service.fake_hub import FakeHub
from tests.hub_service.running_service import running_service


@pytest.fixture(scope="module")
def _hub():
    with FakeHub().running() as hub:
        yield hub


@pytest.fixture
def hub(_hub):
    """The hub of a module's tests, which answers again for each of them."""
    _hub.behave()
    return _hub


@pytest.fixture(scope="module")
def _service(_hub, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with running_service(
        folder,
        hub_api_url=_hub.api_url,
        tokens_per_minute=10_000,
        hub_requests_per_second=1000,
    ) as service:
        yield service
        assert not re.search("alice-token|eyJ|Traceback|Defect", service.log), service.log


@pytest.fixture
def service(_service, hub):
    """The service of a module's tests."""
    return _service


@pytest.fixture
def start_service(hub, tmp_path):
    """Start a service of a test's own: `with start_service(token_lifetime=60) as service`."""
    return lambda **settings: running_service(tmp_path, **{"hub_api_url": hub.api_url, **settings})
