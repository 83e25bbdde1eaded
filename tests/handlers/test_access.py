"""Who may call: authentication, XSRF, origins, and the server's Authorizer."""

from __future__ import annotations

import asyncio
import json
import re
from http.cookies import SimpleCookie

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.web import RequestHandler
from traitlets import Set

from jupyter_wb_aws.handlers import ID, routes
from jupyter_wb_aws.handlers.base import UnknownPathHandler
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
    # A caller without a cookie to abuse can make up both halves of this one.
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
def origins():
    return {}


@pytest.fixture
def jp_server_config(site_config, allowed, origins):
    site_config["ServerApp"] |= origins
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


PORTAL = "https://portal.example.com"
HERE = "http://127.0.0.1:{port}/lab/tree/demo.ipynb"
WITH_EFFECTS = ("/aws/doctor", "/aws/identity", "/aws/identity?verify=true", "/aws/roles", "/aws/sign-in")  # fmt: skip
FROM_ELSEWHERE = {
    "an image on another site": {"Sec-Fetch-Site": "cross-site"},
    "a page on another port": {"Sec-Fetch-Site": "same-site"},
    "a redirect that began here": {"Sec-Fetch-Site": "cross-site", "Referer": HERE},
    "a redirect to our own name": {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    "a value that no browser sends": {"Sec-Fetch-Site": "same-origin, none"},
    "plain http, nothing said": {},
    "plain http, another site": {"Referer": "http://evil.example.com/"},
    "plain http, another port": {"Referer": "http://127.0.0.1:1/"},
    "plain http, our name in a path": {"Referer": "http://evil.example.com/127.0.0.1:{port}/"},
    "plain http, our name before an @": {"Referer": "http://127.0.0.1:{port}@evil.example.com/"},
}
FROM_HERE = {
    "our own page": {"Sec-Fetch-Site": "same-origin"},
    "a typed URL": {"Sec-Fetch-Site": "none"},
    "our own page over plain http": {"Referer": HERE},
}


def filled(headers, port):
    return {name: value.format(port=port) for name, value in headers.items()}


async def log_in(browser, jp_serverapp, **headers):
    await browser("GET", f"/tree?token={jp_serverapp.identity_provider.token}", **headers)


@pytest.fixture
def no_programs(monkeypatch):
    """What was started, of the doctor's processes and the token command."""
    started = []

    async def start(*command, **_):
        started.append(command)
        raise OSError(0, "Not in this test")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    return started


@pytest.mark.parametrize("headers", FROM_ELSEWHERE.values(), ids=FROM_ELSEWHERE)
async def test_a_page_of_another_origin_starts_nothing(
    browser, jp_serverapp, jp_http_port, no_programs, headers
):
    await log_in(browser, jp_serverapp)
    headers = filled(headers, jp_http_port)

    answers = [await browser("GET", path, **headers) for path in WITH_EFFECTS]

    reported = {(answer.code, json.loads(answer.body)["code"]) for answer in answers}
    assert reported == {(403, "cross_origin")}
    assert no_programs == []


@pytest.mark.parametrize("headers", FROM_HERE.values(), ids=FROM_HERE)
async def test_a_page_of_this_server_and_a_typed_url_are_answered(
    browser, jp_serverapp, jp_http_port, headers
):
    await log_in(browser, jp_serverapp)
    headers = filled(headers, jp_http_port)

    for path in ("/aws/roles", "/aws/sign-in"):
        assert (await browser("GET", path, **headers)).code == 200


async def test_a_program_that_sends_the_token_need_not_say_where_it_comes_from(
    browser, jp_serverapp
):
    token = jp_serverapp.identity_provider.token
    # Of a page that knows the token, there is nothing to keep from.
    by_header = {"Authorization": f"token {token}", "Sec-Fetch-Site": "cross-site"}

    assert (await browser("GET", "/aws/roles", **by_header)).code == 200
    assert (await browser("GET", f"/aws/roles?token={token}")).code == 200
    wrong = {"Authorization": "token wrong", "Sec-Fetch-Site": "cross-site"}
    assert (await browser("GET", "/aws/roles", **wrong)).code == 403


@pytest.mark.parametrize(
    "origins", [{"allow_origin": PORTAL}, {"allow_origin_pat": "https://portal[.]example[.]com"}]
)
async def test_an_origin_that_the_site_allows_may_ask(browser, jp_serverapp, origins):
    await log_in(browser, jp_serverapp)
    of_the_portal = {"Sec-Fetch-Site": "cross-site", "Origin": PORTAL}
    of_another = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"}
    without_tls = {"Referer": f"{PORTAL}/page"}

    assert (await browser("GET", "/aws/roles", **of_the_portal)).code == 200
    assert (await browser("GET", "/aws/roles", **without_tls)).code == 200
    assert (await browser("GET", "/aws/roles", **of_another)).code == 403
    assert (await browser("GET", "/aws/roles", **{"Sec-Fetch-Site": "cross-site"})).code == 403


async def test_behind_a_proxy_the_origin_is_the_one_that_the_browser_sees(browser, jp_serverapp):
    await log_in(browser, jp_serverapp, Host="localhost")
    here, elsewhere = "https://localhost/user/alice/lab", "https://evil.example.com/"

    ours = await browser("GET", "/aws/roles", Host="localhost", Referer=here)
    another = await browser("GET", "/aws/roles", Host="localhost", Referer=elsewhere)

    assert (ours.code, another.code) == (200, 403)


class TestWithoutAuthentication:
    @pytest.fixture
    def jp_argv(self):
        return ["--IdentityProvider.token=", "--ServerApp.password="]

    async def test_where_nobody_logs_in_the_rule_is_the_same(self, browser, jp_serverapp):
        assert not jp_serverapp.identity_provider.auth_enabled
        for headers in ({}, {"Sec-Fetch-Site": "cross-site"}):
            assert (await browser("GET", "/aws/roles", **headers)).code == 403
        assert (await browser("GET", "/aws/roles", **{"Sec-Fetch-Site": "none"})).code == 200
