"""The extension in single-user servers of a real hub, which is configured as docs/jupyterhub.md says."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest

from jupyter_wb_aws.demo.local_aws import LocalAws
from jupyter_wb_aws.demo.names import CLIENT_ID
from jupyter_wb_aws.demo.sign_in import SignInProvider
from tests.demo_pages import DemoBrowser, Page
from tests.hub.running_hub import until
from tests.pages import blocks
from tests.site import ANALYST

pytestmark = [pytest.mark.long, pytest.mark.hub5]
CALLBACK = "hub/user-redirect/aws/sign-in/callback"
NAMED = "training-1"

ON_THE_PAGE = [b for b in blocks("python") if b.page == "jupyterhub.md"]
(FOR_THE_HUB,) = [block.text for block in ON_THE_PAGE if "c.JupyterHub." in block.text]
FOR_SERVERS = [
    block.text
    for block in ON_THE_PAGE
    if "c.JupyterHub." not in block.text and "hub_user_differs" not in block.text
]
(ROLES,) = [b.text for b in blocks("toml") if b.page == "jupyterhub.md"]


@pytest.fixture(scope="module")
def hub(start_hub):
    def for_the_hub(hub):
        return FOR_THE_HUB.replace("https://hub.example.com/", hub.url)

    hub = start_hub(config=for_the_hub)
    tokens = hub.folder / "run"
    tokens.mkdir()
    tokens.chmod(0o1777)
    with (
        SignInProvider(hub.url + CALLBACK, token_lifetime=600) as provider,
        LocalAws(provider.issuer) as aws,
    ):
        settings = "\n".join(FOR_SERVERS)
        for example, real in {
            "https://hub.example.com/": hub.url,
            "https://idp.example.com": provider.issuer,
            '"jupyter"': repr(CLIENT_ID),
            "/etc/jupyter/": f"{hub.folder}/config/",
            "/run/jupyter-aws/": f"{tokens}/",
        }.items():
            assert example in settings
            settings = settings.replace(example, real)
        # What stands in for AWS is all that the page does not say.
        settings += f"\nc.WbAwsApp.extra_environment = {{'AWS_ENDPOINT_URL': {aws.url!r}}}\n"
        for name, text in {"jupyter_server_config.py": settings, "aws-roles.toml": ROLES}.items():
            (hub.folder / "config" / name).write_text(text)
            (hub.folder / "config" / name).chmod(0o644)
        yield hub


class Servers:
    """The servers of the hub's users: `up` gives one, started if it does not run."""

    def __init__(self, hub):
        self.hub = hub
        self.running = {}

    def up(self, user, name=""):
        if (user, name) not in self.running:
            self.running[user, name] = self.hub.start_server(user, name)
        return self.running[user, name]

    def down(self, user, name=""):
        if server := self.running.pop((user, name), None):
            server.stop()


@pytest.fixture(scope="module")
def servers(hub):
    return Servers(hub)


@pytest.fixture(scope="module")
def in_browser(hub):
    """Alice, in one browser at the hub and at the identity provider."""
    with hub.log_in("alice") as browser:
        yield browser


def begin_code_flow(browser, server):
    """Press the button of a server's page; return where the browser is sent."""
    page = browser.get(f"{server.prefix}aws/sign-in/start", headers={"Accept": "text/html"})
    assert page.status_code == 200, page.text
    form = Page(page.text)
    answer = browser.post(
        page.url.join(form.action),
        data=form.fields,
        headers={"Accept": "text/html", "Referer": str(page.url)},
        follow_redirects=False,
    )
    assert answer.status_code == 303, answer.text
    return answer


def sign_in_with_a_code(browser, server, user="alice"):
    """Sign in by the code flow; return the last page."""
    url = begin_code_flow(browser, server).headers["Location"]
    with DemoBrowser() as at_provider:
        back = at_provider.sign_in(url, user)
    return browser.get(back, headers={"Accept": "text/html"})


def sign_in_with_a_device(server, user="alice"):
    begun = server("POST", "/aws/sign-in", {"flow": "device"})
    with DemoBrowser() as at_provider:
        at_provider.approve_device(begun["verification_uri_complete"], user)
    until(lambda: server("GET", "/aws/sign-in")["state"] == "signed_in", "nobody is signed in")


def signed_in(server, user="alice"):
    """Return a server, after a sign-in if that is needed."""
    if server("GET", "/aws/sign-in")["state"] != "signed_in":
        sign_in_with_a_device(server, user)
    return server


def sessions_of(server):
    return {s["id"]: s["default"] for s in server("GET", "/aws/sessions")["sessions"]}


def start_role(server):
    session = server.start(ANALYST)
    assert session.get("state") == "active", session
    return session


# --- Signing in --------------------------------------------------------------------------------------


