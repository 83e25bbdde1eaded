"""Signing in over REST, in a real server with a local AWS, and what it does to role sessions and kernels."""

from __future__ import annotations

import json
import logging
import re
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

import pytest
from jupyter_server.auth.authorizer import Authorizer

from jupyter_wb_aws.demo.local_aws import LocalAws
from jupyter_wb_aws.demo.names import role_arn
from tests.openid import CLIENT, OpenIdProvider, failing
from tests.site import ANALYST, AUDITOR

ROLES = f"""
[[roles]]
arn = "{ANALYST}"
region = "us-east-2"
allow = [{{ groups = ["analysts"] }}]

[[roles]]
arn = "{AUDITOR}"
region = "us-east-2"
allow = [{{ groups = ["analysts", "auditors"] }}]
"""


@pytest.fixture(scope="module")
def one_provider():
    with OpenIdProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def aws(one_provider):
    with LocalAws(one_provider.issuer) as aws:
        yield aws


@pytest.fixture
def provider(one_provider):
    provider = one_provider
    provider.user, provider.groups = "alice", ["analysts"]
    provider.answers, provider.claims, provider.metadata_changes = {}, {}, {}
    provider.faults.clear()
    provider.revoked.clear()
    return provider


@pytest.fixture
def site_config(site_config, provider, roles_path):
    roles_path.write_text(ROLES)
    site_config["WbAwsApp"]["token_source"] = "oidc"
    site_config["OidcTokenSource"] = {
        "issuer": provider.issuer,
        "client_id": CLIENT,
        "redirect_uri": "http://127.0.0.1:{port}{base_url}aws/sign-in/callback",
    }
    return site_config


class Browser:
    """One that is signed in to Jupyter, and keeps its cookies."""

    def __init__(self, client, base_url, token):
        self._client, self._base_url, self._token = client, base_url, token
        self.cookies = {}

    async def __call__(self, method, path, body=None, **headers):
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        usual = {"Accept": "text/html", **({"Cookie": cookie} if cookie else {})}
        if self._token:
            usual["Authorization"] = f"token {self._token}"
        answer = await self._client.fetch(
            self._base_url.rstrip("/") + path, method=method, body=body,
            headers={**usual, **headers}, raise_error=False, follow_redirects=False,
        )  # fmt: skip
        for line in answer.headers.get_list("Set-Cookie"):
            self.cookies |= {name: m.value for name, m in SimpleCookie(line).items()}
        return answer

    async def begin(self):
        answer = await self(
            "POST", "/aws/sign-in", '{"flow": "code"}', **{"Content-Type": "application/json"}
        )
        assert answer.code == 202, answer.body
        return json.loads(answer.body)["authorization_url"]

    async def come_back(self, query, **more):
        return await self("GET", f"/aws/sign-in/callback?{urlencode({**query, **more})}")


@pytest.fixture
def new_browser(http_server_client, jp_base_url, jp_serverapp):
    def new_browser(*, known=True):
        token = jp_serverapp.identity_provider.token if known else None
        return Browser(http_server_client, jp_base_url, token)

    return new_browser


@pytest.fixture
def browser(new_browser):
    return new_browser()


@pytest.fixture
def sign_in(browser, provider):
    async def sign_in(user="alice", groups=("analysts",)):
        provider.groups = list(groups)
        answer = await browser.come_back(provider.authorize(await browser.begin(), user))
        assert answer.code == 200, answer.body
        return answer

    return sign_in


async def state(api):
    return (await api("GET", "/aws/sign-in")).data


async def test_the_page_says_that_others_may_use_the_server(browser, monkeypatch):
    alone = await browser("GET", "/aws/sign-in/start")
    monkeypatch.setenv("JUPYTERHUB_USER", "alice")
    shared = await browser("GET", "/aws/sign-in/start")
    sentence = b"Everybody who may use this server can then work in AWS as you"
    assert sentence not in alone.body
    assert sentence in shared.body


async def test_the_log_names_who_signs_in_and_out(api, browser, sign_in, provider, caplog):
    caplog.set_level(logging.INFO)
    await sign_in()
    await api("DELETE", "/aws/sign-in")
    said = [r.getMessage() for r in caplog.records if r.name.endswith("request_user")]
    assert [line.partition(", by the Jupyter user '")[0] for line in said] == [
        "Sign-in asked for (code flow)", "Sign-in finished in a browser", "Signed out",
    ]  # fmt: skip
    assert all("Jupyter user '" in line for line in said)


# --- The way in, and out ---------------------------------------------------------------------


