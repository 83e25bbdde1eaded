"""What a user and a browser do at the token source `oidc`, against tests/openid.py's provider."""

from __future__ import annotations

from datetime import UTC, datetime

from jupyter_wb_aws.identity.source import TokenRequest
from tests.conftest import FakeClock


class ClockFromNow(FakeClock):
    """Starts at the machine's time, since the provider's is real."""

    def __init__(self):
        super().__init__(datetime.now(UTC))


async def sign_in(source, provider, user="alice"):
    """Go through the code flow as a browser does."""
    begun = await source.sign_in.begin_code()
    query = provider.authorize(begun.authorization_url, user)
    await source.sign_in.finish_code(query, {begun.cookie_name: begun.cookie})


async def sign_out(source):
    return await source.sign_in.end_at_provider(await source.sign_in.sign_out())


def fetch(source):
    return source.fetch(TokenRequest())