def test_one_redirect_uri_signs_in_at_the_default_server_of_a_hub_on_loopback(servers, in_browser):
    server = servers.up("alice")
    assert server("GET", "/aws/sign-in")["flows"] == ["code", "device"]

    page = sign_in_with_a_code(in_browser, server)

    assert "You are signed in as alice" in page.text, page.text
    assert page.url.path == f"/{server.prefix}aws/sign-in/callback"
    assert start_role(server)["role_arn"] == ANALYST
    assert server("GET", "/aws/health")["notices"] == []


def test_the_cookie_of_a_sign_in_goes_to_one_server_alone(servers, in_browser):
    server = servers.up("alice")

    answer = begin_code_flow(in_browser, server)

    (cookie,) = [c for c in answer.headers.get_list("set-cookie") if c.startswith("wb-aws")]
    assert f"Path=/{server.prefix}aws/sign-in/callback;" in f"{cookie};"


def test_no_servers_log_has_the_code_or_the_state_of_a_sign_in(servers, in_browser):
    server = servers.up("alice")
    url = begin_code_flow(in_browser, server).headers["Location"]
    with DemoBrowser() as at_provider:
        back = at_provider.sign_in(url, "alice")
    in_browser.get(back)

    query = parse_qs(urlsplit(back).query)
    assert "GET /user/alice/aws/sign-in/callback" in server.log
    for secret in (*query["code"], *query["state"]):
        assert secret not in server.log


def test_a_named_server_offers_the_flow_that_leads_back_to_it(servers):
    server = servers.up("alice", NAMED)
    assert server("GET", "/aws/sign-in")["flows"] == ["device"]

    sign_in_with_a_device(server)

    assert start_role(server)["state"] == "active"


def test_who_signs_in_as_somebody_else_is_shown_a_notice(hub, servers):
    with hub.log_in("bob") as browser:
        server = servers.up("bob")
        page = sign_in_with_a_code(browser, server, "alice")

    words = (
        "This server belongs to &#x27;bob&#x27;, but the web identity token to &#x27;alice&#x27;."
    )
    assert words in page.text, page.text
    codes = [notice["code"] for notice in server("GET", "/aws/health")["notices"]]
    assert codes == ["hub_user_differs"]


# --- Several servers of one user ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def started(servers):
    """The role session of each of alice's servers, which run."""
    ids = {name: start_role(signed_in(servers.up("alice", name)))["id"] for name in ("", NAMED)}
    assert ids[""] != ids[NAMED]
    return ids


# tests/role_sessions/test_restart.py has every order.
@pytest.mark.parametrize("first_up", ["default", "named"])
def test_servers_keep_their_role_sessions_in_any_order_of_stops_and_starts(
    servers, started, first_up
):
    first, second = ("", NAMED) if first_up == "default" else (NAMED, "")
    for name in (second, first):
        servers.down("alice", name)

    for name in (first, second):
        assert sessions_of(servers.up("alice", name)) == {started[name]: True}


# --- A stop ------------------------------------------------------------------------------------------


def test_a_server_that_the_hub_stops_leaves_no_token_file(hub, servers):
    server = servers.up("bob")
    session = start_role(signed_in(server))
    file = Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
    uid = psutil.Process(server.pid).uids().real
    assert file.parent == hub.folder / f"run/{uid}/jupyter_wb_aws"
    assert file.exists()

    servers.down("bob")

    assert "Interrupted" in server.log  # by SIGINT, without a terminal
    slot = file.name.partition("_")[0]
    assert list(file.parent.glob(f"{slot}_*")) == []


# --- Others at a server ------------------------------------------------------------------------------


def test_a_user_with_whom_a_server_is_shared_reads_and_changes_nothing(hub, servers, started):
    server = servers.up("alice")
    shared = hub.api("POST", "/shares/alice/", body={"user": "bob"})
    assert shared.status_code == 200, shared.text
    bobs = hub.token("bob", scopes=["access:servers!server=alice/"])

    assert server.fetch("GET", "/aws/sessions", token=bobs).status_code == 200
    refused = server.fetch("PUT", "/aws/default", {"session_id": None}, token=bobs)

    assert (refused.status_code, refused.json()["code"]) == (403, "not_owner")
    assert "Refused a change by the Jupyter user 'bob'" in server.log
    assert server.fetch("PUT", "/aws/default", {"session_id": started[""]}).status_code == 204
    assert re.search(r"Default role session chosen: \w+, by the Jupyter user 'alice'", server.log)


# --- Culling -----------------------------------------------------------------------------------------


def test_what_an_event_makes_a_page_read_is_not_activity_of_the_server(servers):
    server = servers.up("alice")

    def last_activity():
        return server("GET", "/api/status")["last_activity"]

    before = last_activity()
    for path in ("sessions", "default", "assignments", "sign-in"):
        assert server.fetch("GET", f"/aws/{path}?no_track_activity=1").status_code == 200
    assert last_activity() == before

    server("PUT", "/aws/default", {"session_id": None})
    assert last_activity() > before