async def test_before_a_sign_in_everything_says_so(api, provider):
    assert await state(api) == {
        "state": "signed_out", "user": None, "expires_at": None, "flows": ["code", "device"], "problem": None
    }  # fmt: skip
    for method, path, body in [
        ("GET", "/aws/roles", None), ("POST", "/aws/sessions", {"role_arn": ANALYST})
    ]:  # fmt: skip
        refused = await api(method, path, body)
        assert (refused.status, refused.data["code"]) == (409, "sign_in_required")


async def test_from_signing_in_to_a_kernel_that_is_somebody(api, run, sign_in):
    await sign_in()
    known = await state(api)
    assert (known["state"], known["user"]["subject"]) == ("signed_in", "alice")
    assert [r["name"] for r in (await api("GET", "/aws/roles")).data["roles"]] == [
        "analyst",
        "auditor",
    ]
    await api.start()
    kernel = (await api("POST", "/api/kernels", {"name": "python3"}, known=False)).data
    said = await run(
        kernel["id"], "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    )
    assert ":assumed-role/analyst/alice-" in said


async def test_the_page_says_what_to_do_and_closes_itself(sign_in):
    page = await sign_in()
    assert "You are signed in as alice" in page.body.decode()
    assert "window.close()" in page.body.decode()
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"


async def test_the_cookie_is_the_browsers_alone(browser, jp_base_url):
    answer = await browser(
        "POST", "/aws/sign-in", '{"flow": "code"}', **{"Content-Type": "application/json"}
    )
    (cookie,) = [
        c for c in answer.headers.get_list("Set-Cookie") if c.startswith("wb-aws-sign-in-")
    ]
    for part in ("HttpOnly", "SameSite=Lax", "Max-Age=600"):
        assert part in cookie
    assert f"Path={jp_base_url}aws/sign-in/callback" in cookie


async def test_another_browser_of_the_same_user_cannot_finish_it(
    api, browser, new_browser, provider
):
    query = provider.authorize(await browser.begin())
    refused = await new_browser().come_back(query)
    assert refused.code == 400
    assert "another browser" in refused.body.decode()
    assert (await state(api))["problem"] is None
    assert (await browser.come_back(query)).code == 200  # nobody took it away from the right one
    assert (await browser.come_back(query)).code == 400


async def test_the_page_that_is_opened_again_says_who_is_signed_in(browser, sign_in):
    assert (await browser("GET", "/aws/sign-in/callback")).code == 400
    await sign_in()
    page = await browser("GET", "/aws/sign-in/callback")
    assert "You are signed in as alice" in page.body.decode()
    assert "window.close()" not in page.body.decode()


async def test_the_page_says_which_role_sessions_go_on(sign_in, api):
    page = await sign_in()
    assert "jupyter wb-aws roles" in page.body.decode()
    await api.start()
    page = await sign_in()
    assert "Your role sessions continue: analyst." in page.body.decode()


async def test_the_button_says_whose_role_sessions_would_end(browser, sign_in):
    await sign_in()
    page = (await browser("GET", "/aws/sign-in/start")).body.decode()
    assert "the role sessions of alice end" in page


async def test_the_url_leaves_the_browsers_history_on_every_callback(browser):
    refused = await browser("GET", "/aws/sign-in/callback?state=x&code=y")
    assert "history.replaceState" in refused.body.decode()


async def test_health_explains_why_nobody_can_sign_in(api, provider):
    health = (await api("GET", "/aws/health")).data
    assert (health["status"], "Nobody is signed in" in health["message"]) == ("ok", True)
    provider.faults["/device"] = [failing(401, {"error": "invalid_client"})]
    assert (await api("POST", "/aws/sign-in", {"flow": "device"})).status == 502
    health = (await api("GET", "/aws/health")).data
    assert health["status"] == "degraded"
    assert "client_id" in health["token_source"]["problem"]["admin_hint"]
    assert (await state(api))["problem"] == health["token_source"]["problem"]


async def test_a_browser_that_is_not_signed_in_to_jupyter_is_refused_with_the_reason(
    browser, new_browser, provider
):
    query = provider.authorize(await browser.begin())
    stranger = new_browser(known=False)
    stranger.cookies = {k: v for k, v in browser.cookies.items() if k.startswith("wb-aws")}
    refused = await stranger.come_back(query)
    assert refused.code == 403
    assert "not signed in to this Jupyter Server" in refused.body.decode()
    assert "Location" not in refused.headers
    assert (await browser.come_back(query)).code == 200


@pytest.mark.parametrize("name", ["state", "code", "error", "iss", "x"])
async def test_nothing_of_the_url_is_reflected_or_logged(browser, provider, caplog, name):
    caplog.set_level(logging.DEBUG)
    query = provider.authorize(await browser.begin())
    marked = {**query, name: "marked<b>value"}
    answer = await browser.come_back(marked)
    assert "marked" not in answer.body.decode()
    assert "marked" not in str(dict(answer.headers))
    assert "marked" not in caplog.text
    assert query["code"] not in caplog.text
    assert query["state"] not in caplog.text


async def test_a_parameter_that_comes_twice_does_not_count(browser, provider):
    query = provider.authorize(await browser.begin())
    answer = await browser.come_back(query, state2="x")
    assert answer.code == 200
    query = provider.authorize(await browser.begin())
    doubled = f"{urlencode(query)}&code=another"
    refused = await browser("GET", f"/aws/sign-in/callback?{doubled}")
    assert refused.code == 400


async def test_a_program_gets_problems_and_not_pages(browser):
    answer = await browser("GET", "/aws/sign-in/callback?state=x", Accept="*/*")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert json.loads(answer.body)["code"] == "sign_in_failed"


@pytest.mark.parametrize(("page", "methods"), [("start", "GET, POST"), ("callback", "GET")])
async def test_a_method_that_a_page_does_not_have_is_refused(browser, page, methods):
    answer = await browser("PUT", f"/aws/sign-in/{page}", "x", Accept="*/*")
    assert (answer.code, json.loads(answer.body)["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == methods


async def test_half_a_character_in_a_name_does_not_break_the_page(browser, provider):
    provider.claims = {"preferred_username": "half \ud800"}
    page = await browser.come_back(provider.authorize(await browser.begin()))
    assert page.code == 200


async def test_the_redirect_uri_never_comes_from_the_host_header(browser, provider):
    url = await browser.begin()
    forged = await browser(
        "POST", "/aws/sign-in", '{"flow": "code"}',
        **{"Content-Type": "application/json", "Host": "localhost:1", "X-Forwarded-Host": "evil.example.com"},
    )  # fmt: skip
    one, other = (
        re.search(r"redirect_uri=([^&]+)", text).group(1)
        for text in (url, json.loads(forged.body)["authorization_url"])
    )
    assert one == other
    assert "evil" not in other


# --- Where no redirect can reach the server --------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "flows"),
    [
        ({"redirect_uri": ""}, ["device"]),
        ({"redirect_uri": "http://127.0.0.1:1/aws/sign-in/callback"}, ["device"]),
        ({"redirect_uri": "http://127.0.0.1/aws/sign-in/callback"}, ["device"]),
        ({"redirect_uri": "https://jupyter.example.com/aws/sign-in/callback"}, ["code", "device"]),
        ({"flows": ["device"]}, ["device"]),
    ],
)
class TestFlows:
    @pytest.fixture
    def site_config(self, site_config, settings):
        site_config["OidcTokenSource"] |= settings
        return site_config

    async def test_those_that_work_are_offered(self, api, flows):
        assert (await state(api))["flows"] == flows
        begun = await api("POST", "/aws/sign-in", {})
        assert (begun.status, begun.data["flow"]) == (202, flows[0])


class TestPublicUrl:
    @pytest.fixture
    def public(self):
        return "https://jupyter.example.com/"

    @pytest.fixture
    def site_config(self, site_config, public):
        site_config["OidcTokenSource"]["redirect_uri"] = ""
        site_config["ServerApp"]["custom_display_url"] = public
        return site_config

    async def test_it_makes_the_redirect_uri(self, browser, jp_base_url):
        url = await browser.begin()
        where = urlencode({"u": f"https://jupyter.example.com{jp_base_url}aws/sign-in/callback"})[
            2:
        ]
        assert f"redirect_uri={where}" in url

    @pytest.mark.parametrize("public", ["https://hub.example.com/team/ds/"])
    async def test_the_cookie_goes_where_the_browser_comes_back_to(self, browser):
        answer = await browser(
            "POST", "/aws/sign-in", '{"flow": "code"}', **{"Content-Type": "application/json"}
        )
        (cookie,) = [c for c in answer.headers.get_list("Set-Cookie") if c.startswith("wb-aws")]
        assert "Path=/team/ds/aws/sign-in/callback" in cookie
        assert "Secure" in cookie


async def test_the_device_flow_is_begun_by_name(api, provider):
    begun = await api("POST", "/aws/sign-in", {"flow": "device"})
    assert begun.status == 202
    assert begun.data["verification_uri"] == f"{provider.issuer}/activate"
    assert begun.data["user_code"] in begun.data["verification_uri_complete"]
    assert "device_code" not in begun.data
    known = await state(api)
    assert (known["state"], known["expires_at"]) == ("pending", begun.data["expires_at"])


@pytest.mark.parametrize(
    "body", [{"flow": "password"}, {"flow": 7}, {"flows": "code"}, b"[]", b"{"]
)
async def test_a_bad_body_is_refused(api, body):
    refused = await api("POST", "/aws/sign-in", body)
    assert refused.status == 400
    assert refused.data["code"] in {"bad_request", "flow_not_available"}


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (failing(500), 503, "identity_provider_unavailable"),
        (failing(429, Retry_After="9"), 503, "identity_provider_unavailable"),
        (failing(200, b"<html>"), 502, "identity_provider_bad_answer"),
    ],
)
async def test_a_failing_provider_is_reported(api, provider, fault, status, code):
    provider.faults["/.well-known/openid-configuration"] = [fault, fault]
    known = await state(api)
    assert (known["state"], known["problem"]["code"]) == ("signed_out", code)
    refused = await api("POST", "/aws/sign-in", {})
    assert (refused.status, refused.data["code"]) == (status, code)
    if status == 503:
        assert "Retry-After" in refused.headers


