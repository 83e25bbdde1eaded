import pytest

from tests.aws.fake_sts import FakeSts


@pytest.fixture
def fake():
    """A fake STS on loopback."""
    with FakeSts() as fake:
        yield fake
