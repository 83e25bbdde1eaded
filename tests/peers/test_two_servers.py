"""Two servers of one user, signed in separately at a provider that others wrote."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.peers.jupyter_server import jupyter_server
from tests.peers.seaweedfs import ANALYST


@pytest.fixture(scope="module")
def two_servers(one_provider, store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alice")
    with ExitStack() as stack:
        yield [stack.enter_context(jupyter_server(folder, one_provider, store)) for _ in range(2)]


@pytest.fixture
def servers(two_servers, provider):
    yield two_servers
    for server in two_servers:
        server("DELETE", "/aws/sign-in")


def sign_in(browser, server):
    page = browser.sign_in_at_server(server.url, server.token, "alice")
    assert page.status_code == 200, page.text


def refreshed(server, session):
    """Refresh its token now; return the state of its role session."""
    server("POST", f"/aws/sessions/{session['id']}/refresh")
    return server("GET", f"/aws/sessions/{session['id']}")["state"]


def test_neither_ends_the_others_sign_in(servers, new_browser):
    browser = new_browser()
    for server in servers:
        sign_in(browser, server)
    sessions = [server.start(ANALYST) for server in servers]

    states = [refreshed(*pair) for _ in range(3) for pair in zip(servers, sessions, strict=True)]
    sign_in(browser, servers[0])
    states += [refreshed(*pair) for _ in range(2) for pair in zip(servers, sessions, strict=True)]

    assert states == ["active"] * 10


@pytest.mark.parametrize(
    ("in_one_browser", "state"), [(True, "sign_in_required"), (False, "active")]
)
def test_signing_out_of_one_ends_what_the_provider_says_it_ends(
    servers, new_browser, in_one_browser, state
):
    """Of this provider, a browser has one grant for each client, and revoking a token ends its grant."""
    one, other = servers
    browser = new_browser()
    sign_in(browser, one)
    sign_in(browser if in_one_browser else new_browser(), other)
    session = other.start(ANALYST)

    one("DELETE", "/aws/sign-in")

    assert refreshed(other, session) == state