# --- The page for browsers without our extension ---------------------------------------------


async def test_a_browser_begins_at_a_button(browser, provider):
    page = await browser("GET", "/aws/sign-in/start")
    assert page.code == 200
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.body.decode()).group(1)
    went = await browser(
        "POST", "/aws/sign-in/start", urlencode({"_xsrf": xsrf}),
        **{"Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    assert went.code == 303
    assert went.headers["Location"].startswith(f"{provider.issuer}/authorize?")
    back = await browser.come_back(provider.authorize(went.headers["Location"]))
    assert back.code == 200


async def test_the_browser_may_say_that_the_button_is_this_sites(browser):
    """By `no-referrer` it would send the form with `Origin: null`, which Jupyter refuses."""
    page = await browser("GET", "/aws/sign-in/start")
    assert page.headers["Referrer-Policy"] == "same-origin"


async def test_looking_at_the_button_begins_nothing(browser, api):
    await browser("GET", "/aws/sign-in/start")
    assert (await state(api))["state"] == "signed_out"


async def test_who_is_not_in_jupyter_is_sent_there_first(new_browser, jp_base_url):
    page = await new_browser(known=False)("GET", "/aws/sign-in/start")
    assert page.code == 302
    assert urlsplit(page.headers["Location"]).path == f"{jp_base_url}login"


# --- Who is who ------------------------------------------------------------------------------


def ended(provider):
    provider.refresh_tokens.clear()


def ended_in_other_words(provider):
    answer = {"error": "invalid_request", "error_description": "Refresh token expired."}
    provider.faults["/token"] = [failing(400, answer)]


@pytest.mark.parametrize("end", [ended, ended_in_other_words])
async def test_a_sign_in_that_ended_revives_its_role_sessions_and_kernels(
    api, run, sign_in, provider, end
):
    await sign_in()
    session = await api.start()
    kernel = (await api("POST", "/api/kernels", {"name": "python3"}, known=False)).data
    end(provider)
    refused = await api("POST", f"/aws/sessions/{session['id']}/refresh")
    assert (refused.status, refused.data["code"]) == (409, "sign_in_required")
    degraded = (await api("GET", f"/aws/sessions/{session['id']}")).data
    assert degraded["state"] == "sign_in_required"
    assert (await state(api))["problem"]["code"] == "sign_in_required"

    await sign_in()
    well = (await api("GET", f"/aws/sessions/{session['id']}")).data
    assert (well["state"], well["default"]) == ("active", True)
    said = await run(
        kernel["id"], "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    )
    assert session["environment"]["AWS_ROLE_SESSION_NAME"] in said


async def test_another_user_ends_the_formers_role_sessions(api, sign_in):
    await sign_in()
    session = await api.start()
    await sign_in("bob", ["auditors"])
    over = (await api("GET", f"/aws/sessions/{session['id']}")).data
    assert (over["state"], over["end_reason"]) == ("ended", "identity_changed")
    assert [r["name"] for r in (await api("GET", "/aws/roles")).data["roles"]] == ["auditor"]
    refused = await api("POST", "/aws/sessions", {"role_arn": role_arn("analyst")})
    assert (refused.status, refused.data["code"]) == (403, "role_not_allowed")


async def test_signing_out_ends_everything_and_says_until_when_credentials_live(
    api, sign_in, provider, tmp_path
):
    await sign_in()
    session = await api.start()
    token_file = session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"]
    out = await api("DELETE", "/aws/sign-in")
    assert out.status == 200
    assert out.data["credentials_expire_at"] > session["started_at"]
    assert out.data["revoked"] is True
    assert len(provider.revoked) == 1
    over = (await api("GET", f"/aws/sessions/{session['id']}")).data
    assert (over["state"], over["end_reason"]) == ("ended", "signed_out")
    assert not (tmp_path / token_file).exists()
    assert (await state(api))["state"] == "signed_out"
    assert (await api("GET", "/aws/roles")).data["code"] == "sign_in_required"
    assert (await api("DELETE", "/aws/sign-in")).status == 200


async def test_signing_out_works_while_the_provider_is_down(api, sign_in, provider):
    await sign_in()
    session = await api.start()
    provider.faults["/revoke"] = [failing(500)]
    provider.faults["/end"] = [failing(500)]
    out = await api("DELETE", "/aws/sign-in")
    assert (out.status, out.data["revoked"]) == (200, False)
    assert (await api("GET", f"/aws/sessions/{session['id']}")).data["state"] == "ended"


async def test_events_tell_of_it(jp_serverapp, sign_in, api):
    heard = []

    async def listen(logger, schema_id, data):
        heard.append(data["state"])

    jp_serverapp.event_logger.add_listener(
        schema_id="urn:jupyter-wb-aws:event:sign-in-changed", listener=listen
    )
    await sign_in()
    await sign_in("bob")
    await api("DELETE", "/aws/sign-in")
    await jp_serverapp.event_logger.gather_listeners()
    assert heard == ["pending", "signed_in", "signed_in", "signed_out"]


async def test_no_answer_holds_anything_that_the_provider_issued(api, sign_in, provider, caplog):
    caplog.set_level(logging.DEBUG)
    provider.issued.clear()
    await sign_in()
    session = await api.start()
    await api("POST", f"/aws/sessions/{session['id']}/refresh")
    answers = [
        (await api("GET", path)).raw.decode()
        for path in ("/aws/sign-in", "/aws/health", "/aws/sessions", "/aws/roles", "/aws/identity")
    ]
    answers.append((await api("DELETE", "/aws/sign-in")).raw.decode())
    assert len(provider.issued) > 5
    shown = "\n".join([*answers, caplog.text])
    assert [secret for secret in provider.issued if secret in shown] == []


# --- Where nobody needs to, or may -----------------------------------------------------------


class TestOtherSources:
    @pytest.fixture
    def site_config(self, site_config):
        site_config["WbAwsApp"]["token_source"] = "command"
        return site_config

    async def test_no_sign_in_is_needed(self, api):
        assert (await state(api))["state"] == "not_needed"
        for method in ("POST", "DELETE"):
            refused = await api(method, "/aws/sign-in", {} if method == "POST" else None)
            assert (refused.status, refused.data["code"]) == (409, "sign_in_not_needed")
            leaves = method == "DELETE"
            assert ("jupyter wb-aws end --all" in refused.data["hint"]) is leaves
            assert ("jupyter wb-aws roles" in refused.data["hint"]) is not leaves


class TestACommandThatWantsASignIn:
    @pytest.fixture
    def site_config(self, site_config):
        site_config["WbAwsApp"]["token_source"] = "command"
        site_config["CommandTokenSource"]["command"] = ["/bin/sh", "-c", "exit 77"]
        return site_config

    async def test_health_sends_nobody_to_a_sign_in_of_ours(self, api):
        assert (await api("GET", "/aws/roles")).data["code"] == "sign_in_required"
        health = (await api("GET", "/aws/health")).data
        assert health["status"] == "degraded"
        assert "jupyter wb-aws sign-in" not in health["message"]


class Reader(Authorizer):
    """Lets everybody read, and nobody write."""

    def is_authorized(self, handler, user, action, resource):
        return action == "read"


class TestReaders:
    @pytest.fixture
    def site_config(self, site_config):
        site_config["ServerApp"]["authorizer_class"] = Reader
        return site_config

    async def test_who_may_only_read_cannot_sign_in(self, api, browser):
        assert (await state(api))["state"] == "signed_out"
        for method in ("POST", "DELETE"):
            refused = await api(method, "/aws/sign-in", {} if method == "POST" else None)
            assert (refused.status, refused.data["code"]) == (403, "forbidden")
        assert (await browser("GET", "/aws/sign-in/callback?state=x&code=y")).code == 403
        assert (await browser("GET", "/aws/sign-in/start")).code == 403
