"""Role sessions by the credential endpoint on a real server: their credentials, their end, and what is shown of both."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.credentials import ContainerProvider
from botocore.exceptions import CredentialRetrievalError

from jupyter_wb_aws import boto3_session
from jupyter_wb_aws.endpoint.clients import EndpointClients
from tests.endpoint.asking import ask
from tests.site import ANALYST, AUDITOR
from tests.waiting import until


@pytest.fixture
def jp_server_config(site_config):
    site_config["WbAwsApp"]["delivery"] = "endpoint"
    return site_config


@pytest.fixture
def sts_calls(caplog):
    """Return the local AWS's record of every AssumeRoleWithWebIdentity."""
    caplog.set_level(logging.INFO, "jupyter_wb_aws.demo.local_aws.trail")
    return lambda: [r for r in caplog.records if r.name == "jupyter_wb_aws.demo.local_aws.trail"]


def at(text):
    return datetime.fromisoformat(text)


async def answered(session):
    """Ask the endpoint as one of the role session's own commands."""
    environment = session["environment"]
    token = await asyncio.to_thread(
        Path(environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text
    )
    return await ask(urlsplit(environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]).port, token=token)


def caller_by_botocore(environment, url):
    """Return who AWS says that botocore is, with nothing but these variables."""
    found = ContainerProvider(environ=environment).load().get_frozen_credentials()
    client = boto3.client(
        "sts", "us-east-2", endpoint_url=url, aws_access_key_id=found.access_key,
        aws_secret_access_key=found.secret_key, aws_session_token=found.token,
    )  # fmt: skip
    return client.get_caller_identity()["Arn"]


