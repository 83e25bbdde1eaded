"""Our STS client, against a fake STS: what it sends, what it reads, and what it ignores."""

import logging
import os
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from jupyter_wb_aws.aws import sts
from jupyter_wb_aws.aws.botocore_session import proxies_for
from jupyter_wb_aws.aws.sts import (
    BlockingStsClient,
    CallerIdentity,
    StsRequest,
    configured_endpoint,
)
from jupyter_wb_aws.errors import (
    StsBadAnswer,
    StsRejected,
    StsTimeout,
    StsUnavailable,
    Throttled,
    TokenRefused,
    TrustRefused,
    WbAwsError,
)
from jupyter_wb_aws.roles.role import RoleArn
from tests.aws.fake_sts import ASSUMED_USER, CREDENTIALS, answer_id, assumed, caller, error
from tests.conftest import make_token

ARN = RoleArn.parse("arn:aws:iam::111122223333:role/team/analyst")
TOKEN = make_token()
SECRETS = [*TOKEN.reveal().split("."), "fake-secret-access-key", "fake-session-token"]
ME = CallerIdentity(
    "AROAFAKE:alice-1", "111122223333", "arn:aws:sts::111122223333:assumed-role/analyst/alice-1"
)


@pytest.fixture(autouse=True)
def _no_second_try(monkeypatch):
    """Keep botocore from waiting between attempts; the test of the attempts restores them."""
    monkeypatch.setattr(sts, "MAX_ATTEMPTS", 1)


@pytest.fixture(autouse=True)
def _log_levels():
    before = {
        name: logging.getLogger(name).level
        for name in ("botocore", "botocore.endpoint", "botocore.parsers", "botocore.hooks")
    }
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def request_to(fake, region="us-east-2", arn=ARN, **environment):
    environment = {"AWS_ENDPOINT_URL_STS": fake.url, **environment}
    return StsRequest(arn, region, "alice-1", TOKEN, environment)


# --- What is sent and read -----------------------------------------------------------------


def test_a_role_is_assumed_with_one_unsigned_call(fake):
    got = BlockingStsClient().assume(request_to(fake))
    assert got.caller == ME
    assert got.credentials_expire_at == datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
    ((action, fields, headers),) = fake.calls
    assert action == "AssumeRoleWithWebIdentity"
    assert fields["RoleArn"] == str(ARN)
    assert fields["RoleSessionName"] == "alice-1"
    assert fields["WebIdentityToken"] == TOKEN.reveal()
    assert "DurationSeconds" not in fields
    assert "Authorization" not in headers


def test_the_caller_has_the_fields_of_sts():
    assert ME.as_json() == {"UserId": ME.user_id, "Account": ME.account, "Arn": ME.arn}


@pytest.mark.parametrize(
    "user", ["", "<AssumedRoleUser/>", "<AssumedRoleUser><Arn>arn:x</Arn></AssumedRoleUser>"]
)
def test_get_caller_identity_is_called_if_the_answer_names_no_caller(fake, user):
    fake.answers["AssumeRoleWithWebIdentity"] = assumed(CREDENTIALS + user)
    assert BlockingStsClient().assume(request_to(fake)).caller == ME
    assert fake.actions == ["AssumeRoleWithWebIdentity", "GetCallerIdentity"]
    _, _, headers = fake.calls[1]
    assert "Credential=ASIAFAKEKEY/" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "fake-session-token"


def test_verifying_asks_who_we_are_with_fresh_credentials(fake):
    assert BlockingStsClient().verify(request_to(fake)) == ME
    assert fake.actions == ["AssumeRoleWithWebIdentity", "GetCallerIdentity"]


@pytest.mark.parametrize("arn", ["arn:aws:sts::assumed-role/x/y", "weird", "arn:aws:sts:::x/y"])
def test_an_arn_without_an_account_is_read_with_the_roles_account(fake, arn):
    user = ASSUMED_USER.replace(ME.arn, arn)
    fake.answers["AssumeRoleWithWebIdentity"] = assumed(CREDENTIALS + user)
    got = BlockingStsClient().assume(request_to(fake)).caller
    assert (got.arn, got.account) == (arn, "111122223333")


