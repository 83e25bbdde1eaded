import pytest

from jupyter_wb_aws.identity.oidc import OidcTokenSource
from tests.identity.fetching import Answering
from tests.identity.signing_in import ClockFromNow
from tests.openid import CLIENT, REDIRECT_URI, OpenIdProvider


@pytest.fixture
def provider():
    with OpenIdProvider() as provider:
        yield provider


@pytest.fixture
def plain():
    with Answering() as server:
        yield server


@pytest.fixture
def make(provider, jp_asyncio_loop):
    made = []

    def make(redirect_uri=REDIRECT_URI, **settings):
        usual = {"issuer": provider.issuer, "client_id": CLIENT, "timeout": 5.0}
        clock = ClockFromNow()
        source = type("Source", (OidcTokenSource,), {"clock": clock})(**{**usual, **settings})
        source.registered_redirect_uri = lambda: redirect_uri
        made.append(source)
        return source

    yield make
    for source in made:
        jp_asyncio_loop.run_until_complete(source.close())


@pytest.fixture
def source(make):
    return make()
