import functools

import botocore.loaders
import botocore.session
import pytest

from tests.aws.fake_sts import FakeSts


@pytest.fixture
def fake():
    """A fake STS on loopback."""
    with FakeSts() as fake:
        yield fake


_create_loader = botocore.loaders.create_loader


@functools.cache
def _loader(search_path, _customer_path):
    return _create_loader(search_path)


@pytest.fixture(autouse=True)
def botocore_data_read_once(monkeypatch):
    """Let all sessions share what they read of botocore's data; a client needs megabytes of JSON."""
    monkeypatch.setattr(
        botocore.session,
        "create_loader",
        lambda search_path=None: _loader(search_path, botocore.loaders.Loader.CUSTOMER_DATA_PATH),
    )