def test_a_stores_own_form_of_a_caller_is_accepted(fake):
    fake.answers["GetCallerIdentity"] = caller("arn:aws:sts::assumed-role/x", "x", "000000000000")
    assert BlockingStsClient().verify(request_to(fake)).account == "000000000000"


def test_calls_of_many_threads_at_once_each_go_to_their_own_region(fake):
    client, regions = BlockingStsClient(), [f"eu-west-{number}" for number in range(1, 9)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda region: client.verify(request_to(fake, region)), regions))
    signed = [
        headers["Authorization"]
        for action, _, headers in fake.calls
        if action == "GetCallerIdentity"
    ]
    assert answers == [ME] * 8
    assert sorted(text.split("/")[2] for text in signed) == regions


@pytest.mark.parametrize(
    ("arn", "region", "endpoint"),
    [
        ("arn:aws:iam::111122223333:role/r", "eu-central-1", "sts.eu-central-1.amazonaws.com"),
        ("arn:aws:iam::111122223333:role/r", None, "sts.us-east-1.amazonaws.com"),
        ("arn:aws-cn:iam::111122223333:role/r", None, "sts.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:iam::111122223333:role/r", None, "sts.us-gov-west-1.amazonaws.com"),
        ("arn:aws-us-gov:iam::111122223333:role/r", "us-gov-east-1", "sts.us-gov-east-1.amazonaws.com"),
    ],
)  # fmt: skip
def test_the_endpoint_is_that_of_the_roles_region_and_partition(monkeypatch, arn, region, endpoint):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    client = BlockingStsClient().client(
        StsRequest(RoleArn.parse(arn), region, "alice-1", TOKEN), None
    )
    assert client.meta.endpoint_url == f"https://{endpoint}"


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, None),
        ({"AWS_ENDPOINT_URL": "https://a"}, "https://a"),
        ({"AWS_ENDPOINT_URL": "https://a", "AWS_ENDPOINT_URL_STS": "https://b"}, "https://b"),
        ({"AWS_ENDPOINT_URL_STS": ""}, None),
    ],
)
def test_the_endpoint_is_taken_from_the_roles_own_environment(environment, endpoint):
    assert configured_endpoint(environment) == endpoint


# --- What is taken no notice of ------------------------------------------------------------


HOSTILE = {
    "AWS_ACCESS_KEY_ID": "AKIAAMBIENT", "AWS_SECRET_ACCESS_KEY": "ambient", "AWS_SESSION_TOKEN": "ambient",
    "AWS_PROFILE": "missing", "AWS_DEFAULT_PROFILE": "missing", "AWS_REGION": "sa-east-1",
    "AWS_DEFAULT_REGION": "sa-east-1", "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/pod",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such/token", "AWS_ROLE_SESSION_NAME": "pod",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
    "AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true", "AWS_CA_BUNDLE": "/no/such/bundle",
    "AWS_MAX_ATTEMPTS": "9", "AWS_RETRY_MODE": "adaptive", "AWS_DEFAULTS_MODE": "nonsense",
    "AWS_STS_REGIONAL_ENDPOINTS": "nonsense", "AWS_ACCOUNT_ID_ENDPOINT_MODE": "required",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/", "AWS_EC2_METADATA_DISABLED": "false",
    "HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9",
}  # fmt: skip


