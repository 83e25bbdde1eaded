"""Who may call: authentication, XSRF, origins, and the server's Authorizer."""

from __future__ import annotations

import json
import re
from http.cookies import SimpleCookie

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.web import RequestHandler
from traitlets import Set

from jupyter_wb_aws.handlers import ID, routes
from jupyter_wb_aws.handlers.problem import UnknownPathHandler
from tests.contract import CONTRACT, violations
from tests.site import ANALYST, Api


class PickyAuthorizer(Authorizer):
    """Allows what its configuration lists, as action:resource."""

    allowed = Set().tag(config=True)

    def is_authorized(self, handler, user, action, resource):
        return f"{action}:{resource}" in self.allowed


@pytest.fixture
def anonymous(http_server_client, jp_base_url, jp_serverapp):
    async def ask(method, path, body=None, headers=None):
        response = await http_server_client.fetch(
            jp_base_url.rstrip("/") + path, method=method, body=body, headers=headers or {},
            raise_error=False, allow_nonstandard_methods=True, follow_redirects=False,
        )  # fmt: skip
        assert response.headers["Content-Type"] == "application/problem+json"
        assert violations(method, path, None, response.code, json.loads(response.body)) == []
        return response.code, json.loads(response.body)["code"]

    return ask


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CALLS = [
    (method, path.replace(ID, "x"))
    for path, handler, _ in routes(None)
    for method in METHODS
    # It has nothing to keep, and says so to everybody.
    if handler is not UnknownPathHandler
    and getattr(handler, method.lower()) is not getattr(RequestHandler, method.lower())
]


def test_the_calls_are_all_those_of_the_contract():
    in_contract = {
        (method.upper(), re.sub(r"\{.*?\}", "x", path))
        for path, item in CONTRACT["paths"].items()
        for method in item
        if method.upper() in METHODS
    }
    assert set(CALLS) == in_contract


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_nobody_gets_anywhere_without_signing_in(anonymous, method, path):
    body = "{}" if method in {"POST", "PUT", "PATCH"} else None
    # Whoever has no cookie to abuse can make up both halves of this one.
    xsrf = {"Cookie": "_xsrf=x", "X-XSRFToken": "x"}
    headers = {"Content-Type": "application/json", **xsrf}
    assert await anonymous(method, path, body, headers) == (403, "not_authenticated")


@pytest.fixture
def browser(http_server_client, jp_base_url, jp_serverapp):
    """One that has logged in: it has cookies, and sends no token."""
    cookies = {}

    async def ask(method, path, body=None, **headers):
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        response = await http_server_client.fetch(
            jp_base_url.rstrip("/") + path, method=method, body=body,
            headers={"Cookie": cookie, **headers},
            raise_error=False, allow_nonstandard_methods=True, follow_redirects=False,
        )  # fmt: skip
        for line in response.headers.get_list("Set-Cookie"):
            cookies.update({name: morsel.value for name, morsel in SimpleCookie(line).items()})
        return response

    ask.cookies = cookies
    return ask


@pytest.mark.parametrize("xsrf", [{}, {"X-XSRFToken": "2|00000000|made|up"}])
async def test_a_logged_in_browser_needs_the_xsrf_token_to_change_anything(
    browser, jp_serverapp, xsrf
):
    await browser("GET", f"/tree?token={jp_serverapp.identity_provider.token}")
    as_json = {"Content-Type": "application/json"}
    body = json.dumps({"role_arn": ANALYST})

    refused = await browser("POST", "/aws/sessions", body, **as_json, **xsrf)

    assert (await browser("GET", "/aws/sessions")).code == 200
    assert (refused.code, json.loads(refused.body)["code"]) == (403, "xsrf_refused")
    with_it = {**as_json, "X-XSRFToken": browser.cookies["_xsrf"]}
    assert (await browser("POST", "/aws/sessions", body, **with_it)).code == 201


async def test_a_page_of_another_site_is_refused(anonymous):
    body = json.dumps({"role_arn": ANALYST})
    headers = {"Content-Type": "application/json", "Origin": "https://evil.example.com"}

    assert await anonymous("POST", "/aws/sessions", body, headers) == (403, "cross_origin")
    assert await anonymous("PUT", "/aws/default", '{"session_id": null}', headers) == (
        403,
        "cross_origin",
    )


@pytest.fixture
def allowed():
    return {"read:aws", "write:aws"}


@pytest.fixture
def jp_server_config(site_config, allowed):
    site_config["ServerApp"]["authorizer_class"] = PickyAuthorizer
    site_config["PickyAuthorizer"] = {"allowed": allowed}
    return site_config


@pytest.mark.parametrize("allowed", [{"read:aws"}])
async def test_reading_is_not_writing(api):
    assert (await api("GET", "/aws/roles")).status == 200

    answer = await api("POST", "/aws/sessions", {"role_arn": ANALYST})

    assert (answer.status, answer.data["code"]) == (403, "forbidden")


async def test_starting_a_kernel_or_terminal_needs_the_right_to_jupyters_own_resource(
    jp_fetch, jp_serverapp
):
    api = Api(jp_fetch)
    session = await api.start()

    for what in ("kernels", "terminals"):
        answer = await api("POST", f"/aws/sessions/{session['id']}/{what}", {})
        assert (answer.status, answer.data["code"]) == (403, "forbidden")