async def test_a_start_asks_sts_once_and_every_client_gets_that_answer(api, aws, sts_calls):
    session = await api.start(ANALYST)
    environment = session["environment"]

    arns = await asyncio.gather(
        *(asyncio.to_thread(caller_by_botocore, environment, aws.url) for _ in range(5))
    )

    assert set(arns) == {session["identity"]["Arn"]}
    assert len(sts_calls()) == 1
    assert session["delivery"] == "endpoint"
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" not in environment
    token_file = Path(environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
    assert not list(token_file.parent.glob("*.token"))


async def test_an_answer_has_what_sdks_read_and_ends_with_the_lease(api):
    session = await api.start(ANALYST)
    asked_at = time.time()

    status, headers, body = await answered(session)

    assert status == 200
    assert headers["cache-control"] == "no-store"
    assert (body["AccountId"], body["RoleArn"]) == (session["identity"]["Account"], ANALYST)
    assert body["AccessKeyId"].startswith("ASIA")
    left = at(body["Expiration"]).timestamp() - asked_at
    assert session["lease"] == 960
    assert 950 < left < 990
    assert at(session["credentials_expire_at"]).timestamp() - asked_at > 3000


async def test_a_program_that_sends_no_endpoint_token_reads_that_its_sdk_may_be_too_old(api):
    url = urlsplit((await api.start(ANALYST))["environment"]["AWS_CONTAINER_CREDENTIALS_FULL_URI"])

    status, _, refusal = await ask(url.port, token=None)
    _, _, guessed = await ask(url.port, token="guessed")

    assert (status, refusal["Code"]) == (403, "EndpointTokenUnknown")
    assert "too old" in refusal["Message"]
    assert "too old" not in guessed["Message"]


async def test_an_end_refuses_at_once_and_says_by_when_clients_stop(api):
    session = await api.start(ANALYST)
    _, _, body = await answered(session)

    ended = await api("DELETE", f"/aws/sessions/{session['id']}")

    assert ended.data == {
        "credentials_expire_at": session["credentials_expire_at"],
        "clients_stop_by": body["Expiration"],
    }
    status, _, refusal = await answered(session)
    assert (status, refusal["Code"]) == (403, "RoleSessionEnded")
    assert "you ended it" in refusal["Message"]
    assert session["label"] in refusal["Message"]
    with pytest.raises(CredentialRetrievalError, match="you ended it"):
        await asyncio.to_thread(_load, session["environment"])


def _load(environment):
    ContainerProvider(environ=environment).load()


async def test_an_end_without_clients_says_that_none_go_on(api):
    session = await api.start(ANALYST)

    ended = await api("DELETE", f"/aws/sessions/{session['id']}")

    assert ended.data["clients_stop_by"] is None


async def test_commands_get_another_token_after_the_end_of_the_one_that_somebody_has(
    api, sts_calls
):
    session = await api.start(ANALYST)
    await answered(session)
    (client,) = (await api("GET", "/aws/endpoint/clients")).data["clients"]

    assert (await api("DELETE", f"/aws/endpoint/clients/{client['id']}")).status == 204

    status, _, refusal = await answered(session)
    assert (status, refusal["Code"]) == (403, "ClientEnded")

    async def works_again():
        return (await answered(await api.start(ANALYST)))[0] == 200

    await until(works_again)
    assert len(sts_calls()) == 1


async def test_health_and_the_list_show_who_uses_the_endpoint_and_the_log_since_when(api, caplog):
    caplog.set_level(logging.INFO, "jupyter_wb_aws")

    async def clients():
        return (await api("GET", "/aws/endpoint/clients")).data["clients"]

    assert (await api("GET", "/aws/health")).data["endpoint"] is None
    session = await api.start(ANALYST, default=True)
    uri = session["environment"]["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    port = urlsplit(uri).port
    said = {"running": True, "port": port, "clients": 0}
    assert (await api("GET", "/aws/health")).data["endpoint"] == said
    # Nobody has taken the variables for commands yet.
    assert await clients() == []
    await answered(session)
    assert [client["kind"] for client in await clients()] == ["environment"]

    await api("POST", "/api/terminals")
    assert (await api("GET", "/aws/health")).data["endpoint"] == said | {"clients": 1}
    logged = [r.getMessage() for r in caplog.records if r.name.startswith("jupyter_wb_aws.")]
    assert f"The credential endpoint listens at {uri}." in logged
    (started,) = (line for line in logged if "started: role" in line)
    assert started.endswith(", delivery endpoint")


async def test_a_refresh_on_demand_brings_new_credentials(api, sts_calls):
    session = await api.start(ANALYST)
    _, _, before = await answered(session)

    refreshed = await api("POST", f"/aws/sessions/{session['id']}/refresh")

    assert refreshed.status == 200
    _, _, after = await answered(session)
    assert after["AccessKeyId"] != before["AccessKeyId"]
    assert len(sts_calls()) == 2


async def test_code_in_the_server_gets_the_same_credentials(api, jp_serverapp, sts_calls):
    session = await api.start(ANALYST)
    _, _, body = await answered(session)

    inside = boto3_session(jp_serverapp, "s3-browser")

    keys = inside.get_credentials().get_frozen_credentials()
    assert keys.access_key == body["AccessKeyId"]
    assert len(sts_calls()) == 1


async def test_the_identity_can_be_verified(api):
    session = await api.start(ANALYST)

    verified = await api("GET", "/aws/identity?verify=true")

    assert verified.status == 200
    assert verified.data["Arn"] == session["identity"]["Arn"]


async def test_the_endpoint_goes_on_while_jupyter_is_blocked(api, aws):
    session = await api.start(ANALYST)
    other = await api.start(AUDITOR)
    arns = {}

    def ask_while_blocked():
        for one in (session, other):
            arns[one["id"]] = caller_by_botocore(one["environment"], aws.url)

    asking = threading.Thread(target=ask_while_blocked)
    asking.start()
    asking.join(60)  # Jupyter's loop stands still

    assert arns == {one["id"]: one["identity"]["Arn"] for one in (session, other)}


async def test_a_thread_that_dies_is_started_again_on_the_same_port(api, monkeypatch):
    session = await api.start(ANALYST)
    first = threads()
    with monkeypatch.context() as patch:
        patch.setattr(EndpointClients, "find", _die)
        with pytest.raises((OSError, ValueError, KeyError)):  # no answer, or half of one
            await answered(session)

    async def another():
        return threads() and threads() != first

    await until(another)
    status, _, body = await answered(session)
    assert status == 200
    assert body["AccessKeyId"].startswith("ASIA")
    assert (await api("GET", "/aws/health")).data["status"] == "ok"


def _die(*_):
    raise SystemExit


def threads():
    return {thread for thread in threading.enumerate() if thread.name == "wb-aws endpoint"}


async def test_the_lifetime_of_an_entry_is_what_aws_is_asked_for(api, roles_path):
    text = roles_path.read_text()
    entry = f'arn = "{ANALYST}"\n'
    assert entry in text
    roles_path.write_text(
        text.replace(entry, f"{entry}credential_lifetime = 900\ndelivery = 'endpoint'\n")
    )
    asked_at = time.time()

    session = await api.start(ANALYST)
    _, _, body = await answered(session)

    assert 890 < at(session["credentials_expire_at"]).timestamp() - asked_at < 960
    assert body["Expiration"] == session["credentials_expire_at"]


class TestASiteOfWebIdentity:
    @pytest.fixture
    def jp_server_config(self, site_config):
        return site_config

    async def test_starts_no_thread_and_has_no_lease(self, api):
        session = await api.start(ANALYST)

        assert threads() == set()
        assert (session["delivery"], session["lease"]) == ("web_identity", None)
        assert session["credentials_expire_at"] is None
        ended = await api("DELETE", f"/aws/sessions/{session['id']}")
        assert ended.data["clients_stop_by"] is None