@pytest.fixture
def hostile(monkeypatch, tmp_path):
    """An environment and a home folder in which everything points elsewhere."""
    from botocore.loaders import Loader

    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    aws = tmp_path / ".aws"
    aws.mkdir()
    text = "[default]\nendpoint_url = http://127.0.0.1:9\naws_access_key_id = AKIAFILE\naws_secret_access_key = x\n"
    (aws / "config").write_text(text)
    (aws / "credentials").write_text("[broken")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(aws / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(aws / "credentials"))
    for model in ("sts/2011-06-15/service-2.json", "endpoints.json", "partitions.json"):
        (aws / "models" / model).parent.mkdir(parents=True, exist_ok=True)
        (aws / "models" / model).write_text("{}")
    monkeypatch.setenv("AWS_DATA_PATH", str(aws / "models"))
    monkeypatch.setattr(Loader, "CUSTOMER_DATA_PATH", str(aws / "models"))


@pytest.mark.usefixtures("hostile")
def test_ambient_variables_files_models_and_proxies_are_ignored(fake):
    assert BlockingStsClient().assume(request_to(fake)).caller == ME
    assert BlockingStsClient().verify(request_to(fake)) == ME
    for _, _, headers in fake.calls:
        assert "AMBIENT" not in headers.get("Authorization", "")
        assert "AKIAFILE" not in headers.get("Authorization", "")
    assert fake.calls[1][1]["RoleArn"] == str(ARN)
    assert "/us-east-2/sts/" in fake.calls[-1][2]["Authorization"]


@pytest.mark.usefixtures("hostile")
def test_in_a_hostile_environment_the_endpoint_is_still_the_roles():
    client = BlockingStsClient().client(StsRequest(ARN, "us-east-2", "alice-1", TOKEN), None)
    assert client.meta.endpoint_url == "https://sts.us-east-2.amazonaws.com"
    assert client.meta.config.retries["total_max_attempts"] == 1


def test_the_servers_environment_is_not_changed(fake):
    before = dict(os.environ)
    BlockingStsClient().verify(request_to(fake))
    assert dict(os.environ) == before


def test_a_roles_own_proxy_is_used_for_an_endpoint_elsewhere():
    assert proxies_for("https://sts.example.com", {"HTTPS_PROXY": "http://p:1"}) == {
        "https": "http://p:1"
    }
    assert proxies_for(None, {"http_proxy": "http://p:1"}) == {"http": "http://p:1"}
    assert proxies_for(None, {}) is None


@pytest.mark.parametrize(
    ("environment", "proxies"),
    [
        ({"HTTPS_PROXY": "http://p:1"}, {"https": "http://p:1"}),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "sts.us-east-2.amazonaws.com"}, {}),
        ({"NO_PROXY": "localhost,[::1]"}, {}),
    ],
)
def test_a_proxy_that_no_proxy_excludes_is_not_used(environment, proxies):
    client = BlockingStsClient().client(
        StsRequest(ARN, "us-east-2", "alice-1", TOKEN, environment), None
    )
    assert client.meta.config.proxies == proxies


@pytest.mark.parametrize("url", ["http://svc:Winter2026#x@127.0.0.1:9", "socks5://svc:Winter2026@127.0.0.1:9"])  # fmt: skip
def test_a_proxy_that_can_not_be_used_is_named_without_its_password(url):
    environment = {"AWS_ENDPOINT_URL": "http://sts.elsewhere.example", "HTTP_PROXY": url}
    request = StsRequest(ARN, None, "alice-1", TOKEN, environment)
    with pytest.raises(StsUnavailable, match="HTTP_PROXY") as failed:
        BlockingStsClient().credentials(request)
    assert "Winter" not in str(failed.value.as_problem())


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "http://127.1.2.3", "http://[::1]:1"])
def test_no_proxy_is_used_for_this_machine(endpoint):
    assert proxies_for(endpoint, {"HTTPS_PROXY": "http://p:1"}) == {}


def test_a_missing_ca_bundle_of_the_role_is_reported_with_a_hint():
    request = StsRequest(
        ARN, None, "alice-1", TOKEN,
        {"AWS_ENDPOINT_URL_STS": "https://127.0.0.1:9", "AWS_CA_BUNDLE": "/no/such/bundle"},
    )  # fmt: skip
    with pytest.raises(StsUnavailable) as failed:
        BlockingStsClient().assume(request)
    assert "CA bundles" in failed.value.admin_hint


