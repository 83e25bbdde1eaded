"""A boto3 session of ours: what it ignores, how it refreshes its credentials, what it hides."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from jupyter_wb_aws.aws.refreshing_session import Boto3Session, RefreshingCredentials
from jupyter_wb_aws.aws.sts import Credentials
from jupyter_wb_aws.errors import RoleSessionEnded, StsUnavailable
from tests.conftest import NOON, FakeClock

HOUR = timedelta(hours=1)
SECRETS = ("secret-1", "session-token-1")


class Bank:
    """Gives numbered credentials for an hour, by a clock that a test moves; or raises what a test says."""

    def __init__(self):
        self.clock = FakeClock()
        self.given = 0
        self.failure = None
        self.ended = None

    def fetch(self):
        if self.failure is not None:
            raise self.failure
        self.given += 1
        n = self.given
        return Credentials(f"ASIA{n}", f"secret-{n}", f"session-token-{n}", self.clock.now() + HOUR)

    def check(self):
        if self.ended is not None:
            raise self.ended

    def credentials(self, lifetime=HOUR):
        return RefreshingCredentials(self.fetch, self.check, lifetime, self.clock.now)


@pytest.fixture
def bank():
    return Bank()


@pytest.fixture
def session(bank):
    def make(region="us-east-2", **environment):
        return Boto3Session(bank.credentials(), environment, region)

    return make


def test_nothing_is_fetched_before_it_is_needed_and_then_once(bank):
    credentials = bank.credentials()
    assert bank.given == 0

    keys = {credentials.get_frozen_credentials().access_key for _ in range(3)}

    assert keys == {"ASIA1"}


def test_credentials_are_refreshed_before_they_expire(bank):
    credentials = bank.credentials()
    credentials.get_frozen_credentials()

    bank.clock.advance(44 * 60)
    assert credentials.get_frozen_credentials().access_key == "ASIA1"
    bank.clock.advance(2 * 60)
    assert credentials.get_frozen_credentials().access_key == "ASIA2"


def test_a_role_with_sessions_of_15_minutes_does_not_cost_a_call_for_each_request(bank):
    credentials = bank.credentials(timedelta(minutes=15))
    credentials.get_frozen_credentials()

    bank.clock.set(NOON + HOUR - timedelta(minutes=5))

    assert credentials.get_frozen_credentials().access_key == "ASIA1"


def test_a_failed_refresh_fails_no_request_while_there_is_time(bank):
    credentials = bank.credentials()
    credentials.get_frozen_credentials()
    bank.failure = StsUnavailable("Down.")

    bank.clock.set(NOON + HOUR - timedelta(minutes=2))
    assert credentials.get_frozen_credentials().access_key == "ASIA1"
    bank.clock.set(NOON + HOUR - timedelta(seconds=50))
    with pytest.raises(StsUnavailable):
        credentials.get_frozen_credentials()


def test_nothing_is_signed_once_the_check_fails(bank):
    credentials = bank.credentials()
    credentials.get_frozen_credentials()

    bank.ended = RoleSessionEnded("It is over.")

    with pytest.raises(RoleSessionEnded):
        credentials.get_frozen_credentials()


def test_no_secret_shows_in_a_repr_or_the_log(bank, session, fake, caplog):
    caplog.set_level(logging.DEBUG)
    made = session(AWS_ENDPOINT_URL=fake.url)
    made.client("sts").get_caller_identity()
    frozen = made.get_credentials().get_frozen_credentials()

    shown = (
        f"{made!r} {made.get_credentials()!r} {frozen!r} {frozen} {bank.fetch()!r} {caplog.text}"
    )

    assert frozen.secret_key == SECRETS[0]
    assert not [secret for secret in SECRETS if secret in shown]


def test_the_servers_own_variables_and_files_are_ignored(session, fake, monkeypatch, tmp_path):
    (tmp_path / "config").write_text(
        "[default]\nregion = eu-west-1\nendpoint_url = http://evil.example\n"
    )
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = AKIADECOY\naws_secret_access_key = decoy\n"
    )
    ambient = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_ACCESS_KEY_ID": "AKIADECOY",
        "AWS_SECRET_ACCESS_KEY": "decoy",
        "AWS_PROFILE": "missing",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://evil.example",
        "AWS_ENDPOINT_URL_STS": "http://evil.example",
        "AWS_CA_BUNDLE": "/nowhere",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }
    for name, value in ambient.items():
        monkeypatch.setenv(name, value)

    made = session(AWS_ENDPOINT_URL=fake.url)
    made.client("sts").get_caller_identity()

    ((_, _, headers),) = fake.calls
    assert "Credential=ASIA1/" in headers["Authorization"]
    assert "/us-east-2/sts/" in headers["Authorization"]
    assert made.region_name == "us-east-2"
    assert session().client("s3").meta.endpoint_url == "https://s3.us-east-2.amazonaws.com"


def test_a_bearer_token_of_the_servers_own_is_not_sent(session, monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "decoy")
    bedrock = session().client("bedrock-runtime")
    sent = []

    def answer(request, **_):
        sent.append(request.headers["Authorization"])
        answered = AWSResponse(request.url, 200, {}, None)
        answered._content = b"{}"
        return answered

    bedrock.meta.events.register("before-send", answer)
    bedrock.converse(modelId="any.model", messages=[])

    (authorization,) = sent
    assert b"Credential=ASIA1/" in authorization


ENDPOINTS = {
    "s3": ({"AWS_ENDPOINT_URL_S3": "https://a.example"}, "https://a.example"),
    "s3 ": (
        {"AWS_ENDPOINT_URL": "https://b.example", "AWS_ENDPOINT_URL_S3": "https://a.example"},
        "https://a.example",
    ),
    "sts": (
        {"AWS_ENDPOINT_URL": "https://b.example", "AWS_ENDPOINT_URL_S3": "https://a.example"},
        "https://b.example",
    ),
    "elb": (
        {"AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING": "https://c.example"},
        "https://c.example",
    ),
    "dynamodb": ({}, "https://dynamodb.us-east-2.amazonaws.com"),
}


@pytest.mark.parametrize(("service", "case"), ENDPOINTS.items())
def test_endpoints_are_those_that_a_kernel_would_find(session, monkeypatch, service, case):
    environment, endpoint = case
    service = service.strip()

    assert session(**environment).client(service).meta.endpoint_url == endpoint

    import boto3

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    kernel = boto3.Session(
        aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-2"
    )
    assert kernel.client(service).meta.endpoint_url == endpoint


def test_other_settings_come_from_the_role_sessions_variables(session, tmp_path):
    made = session(
        AWS_USE_DUALSTACK_ENDPOINT="true", AWS_MAX_ATTEMPTS="7", HTTPS_PROXY="http://proxy.example"
    )
    client = made.client("s3")
    assert client.meta.endpoint_url == "https://s3.dualstack.us-east-2.amazonaws.com"
    assert client.meta.config.proxies == {"https": "http://proxy.example"}
    assert made._session.get_config_variable("max_attempts") == 7
    assert session(AWS_CA_BUNDLE="/ca.pem")._session.get_config_variable("ca_bundle") == "/ca.pem"


@pytest.mark.parametrize(
    ("servers", "of_the_role_session", "proxies"),
    [
        ({}, {"HTTPS_PROXY": "http://p:1"}, {"https": "http://p:1"}),
        ({}, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".amazonaws.com"}, {}),
        ({"HTTPS_PROXY": "http://s:1"}, {"NO_PROXY": ".us-east-2.amazonaws.com"}, {}),
        ({"HTTPS_PROXY": "http://s:1"}, {"NO_PROXY": "other.example"}, {"https": "http://s:1"}),
        ({"NO_PROXY": "*"}, {"HTTPS_PROXY": "http://p:1"}, {}),
        ({"HTTPS_PROXY": "http://s:1"}, {"https_proxy": "http://p:1"}, {"https": "http://p:1"}),
        ({"https_proxy": "http://s:1"}, {"https_proxy": ""}, {}),
        ({"https_proxy": "http://s:1"}, {"https_proxy": "", "HTTPS_PROXY": "http://p:1"}, {}),
        ({}, {}, None),
    ],
)
def test_proxies_are_those_of_the_role_session_and_then_the_servers(
    session, monkeypatch, servers, of_the_role_session, proxies
):
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in servers.items():
        monkeypatch.setenv(name, value)
    assert session(**of_the_role_session).client("s3").meta.config.proxies == proxies


def test_other_certificates_and_ignored_endpoints_are_those_of_a_kernel(session, tmp_path):
    made = session(
        REQUESTS_CA_BUNDLE=str(tmp_path / "ca.pem"),
        AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true",
        AWS_ENDPOINT_URL="https://a.example",
    )
    client = made.client("s3")
    assert client._endpoint.http_session._verify == str(tmp_path / "ca.pem")
    assert client.meta.endpoint_url == "https://s3.us-east-2.amazonaws.com"


def test_a_clients_own_arguments_override_the_session(session):
    made = session(AWS_ENDPOINT_URL="https://a.example")
    client = made.client("s3", endpoint_url="https://b.example", config=Config(read_timeout=5))

    assert client.meta.endpoint_url == "https://b.example"
    assert client.meta.config.read_timeout == 5
    assert made.resource("s3").meta.client.meta.endpoint_url == "https://a.example"


def test_no_two_clients_are_made_at_once(session, monkeypatch):
    both = threading.Barrier(2)

    def meets_another(self, service, **_):
        try:
            both.wait(0.2)
        except threading.BrokenBarrierError:
            both.reset()
            return False
        return True

    monkeypatch.setattr("boto3.session.Session.client", meets_another)
    made = session()

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(made.client, ["s3", "sts"])) == {False}


def test_clients_may_be_made_in_several_threads(session, bank, fake):
    made = session(AWS_ENDPOINT_URL=fake.url)
    together = threading.Barrier(8)

    def call(_):
        together.wait(10)
        return made.client("sts").get_caller_identity()["Account"]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(call, range(8))) == {"111122223333"}
    assert bank.given == 1
