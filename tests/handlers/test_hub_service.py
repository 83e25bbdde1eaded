"""A server whose users, roles and tokens come from the hub service: what its calls answer, by openapi.yaml."""

from __future__ import annotations

import pytest

from jupyter_wb_aws.demo.local_aws import LocalAws
from jupyter_wb_aws.demo.names import CLIENT_ID
from tests.hub_stand_in import HubStandIn, entry
from tests.openid import failing
from tests.site import ANALYST, AUDITOR
from tests.waiting import until

HTML = b"<html>Service Unavailable</html>"


@pytest.fixture
def hub(monkeypatch):
    with HubStandIn() as hub:
        hub.subject = "{user}"
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", hub.api_token)
        yield hub


@pytest.fixture
def aws(hub):
    with LocalAws(hub.issuer) as local:
        of_each = {"audience": CLIENT_ID, "extra_environment": {"AWS_ENDPOINT_URL": local.url}}
        hub.roles["alice"] = [
            entry(ANALYST, label="Analyst", region="us-east-2", **of_each),
            entry(AUDITOR, label="Auditor", **of_each),
        ]
        yield local


@pytest.fixture
def site_config(site_config, hub):
    for section, name in (("CommandTokenSource", "command"), ("CommandTokenSource", "issuer")):
        del site_config[section][name]
    site_config["WbAwsApp"] = {"token_source": "jupyterhub"}
    site_config["JupyterHubTokenSource"] = {"service_url": hub.service_url, "check_every": 1.0}
    return site_config


@pytest.fixture
def health(api):
    async def health():
        return (await api("GET", "/aws/health")).data

    return health


async def test_nothing_but_the_service_is_needed_for_identity_and_roles(api, hub):
    answer = (await api("GET", "/aws/roles")).data
    assert answer["user"] == {"name": "alice", "subject": "alice", "groups": ["analysts"]}
    assert [role["arn"] for role in answer["roles"]] == [ANALYST, AUDITOR]

    identity = await api("GET", "/aws/identity")
    assert (identity.status, identity.data["user"]) == (404, answer["user"])
    assert (await api("GET", "/aws/sign-in")).data["user"] == answer["user"]


async def test_the_doctor_warns_of_a_service_that_is_away_while_the_token_still_works(api, hub):
    await api.start(ANALYST, default=True)
    for call in ("roles", "tokens"):
        hub.always[call] = failing(503, HTML)

    async def warned():
        report = (await api("GET", "/aws/doctor")).data
        return "token_source_failing" in {
            one["code"] for one in report["findings"] if one["severity"] == "warning"
        }

    await until(warned)
    assert (await api("GET", "/aws/health")).data["token_source"]["problem"] is not None


async def test_groups_that_changed_are_shown_although_the_roles_are_the_same(api, hub, monkeypatch):
    await api("GET", "/aws/roles")
    hub.groups["alice"] = ["analysts", "auditors"]

    async def groups():
        return (await api("GET", "/aws/roles")).data["user"]["groups"] == ["analysts", "auditors"]

    await until(groups)


async def test_health_has_the_claims_of_each_roles_token(api, hub, health):
    await api.start(AUDITOR)
    analyst = await api.start(ANALYST, default=True)

    found = await health()

    assert (found["status"], found["problems"]) == ("ok", [])
    source = found["token_source"]
    assert (source["name"], source["binds_role"], source["subject"]) == (
        "jupyterhub",
        True,
        "alice",
    )
    assert source["claims"]["roles"] == [ANALYST]
    by_id = {of["id"]: of["claims"]["roles"] for of in found["role_sessions"]}
    assert by_id[analyst["id"]] == [ANALYST]
    assert sorted(by_id.values()) == [[ANALYST], [AUDITOR]]
    assert found["catalogue"]["path"] == hub.service_url
    assert found["catalogue"]["roles"] == 2


async def test_the_doctor_finds_nothing_wrong_with_the_token_of_either_role(api, hub):
    sessions = [await api.start(AUDITOR), await api.start(ANALYST, default=True)]
    for session in sessions:
        report = (await api("GET", f"/aws/doctor?session_id={session['id']}")).data
        assert "token_of_another" not in [finding["code"] for finding in report["findings"]]
        assert report["token"]["claims"]["roles"] == [session["role_arn"]]


