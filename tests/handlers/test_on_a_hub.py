"""A single-user server of a hub: whose token it has, and who may change anything."""

from __future__ import annotations

import logging
from http.cookies import SimpleCookie

import pytest
from jupyter_core.utils import ensure_async
from jupyter_server.auth.identity import IdentityProvider, User
from traitlets import Unicode

from jupyter_wb_aws.handlers import request_user
from tests.openid import CLIENT, OpenIdProvider
from tests.site import ANALYST


class HubUsers(IdentityProvider):
    """Knows each request's user as JupyterHub's does: by the hub's name and kind."""

    username = Unicode("alice", config=True)
    kind = Unicode("user", config=True)

    async def get_user(self, handler):
        known = await ensure_async(super().get_user(handler))
        if not known:
            return None
        user = User(self.username)
        user.hub_user = {"name": self.username, "kind": self.kind}
        return user


@pytest.fixture
def hub_user():
    return "alice"


@pytest.fixture
def settings():
    return {}


@pytest.fixture
def site_config(site_config, jp_base_url, monkeypatch, hub_user, settings):
    monkeypatch.setenv("JUPYTERHUB_USER", hub_user)
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", jp_base_url)
    monkeypatch.setenv("JUPYTERHUB_SERVER_NAME", "")
    site_config["ServerApp"]["identity_provider_class"] = HubUsers
    site_config["HubUsers"] = {}
    site_config["WbAwsApp"] |= settings
    return site_config


async def codes(api, kind):
    health = (await api("GET", "/aws/health")).data
    return health["status"], [each["code"] for each in health[kind]]


# --- The token's user and the hub's ----------------------------------------------------------


@pytest.mark.parametrize("hub_user", ["alice", "ALICE"])
async def test_the_hubs_user_needs_no_notice(api, hub_user):
    await api.start()
    assert await codes(api, "notices") == ("ok", [])


@pytest.mark.parametrize("hub_user", ["bob"])
class TestAnotherUser:
    async def test_there_is_a_notice_and_roles_start(self, api):
        await api.start()

        health = (await api("GET", "/aws/health")).data

        assert health["status"] == "ok"
        (notice,) = health["notices"]
        assert notice["code"] == "hub_user_differs"
        assert "'bob'" in notice["message"]
        assert "'alice'" in notice["message"]
        assert (await api("GET", "/aws/sign-in")).data["notices"][0] == notice

    async def test_the_doctor_reports_it(self, api):
        await api.start()
        findings = (await api("GET", "/aws/doctor")).data["findings"]
        assert "hub_user_differs" in [finding["code"] for finding in findings]

    @pytest.mark.parametrize("settings", [{"hub_user_differs": "refuse"}])
    async def test_the_site_can_refuse_it(self, api, caplog):
        refused = await api("POST", "/aws/sessions", {"role_arn": ANALYST})

        assert (refused.status, refused.data["code"]) == (403, "hub_user_differs")
        assert "hub_user_claim" in refused.data["admin_hint"]
        assert (await api("GET", "/aws/roles")).data["code"] == "hub_user_differs"
        assert (await api("GET", "/aws/sessions")).data == {"sessions": []}
        assert await codes(api, "problems") == ("degraded", ["hub_user_differs"])
        assert (await codes(api, "notices"))[1] == []

    @pytest.mark.parametrize("settings", [{"hub_user_differs": "ignore"}])
    async def test_the_site_can_ignore_it(self, api):
        await api.start()
        assert await codes(api, "notices") == ("ok", [])

    @pytest.mark.parametrize(
        "settings",
        [
            {"hub_user_claim": "email", "hub_user_differs": "refuse"},
            {"hub_user_claim": "no.such.claim", "hub_user_differs": "refuse"},
        ],
    )
    async def test_a_claim_that_is_missing_or_another_name_is_refused(self, api):
        assert (await api("POST", "/aws/sessions", {"role_arn": ANALYST})).status == 403


@pytest.mark.parametrize("hub_user", ["Alice@Example.com"])
@pytest.mark.parametrize("settings", [{"hub_user_claim": "email", "hub_user_differs": "refuse"}])
async def test_the_site_names_the_claim_that_holds_the_hubs_name(api):
    await api.start()