# --- What goes wrong -----------------------------------------------------------------------


EXPIRES_SOON = CREDENTIALS.replace("2026-11-24T13:00:00Z", "soon")
WITHOUT_KEY = CREDENTIALS.replace("ASIAFAKEKEY", "")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error("AccessDenied", 403), TrustRefused),
        (error("InvalidIdentityToken"), TokenRefused),
        (error("ExpiredTokenException"), TokenRefused),
        (error("IDPRejectedClaim", 403), TokenRefused),
        (error("InvalidParameterValue"), TokenRefused),
        (error("IDPCommunicationError"), StsUnavailable),
        (error("Throttling"), Throttled),
        (error("SlowDown", 503), Throttled),
        (error("WhoKnows", 429), Throttled),
        (error("InternalFailure", 500), StsUnavailable),
        (error("ServiceUnavailable", 503), StsUnavailable),
        (error("WhoKnows", 502), StsUnavailable),
        ((502, "<html>Bad gateway</html>"), StsUnavailable),
        ((503, ""), StsUnavailable),
        (error("RegionDisabledException", 403), StsRejected),
        (error("ValidationError"), StsRejected),
        (error("PackedPolicyTooLarge"), StsRejected),
        ((403, "<html>Blocked by your company</html>"), StsBadAnswer),
        ((200, "<html>Log in to the hotel's network</html>"), StsBadAnswer),
        ((200, "{}"), StsBadAnswer),
        ((200, ""), StsBadAnswer),
        pytest.param(assumed(""), StsBadAnswer, id="no credentials"),
        pytest.param(assumed("<Credentials/>"), StsBadAnswer, id="empty credentials"),
        pytest.param(assumed(EXPIRES_SOON), StsBadAnswer, id="an expiration that is not a time"),
        pytest.param(assumed(WITHOUT_KEY), StsBadAnswer, id="an empty key"),
        ((400, "<ErrorResponse><Error/></ErrorResponse>"), StsBadAnswer),
        (b"SSH-2.0-OpenSSH_9.2\r\n", StsUnavailable),
        (b"", StsUnavailable),
    ],
    ids=answer_id,
)
def test_each_answer_has_its_failure_without_a_secret(fake, answer, kind):
    fake.answers["AssumeRoleWithWebIdentity"] = answer
    with pytest.raises(WbAwsError) as failed:
        BlockingStsClient().assume(request_to(fake))
    assert type(failed.value) is kind, failed.value
    assert failed.value.hint
    shown = "".join(traceback.format_exception(failed.value)) + str(failed.value.as_problem())
    assert not any(secret in shown for secret in SECRETS)


def test_an_answer_that_breaks_off_is_a_failure_of_sts(fake):
    fake.answers["AssumeRoleWithWebIdentity"] = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n<x>"
    )
    with pytest.raises((StsBadAnswer, StsUnavailable)):  # by botocore's version
        BlockingStsClient().assume(request_to(fake))


def test_a_refused_caller_identity_is_reported_too(fake):
    fake.answers["GetCallerIdentity"] = error("AccessDenied", 403)
    with pytest.raises(TrustRefused):
        BlockingStsClient().verify(request_to(fake))


def test_a_caller_identity_without_an_arn_is_refused(fake):
    fake.answers["GetCallerIdentity"] = caller(arn="")
    with pytest.raises(StsBadAnswer, match="names no caller"):
        BlockingStsClient().verify(request_to(fake))


def test_credentials_without_a_secret_are_refused(fake):
    content = CREDENTIALS.replace("fake-secret-access-key", "")
    fake.answers["AssumeRoleWithWebIdentity"] = assumed(content)
    with pytest.raises(StsBadAnswer):
        BlockingStsClient().assume(request_to(fake))


