"""How a real server asks STS: through the kernels' proxies, by a process of its own, and at a store."""

import logging
import sys

import pytest

from tests.aws.fake_sts import ASSUMED_USER, CREDENTIALS, FakeSts, assumed
from tests.site import ANALYST

ASSUME, WHO = "AssumeRoleWithWebIdentity", "GetCallerIdentity"
ARN = "arn:aws:sts::111122223333:assumed-role/analyst/alice-1"
# Live ones: boto3, which the doctor has call, signs with no others.
LIVING = CREDENTIALS.replace("2026-11-24", "2099-11-24")
ELSEWHERE = "http://sts.elsewhere.example"
PROXY = "http://svc:Winter2026#x@127.0.0.1:9"


@pytest.fixture
def sts():
    with FakeSts() as sts:
        sts.answers[ASSUME] = assumed(LIVING + ASSUMED_USER)
        yield sts


@pytest.fixture
def proxy():
    with FakeSts() as proxy:
        proxy.answers[ASSUME] = assumed(LIVING + ASSUMED_USER)
        yield proxy


@pytest.fixture
def extra(site_config, monkeypatch):
    """What the site adds to each role session's environment; no proxy is set without it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return site_config["WbAwsApp"]["extra_environment"]


class TestBehindAProxyThatIsExcluded:
    @pytest.fixture
    def jp_server_config(self, site_config, extra, sts, proxy, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        extra |= {"AWS_ENDPOINT_URL": sts.url, "NO_PROXY": "127.0.0.1"}
        return site_config

    async def test_the_token_does_not_go_to_the_proxy(self, api, sts, proxy):
        session = await api.start()
        assert session["identity"]["Arn"] == ARN
        assert (await api("GET", "/aws/identity?verify=true")).data["Arn"] == ARN
        assert sts.actions == [ASSUME, ASSUME, WHO]
        assert proxy.calls == []


class TestBehindAProxy:
    @pytest.fixture
    def jp_server_config(self, site_config, extra, proxy):
        extra |= {"AWS_ENDPOINT_URL": ELSEWHERE, "HTTP_PROXY": proxy.url}
        return site_config

    async def test_it_is_used_as_in_a_kernel(self, api, proxy):
        assert (await api.start())["identity"]["Arn"] == ARN
        assert proxy.actions == [ASSUME]


class TestBehindAProxyThatCanNotBeUsed:
    @pytest.fixture
    def jp_server_config(self, site_config, extra):
        extra |= {"AWS_ENDPOINT_URL": ELSEWHERE, "HTTP_PROXY": PROXY}
        return site_config

    async def test_it_is_named_and_its_password_is_nowhere(
        self, api, caplog, jp_serverapp, monkeypatch
    ):
        caplog.set_level(logging.DEBUG)
        events = []
        jp_serverapp.event_logger.add_listener(
            schema_id="urn:jupyter-wb-aws:event:role-denied", listener=heard(events)
        )
        answer = await api("POST", "/aws/sessions", {"role_arn": ANALYST})
        assert (answer.status, answer.data["code"]) == (503, "sts_unavailable")
        assert "HTTP_PROXY" in answer.data["detail"]
        doctor = await api("GET", "/aws/doctor")
        health = await api("GET", "/aws/health")
        reported = (
            answer.raw + doctor.raw + health.raw + caplog.text.encode() + str(events).encode()
        )
        assert b"Winter" not in reported
        assert b"svc:" not in reported


def heard(events):
    async def hear(logger, schema_id, data):
        events.append(data)

    return hear


class TestAtAStoreWithoutGetCallerIdentity:
    @pytest.fixture
    def jp_server_config(self, site_config, extra, sts):
        extra |= {"AWS_ENDPOINT_URL": sts.url}
        sts.answers[ASSUME] = assumed(
            f"{LIVING}<AssumedRoleUser><Arn>{ARN}</Arn><AssumeRoleId>x:alice-1</AssumeRoleId></AssumedRoleUser>"
        )
        sts.answers[WHO] = 405, ""
        return site_config

    async def test_a_role_starts_and_who_it_is_can_be_asked(self, api, sts):
        session = await api.start()
        assert session["identity"] == {"UserId": "", "Account": "111122223333", "Arn": ARN}
        verified = await api("GET", "/aws/identity?verify=true")
        assert (verified.status, verified.data["Arn"]) == (200, ARN)

    async def test_a_store_that_names_nobody_is_answered_for(self, api, sts):
        sts.answers[ASSUME] = assumed(LIVING)
        session = await api.start()
        name = session["environment"]["AWS_ROLE_SESSION_NAME"]
        assert (
            session["identity"]["Arn"] == f"arn:aws:sts::111122223333:assumed-role/analyst/{name}"
        )
        verified = await api("GET", "/aws/identity?verify=true")
        assert verified.data["Arn"] == session["identity"]["Arn"]

    async def test_the_doctor_finds_nothing_wrong(self, api, sts):
        await api.start()
        report = (await api("GET", "/aws/doctor")).data
        found = {f["code"]: f["severity"] for f in report["findings"]}
        assert found["caller_unknown"] == "info"
        assert "call_failed" not in found


async def test_a_machine_without_room_for_a_process_is_explained(api, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    answer = await api("POST", "/aws/sessions", {"role_arn": ANALYST})
    assert (answer.status, answer.data["code"]) == (503, "helper_process_failed")
    assert "/nowhere/python" in answer.data["admin_hint"]
    monkeypatch.undo()
