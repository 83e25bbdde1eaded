"""Signing in on the server's own page, at a third-party provider, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import opened_page, shot
from tests.peers.jupyter_server import JupyterServer
from tests.peers.openid_provider import OpenIdProvider
from tests.peers.site import configuration, roles_file


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    callback = "http://127.0.0.1/aws/sign-in/callback"
    log = tmp_path_factory.mktemp("provider") / "log"
    with OpenIdProvider(log, redirect_uris=(callback,), application_type="native") as provider:
        yield provider


@pytest.fixture(scope="module")
def server(provider, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    (folder / "roles.toml").write_text(roles_file("http://127.0.0.1:9"))
    with JupyterServer(folder, configuration(provider, folder / "roles.toml")) as server:
        yield server


@pytest.fixture
def page(server, provider):
    provider.reset()
    with opened_page() as page:
        page.goto(f"{server.url}?token={server.token}")
        yield page
    server("DELETE", "/aws/sign-in")


def sign_in_at_provider(page, user):
    page.locator("input[name=login]").fill(user)
    page.locator("input[name=password]").fill("any will do")
    shot(page, "sign-in-at-the-provider")
    page.get_by_role("button").click()
    page.get_by_role("button", name="Continue").click()


def test_the_button_leads_through_the_providers_pages_and_back(page, server):
    page.goto(f"{server.url}aws/sign-in/start")
    shot(page, "sign-in-start")
    page.get_by_role("button", name="Sign in").click()
    sign_in_at_provider(page, "alice")

    expect(page.get_by_role("heading")).to_have_text("You are signed in as alice")
    shot(page, "signed-in")
    assert page.url == f"{server.url}aws/sign-in/callback"  # what the provider sent is gone
    assert server("GET", "/aws/sign-in")["user"]["name"] == "alice"


def test_a_window_that_jupyter_opened_closes_itself(page, server):
    with page.expect_popup() as opened:
        page.evaluate(f"window.open('{server.url}aws/sign-in/start')")
    window = opened.value
    window.get_by_role("button", name="Sign in").click()
    with window.expect_event("close"):
        sign_in_at_provider(window, "bob")

    assert server("GET", "/aws/sign-in")["user"]["name"] == "bob"


def test_a_refusal_is_shown_on_a_page(page, server):
    page.goto(f"{server.url}aws/sign-in/start")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Cancel").click()

    expect(page.get_by_text("you or the identity provider refused")).to_be_visible()
    shot(page, "sign-in-refused")
    assert server("GET", "/aws/sign-in")["state"] == "signed_out"