def test_an_sts_that_hangs_is_given_up(fake, monkeypatch):
    monkeypatch.setattr(sts, "READ_TIMEOUT", 0.2)
    fake.answers["AssumeRoleWithWebIdentity"] = "hang"
    started = time.monotonic()
    with pytest.raises(StsTimeout) as failed:
        BlockingStsClient().assume(request_to(fake))
    assert time.monotonic() - started < 3
    assert failed.value.retry_after
    assert len(fake.calls) == 1


def test_a_missing_sts_is_unreachable():
    request = StsRequest(
        ARN, None, "alice-1", TOKEN, {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"}
    )
    with pytest.raises(StsUnavailable, match="EndpointConnectionError"):
        BlockingStsClient().assume(request)


@pytest.mark.parametrize(
    "endpoint",
    ["sts.example.com", "file:///etc/passwd", "//sts.example.com", "ftp://svc:Winter2026#x@a"],
)
def test_an_endpoint_that_is_not_a_url_is_named(endpoint):
    request = StsRequest(ARN, None, "alice-1", TOKEN, {"AWS_ENDPOINT_URL_STS": endpoint})
    with pytest.raises(StsUnavailable, match="is not an http") as failed:
        BlockingStsClient().assume(request)
    assert "AWS_ENDPOINT_URL_STS" in failed.value.admin_hint
    assert "Winter" not in str(failed.value.as_problem())


def test_a_broken_url_is_a_failure_of_sts():
    request = StsRequest(ARN, None, "alice-1", TOKEN, {"AWS_ENDPOINT_URL_STS": "http://[::1"})
    with pytest.raises(StsBadAnswer) as failed:
        BlockingStsClient().assume(request)
    assert "endpoint" in failed.value.admin_hint


def test_a_temporary_failure_is_tried_twice(fake, monkeypatch):
    monkeypatch.setattr(sts, "MAX_ATTEMPTS", 2)
    fake.answers["AssumeRoleWithWebIdentity"] = error("InternalFailure", 500)
    with pytest.raises(StsUnavailable):
        BlockingStsClient().assume(request_to(fake))
    assert len(fake.calls) == 2


def test_a_refusal_is_not_tried_again(fake, monkeypatch):
    monkeypatch.setattr(sts, "MAX_ATTEMPTS", 2)
    fake.answers["AssumeRoleWithWebIdentity"] = error("AccessDenied", 403)
    with pytest.raises(TrustRefused):
        BlockingStsClient().assume(request_to(fake))
    assert len(fake.calls) == 1


def test_two_attempts_fit_into_the_time_of_a_start():
    assert (sts.CONNECT_TIMEOUT + sts.READ_TIMEOUT) * 2 < 20


# --- Logging -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loggers",
    [["botocore"], ["botocore", "botocore.endpoint", "botocore.parsers", "botocore.hooks"], [""]],
)
def test_debug_logging_shows_no_secret(fake, caplog, loggers):
    caplog.set_level(1)
    for name in loggers:
        caplog.set_level(1, name)
    BlockingStsClient().verify(request_to(fake))
    fake.answers["AssumeRoleWithWebIdentity"] = error("AccessDenied", 403)
    with pytest.raises(TrustRefused):
        BlockingStsClient().assume(request_to(fake))
    assert not any(secret in caplog.text for secret in SECRETS)


def test_botocore_may_still_warn(fake):
    logging.getLogger("botocore").setLevel(logging.ERROR)
    BlockingStsClient().assume(request_to(fake))
    assert logging.getLogger("botocore").level == logging.ERROR
    logging.getLogger("botocore").setLevel(logging.NOTSET)
    BlockingStsClient().assume(request_to(fake))
    assert logging.getLogger("botocore").isEnabledFor(logging.WARNING)


def test_a_request_shows_no_token(fake):
    request = request_to(fake)
    assert not any(secret in repr(request) for secret in SECRETS)
    assert not any(secret in repr(BlockingStsClient().assume(request)) for secret in SECRETS)