async def test_a_role_taken_away_ends_its_role_session_and_no_other(api, hub, health):
    auditor = await api.start(AUDITOR)
    analyst = await api.start(ANALYST, default=True)
    hub.roles["alice"] = [role for role in hub.roles["alice"] if role["arn"] == AUDITOR]

    async def ended():
        return (await api("GET", f"/aws/sessions/{analyst['id']}")).data["state"] == "ended"

    await until(ended)
    shown = (await api("GET", f"/aws/sessions/{analyst['id']}")).data
    assert shown["end_reason"] == "role_withdrawn"
    assert (await api("GET", f"/aws/sessions/{auditor['id']}")).data["state"] == "active"
    refused = await api("POST", "/aws/sessions", {"role_arn": ANALYST})
    assert (refused.status, refused.data["code"]) == (403, "role_not_allowed")
    assert refused.data["request_url"] == "https://ask.example.com"
    assert (await health())["problems"] == []


async def test_while_the_service_is_away_the_roles_are_still_shown_and_health_says_why(
    api, hub, health
):
    session = await api.start(ANALYST)
    hub.always = {"roles": failing(503, HTML), "tokens": failing(503, HTML)}
    refreshed = await api("POST", f"/aws/sessions/{session['id']}/refresh")
    assert (refreshed.status, refreshed.data["code"]) == (503, "identity_provider_unavailable")

    async def known():
        return (await health())["problems"] != []

    await until(known)
    first, *others = (await health())["problems"]
    assert first["code"] == "identity_provider_unavailable"
    assert "The hub service at http://127.0.0.1" in first["detail"]
    assert [problem["code"] for problem in others] == ["role_session_needs_attention"]
    assert len((await api("GET", "/aws/roles")).data["roles"]) == 2
    assert (await api("GET", f"/aws/sessions/{session['id']}")).data["state"] == "degraded"

    hub.always.clear()

    async def well():
        return (await health())["status"] == "ok"

    await until(well)


async def test_a_scope_that_is_missing_is_explained_to_the_user(api, hub):
    hub.without_access.add("alice")
    refused = await api("GET", "/aws/roles")
    assert (refused.status, refused.data["code"]) == (403, "role_not_allowed")
    assert refused.data["hint"] == "Restart the server, then try again."


async def test_an_entry_that_can_not_be_used_is_named(api, hub, health):
    hub.roles["alice"].append(entry("arn:aws:iam::111122223333:role/broken", region="us east"))
    await api("GET", "/aws/roles")
    found = await health()
    assert [problem["code"] for problem in found["problems"]] == ["roles_file_entries_unusable"]
    assert "The hub service's list of roles has an entry" in found["message"]
    assert "role broken" in str(
        [n["message"] for n in found["notices"] if n["code"] == "roles_file_entry"]
    )


class TestRolesFile:
    @pytest.fixture
    def site_config(self, site_config, roles_path):
        site_config["WbAwsApp"]["roles_file"] = str(roles_path)
        return site_config

    async def test_a_roles_file_beside_it_is_not_read_and_there_is_a_notice(self, api, health):
        assert len((await api("GET", "/aws/roles")).data["roles"]) == 2
        assert "roles_file_not_read" in [notice["code"] for notice in (await health())["notices"]]


class TestOnAHubThatComparesUsers:
    """Another source's settings may stay: the service's tokens have no `email`."""

    @pytest.fixture
    def site_config(self, site_config, jp_base_url, monkeypatch):
        monkeypatch.setenv("JUPYTERHUB_USER", "alice")
        monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", jp_base_url)
        monkeypatch.setenv("JUPYTERHUB_SERVER_NAME", "")
        site_config["WbAwsApp"] |= {"hub_user_claim": "email", "hub_user_differs": "refuse"}
        return site_config

    async def test_the_services_user_is_the_hubs_by_construction(self, api, health):
        await api.start()
        found = await health()
        assert (found["status"], found["problems"], found["notices"]) == ("ok", [], [])
