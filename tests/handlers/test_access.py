"""Who may call: authentication, XSRF, origins, and the server's Authorizer."""

from __future__ import annotations

import json

import pytest
from jupyter_server.auth.authorizer import Authorizer
from traitlets import Set

from tests.contract import violations
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


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/aws/roles"),
        ("GET", "/aws/health"),
        ("GET", "/aws/sessions"),
        ("GET", "/aws/identity"),
    ],
)
async def test_nobody_reads_without_signing_in(anonymous, method, path):
    assert await anonymous(method, path) == (403, "not_authenticated")


async def test_a_request_with_a_cookie_alone_needs_the_xsrf_token(anonymous):
    body = json.dumps({"role_arn": ANALYST})
    headers = {"Content-Type": "application/json", "Cookie": "username-localhost=x"}

    assert await anonymous("POST", "/aws/sessions", body, headers) == (403, "xsrf_refused")


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
