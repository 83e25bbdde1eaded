"""What a single-user server knows from its hub, and where a sign-in comes back to there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from jupyter_wb_aws.single_user import SingleUserServer, single_user_server
from jupyter_wb_aws.wiring import redirect_uri

OF_ALICE = {
    "JUPYTERHUB_USER": "alice",
    "JUPYTERHUB_SERVICE_PREFIX": "/hubs/one/user/alice/",
    "JUPYTERHUB_SERVER_NAME": "",
    "JUPYTERHUB_PUBLIC_URL": "",
}
CALLBACK = "aws/sign-in/callback"
ANY_USERS = f"http://127.0.0.1:8000/hub/user-redirect/{CALLBACK}"


def test_a_server_of_a_hub_is_known_by_its_own_base_url():
    assert single_user_server("/hubs/one/user/alice/", OF_ALICE) == SingleUserServer(
        "alice", "", ""
    )


@pytest.mark.parametrize(
    ("user", "prefix", "base_url"),
    [
        ("a@example.com", "/user/a@example.com/", "/user/a%40example.com/"),
        ("alice", "/user/alice/%C3%BCbung%2F1/", "/user/alice/%C3%BCbung%2F1/"),
    ],
)
def test_a_base_url_may_be_written_otherwise(user, prefix, base_url):
    environment = {**OF_ALICE, "JUPYTERHUB_USER": user, "JUPYTERHUB_SERVICE_PREFIX": prefix}
    assert single_user_server(base_url, environment).user == user


@pytest.mark.parametrize(
    ("base_url", "environment"),
    [
        pytest.param("/", {}, id="no hub"),
        pytest.param("/", OF_ALICE, id="started in a terminal of a hub's server"),
        pytest.param("/", {**OF_ALICE, "JUPYTERHUB_SERVICE_PREFIX": ""}, id="no prefix"),
    ],
)
def test_another_server_is_not_the_hubs(base_url, environment):
    assert single_user_server(base_url, environment) is None


# --- The redirect URI ------------------------------------------------------------------------

KNOWN = "http://127.0.0.1:8000/user/alice/"
PUBLIC = "https://hub.example.com/user/alice/"


@pytest.mark.parametrize(
    ("registered", "public_url", "name", "uri"),
    [
        (ANY_USERS, KNOWN, "", ANY_USERS),
        (ANY_USERS, "", "", ANY_USERS),
        pytest.param(
            ANY_USERS, KNOWN.replace("8000", "8001"), "", None, id="port of another server"
        ),
        pytest.param(ANY_USERS, PUBLIC, "", None, id="the user's own machine"),
        pytest.param(ANY_USERS, KNOWN, "work", None, id="leads to the default server"),
        (
            f"https://hub.example.com/hub/user-redirect/{CALLBACK}",
            PUBLIC,
            "",
            f"https://hub.example.com/hub/user-redirect/{CALLBACK}",
        ),
        (
            f"http://localhost:8000{{base_url}}{CALLBACK}",
            KNOWN,
            "work",
            f"http://localhost:8000/user/alice/{CALLBACK}",
        ),
        (
            f"http://localhost:{{port}}{{base_url}}{CALLBACK}",
            KNOWN,
            "",
            f"http://localhost:8000/user/alice/{CALLBACK}",
        ),
        pytest.param(
            f"http://localhost:{{port}}{{base_url}}{CALLBACK}", "", "", None, id="unknown port"
        ),
        (
            f"http://hub.test:{{port}}{{base_url}}{CALLBACK}",
            "https://hub.test/user/alice/",
            "",
            f"http://hub.test:443/user/alice/{CALLBACK}",
        ),
    ],
)
def test_on_a_hub_the_port_is_the_one_that_browsers_see(registered, public_url, name, uri):
    serverapp = SimpleNamespace(port=54321, base_url="/user/alice/", custom_display_url="")

    assert redirect_uri(serverapp, registered, SingleUserServer("alice", name, public_url)) == uri


def test_without_a_hub_the_port_is_the_servers_own():
    serverapp = SimpleNamespace(port=8000, base_url="/", custom_display_url="")
    uri = f"http://127.0.0.1:{{port}}{{base_url}}{CALLBACK}"

    assert redirect_uri(serverapp, uri) == f"http://127.0.0.1:8000/{CALLBACK}"
    serverapp.port = 8001
    assert redirect_uri(serverapp, f"http://127.0.0.1:8000/{CALLBACK}") is None