# --- Only the owner changes anything ---------------------------------------------------------


CHANGES = [
    ("POST", "/aws/sessions", {"role_arn": ANALYST}),
    ("DELETE", "/aws/sessions/x", None),
    ("POST", "/aws/sessions/x/refresh", {}),
    ("POST", "/aws/sessions/x/kernels", {}),
    ("POST", "/aws/sessions/x/terminals", {}),
    ("PUT", "/aws/default", {"session_id": None}),
    ("PUT", "/aws/assignments/x", {"session_id": None}),
    ("DELETE", "/aws/assignments/x", None),
    ("POST", "/aws/apps/x/relaunch", {}),
    ("POST", "/aws/sign-in", {}),
    ("DELETE", "/aws/sign-in", None),
]


@pytest.mark.parametrize("settings", [{"owner_only": True}])
class TestOwnerOnly:
    @pytest.fixture
    def user(self):
        return {"username": "bob"}

    @pytest.fixture
    def site_config(self, site_config, user):
        site_config["HubUsers"] = user
        return site_config

    @pytest.mark.parametrize(("method", "path", "body"), CHANGES)
    async def test_another_user_changes_nothing(self, api, method, path, body):
        answer = await api(method, path, body)

        assert (answer.status, answer.data["code"]) == (403, "not_owner")
        assert "alice" in answer.data["detail"]

    @pytest.mark.parametrize("user", [{"kind": "service"}])
    async def test_a_service_with_the_owners_name_is_not_the_owner(self, api):
        assert (await api("PUT", "/aws/default", {"session_id": None})).data["code"] == "not_owner"

    async def test_the_page_to_sign_in_on_begins_nothing(self, api):
        answer = await api("POST", "/aws/sign-in/start", known=False)
        assert (answer.status, answer.data["code"]) == (403, "not_owner")

    async def test_another_user_may_read(self, api):
        for path in ("sessions", "default", "assignments", "roles", "health", "sign-in"):
            assert (await api("GET", f"/aws/{path}")).status == 200, path

    async def test_the_log_names_who_was_refused(self, api, caplog):
        caplog.set_level(logging.WARNING)
        await api("PUT", "/aws/default", {"session_id": None})
        said = [r.getMessage() for r in caplog.records if r.name == request_user.__name__]
        assert said == ["Refused a change by the Jupyter user 'bob'"]

    @pytest.mark.parametrize("user", [{"username": "alice"}])
    async def test_the_owner_changes_what_they_like(self, api):
        await api.start()
        assert (await api("PUT", "/aws/default", {"session_id": None})).status == 204


@pytest.mark.parametrize("settings", [{"owner_only": True}])
class TestWithoutAHub:
    @pytest.fixture
    def site_config(self, site_config, monkeypatch):
        monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX")
        return site_config

    async def test_a_setting_without_effect_is_named(self, api):
        await api.start()
        assert await codes(api, "notices") == ("ok", ["owner_only_without_hub"])


async def test_without_the_setting_anyone_who_may_use_the_server_changes_things(api, site_config):
    site_config["HubUsers"]["username"] = "bob"
    await api.start()


# --- A sign-in -------------------------------------------------------------------------------


class TestSignIn:
    @pytest.fixture
    def site_config(self, site_config):
        with OpenIdProvider() as provider:
            site_config["WbAwsApp"]["token_source"] = "oidc"
            site_config["OidcTokenSource"] = {
                "issuer": provider.issuer,
                "client_id": CLIENT,
                "redirect_uri": "https://hub.example.com/hub/user-redirect/aws/sign-in/callback",
            }
            yield site_config

    async def test_the_cookie_is_for_this_server_alone_wherever_the_hub_is_returned_to(
        self, api, jp_base_url
    ):
        answer = await api("POST", "/aws/sign-in", {"flow": "code"})

        (cookie,) = [
            morsel
            for line in answer.headers.get_list("Set-Cookie")
            for name, morsel in SimpleCookie(line).items()
            if name.startswith("wb-aws")
        ]
        assert cookie["path"] == f"{jp_base_url}aws/sign-in/callback"
        assert cookie["secure"]
